"""R2H-Diff keeps its budget, and its attention accepts the statistics of a scene."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.networks.attention import GivenStatistics, ImageStatistics, PooledStatistics
from hsi_xr.networks.r2h_diff import THIN, R2HDiff, Size


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = R2HDiff(31).eval()
    nn.init.normal_(net.head.weight, std=0.05)  # it starts at zero, and would hide everything
    for parameter in net.parameters():  # temperatures and biases that are not special
        parameter.data += 0.02 * torch.randn_like(parameter)
    return net


def _images(count, rows, columns):
    rng = torch.Generator().manual_seed(rows)
    ramp = torch.linspace(0.1, 1, columns)
    x = torch.randn(count, 31, rows, columns, generator=rng)
    rgb = torch.rand(count, 3, rows, columns, generator=rng) * ramp
    return x, rgb, torch.arange(1, count + 1)


def test_it_has_as_many_parameters_as_published(network):
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(579_453, rel=0.01)


def test_one_pass_costs_as_much_as_published(network):
    """12.25 G multiply-accumulates at 256 x 256 in the paper; 12.1 to 12.4 here."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*_images(1, 256, 256))
    assert 12.1e9 <= counter.get_total_flops() / 2 <= 12.4e9


def test_it_has_no_normalisation_layer(network):
    assert not [m for m in network.modules() if "Norm" in type(m).__name__]


@torch.no_grad()
def test_a_batch_does_not_mix(network):
    x, rgb, step = _images(3, 20, 28)
    together = network(x, rgb, step)
    for i in range(3):
        alone = network(x[i : i + 1], rgb[i : i + 1], step[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_memory_layout_does_not_matter(network):
    x, rgb, step = _images(2, 24, 20)
    last = [image.to(memory_format=torch.channels_last) for image in (x, rgb)]
    torch.testing.assert_close(network(*last, step), network(x, rgb, step), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_guide_may_be_computed_once(network):
    x, rgb, step = _images(1, 24, 20)
    torch.testing.assert_close(
        network(x, rgb, step, guide=network.guide(rgb)), network(x, rgb, step)
    )


@torch.no_grad()
def test_surveyed_statistics_reproduce_the_output_of_the_image(network):
    """The short path without queries and keys equals the long one."""
    x, rgb, step = _images(1, 28, 36)
    statistics = PooledStatistics(None)
    pooled = network(x, rgb, step, attention=statistics)
    given = network(x, rgb, step, attention=GivenStatistics(statistics.collected))
    own = network(x, rgb, step, attention=ImageStatistics())
    torch.testing.assert_close(pooled, own)
    torch.testing.assert_close(given, own, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_windows_pool_into_the_statistics_of_their_scene(network):
    """One layer on the four quarters of an image, pooled, has the matrices of the image."""
    layer = network.down[0].blocks[0].attend
    h = torch.randn(1, 32, 24, 40, generator=torch.Generator().manual_seed(3))
    query, key, value = layer.to_qkv(h).chunk(3, dim=1)  # per pixel, so quarters see no border
    whole = layer._rule(layer._moments(query, key, value, None))
    quarters = [
        torch.cat([q for half in each.chunk(2, dim=2) for q in half.chunk(2, dim=3)])
        for each in (query, key, value)
    ]
    pooled = layer._rule(layer._moments(*quarters, None).pooled())
    torch.testing.assert_close(pooled, whole, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_pixels_without_weight_do_not_count(network):
    layer = network.down[0].blocks[0].attend
    rng = torch.Generator().manual_seed(4)
    q, k, v = (torch.randn(1, 32, 12, 16, generator=rng) for _ in range(3))
    weights = torch.ones(1, 1, 12, 16)
    weights[..., :5] = 0
    kept = layer._rule(layer._moments(q[..., 5:], k[..., 5:], v[..., 5:], None))
    torch.testing.assert_close(layer._rule(layer._moments(q, k, v, weights)), kept)


def _cost(network, rows, columns):
    """Multiply-accumulates of one pass; nothing is computed."""
    x, rgb = (torch.empty(1, bands, rows, columns, device="meta") for bands in (31, 3))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.to("meta")(x, rgb, torch.ones(1, dtype=torch.long, device="meta"))
    return counter.get_total_flops() / 2


def test_the_thin_size_has_the_other_published_cost_in_five_steps():
    """0.533 M, 2.81 G a step, 14.05 G in all; the matrices of attention are counted."""
    thin = R2HDiff(31, THIN)
    assert sum(p.numel() for p in thin.parameters()) == pytest.approx(0.533e6, rel=0.002)
    cost = _cost(thin, 256, 256)
    assert cost == pytest.approx(2.81e9, rel=0.005)
    assert 5 * cost == pytest.approx(14.05e9, rel=0.005)


@torch.no_grad()
def test_the_thin_size_runs_on_multiples_of_its_stride():
    assert (THIN.stride, Size().stride) == (8, 4)
    thin = R2HDiff(31, THIN).eval()
    x, rgb, step = _images(2, 24, 40)
    assert thin(x, rgb, step).shape == x.shape


def test_the_base_size_draws_the_same_weights_as_before():
    """Sums for a seed, recorded before another size existed: order and values are unchanged."""
    torch.manual_seed(0)
    state = R2HDiff(31).state_dict()
    assert len(state) == 304
    found = [state[key].double().abs().sum().item() for key in ("stem.weight", "fuse.1.weight")]
    assert found == pytest.approx([278.208429, 126.080602], rel=1e-6)


def test_levels_need_a_width_and_a_number_of_blocks():
    with pytest.raises(ValueError, match="each with a width"):
        Size(widths=(32, 64), blocks=(3, 3, 2))
