"""Published checkpoints load by name, however they are wrapped, and run as published."""

from collections import OrderedDict
from functools import partial

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hsi_xr.checkpoints.published import NETWORKS, SNAPSHOT_NETWORKS, load, sizes
from hsi_xr.coded_aperture import forward
from hsi_xr.errors import InvalidCheckpoint, UnknownName
from hsi_xr.networks.awan import AWAN
from hsi_xr.networks.bisrnet import BiSRNet
from hsi_xr.networks.hscnn_plus import HSCNNPlus
from hsi_xr.networks.mst import MST, SIZES, SnapshotMST
from hsi_xr.networks.mst_plus_plus import MSTPlusPlus, SnapshotMSTPlusPlus
from tests.scenes import DATA

RECORDED = DATA.parent / "parity"

SMALL = {
    "awan": lambda: AWAN(28, 32, blocks=2),
    "bisrnet": lambda: BiSRNet(12),
    "hscnn_plus": lambda: HSCNNPlus(28, blocks=2),
    "mst_l": lambda: SnapshotMST(8, SIZES["L"]),
    "mst_l_rgb": lambda: MST(8, SIZES["L"]),
    "mst_m": lambda: SnapshotMST(8, SIZES["M"]),
    "mst_plus_plus": lambda: MSTPlusPlus(28, stages=2),
    "mst_plus_plus_cassi": lambda: SnapshotMSTPlusPlus(31, stages=1),
    "mst_s": lambda: SnapshotMST(8, SIZES["S"]),
}
"""Networks whose bands, width, stages and blocks differ from the published ones."""


def _prefixed(prefix, state):
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


def _contained(key, state):
    """A checkpoint of a whole run, with the averages of an optimizer."""
    averages = {0: {"step": torch.ones(()), "exp_avg": torch.ones(3)}}
    return {"epoch": 7, key: state, "optimizer": {"state": averages, "param_groups": []}}


WRAPPINGS = {
    "bare": lambda state: state,
    "parallel": lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
    "run": lambda state: {"epoch": 7, "iter": 9, "state_dict": state, "optimizer": {"state": {}}},
    "parallel run": lambda state: WRAPPINGS["run"](WRAPPINGS["parallel"](state)),
    "average": lambda state: {"params": {"stray": torch.ones(1)}, "params_ema": state},
    "restored": lambda state: {"params": state},
    **{
        f"prefix {prefix}": partial(_prefixed, prefix)
        for prefix in ("model.", "_orig_mod.", "net.", "generator.", "model._orig_mod.module.")
    },
    **{
        f"container {key}": partial(_contained, key)
        for key in ("net", "model", "generator", "model_state_dict", "ema", "anything")
    },
    "nested containers": lambda state: _contained("ema", {"module": _prefixed("module.", state)}),
    "beside another network": lambda state: {
        **_prefixed("generator.", state),
        **_prefixed("discriminator.", nn.Conv2d(2, 3, 1).state_dict()),
    },
    "beside a loss": lambda state: {
        "state_dict": {**_prefixed("model.", state), "loss.weight": torch.ones(2)}
    },
    "beside a counter": lambda state: {**state, "epoch": 3, "name": "a"},
    "of a module with two names": lambda state: {
        **_prefixed("model.", state),
        **_prefixed("loss.model.", state),
    },
}
"""Forms in which the same weights are saved."""


@pytest.fixture(scope="module")
def networks():
    """Networks by name, with perturbed temperatures, biases and gains."""
    rng, found = torch.Generator().manual_seed(0), {}
    for name, make in SMALL.items():
        torch.manual_seed(0)
        found[name] = make().eval()
        for parameter in found[name].parameters():
            parameter.data += 0.03 * torch.randn(parameter.shape, generator=rng)
    return found


def _images(count, channels, rows=16, columns=24):
    """Random images that are brighter to the right."""
    rng = torch.Generator().manual_seed(channels + columns)
    ramp = torch.linspace(0.1, 1, columns)
    return torch.rand(count, channels, rows, columns, generator=rng) * ramp


def _inputs(network):
    """Arguments of the authors' `forward` of a network."""
    match network:
        case SnapshotMST():
            bands = network.embedding.in_channels
            return _images(1, bands), _images(1, bands, columns=24 + 2 * (bands - 1))
        case SnapshotMSTPlusPlus() | BiSRNet():
            bands = network.conv_out.out_channels
            return _images(1, bands), _images(1, bands, columns=25)[..., 1:]
    return (_images(1, 3),)


def _same(network, wanted):
    found, wanted = network.state_dict(), wanted.state_dict()
    return found.keys() == wanted.keys() and all(torch.equal(found[k], wanted[k]) for k in wanted)


def test_every_published_network_is_tested():
    assert set(SMALL) == set(NETWORKS)


@torch.no_grad()
@pytest.mark.parametrize("name", SMALL)
def test_the_output_does_not_depend_on_how_it_was_saved(networks, name):
    images = _inputs(networks[name])
    network = load(name, WRAPPINGS["parallel run"](networks[name].state_dict()))
    assert not network.training
    torch.testing.assert_close(network(*images), networks[name](*images), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", ["hscnn_plus", "mst_plus_plus"])
def test_weights_are_found_however_they_were_saved(networks, name, wrapping):
    state = WRAPPINGS[wrapping](networks[name].state_dict())
    assert _same(load(name, state), networks[name])
    wanted = NETWORKS[name].sizes(networks[name].state_dict())
    assert sizes(name, state) == wanted


def _other_values(state):
    return {key: tensor + 1 for key, tensor in state.items()}


@pytest.mark.parametrize(
    "keys", [("params_ema", "params"), ("state_dict", "params_ema"), ("params", "ema")]
)
def test_of_known_containers_the_preferred_one_is_read(networks, keys):
    state = networks["hscnn_plus"].state_dict()
    preferred, other = keys
    both = {other: _other_values(state), preferred: state}
    assert _same(load("hscnn_plus", both), networks["hscnn_plus"])


@pytest.mark.parametrize(
    ("combine", "says"),
    [
        (lambda a, b: {"model": a, "ema": b}, r"\['model'\] \(\d+ tensors\), \['ema'\].*"),
        (
            lambda a, b: {"state_dict": {**_prefixed("model.", a), **_prefixed("ema.", b)}},
            r"\['state_dict'\] \(keys ema\.\*\), \['state_dict'\] \(keys model\.\*\)",
        ),
    ],
)
def test_two_sets_of_weights_are_refused_and_named(networks, combine, says):
    state = networks["hscnn_plus"].state_dict()
    with pytest.raises(InvalidCheckpoint, match=f"more than once.*{says}; save only"):
        load("hscnn_plus", combine(state, _other_values(state)))


@pytest.mark.parametrize("prefix", ["", "model."])
def test_more_layers_than_the_network_has_are_refused(networks, prefix):
    """A network with layers of its own would be run without them."""
    state = {**networks["hscnn_plus"].state_dict(), "refine.weight": torch.ones(1)}
    with pytest.raises(InvalidCheckpoint, match=r"hscnn_plus: it has unknown refine\.weight$"):
        load("hscnn_plus", _prefixed(prefix, state))


def test_where_nothing_matches_the_containers_are_named(networks):
    state = {"model": {"a": torch.ones(1), "b": torch.ones(1)}, "head": {"c": torch.ones(1)}}
    says = r"in \['model'\] \(2 tensors\), \['head'\] \(1 tensors\)"
    with pytest.raises(InvalidCheckpoint, match=says):
        load("hscnn_plus", state)
    state = {"model": networks["mst_s"].state_dict(), "head": {"c": torch.ones(1)}}
    with pytest.raises(InvalidCheckpoint, match=r"these are the tensors of mst_s$"):
        load("hscnn_plus", state)


def test_hyphens_count_as_underscores(networks):
    assert _same(load("hscnn-plus", networks["hscnn_plus"].state_dict()), networks["hscnn_plus"])


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("mst_plus_plus", MSTPlusPlus),
        ("mst_plus_plus_cassi", SnapshotMSTPlusPlus),
        ("mst_s", lambda: SnapshotMST(counts=SIZES["S"])),
        ("mst_m", lambda: SnapshotMST(counts=SIZES["M"])),
        ("mst_l", SnapshotMST),
        ("mst_l_rgb", MST),
        ("awan", lambda: AWAN(31)),
        ("awan", lambda: AWAN(31, 200)),
        ("hscnn_plus", lambda: HSCNNPlus(31)),
        ("bisrnet", BiSRNet),
    ],
)
def test_published_sizes_are_inferred(name, make):
    with torch.device("meta"):
        wanted = make().state_dict()
        found = NETWORKS[name].network(**NETWORKS[name].sizes(wanted)).state_dict()
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in wanted.items()}


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_values_of_any_precision_load_as_float32(networks, kind):
    state = {key: tensor.to(kind) for key, tensor in networks["mst_plus_plus"].state_dict().items()}
    for key, tensor in load("mst_plus_plus", state).state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, state[key].float())


def test_the_state_of_the_caller_is_not_changed(networks):
    """Nothing is shared with it, nothing in it changes, and no random number is drawn."""
    state = networks["hscnn_plus"].state_dict()
    drawn = torch.get_rng_state()
    network = load("hscnn_plus", WRAPPINGS["parallel run"](state))
    nn.init.zeros_(network.conv_out.weight)
    assert state["conv_out.weight"].abs().max() > 0
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(p.requires_grad and p.is_leaf for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("name", SNAPSHOT_NETWORKS)
def test_each_network_gets_its_form_of_snapshot_and_mask(networks, name):
    """Inputs by name fit `forward`, and the mask changes the output."""
    network = networks[name]
    bands = NETWORKS[name].sizes(network.state_dict())["bands"]
    cubes = _images(2, bands)
    outputs = []
    for mask in (_images(1, 1)[0, 0], _images(1, 1, columns=25)[0, 0, :, 1:]):
        snapshots = forward.measure(cubes, mask)
        make = [forward.INPUTS[each] for each in NETWORKS[name].inputs]
        outputs.append(network(*(each(snapshots, mask, bands) for each in make)))
    assert outputs[0].shape == cubes.shape
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3


def test_rgb_images_are_the_input_of_all_others(networks):
    for name in NETWORKS.keys() - {*SNAPSHOT_NETWORKS}:
        assert NETWORKS[name].inputs == ("RGB",) and len(_inputs(networks[name])) == 1


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "file"),
    [("mst_plus_plus", "mst_plus_plus_rgb"), ("bisrnet", "bisrnet_published")],
)
def test_the_output_is_that_of_the_authors_code(name, file):
    path = RECORDED / f"{file}.safetensors"
    if not path.is_file():
        pytest.skip(f"no recorded outputs at {path}")
    recorded = load_file(path)
    weights = {
        key.replace("weights/", "module."): tensor
        for key, tensor in recorded.items()
        if key.startswith("weights/")
    }
    network = load(name, {"epoch": 300, "state_dict": weights})
    found = network(*(recorded[key] for key in sorted(recorded) if key.startswith("input_")))
    torch.testing.assert_close(found, recorded["output"], atol=1e-5, rtol=1e-5)


# whose guide

BRIGHTER = torch.tensor([4.0, 1.0])[:, None, None, None]
"""Makes the first guide of a batch differ from the second."""


@torch.no_grad()
def test_the_first_image_of_a_batch_guides_all(networks):
    plain, network = networks["mst_l_rgb"], load("mst_l_rgb", networks["mst_l_rgb"].state_dict())
    first, second = rgb = _images(2, 3) * BRIGHTER
    of_first = plain.embedding_1(first[None].contiguous(memory_format=torch.channels_last))
    hook = plain.embedding_1.register_forward_hook(lambda *_: of_first)
    wanted = plain(second[None])
    hook.remove()
    found = network(rgb)
    torch.testing.assert_close(found[1:], wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[:1], plain(rgb)[:1], atol=1e-5, rtol=1e-5)
    assert (found[1:] - plain(rgb)[1:]).abs().max() > 1e-3


@torch.no_grad()
def test_the_first_mask_of_a_batch_guides_all(networks):
    plain, network = networks["mst_s"], load("mst_s", networks["mst_s"].state_dict())
    measurement, mask = _images(2, 8), _images(2, 8, columns=38) * BRIGHTER
    found = network(measurement, mask)
    torch.testing.assert_close(found, plain(measurement, mask[:1]), atol=1e-5, rtol=1e-5)
    assert (found[1:] - plain(measurement, mask)[1:]).abs().max() > 1e-3


# what does not fit


@pytest.mark.parametrize("name", SMALL)
def test_the_tensors_of_another_network_are_recognised(networks, name):
    asked = "awan" if name != "awan" else "bisrnet"
    with pytest.raises(InvalidCheckpoint, match=f"not one of {asked}: .*the tensors of {name}$"):
        load(asked, networks[name].state_dict())


@pytest.mark.parametrize(
    ("asked", "name"),
    [("mst_s", "mst_m"), ("mst_l", "mst_l_rgb"), ("mst_plus_plus", "mst_plus_plus_cassi")],
)
def test_related_networks_are_distinguished(networks, asked, name):
    with pytest.raises(InvalidCheckpoint, match=f"these are the tensors of {name}$"):
        load(asked, networks[name].state_dict())


def test_missing_and_unknown_keys_are_named(networks):
    state = dict(networks["hscnn_plus"].state_dict())
    state["stray"] = state.pop("ddfn.conv_up1.weight")
    with pytest.raises(InvalidCheckpoint) as told:
        load("hscnn_plus", state)
    assert str(told.value) == (
        "the state is not one of hscnn_plus: it has unknown stray; lacks ddfn.conv_up1.weight"
    )


def test_other_shapes_are_named(networks):
    state = dict(networks["mst_plus_plus"].state_dict())
    state["conv_out.weight"] = state["conv_out.weight"][:27]
    says = r"it conv_out.weight is \(27, 28, 3, 3\), not \(28, 28, 3, 3\)$"
    with pytest.raises(InvalidCheckpoint, match=says):
        load("mst_plus_plus", state)


def test_of_many_differences_a_few_are_named(networks):
    state = dict(networks["mst_plus_plus"].state_dict())
    state["conv_in.weight"] = state["conv_in.weight"][:27]
    with pytest.raises(InvalidCheckpoint, match=r"proj.bias is \(112,\), not \(108,\)") as told:
        load("mst_plus_plus", state)
    assert str(told.value).endswith(" ...") and str(told.value).count(";") == 4


@pytest.mark.parametrize("state", [{"bias": torch.ones(1)}, {0: torch.ones(2)}])
def test_an_odd_state_lacks_what_is_published(state):
    with pytest.raises(InvalidCheckpoint, match="lacks "):
        load("mst_s", state)


@pytest.mark.parametrize(
    "tensor", [torch.ones(()), torch.ones(0, 28, 3, 3), torch.ones(1, 1, 1).expand(10**5, 1, 1)]
)
def test_invalid_sizes_raise_without_allocating_memory(networks, tensor):
    state = {**networks["mst_s"].state_dict(), "embedding.weight": tensor}
    with pytest.raises(InvalidCheckpoint, match="not one of mst_s"):
        load("mst_s", state)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (
            nn.Linear(2, 2),
            "is a Linear, not a mapping .* whole module, pass its `state_dict",
        ),
        ({"epoch": 3, "model": nn.Linear(2, 2)}, "'model' is a Linear; .* pickled modules"),
        ({}, "contains no tensors; weights are tensors by key"),
        ({"state_dict": OrderedDict()}, "contains no tensors, but 'state_dict' is a OrderedDict"),
        ([torch.ones(2)], "is a list, not a mapping"),
        (torch.ones(2), "is a Tensor, not a mapping"),
    ],
)
def test_anything_but_a_mapping_of_tensors_raises(state, says):
    with pytest.raises(InvalidCheckpoint, match=says):
        load("bisrnet", state)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mst-plus-pluss", "called 'mst-plus-pluss'; did you mean 'mst_plus_plus'[?] known: awan,"),
        ("restormer", "called 'restormer'; known: awan, bisrnet,"),
    ],
)
def test_an_unknown_name_raises_with_the_known_names(name, says):
    with pytest.raises(UnknownName, match=says):
        load(name, {})
