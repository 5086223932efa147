"""The spectral prior: its sizes, its effect on a host, and one prior per scene."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hsi_xr.checkpoints import registry
from hsi_xr.diffusion import samplers
from hsi_xr.networks._unet import block_widths
from hsi_xr.networks.mst import MST, SIZES, SnapshotMST
from hsi_xr.networks.mst_plus_plus import MSTPlusPlus
from hsi_xr.networks.sdp import (
    FeatureExtractor,
    Injector,
    LatentDenoiser,
    SpectralPrior,
    sqrt_linear,
)
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.sdp_mst_plus_plus import build

CARD = registry.find("sdp-mst-plus-plus", untrained=True)

SMALL = {"bands": 31, "stages": 1, "prior": 32, "extractor": 8, "extractor_blocks": 1}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = build(SMALL).eval()
    for linear in made.prior.inject.blocks:
        torch.nn.init.normal_(linear.weight, std=0.3)  # with zeros the prior would have no effect
    for parameter in made.prior.extract.parameters():
        parameter.data *= 2  # initial weights suppress most of the image
    return made


def _rgb(count, rows, columns, channels=3):
    rng = torch.Generator().manual_seed(rows)
    ramp = torch.linspace(0.1, 1, columns)
    return torch.rand(count, channels, rows, columns, generator=rng) * ramp


def _parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_sizes_and_costs_are_as_documented():
    with torch.device("meta"):
        extract, denoise = FeatureExtractor(28).eval(), LatentDenoiser()
        snapshot = torch.empty(1, 28, 256, 256)
    assert _parameters(extract) == 1_275_584
    assert _parameters(FeatureExtractor(56)) == pytest.approx(1.534e6, rel=1e-3)
    assert _parameters(denoise) == 197_376
    with FlopCounterMode(display=False) as counter:
        extract(snapshot)
    assert counter.get_total_flops() / 2 == pytest.approx(4.68e9, rel=0.01)


@pytest.mark.parametrize(("size", "added"), [("S", 286_720), ("M", 516_096), ("L", 802_816)])
def test_the_injector_adds_the_documented_number_of_parameters(size, added):
    with torch.device("meta"):
        widths = block_widths(SnapshotMST(28, SIZES[size]))
        assert _parameters(Injector(widths, 256)) == added


@torch.no_grad()
@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (lambda: MSTPlusPlus(31, 1), [(3, 13, 21)]),
        (lambda: MST(31, (1, 2, 1)), [(3, 13, 21)]),
        (lambda: SnapshotMST(28, (1, 1, 1)), [(28, 13, 21), (28, 13, 75)]),
    ],
)
def test_an_untrained_prior_does_not_change_its_host(make, shapes):
    torch.manual_seed(1)
    host = make().eval()
    images = [_rgb(2, rows, columns, channels) for channels, rows, columns in shapes]
    prior = SpectralPrior(images[0].shape[1], block_widths(host), 32, width=8, blocks=1)
    z = prior(images[0])
    assert z.shape == (2, 32) and z.abs().max() > 0
    assert torch.equal(host(*images, prior=prior.inject(z)), host(*images))


@torch.no_grad()
def test_a_prior_modulates_every_block():
    torch.manual_seed(1)
    host, rgb = MSTPlusPlus(31, 1).eval(), _rgb(1, 16, 24)
    plain, z = host(rgb), torch.ones(1, 4)
    for linear in (inject := Injector(block_widths(host), 4)).blocks:
        torch.nn.init.ones_(linear.weight)
        assert (host(rgb, prior=inject(z)) - plain).abs().max() > 0
        torch.nn.init.zeros_(linear.weight)


@torch.no_grad()
def test_images_with_different_priors_are_independent():
    torch.manual_seed(1)
    host, rgb = MSTPlusPlus(31, 1).eval(), _rgb(2, 16, 24)
    inject = Injector(block_widths(host), 4)
    for linear in inject.blocks:
        torch.nn.init.normal_(linear.weight)
    z = torch.randn(2, 4)
    together = host(rgb, prior=inject(z))
    for i in range(2):
        alone = host(rgb[i : i + 1], prior=inject(z[i : i + 1]))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


def test_the_schedule_is_linear_in_the_square_root_of_beta():
    expected = torch.tensor([1, 0.9, 0.635, 0.260, 0.0026], dtype=torch.float64)
    torch.testing.assert_close(sqrt_linear(4, 0.1, 0.99), expected, atol=5e-4, rtol=0)


def test_the_chain_equals_the_ancestral_sampler():
    torch.manual_seed(2)
    prior = SpectralPrior(3, [4], 16, width=8, blocks=1)
    condition, start = torch.randn(3, 16), torch.randn(3, 16)
    with torch.no_grad():
        expected = samplers.ancestral(
            lambda z, t: prior.denoise(z, t, condition),
            lambda t: start,
            sqrt_linear(4, 0.1, 0.99),
            stochastic=False,
            limit=float("inf"),
        )
        found = prior.sample(condition, start)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


class Exact(torch.nn.Module):
    """A denoiser whose clean prior is the condition."""

    def forward(self, noisy, t, condition):
        return condition


def test_with_an_exact_denoiser_the_chain_ends_at_the_prior():
    prior = SpectralPrior(3, [4], 16, width=8, blocks=1)
    prior.denoise, clean, start = Exact(), torch.linspace(-2, 2, 16)[None], torch.ones(1, 16)
    torch.testing.assert_close(prior.sample(clean, start), clean)


def test_gradients_pass_through_the_chain_to_extractor_and_host():
    torch.manual_seed(3)
    host, rgb = MSTPlusPlus(31, 1), _rgb(2, 16, 16)
    prior = SpectralPrior(3, block_widths(host), 16, width=8, blocks=1)
    for linear in prior.inject.blocks:
        torch.nn.init.normal_(linear.weight, std=0.3)
    parameters = [*host.parameters(), *prior.parameters()]
    loss = host(rgb, prior=prior.inject(prior(rgb))).square().mean()
    assert all(g.abs().max() > 0 for g in torch.autograd.grad(loss, parameters))


@torch.no_grad()
def test_identical_windows_have_the_prior_of_one_window():
    """Pooling the features of equal windows gives the features of one of them."""
    extract = FeatureExtractor(3, 16, width=8, blocks=1)
    rgb = _rgb(1, 16, 24)
    alone = extract(rgb)
    torch.testing.assert_close(extract.of_scene(rgb, torch.ones(1, 1, 16, 24)), alone)
    three, weights = rgb.repeat(3, 1, 1, 1), torch.rand(3, 1, 1, 1).expand(3, 1, 16, 24)
    torch.testing.assert_close(extract.of_scene(three, weights), alone, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_windows_without_weight_do_not_count(model):
    rgb, weights = _rgb(3, 16, 24), torch.ones(3, 1, 16, 24)
    weights[2], rgb[2] = 0, 1  # a window of filled pixels
    _, statistics = model.whole(SceneWindows(rgb, weights, None), None)
    _, kept = model.whole(SceneWindows(rgb[:2], weights[:2], None), None)
    torch.testing.assert_close(statistics["prior"], kept["prior"], atol=1e-6, rtol=1e-5)
    _, all_count = model.whole(SceneWindows.entire(rgb), None)
    assert (all_count["prior"] - kept["prior"]).abs().max() > 1e-4


@torch.no_grad()
def test_an_empty_survey_has_a_finite_prior(model):
    _, statistics = model.whole(
        SceneWindows(_rgb(1, 16, 16), torch.zeros(1, 1, 16, 16), None), None
    )
    assert statistics["prior"].isfinite().all()


@torch.no_grad()
def test_tiles_use_the_prior_of_the_scene(model):
    rgb = _rgb(3, 16, 24)
    cube, statistics = model.whole(SceneWindows.entire(rgb), None)
    assert statistics["prior"].shape == (1, 32)
    for i in range(3):
        tile = model(rgb[i : i + 1], None, statistics, stochastic=False)
        torch.testing.assert_close(tile, cube[i : i + 1], atol=1e-5, rtol=1e-4)
    other = {**statistics, "prior": statistics["prior"] + 1}
    assert (model(rgb, None, other, stochastic=False) - cube).abs().max() > 1e-4


@torch.no_grad()
def test_the_prior_draws_no_random_numbers(model):
    rgb, weights = _rgb(1, 16, 24), torch.ones(1, 1, 16, 24)
    _, first = model.whole(SceneWindows(rgb, weights, None), None)
    torch.manual_seed(99)
    _, second = model.whole(SceneWindows(rgb, weights, None), None)
    assert torch.equal(first["prior"], second["prior"])
    assert CARD.data["reach"]["survey"] and CARD.stride == 8
