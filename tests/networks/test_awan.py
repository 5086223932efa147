"""AWAN loads published weights, and its shortcuts give the results of its formulas."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.checkpoints import registry
from hsi_xr.networks import _second_order, awan
from hsi_xr.networks._second_order import second_order
from hsi_xr.networks._toom_cook import convolve_by_rows
from hsi_xr.networks.attention import GivenStatistics, ImageStatistics, PooledStatistics
from hsi_xr.networks.awan import AWAN, AWCA, PSNL
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.awan import build
from tests.benchmarks.plain_awan import PlainAWAN

CARD = registry.find("awan", untrained=True)

WIDTHS = {96: (4_039_425, 270_613_816_320), 200: (17_461_521, 1_148_386_252_288)}
"""Parameters, and multiply-accumulates at 256 x 256 with the N x N matrices, by channels."""


def _keys() -> set[str]:
    ends = ("input", "head", "tail", "output")
    convolutions = ("conv1", "conv2", "up_conv", "down_conv")
    rectifiers = ("relu1", "relu2", "up_relu", "down_relu")
    inside = (
        *(f"{name}.conv2d" for name in convolutions),
        *rectifiers,
        *("se.conv", "se.fc.0", "se.fc.1", "se.fc.2"),
    )
    return {
        *(f"{end}_conv2D.conv2d.weight" for end in ends),
        *("input_prelu2D.weight", "output_prelu2D.weight"),
        *(f"backbone.{i}.{name}.weight" for i in range(8) for name in inside),
        *(f"tail_nonlocal.non_local.{name}.weight" for name in ("g", "W", "theta")),
    }


def _on_meta(make, *size):
    with torch.device("meta"):
        return make(*size).eval()


def _counted(network):
    """Multiply-accumulates at 256 x 256: of convolutions, and in total."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 256, 256, device="meta"))
    by_kind = counter.get_flop_counts()["Global"]
    return by_kind[torch.ops.aten.convolution] / 2, counter.get_total_flops() / 2


def _liven(network):
    """Perturbed weights, because the non-local module starts as the identity."""
    torch.nn.init.normal_(network.tail_nonlocal.non_local.W.weight)
    torch.nn.init.normal_(network.tail_nonlocal.non_local.theta.weight)
    return network.eval()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return _liven(AWAN(31, 48, blocks=2))


def _image(*shape, seed=0):
    """A random image that is brighter to the right and to the bottom."""
    rng = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0.2, 1, shape[-1]) * torch.linspace(0.5, 1, shape[-2])[:, None]
    return torch.rand(*shape, generator=rng) * ramp


@pytest.mark.parametrize("width", WIDTHS)
def test_it_has_the_published_tensors(width):
    network = _on_meta(AWAN, 31, width)
    assert set(network.state_dict()) == _keys() and len(_keys()) == 105
    assert sum(p.numel() for p in network.parameters()) == WIDTHS[width][0]
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    assert shapes == {k: v.shape for k, v in _on_meta(PlainAWAN, 31, width).state_dict().items()}
    assert shapes["backbone.0.up_conv.conv2d.weight"] == (width, width, 5, 5)
    assert shapes["backbone.0.se.fc.1.weight"] == shapes["input_prelu2D.weight"] == (1,)
    assert shapes["tail_nonlocal.non_local.theta.weight"] == (3, 31, 1, 1)


@pytest.mark.parametrize("width", WIDTHS)
def test_it_costs_as_much_as_published(width, monkeypatch):
    """The published figure counts the formulas as written; the convolutions are the same."""
    convolutions, everything = _counted(_on_meta(PlainAWAN, 31, width))
    assert everything == WIDTHS[width][1]
    monkeypatch.setattr(awan, "second_order", lambda theta, values: values)  # it reads values
    assert _counted(_on_meta(AWAN, 31, width))[0] == convolutions


@pytest.mark.parametrize("size", [(40, 56), (37, 29), (9, 8), (7, 3)])
def test_its_outputs_are_those_of_the_plain_formulas(network, size):
    plain = PlainAWAN(31, 48, blocks=2).eval()
    plain.load_state_dict(network.state_dict())
    rgb = _image(2, 3, *size)
    with torch.no_grad():
        wanted, short = plain(rgb), network(rgb)
    assert short.shape == (2, 31, *size)
    torch.testing.assert_close(short, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network(rgb).detach(), wanted, atol=1e-5, rtol=1e-5)


def test_its_gradients_are_those_of_the_plain_formulas(network):
    plain = PlainAWAN(31, 48, blocks=2).eval()
    plain.load_state_dict(network.state_dict())
    rgb = _image(2, 3, 13, 11)
    for each in (plain, network):
        each.zero_grad()
        (each(rgb) ** 2).mean().backward()
    for (key, mine), theirs in zip(network.named_parameters(), plain.parameters()):
        size = theirs.grad.abs().max().item()
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4 * size, rtol=0, msg=key)


@torch.no_grad()
def test_a_batch_does_not_mix(network):
    rgb = _image(3, 3, 19, 26)
    together = network(rgb)
    for i in range(3):
        alone = network(rgb[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_memory_layout_does_not_matter(network):
    rgb = _image(2, 3, 24, 20)
    last = network(rgb.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, network(rgb), atol=1e-5, rtol=1e-5)


# convolution by rows


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("size", [(8, 8), (11, 9), (13, 31), (131, 10)])
def test_rows_by_products_of_polynomials_equal_the_convolution(side, size):
    rng = torch.Generator().manual_seed(side)
    x = torch.randn(2, 40, *size, generator=rng)
    weight = torch.randn(33, 40, side, side, generator=rng) / (40 * side**2) ** 0.5
    padded = F.pad(x, (side // 2,) * 4, mode="reflect")
    exact = F.conv2d(padded.double(), weight.double())
    for layout in (torch.contiguous_format, torch.channels_last):
        found = convolve_by_rows(x.contiguous(memory_format=layout), weight)
        # a plain float32 convolution is about 3e-6 from the exact one
        torch.testing.assert_close(found.double(), exact, atol=2e-5, rtol=0)


def test_rows_by_products_of_polynomials_are_exact_in_exact_arithmetic():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, 3, 17, 9, generator=rng, dtype=torch.float64)
    for side in (3, 5):
        weight = torch.randn(2, 3, side, side, generator=rng, dtype=torch.float64)
        exact = F.conv2d(F.pad(x, (side // 2,) * 4, mode="reflect"), weight)
        torch.testing.assert_close(convolve_by_rows(x, weight), exact, atol=1e-11, rtol=0)


# the non-local module


def _matrix(theta, values):
    """The formula as published, with its N x N matrix, in float64."""
    theta, values = theta.double(), values.double()
    covariance = (theta - theta.mean(2, keepdim=True)) @ theta.mT / theta.shape[2]
    return covariance.softmax(2) @ values


def _features(batch, count, channels, scale, seed=0):
    rng = torch.Generator().manual_seed(seed)
    theta = scale * (torch.randn(batch, count, channels, generator=rng) + torch.arange(channels))
    return theta, torch.randn(batch, count, channels, generator=rng)


@pytest.mark.parametrize("scale", [0.0, 0.1, 0.7, 1.5, 3.0, 30.0])
@pytest.mark.parametrize(("count", "channels"), [(700, 3), (1, 3), (90, 3), (120, 1), (120, 5)])
def test_the_sums_equal_those_of_the_matrix(count, channels, scale):
    theta, values = _features(2, count, channels, scale)
    if scale > 3:  # exponents in the thousands: in float32 the formula itself is off by 1e-4
        theta, values = theta.double(), values.double()
    found = second_order(theta, values)
    torch.testing.assert_close(found.double(), _matrix(theta, values), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.1, 0.7, 1.2])
def test_powers_need_no_pair_of_pixels(scale, monkeypatch):
    monkeypatch.delattr(_second_order, "_by_blocks")
    theta, values = _features(2, 900, 3, scale)
    found = second_order(theta, values)
    torch.testing.assert_close(found.double(), _matrix(theta, values), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("blocks", [False, True])
def test_the_sums_pass_gradients_on(blocks, monkeypatch):
    if blocks:
        monkeypatch.setattr(_second_order, "REACH", -1.0)
    theta, values = (each.double().requires_grad_() for each in _features(1, 150, 3, 0.4))
    towards = torch.randn(1, 150, 3, dtype=torch.float64)
    found = torch.autograd.grad((second_order(theta, values) * towards).sum(), (theta, values))
    wanted = torch.autograd.grad((_matrix(theta, values) * towards).sum(), (theta, values))
    for mine, theirs in zip(found, wanted):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-5)


class _Largest(TorchDispatchMode):
    """Records the size of the largest tensor that any operation creates."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for each in found if isinstance(found, tuple | list) else [found]:
            if isinstance(each, torch.Tensor):
                self.bytes = max(self.bytes, each.element_size() * each.numel())
        return found


@torch.no_grad()
def test_a_full_frame_needs_little_memory():
    """Its N x N matrix would take 15 GB; the frame itself takes 31 MB."""
    module = _liven_module(PSNL(31), theta=0.3)
    with _Largest() as largest:
        module(_image(1, 31, 482, 512))
    assert largest.bytes < 100e6


@torch.no_grad()
def test_distant_points_are_attended_block_by_block():
    module = _liven_module(PSNL(31), theta=30.0)
    count = 40 * 60
    with _Largest() as largest:
        module(_image(1, 31, 80, 120))
    assert largest.bytes < 4 * count**2 / 10


def _liven_module(module, *, theta):
    rng = torch.Generator().manual_seed(0)
    inner = module.non_local
    for weight, scale in ((inner.theta.weight, theta), (inner.W.weight, 1.0)):
        weight.data = scale * torch.randn(weight.shape, generator=rng)
    return module


@torch.no_grad()
def test_a_quarter_depends_only_on_itself():
    module = _liven_module(PSNL(31), theta=0.3)
    x = _image(1, 31, 11, 15)
    changed = x.clone()
    changed[..., 5:, 7:] += 1  # floor(11 / 2), floor(15 / 2): the last quarter
    same = module(x) == module(changed)
    assert same[..., :5, :].all() and same[..., :, :7].all()
    assert not same[..., 5:, 7:].any()


# channel attention, and whose pixels it pools


@torch.no_grad()
def test_surveyed_statistics_reproduce_the_output_of_the_image(network):
    rgb, statistics = _image(1, 3, 28, 37), PooledStatistics(None)
    pooled = network(rgb, attention=statistics)
    given = network(rgb, attention=GivenStatistics(statistics.collected))
    torch.testing.assert_close(pooled, network(rgb, attention=ImageStatistics()))
    torch.testing.assert_close(given, pooled)
    assert [tuple(each.shape) for each in statistics.collected.values()] == [(1, 48)] * 2


@torch.no_grad()
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_windows_pool_into_the_statistics_of_their_scene(scale):
    """Also if the logarithms of the weights are far from zero and from each other."""
    torch.manual_seed(0)
    layer = AWCA(48)
    layer.conv.weight *= scale
    x = _image(1, 48, 12, 40)
    whole = layer._pooling(x, None).mean()
    windows = layer._pooling(torch.cat(x.chunk(2, dim=3)), None).pooled().mean()
    logits = layer.conv(x).flatten(2).double()
    exact = (logits.softmax(2) * x.flatten(2)).sum(2)
    torch.testing.assert_close(windows, whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole.double(), exact, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_pixels_without_weight_do_not_count():
    layer, x = AWCA(48), _image(2, 48, 12, 16)
    weights = torch.ones(2, 1, 12, 16)
    weights[..., :5] = 0
    found = layer._pooling(x, weights).mean()
    torch.testing.assert_close(found, layer._pooling(x[..., 5:].contiguous(), None).mean())


@torch.no_grad()
def test_a_window_without_weight_does_not_count():
    layer, x = AWCA(48), _image(3, 48, 8, 8)
    weights = torch.ones(3, 1, 8, 8)
    weights[1] = 0
    found = layer._pooling(x, weights).pooled().mean()
    torch.testing.assert_close(found, layer._pooling(x[[0, 2]], None).pooled().mean())


@torch.no_grad()
def test_half_a_weight_is_half_a_pixel():
    layer, x = AWCA(48), _image(1, 48, 8, 8)
    weights = torch.full((1, 1, 8, 8), 0.5)
    doubled = torch.cat([x, x[..., :4]], dim=3)
    weights[..., :4] = 1
    torch.testing.assert_close(
        layer._pooling(x, weights).mean(), layer._pooling(doubled, None).mean()
    )


@torch.no_grad()
def test_the_system_reproduces_the_whole_scene_from_its_survey():
    torch.manual_seed(1)
    system = build({"width": 32, "blocks": 1, "coding": "srgb", "level": "min-max"}).eval()
    rgb = _image(1, 3, 21, 33)
    cube, facts = system.whole(SceneWindows.entire(rgb), lambda step: rgb)
    assert cube.shape == (1, 31, 21, 33)
    torch.testing.assert_close(system(rgb, lambda step: rgb, facts, stochastic=False), cube)
    assert CARD.data["reach"]["survey"] and CARD.needs_blending and CARD.stride == 1
