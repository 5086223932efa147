"""The guided posterior: the mean of the mixture, the refinement, and the uncertainty."""

from dataclasses import replace

import pytest
import torch

from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.reconstructors.guided_posterior import Config, GuidedPosterior

SMALL = Config(gaussians=4, cameras=3, steps=1)


def _model(config=SMALL):
    rng = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = GuidedPosterior(config)
    mixture = model.mixture
    shapes = (0.2 * torch.randn(4, 31, generator=rng)).exp()
    mixture.mean.data = shapes / shapes.mean(1, keepdim=True)
    mixture.cholesky.data = 0.03 * torch.randn(4, 31, 31, generator=rng).tril()
    cameras = torch.rand(3, 3, 31, generator=rng)
    model.photofinishing.cameras.data = cameras / cameras.sum(-1, keepdim=True)
    basis = torch.linalg.qr(torch.randn(31, config.shapes, generator=rng)).Q
    model.directions.data = basis
    return model.eval()


def _perturbed(model):
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def _rgb():
    return 0.1 + 0.1 * torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))


def _whole(model, rgb=None, *, display=True, response=None):
    rgb = _rgb() if rgb is None else rgb
    noise = torch.randn(1, 31, *rgb.shape[2:], generator=torch.Generator().manual_seed(2))
    seen = chromaticity_histogram(rgb) if display else None
    with torch.inference_mode():
        cube, statistics = model.whole(
            SceneWindows.entire(rgb, seen, response=response), lambda _: noise
        )
        return cube, statistics, model.estimate(rgb, lambda _: noise, statistics)


def test_an_untrained_network_leaves_the_mean_of_the_mixture():
    model = _model()
    cube, statistics, _ = _whole(model)
    torch.testing.assert_close(cube, model.posterior(_rgb(), statistics).mean)


def test_the_network_runs_for_display_images_and_not_for_reflectance():
    untrained, perturbed = _model(), _perturbed(_model())
    assert _whole(untrained, display=False)[0].equal(_whole(perturbed, display=False)[0])
    assert (_whole(untrained)[0] - _whole(perturbed)[0]).abs().max() > 1e-4


def test_without_steps_there_is_no_network():
    without = _whole(_perturbed(_model(replace(SMALL, steps=0))))[0]
    torch.testing.assert_close(without, _whole(_model())[0])


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_tiles_reproduce_the_whole_scene(steps):
    model = _perturbed(_model(replace(SMALL, steps=steps)))
    cube, _, estimate = _whole(model)
    torch.testing.assert_close(estimate.cube, cube, rtol=1e-4, atol=1e-5)


def test_encoding_is_undone_along_the_directions():
    model = _model()
    _, statistics, _ = _whole(model)
    posterior = model.posterior(_rgb(), statistics)
    x = torch.randn(1, SMALL.shapes, 16, 24, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(
        model.encode(model.decode(x, posterior), posterior), x, atol=1e-3, rtol=0
    )


def test_the_camera_matters_and_an_unknown_one_adds_uncertainty():
    model = _model()
    known = [
        _whole(model, display=False, response=camera)[2] for camera in model.photofinishing.cameras
    ]
    unknown = _whole(model, display=False)[2]
    assert (known[0].cube - known[1].cube).abs().max() > 1e-4
    mean = torch.stack([each.std.mean() for each in known]).mean()
    assert unknown.std.mean() > mean


def test_a_response_of_any_scale_is_normalised():
    model = _model()
    response = model.photofinishing.cameras[1]
    found, scaled = (
        _whole(model, display=False, response=each)[0]
        for each in (response, response * torch.tensor([[2.0], [3.0], [4.0]]))
    )
    torch.testing.assert_close(scaled, found)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("display", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_the_posterior_on_a_gpu_is_that_on_the_cpu(display, known):
    rgb, found = _rgb(), []
    colours = chromaticity_histogram(rgb) if display else None
    for device in ("cpu", "cuda"):
        model = _model()
        seen, on = rgb.to(device), model.to(device)
        response = on.photofinishing.cameras[1] if known else None
        histogram = None if colours is None else colours.to(device)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            statistics = on.survey(SceneWindows.entire(seen, histogram, response=response))
            found.append(on.posterior(seen, statistics).mean.cpu())
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


def _estimate(model, rgb, statistics, probabilities=()):
    noise = torch.randn(1, 31, *rgb.shape[2:], generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        return model.estimate(rgb, lambda _: noise, statistics, probabilities=probabilities)


def test_the_uncertainty_does_not_contain_that_of_the_level():
    model, rgb = _model(replace(SMALL, steps=0)), _rgb()  # all Gaussians have one brightness
    _, statistics, _ = _whole(model)
    wide = statistics | {
        "level_std": 3 * statistics["level_std"],
        "level_interval": statistics["level_interval"] * torch.tensor([0.3, 3.0]),
    }
    one, other = (_estimate(model, rgb, each, (0.1, 0.8)) for each in (statistics, wide))
    torch.testing.assert_close(one.std, other.std, rtol=2e-3, atol=1e-5)
    torch.testing.assert_close(one.quantiles, other.quantiles, rtol=5e-3, atol=5e-4)


def test_an_image_of_another_exposure_has_the_same_uncertainty():
    model, rgb = _model(), _rgb()
    _, statistics, _ = _whole(model)
    brighter = statistics | {name: 1.7 * statistics[name] for name in ("gain", "haze")}
    one = _estimate(model, rgb, statistics, (0.05, 0.95))
    other = _estimate(model, 1.7 * rgb, brighter, (0.05, 0.95))
    torch.testing.assert_close(other.std, one.std, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(other.quantiles, one.quantiles, rtol=1e-3, atol=1e-4)


def test_quantiles_bracket_the_estimate_and_scale_with_the_calibration():
    model, rgb = _model(), _rgb()
    _, statistics, _ = _whole(model)
    scales = ({"uncertainty_scale": torch.full((31,), scale)} for scale in (0.5, 2.0))
    narrow, wide = (_estimate(model, rgb, statistics | each, (0.02, 0.98)) for each in scales)
    for found in (narrow, wide):
        low, high = found.quantiles.unbind(1)
        assert (low >= 0).all() and (low <= found.cube).float().mean() > 0.99
        assert (high >= found.cube).float().mean() > 0.99
    assert (narrow.quantiles[:, 0] >= wide.quantiles[:, 0] - 1e-6).all()
    assert (narrow.quantiles[:, 1] <= wide.quantiles[:, 1] + 1e-6).all()


def test_deviations_hold_for_a_given_level():
    model = _model()
    _, statistics, estimate = _whole(model)
    posterior = model.posterior(_rgb(), statistics)
    torch.testing.assert_close(
        estimate.std, posterior.std * model.uncertainty_scales[2][:, None, None]
    )


def test_invalid_configs_raise():
    with pytest.raises(ValueError, match="steps must be 0 to 5"):
        Config(steps=6)
    with pytest.raises(ValueError, match="three"):
        Config(strengths=(1.0,))


def test_the_shipped_model_runs_the_steps_of_its_card():
    card = registry.find("default")
    assert card.has_uncertainty and card.steps in card.step_choices
    for steps in card.step_choices:
        assert load_model(card, steps=steps).config.steps == steps
