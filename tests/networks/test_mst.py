"""MST of every size has the published layout; its guide shifts masks back at every level."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.checkpoints import registry
from hsi_xr.networks._msa import MaskGuide, SpectralAttention
from hsi_xr.networks._unet import block_widths
from hsi_xr.networks.attention import GivenStatistics, ImageStatistics, PooledStatistics
from hsi_xr.networks.mst import MST, SIZES, SnapshotMST
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.mst_l import build

CARD = registry.find("mst-l", untrained=True)

TINY = (1, 2, 1)


@pytest.fixture(scope="module")
def snapshot():
    return _shaken(SnapshotMST(28, TINY))


@pytest.fixture(scope="module")
def rgb_network():
    return _shaken(MST(31, TINY))


def _shaken(net):
    """Perturbs temperatures, biases and gains, which start at special values."""
    rng = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data += 0.03 * torch.randn(parameter.shape, generator=rng)
    return net.eval()


def _images(count, channels, rows, columns):
    rng = torch.Generator().manual_seed(rows + channels)
    return torch.rand(count, channels, rows, columns, generator=rng) * torch.linspace(
        0.1, 1, columns
    )


@pytest.mark.parametrize(
    ("size", "parameters", "tensors"),
    [("S", 922_648, 202), ("M", 1_487_592, 316), ("L", 2_018_156, 525)],
)
def test_snapshot_sizes_have_the_parameters_of_the_published_checkpoints(size, parameters, tensors):
    with torch.device("meta"):
        net = SnapshotMST(28, SIZES[size])
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert len(net.state_dict()) == tensors


def test_for_rgb_it_has_the_parameters_of_the_published_checkpoint():
    with torch.device("meta"):
        net = MST()
    assert sum(p.numel() for p in net.parameters()) == 2_450_978
    assert len(net.state_dict()) == 526


@pytest.mark.parametrize(
    ("net", "counts", "embeddings"),
    [(SnapshotMST, "S", ["embedding"]), (MST, "L", ["embedding_1", "embedding_2"])],
)
def test_its_keys_are_those_of_the_published_checkpoints(net, counts, embeddings):
    fine, middle, coarse = SIZES[counts]
    block = ["0.rescale", "0.proj.bias", "1.norm.weight", "1.norm.bias"]
    block += [f"0.{name}.weight" for name in ("to_q", "to_k", "to_v", "proj")]
    block += [f"0.pos_emb.{i}.weight" for i in (0, 2)] + [f"1.fn.net.{i}.weight" for i in (0, 2, 4)]
    block += [f"0.mm.{n}.{w}" for n in ("conv1", "conv2", "depth_conv") for w in ("weight", "bias")]
    parts = {"encoder_layers.0.0": fine, "encoder_layers.1.0": middle, "bottleneck": coarse}
    parts |= {"decoder_layers.0.2": middle, "decoder_layers.1.2": fine}
    keys = {
        f"{part}.blocks.{j}.{key}" for part, n in parts.items() for j in range(n) for key in block
    }
    keys |= {f"{name}.weight" for name in (*embeddings, "mapping")}
    keys |= {f"encoder_layers.{i}.{j}.weight" for i in (0, 1) for j in (1, 2)}
    keys |= {
        f"decoder_layers.{i}.{key}" for i in (0, 1) for key in ("0.weight", "0.bias", "1.weight")
    }
    with torch.device("meta"):
        assert set(net(counts=SIZES[counts]).state_dict()) == keys


@pytest.mark.parametrize(
    ("make", "size", "published"),
    [
        (MST, "L", 32.07e9),
        (SnapshotMST, "S", 12.96e9),
        (SnapshotMST, "M", 18.07e9),
        (SnapshotMST, "L", 28.15e9),
    ],
)
def test_one_pass_costs_as_much_as_published(make, size, published):
    """Multiply-accumulates within 5 %, including those of the spare channels of zeros."""
    shapes = [(1, 3, 256, 256)] if make is MST else [(1, 28, 256, 256), (1, 28, 256, 310)]
    with torch.device("meta"):
        net, images = make(counts=SIZES[size]).eval(), [torch.empty(shape) for shape in shapes]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*images)
    assert counter.get_total_flops() / 2 == pytest.approx(published, rel=0.05)


@torch.no_grad()
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_guide_shifts_each_channel_back_by_the_amount_for_its_level(level):
    """As published for 256 rows: channel i by the whole part of 2 i / s^2, s the down-sampling."""
    width, columns = 28 * 2**level, 64 >> level
    guide = _shaken(MaskGuide(width, 2 / 4**level))
    mask = _images(2, width, 9, columns + 54 // 2**level)
    first = guide.conv1(mask)[:, :width]
    about = F.conv2d(first, guide.conv2.weight, guide.conv2.bias)
    depth = guide.depth_conv
    about = F.conv2d(about, depth.weight, depth.bias, padding=2, groups=width)
    whole = first + first * about.sigmoid()
    found = guide(mask.contiguous(memory_format=torch.channels_last), columns)
    for i in range(width):
        begin = int(2 / 4**level * i)
        torch.testing.assert_close(
            found[:, i], whole[:, i, :, begin : begin + columns], atol=1e-5, rtol=1e-5
        )


@torch.no_grad()
def test_the_guide_weighs_the_values_that_are_mixed_but_not_the_local_branch():
    """Formula by formula: A (V * guide), the projection, and the positional branch of V."""
    layer = _shaken(SpectralAttention(56, 2, guide=MaskGuide(56, 0.5)))
    x, mask = _images(1, 56, 10, 12), _images(1, 56, 10, 39)
    tokens = x.flatten(2).mT
    q, k, v = (
        linear(tokens).mT.unflatten(1, (2, 28)) for linear in (layer.to_q, layer.to_k, layer.to_v)
    )
    matrix = (F.normalize(k, dim=-1) @ F.normalize(q, dim=-1).mT * layer.rescale).softmax(-1)
    guided = v * layer.mm(mask, 12).flatten(2).unflatten(1, (2, 28))
    mixed = layer.proj((matrix @ guided).flatten(1, 2).mT).mT.unflatten(2, (10, 12))
    first, last = layer.pos_emb[0].weight, layer.pos_emb[2].weight
    local = F.gelu(F.conv2d(v.reshape(x.shape), first, padding=1, groups=56))
    local = F.conv2d(local, last, padding=1, groups=56)
    found = layer(x.contiguous(memory_format=torch.channels_last), ImageStatistics(), mask)
    torch.testing.assert_close(found, mixed + local, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(16, 24), (13, 21)])
def test_snapshots_of_any_size_are_reconstructed(snapshot, size):
    rows, columns = size
    measurement, mask = _images(2, 28, rows, columns), _images(1, 28, rows, columns + 54)
    found = snapshot(measurement, mask)
    assert found.shape == measurement.shape
    same = snapshot(measurement, mask.expand(2, -1, -1, -1))
    torch.testing.assert_close(same, found, atol=1e-5, rtol=1e-5)
    changed = snapshot(measurement, mask.roll(3, dims=3))
    assert (changed - found).abs().max() > 1e-4


def test_a_mask_of_another_size_raises(snapshot):
    with pytest.raises(ValueError, match=r"must be \(16, 78\)"):
        snapshot(_images(1, 28, 16, 24), _images(1, 28, 16, 24))


@torch.no_grad()
def test_a_batch_does_not_mix(rgb_network, snapshot):
    rgb = _images(3, 3, 13, 20)
    together = rgb_network(rgb)
    assert together.shape == (3, 31, 13, 20)
    for i in range(3):
        alone = rgb_network(rgb[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)
    measurement, mask = _images(2, 28, 8, 16), _images(2, 28, 8, 70)
    torch.testing.assert_close(
        snapshot(measurement, mask)[1:],
        snapshot(measurement[1:], mask[1:]),
        atol=1e-5,
        rtol=1e-5,
    )


@torch.no_grad()
def test_surveyed_statistics_reproduce_the_output_of_the_image(rgb_network, snapshot):
    mask = _images(1, 28, 16, 78)
    for net, images in (
        (rgb_network, (_images(1, 3, 16, 24),)),
        (snapshot, (_images(1, 28, 16, 24), mask)),
    ):
        statistics = PooledStatistics(None)
        pooled = net(*images, attention=statistics)
        given = net(*images, attention=GivenStatistics(statistics.collected))
        own = net(*images)
        assert len(statistics.collected) == len(block_widths(net)) == 7
        torch.testing.assert_close(pooled, own)
        torch.testing.assert_close(given, own, atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_parameter(rgb_network, snapshot):
    for net, images in (
        (rgb_network, (_images(2, 3, 13, 16),)),
        (snapshot, (_images(1, 28, 16, 16), _images(1, 28, 16, 70))),
    ):
        gradients = torch.autograd.grad(net(*images).square().mean(), list(net.parameters()))
        assert all(gradient.abs().max() > 0 for gradient in gradients)


@torch.no_grad()
def test_tiles_use_the_survey():
    torch.manual_seed(3)
    model = build({"bands": 31}).eval()
    rgb = _images(2, 3, 16, 24)
    cube, facts = model.whole(SceneWindows.entire(rgb), None)
    assert {"low", "high"} < set(facts)
    tile = model(rgb[1:], None, facts, stochastic=False)
    torch.testing.assert_close(tile, cube[1:], atol=1e-5, rtol=1e-4)
    assert CARD.data["reach"]["survey"] and CARD.stride == 8
