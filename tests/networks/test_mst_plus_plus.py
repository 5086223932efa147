"""MST++ gives the output of the authors' code, keeps its budget, and can be surveyed."""

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.checkpoints import registry
from hsi_xr.networks._msa import SpectralAttention
from hsi_xr.networks._unet import FeedForward, block_widths
from hsi_xr.networks.attention import GivenStatistics, ImageStatistics, PooledStatistics
from hsi_xr.networks.mst_plus_plus import MSTPlusPlus, SnapshotMSTPlusPlus
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.mst_plus_plus import build
from tests.benchmarks.plain_mst_plus_plus import PlainMSTPlusPlus
from tests.scenes import DATA

CARD = registry.find("mst-plus-plus", untrained=True)

RECORDED = DATA.parent / "parity" / "mst_plus_plus_rgb.safetensors"


@pytest.fixture(scope="module")
def network():
    """One stage, with perturbed temperatures and gains."""
    torch.manual_seed(0)
    net = MSTPlusPlus(31, stages=1).eval()
    for parameter in net.parameters():
        parameter.data += 0.03 * torch.randn_like(parameter)
    return net


def _images(count, rows, columns, channels=3):
    rng = torch.Generator().manual_seed(rows)
    ramp = torch.linspace(0.1, 1, columns)
    return torch.rand(count, channels, rows, columns, generator=rng) * ramp


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"no recordings in {RECORDED.parent}")
def test_it_answers_what_the_authors_code_answered():
    recorded = load_file(RECORDED)
    weights = {
        key.removeprefix("weights/"): value
        for key, value in recorded.items()
        if key.startswith("weights/")
    }
    net = MSTPlusPlus().eval()
    net.load_state_dict(weights, strict=True)
    with torch.no_grad():
        found = net(recorded["input_0"])
    torch.testing.assert_close(found, recorded["output"], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        net(recorded["input_0"][:1]), recorded["output"][:1], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("make", "parameters", "tensors"),
    [(MSTPlusPlus, 1_619_625, 227), (SnapshotMSTPlusPlus, 1_333_950, 229)],
)
def test_it_has_the_parameters_of_the_published_checkpoints(make, parameters, tensors):
    with torch.device("meta"):
        net = make()
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert len(net.state_dict()) == tensors


def test_its_keys_are_those_of_the_published_checkpoints():
    attention = ["rescale", "proj.bias", *(f"{n}.weight" for n in ("to_q", "to_k", "to_v", "proj"))]
    attention += [f"pos_emb.{i}.weight" for i in (0, 2)]
    feed = [*(f"fn.net.{i}.weight" for i in (0, 2, 4)), "norm.weight", "norm.bias"]
    block = [f"0.{key}" for key in attention] + [f"1.{key}" for key in feed]
    stage = ["embedding.weight", "mapping.weight"]
    for part in "encoder_layers.0.0", "encoder_layers.1.0", "bottleneck":
        stage += [f"{part}.blocks.0.{key}" for key in block]
    for i in range(2):
        stage += [f"encoder_layers.{i}.1.weight", f"decoder_layers.{i}.1.weight"]
        stage += [f"decoder_layers.{i}.0.weight", f"decoder_layers.{i}.0.bias"]
        stage += [f"decoder_layers.{i}.2.blocks.0.{key}" for key in block]
    keys = {"conv_in.weight", "conv_out.weight"}
    keys |= {f"body.{i}.{key}" for i in range(3) for key in stage}
    with torch.device("meta"):
        assert set(MSTPlusPlus().state_dict()) == keys
        assert set(SnapshotMSTPlusPlus().state_dict()) == keys | {"fution.weight", "fution.bias"}


@pytest.mark.parametrize(
    ("make", "shapes", "published"),
    [
        (MSTPlusPlus, [(1, 3, 256, 256)], 23.05e9),
        (SnapshotMSTPlusPlus, [(1, 28, 256, 256)] * 2, 19.42e9),
    ],
)
def test_one_pass_costs_as_much_as_published(make, shapes, published):
    """Multiply-accumulates, within 5 %; those with the spare channels of zeros included."""
    with torch.device("meta"):
        net, images = make().eval(), [torch.empty(shape) for shape in shapes]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*images)
    assert counter.get_total_flops() / 2 == pytest.approx(published, rel=0.05)


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 8), (21, 34), (40, 24), (96, 200)])
def test_it_answers_what_its_formulas_answer(network, size):
    """At any size; the last is done in strips."""
    plain = PlainMSTPlusPlus(31, stages=1).eval()
    plain.load_state_dict(network.state_dict())
    rgb = _images(2, *size)
    torch.testing.assert_close(network(rgb), plain(rgb), atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_strips_of_a_feed_forward_are_the_whole(monkeypatch):
    feed = FeedForward(31).eval()
    x = _images(2, 37, 20, 32).contiguous(memory_format=torch.channels_last)
    x[:, 31:] = 0
    whole = feed(x)
    monkeypatch.setattr("hsi_xr.networks._unet.STRIP", 1)  # strips of 8 rows
    torch.testing.assert_close(feed(x), whole, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_a_snapshot_may_share_its_mask():
    net = SnapshotMSTPlusPlus(stages=1).eval()
    snapshots, mask = _images(2, 21, 18, 28), _images(1, 21, 18, 28)
    both = net(snapshots, mask)
    assert both.shape == (2, 28, 21, 18)
    alone = net(snapshots[1:], mask)
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_batch_does_not_mix(network):
    rgb = _images(3, 21, 28)
    together = network(rgb)
    for i in range(3):
        torch.testing.assert_close(
            together[i : i + 1], network(rgb[i : i + 1]), atol=1e-5, rtol=1e-5
        )


@torch.no_grad()
def test_memory_layout_does_not_matter(network):
    rgb = _images(2, 24, 20)
    last = rgb.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(last), network(rgb), atol=1e-6, rtol=1e-5)


def test_gradients_reach_every_parameter_and_are_those_of_the_formulas(network):
    plain = PlainMSTPlusPlus(31, stages=1)
    plain.load_state_dict(network.state_dict())
    rgb = _images(2, 13, 16)
    found, wanted = (
        torch.autograd.grad(net(rgb).square().mean(), list(net.parameters()))
        for net in (network, plain)
    )
    names = [name for name, _ in network.named_parameters()]
    of_plain = dict(zip([name for name, _ in plain.named_parameters()], wanted))
    for name, gradient in zip(names, found):
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradient, of_plain[name], atol=1e-6, rtol=1e-3)


def test_a_black_image_has_finite_gradients(network):
    loss = network(torch.zeros(1, 3, 8, 16)).square().mean()
    assert all(g.isfinite().all() for g in torch.autograd.grad(loss, list(network.parameters())))


@torch.no_grad()
def test_surveyed_statistics_reproduce_the_output_of_the_image(network):
    rgb = _images(1, 24, 40)
    statistics = PooledStatistics(None)
    pooled = network(rgb, attention=statistics)
    given = network(rgb, attention=GivenStatistics(statistics.collected))
    own = network(rgb, attention=ImageStatistics())
    assert len(statistics.collected) == 5
    torch.testing.assert_close(pooled, own)
    torch.testing.assert_close(given, own, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_surveyed_statistics_serve_any_number_of_tiles(network):
    rgb = _images(3, 16, 24)
    statistics = PooledStatistics(None)
    pooled = network(rgb, attention=statistics)
    for i in range(3):
        given = network(rgb[i : i + 1], attention=GivenStatistics(statistics.collected))
        torch.testing.assert_close(given, pooled[i : i + 1], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_surveyed_pass_computes_no_queries_and_keys(network):
    attend = network.body[0].bottleneck.blocks[0][0]
    x = torch.randn(1, 124, 6, 10).contiguous(memory_format=torch.channels_last)
    statistics = PooledStatistics(None)
    whole = attend(x, statistics)
    kept = attend.to_q.weight.clone()
    attend.to_q.weight.fill_(float("nan"))
    try:
        torch.testing.assert_close(attend(x, GivenStatistics(statistics.collected)), whole)
    finally:
        attend.to_q.weight.copy_(kept)


@torch.no_grad()
def test_windows_pool_into_the_statistics_of_their_scene():
    """One layer on the four quarters of an image has the matrices of the image."""
    torch.manual_seed(1)
    layer = SpectralAttention(62, 2)
    layer.rescale.data += torch.rand(2, 1, 1)
    h = torch.randn(1, 62, 12, 20)
    quarters = torch.cat([q for half in h.chunk(2, dim=2) for q in half.chunk(2, dim=3)])
    scene, windows = PooledStatistics(None), PooledStatistics(None)
    layer(h, scene)
    layer(quarters, windows)
    torch.testing.assert_close(windows.collected, scene.collected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_pixels_without_weight_do_not_count():
    torch.manual_seed(2)
    layer = SpectralAttention(31, 1)
    h = torch.randn(2, 31, 12, 16)
    weights = torch.ones(2, 1, 12, 16)
    weights[..., :5] = 0
    kept, weighted = PooledStatistics(None), PooledStatistics(weights)
    layer(h[..., 5:], kept)
    layer(h, weighted)
    torch.testing.assert_close(weighted.collected, kept.collected, atol=1e-6, rtol=1e-5)


def test_blocks_are_counted_in_the_order_they_run():
    net = MSTPlusPlus(7, stages=2).eval()
    seen = []

    def prior(features, index):
        seen.append((index, features.shape[1]))
        return features

    with torch.no_grad():
        net(_images(1, 8, 16), prior=prior)
    assert seen == list(enumerate(block_widths(net)))
    assert [width for _, width in seen] == [7, 14, 28, 14, 7] * 2


@torch.no_grad()
def test_a_tile_of_a_surveyed_scene_is_the_scene():
    """Coding, level and attention come from the survey; compared far from the tile's border."""
    torch.manual_seed(3)
    model = build({"bands": 31, "stages": 1}).eval()
    rgb = _images(1, 128, 128)
    cube, statistics = model.whole(SceneWindows.entire(rgb), None)
    tile = model(rgb[..., :96, :96], None, statistics, stochastic=False)
    torch.testing.assert_close(tile[..., :40, :40], cube[..., :40, :40], atol=1e-5, rtol=1e-4)
    assert CARD.data["reach"]["survey"] and CARD.stride == 8
