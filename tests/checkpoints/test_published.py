"""Published checkpoints load by name from any container, and reproduce published outputs."""

from collections import OrderedDict

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hsi_xr.checkpoints.published import NETWORKS, SNAPSHOT_NETWORKS, load
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
"""One small variant of each network, with sizes other than the published ones."""

WRAPPINGS = {
    "bare": lambda state: state,
    "parallel": lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
    "run": lambda state: {"epoch": 7, "iter": 9, "state_dict": state, "optimizer": {"state": {}}},
    "parallel run": lambda state: WRAPPINGS["run"](WRAPPINGS["parallel"](state)),
    "average": lambda state: {"params": {"stray": torch.ones(1)}, "params_ema": state},
    "restored": lambda state: {"params": state},
}


@pytest.fixture(scope="module")
def ours():
    """The networks by name, with random temperatures, biases and gains."""
    rng, found = torch.Generator().manual_seed(0), {}
    for name, make in SMALL.items():
        torch.manual_seed(0)
        found[name] = make().eval()
        for parameter in found[name].parameters():
            parameter.data += 0.03 * torch.randn(parameter.shape, generator=rng)
    return found


def _images(count, channels, rows=16, columns=24):
    """Random, and brighter to the right."""
    rng = torch.Generator().manual_seed(channels + columns)
    ramp = torch.linspace(0.1, 1, columns)
    return torch.rand(count, channels, rows, columns, generator=rng) * ramp


def _inputs(network):
    """The arguments of the authors' `forward` for a network."""
    match network:
        case SnapshotMST():
            bands = network.embedding.in_channels
            return _images(1, bands), _images(1, bands, columns=24 + 2 * (bands - 1))
        case SnapshotMSTPlusPlus() | BiSRNet():
            bands = network.conv_out.out_channels
            return _images(1, bands), _images(1, bands, columns=25)[..., 1:]
    return (_images(1, 3),)


def _same(network, expected):
    found, expected = network.state_dict(), expected.state_dict()
    return found.keys() == expected.keys() and all(
        torch.equal(found[k], expected[k]) for k in expected
    )


def test_every_published_network_is_tested_here():
    assert set(SMALL) == set(NETWORKS)


@torch.no_grad()
@pytest.mark.parametrize("name", SMALL)
def test_the_container_of_a_state_does_not_matter(ours, name):
    images = _inputs(ours[name])
    expected = ours[name](*images)
    for wrap in WRAPPINGS.values():
        network = load(name, wrap(ours[name].state_dict()))
        assert not network.training and _same(network, ours[name])
        torch.testing.assert_close(network(*images), expected, atol=1e-6, rtol=1e-6)


def test_names_may_have_hyphens_or_underscores(ours):
    assert _same(load("hscnn-plus", ours["hscnn_plus"].state_dict()), ours["hscnn_plus"])


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
        expected = make().state_dict()
        found = NETWORKS[name].network(**NETWORKS[name].sizes(expected)).state_dict()
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in expected.items()}


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_any_precision_load_as_float32(ours, kind):
    state = {key: tensor.to(kind) for key, tensor in ours["mst_plus_plus"].state_dict().items()}
    for key, tensor in load("mst_plus_plus", state).state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, state[key].float())


def test_loading_copies_the_state(ours):
    """The state is neither shared nor changed, and no random numbers are drawn."""
    state = ours["hscnn_plus"].state_dict()
    drawn = torch.get_rng_state()
    network = load("hscnn_plus", WRAPPINGS["parallel run"](state))
    nn.init.zeros_(network.conv_out.weight)
    assert state["conv_out.weight"].abs().max() > 0
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(p.requires_grad and p.is_leaf for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("name", SNAPSHOT_NETWORKS)
def test_named_inputs_of_snapshots_fit_each_network(ours, name):
    """The named inputs fit `forward`, whose result depends on the mask."""
    network = ours[name]
    bands = NETWORKS[name].sizes(network.state_dict())["bands"]
    cubes = _images(2, bands)
    outputs = []
    for mask in (_images(1, 1)[0, 0], _images(1, 1, columns=25)[0, 0, :, 1:]):
        snapshots = forward.measure(cubes, mask)
        make = [forward.INPUTS[each] for each in NETWORKS[name].inputs]
        outputs.append(network(*(each(snapshots, mask, bands) for each in make)))
    assert outputs[0].shape == cubes.shape
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3


def test_all_other_networks_take_rgb_images(ours):
    for name in NETWORKS.keys() - {*SNAPSHOT_NETWORKS}:
        assert NETWORKS[name].inputs == ("RGB",) and len(_inputs(ours[name])) == 1


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "file"),
    [("mst_plus_plus", "mst_plus_plus_rgb"), ("bisrnet", "bisrnet_published")],
)
def test_outputs_equal_those_of_the_authors_code(name, file):
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


# guides of a batch

BRIGHTER = torch.tensor([4.0, 1.0])[:, None, None, None]
"""Makes the first guide of a batch different from the second."""


@torch.no_grad()
def test_the_first_image_of_a_batch_guides_all(ours):
    plain, network = ours["mst_l_rgb"], load("mst_l_rgb", ours["mst_l_rgb"].state_dict())
    first, second = rgb = _images(2, 3) * BRIGHTER
    of_first = plain.embedding_1(first[None].contiguous(memory_format=torch.channels_last))
    hook = plain.embedding_1.register_forward_hook(lambda *_: of_first)
    expected = plain(second[None])
    hook.remove()
    found = network(rgb)
    torch.testing.assert_close(found[1:], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[:1], plain(rgb)[:1], atol=1e-5, rtol=1e-5)
    assert (found[1:] - plain(rgb)[1:]).abs().max() > 1e-3


@torch.no_grad()
def test_the_first_mask_of_a_batch_guides_all(ours):
    plain, network = ours["mst_s"], load("mst_s", ours["mst_s"].state_dict())
    measurement, mask = _images(2, 8), _images(2, 8, columns=38) * BRIGHTER
    found = network(measurement, mask)
    torch.testing.assert_close(found, plain(measurement, mask[:1]), atol=1e-5, rtol=1e-5)
    assert (found[1:] - plain(measurement, mask)[1:]).abs().max() > 1e-3


# states that do not fit


@pytest.mark.parametrize("name", SMALL)
def test_the_tensors_of_another_network_are_recognised(ours, name):
    asked = "awan" if name != "awan" else "bisrnet"
    with pytest.raises(InvalidCheckpoint, match=f"not one of {asked}: .*the tensors of {name}$"):
        load(asked, ours[name].state_dict())


@pytest.mark.parametrize(
    ("asked", "name"),
    [("mst_s", "mst_m"), ("mst_l", "mst_l_rgb"), ("mst_plus_plus", "mst_plus_plus_cassi")],
)
def test_similar_networks_are_distinguished(ours, asked, name):
    with pytest.raises(InvalidCheckpoint, match=f"these are the tensors of {name}$"):
        load(asked, ours[name].state_dict())


def test_missing_and_unknown_keys_are_listed(ours):
    state = dict(ours["hscnn_plus"].state_dict())
    state["stray"] = state.pop("ddfn.conv_up1.weight")
    with pytest.raises(InvalidCheckpoint) as raised:
        load("hscnn_plus", state)
    assert str(raised.value) == (
        "the state is not one of hscnn_plus: it has unknown stray; lacks ddfn.conv_up1.weight"
    )


def test_wrong_shapes_are_listed(ours):
    state = dict(ours["mst_plus_plus"].state_dict())
    state["conv_out.weight"] = state["conv_out.weight"][:27]
    message = r"it conv_out.weight is \(27, 28, 3, 3\), not \(28, 28, 3, 3\)$"
    with pytest.raises(InvalidCheckpoint, match=message):
        load("mst_plus_plus", state)


def test_only_the_first_of_many_differences_are_listed(ours):
    state = dict(ours["mst_plus_plus"].state_dict())
    state["conv_in.weight"] = state["conv_in.weight"][:27]
    with pytest.raises(InvalidCheckpoint, match=r"proj.bias is \(112,\), not \(108,\)") as raised:
        load("mst_plus_plus", state)
    assert str(raised.value).endswith(" ...") and str(raised.value).count(";") == 4


@pytest.mark.parametrize("state", [{}, {"state_dict": OrderedDict()}, {0: torch.ones(2)}])
def test_missing_keys_of_an_empty_or_malformed_state_are_listed(state):
    with pytest.raises(InvalidCheckpoint, match="lacks "):
        load("mst_s", state)


@pytest.mark.parametrize(
    "tensor", [torch.ones(()), torch.ones(0, 28, 3, 3), torch.ones(1, 1, 1).expand(10**5, 1, 1)]
)
def test_implausible_sizes_are_rejected_without_allocating_memory(ours, tensor):
    state = {**ours["mst_s"].state_dict(), "embedding.weight": tensor}
    with pytest.raises(InvalidCheckpoint, match="not one of mst_s"):
        load("mst_s", state)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            nn.Linear(2, 2),
            "is a Linear, not a mapping .* whole module, pass its `state_dict",
        ),
        ({"state_dict": nn.Linear(2, 2)}, "is a Linear, not a mapping"),
        ({"epoch": 3, "model": nn.Linear(2, 2)}, "'epoch' is a int, not a tensor"),
        ({"model": nn.Linear(2, 2)}, "'model' is a Linear, not a tensor; .* pickled modules"),
        ([torch.ones(2)], "is a list, not a mapping"),
        (torch.ones(2), "is a Tensor, not a mapping"),
    ],
)
def test_a_state_that_is_not_a_mapping_of_tensors_is_rejected(state, message):
    with pytest.raises(InvalidCheckpoint, match=message):
        load("bisrnet", state)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mst-plus-pluss", "called 'mst-plus-pluss'; did you mean 'mst_plus_plus'[?] known: awan,"),
        ("restormer", "called 'restormer'; known: awan, bisrnet,"),
    ],
)
def test_the_error_for_an_unknown_name_lists_the_known_ones(name, message):
    with pytest.raises(UnknownName, match=message):
        load(name, {})
