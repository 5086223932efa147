"""The diffusion network keeps its budget; its chain is on the scale of reflectance."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.checkpoints import registry
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.networks.ddpm import ConditionalUNet, SpatialAttention
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.ddpm import Config, build

CARD = registry.find("ddpm", untrained=True)

SMALL = (8, 16, 32)


@pytest.fixture(scope="module", params=["batch", "group"])
def network(request):
    torch.manual_seed(0)
    net = ConditionalUNet(31, widths=SMALL, step=24, norm=request.param)
    net(*_images(4, 16, 24))  # BatchNorm has seen something
    return net.eval()


def _images(count, rows, columns):
    rng = torch.Generator().manual_seed(rows)
    x = torch.randn(count, 31, rows, columns, generator=rng)
    rgb = torch.rand(count, 3, rows, columns, generator=rng) * torch.linspace(0.1, 1, columns)
    return x, rgb, torch.arange(1, count + 1) * 200


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize(
    ("widths", "parameters", "cost"),
    [((64, 128, 256), 8.03e6, 44.1e9), ((32, 64, 128), 2.16e6, 11.6e9)],
)
def test_it_keeps_its_budget(norm, widths, parameters, cost):
    """At 256 x 256 in convolutions; attention has 2 x 1024 x 1024 more per channel, 0.5 G."""
    with torch.device("meta"):
        net = ConditionalUNet(31, widths=widths, norm=norm).eval()
        images = torch.empty(1, 31, 256, 256), torch.empty(1, 3, 256, 256), torch.ones(1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*images)
    counted = counter.get_flop_counts()["Global"]
    layers = (counted[torch.ops.aten.convolution] + counted[torch.ops.aten.addmm]) / 2
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(parameters, rel=0.01)
    assert layers == pytest.approx(cost, rel=0.01)


@torch.no_grad()
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_attention_runs_without_a_matrix_of_pixel_pairs(layout):
    """Torch raises unless it has a kernel that processes the pairs in blocks."""
    attend = SpatialAttention(32, norm="batch").eval()
    h = torch.randn(2, 32, 24, 20).to(memory_format=layout)
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]):
        blocked = attend(h)
    with sdpa_kernel(SDPBackend.MATH):
        torch.testing.assert_close(blocked, attend(h), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (24, 40), (88, 16)])
def test_any_multiple_of_the_stride_fits(network, rows, columns):
    x, rgb, step = _images(2, rows, columns)
    assert network.stride == CARD.stride
    assert network(x, rgb, step).shape == x.shape


def test_other_sizes_raise(network):
    with pytest.raises(ValueError, match="multiples of 8"):
        network(*_images(1, 16, 20))


@torch.no_grad()
def test_a_batch_does_not_mix(network):
    x, rgb, step = _images(3, 16, 24)
    together = network(x, rgb, step)
    for i in range(3):
        alone = network(x[i : i + 1], rgb[i : i + 1], step[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_evaluation_leaves_no_trace(network):
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    images = _images(2, 16, 24)
    kept = [image.clone() for image in images]
    assert torch.equal(network(*images), network(*images))
    assert all(torch.equal(a, b) for a, b in zip(images, kept))
    assert all(torch.equal(before[key], now) for key, now in network.state_dict().items())


@torch.no_grad()
def test_step_and_rgb_change_the_output(network):
    x, rgb, step = _images(1, 16, 24)
    plain = network(x, rgb, step)
    assert (network(x, rgb, step + 300) - plain).abs().max() > 1e-3
    assert (network(x, rgb.flip(1), step) - plain).abs().max() > 1e-3


def test_gradients_reach_every_parameter():
    net = ConditionalUNet(5, widths=SMALL, step=24)
    x, rgb, step = _images(2, 16, 24)
    net(x[:, :5], rgb, step).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 1e-7 for p in net.parameters())


@torch.no_grad()
@pytest.mark.parametrize("attends", [True, False])
def test_only_attention_reads_across_the_tile(attends):
    """A change at the western edge has an effect 500 columns to the east, so tiles are blended."""
    torch.manual_seed(0)
    net = ConditionalUNet(31, widths=SMALL, step=24).eval()
    if not attends:
        nn.init.zeros_(net.attend.to_out.weight)
    x, rgb, step = _images(1, 8, 640)
    changed = x.clone()
    changed[..., :16] += 3
    reached = (net(changed, rgb, step) - net(x, rgb, step))[..., 500:].abs().max()
    assert (reached > 0) == attends


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"sampler": "euler"}, "'ddim' or 'ancestral'"),
        ({"sampler": "ancestral"}, "visits all 1000"),
        ({"steps": 1001}, "1 to 1000"),
        ({"norm": "layer"}, "'batch' or 'group'"),
    ],
)
def test_an_invalid_config_raises(config, says):
    with pytest.raises(ValueError, match=says):
        build({"width": 4, **config})


def _noise(rows, columns, sample=0):
    r, c = torch.arange(rows)[None], torch.arange(columns)[None]
    return lambda step: NoiseField(7, sample).read(r, c, channels=31, step=step)


class _Knows(nn.Module):
    """Predicts the noise in x_t of a cube in [-1, 1]."""

    def __init__(self, answer, keep):
        super().__init__()
        self.answer, self.keep = answer, keep

    def forward(self, x, rgb, step):
        share = self.keep[step[0]].item()
        return (x - share**0.5 * self.answer) / (1 - share) ** 0.5


@torch.no_grad()
@pytest.mark.parametrize("sampler", [{}, {"sampler": "ancestral", "steps": 1000}])
def test_a_network_that_knows_the_noise_gives_the_reflectance(sampler):
    """To float32: a division by the square root of 4e-5 is undone only up to rounding."""
    model = build({"width": 4, **sampler}).eval()
    cube = torch.rand(1, 31, 8, 16, generator=torch.Generator().manual_seed(1))
    model.network = _Knows(2 * cube - 1, model.keep)
    found, facts = model.whole(SceneWindows(cube[:, :3], cube[:, :1], None), _noise(8, 16))
    torch.testing.assert_close(found, cube, atol=1e-4, rtol=0)
    assert facts == {}


@torch.no_grad()
def test_samples_belong_to_the_seed_and_are_reflectance():
    torch.manual_seed(0)
    model = build({"width": 4, "steps": 5}).eval()
    rgb = _images(1, 16, 24)[1]
    first, again, other = (
        model(rgb, _noise(16, 24, sample), {}, stochastic=True) for sample in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert first.shape == (1, 31, 16, 24)
    assert first.min() >= 0 and first.max() <= 1


@torch.no_grad()
def test_fresh_noise_enters_stochastic_chains_alone():
    torch.manual_seed(0)
    rgb = _images(1, 16, 24)[1]
    model = build({"width": 4, "steps": 5, "eta": 1.0}).eval()
    plain = model(rgb, _noise(16, 24), {}, stochastic=False)
    assert not torch.allclose(plain, model(rgb, _noise(16, 24), {}, stochastic=True))


def test_the_card_states_the_default_config():
    config = Config()
    assert (config.steps, config.bands) == (CARD.data["steps"], 31)
    assert CARD.needs_blending
