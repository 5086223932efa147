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
