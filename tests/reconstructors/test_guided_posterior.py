"""The guided posterior: what its mixture says, what its chain adds, and what it doubts."""

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


def _moved(model):
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def _rgb():
    return 0.1 + 0.1 * torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))


def _whole(model, rgb=None, *, picture=True, response=None):
    rgb = _rgb() if rgb is None else rgb
    noise = torch.randn(1, 31, *rgb.shape[2:], generator=torch.Generator().manual_seed(2))
    seen = chromaticity_histogram(rgb) if picture else None
    with torch.inference_mode():
        cube, facts = model.whole(
            SceneWindows.entire(rgb, seen, response=response), lambda _: noise
        )
        return cube, facts, model.estimate(rgb, lambda _: noise, facts)


def test_an_untrained_network_leaves_the_mixtures_answer():
    model = _model()
    cube, facts, _ = _whole(model)
    torch.testing.assert_close(cube, model.posterior(_rgb(), facts).mean)


def test_the_network_runs_for_pictures_and_not_for_reflectance():
    still, moved = _model(), _moved(_model())
    assert _whole(still, picture=False)[0].equal(_whole(moved, picture=False)[0])
    assert (_whole(still)[0] - _whole(moved)[0]).abs().max() > 1e-4


def test_without_steps_there_is_no_network():
    without = _whole(_moved(_model(replace(SMALL, steps=0))))[0]
    torch.testing.assert_close(without, _whole(_model())[0])


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_tiles_are_given_what_the_whole_was(steps):
    model = _moved(_model(replace(SMALL, steps=steps)))
    cube, _, estimate = _whole(model)
    torch.testing.assert_close(estimate.cube, cube, rtol=1e-4, atol=1e-5)


def test_encoding_is_undone_along_the_directions():
    model = _model()
    _, facts, _ = _whole(model)
    belief = model.posterior(_rgb(), facts)
    x = torch.randn(1, SMALL.shapes, 16, 24, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(model.encode(model.decode(x, belief), belief), x, atol=1e-3, rtol=0)


def test_the_camera_matters_and_an_unknown_one_adds_doubt():
    model = _model()
    known = [
        _whole(model, picture=False, response=camera)[2] for camera in model.photofinishing.cameras
    ]
    unknown = _whole(model, picture=False)[2]
    assert (known[0].cube - known[1].cube).abs().max() > 1e-4
    mean = torch.stack([each.std.mean() for each in known]).mean()
    assert unknown.std.mean() > mean


def test_a_response_of_any_scale_is_normalised():
    model = _model()
    response = model.photofinishing.cameras[1]
    found, scaled = (
        _whole(model, picture=False, response=each)[0]
        for each in (response, response * torch.tensor([[2.0], [3.0], [4.0]]))
    )
    torch.testing.assert_close(scaled, found)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("picture", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_a_gpu_believes_what_the_cpu_does(picture, known):
    rgb, found = _rgb(), []
    colours = chromaticity_histogram(rgb) if picture else None
    for device in ("cpu", "cuda"):
        model = _model()
        seen, on = rgb.to(device), model.to(device)
        response = on.photofinishing.cameras[1] if known else None
        told = None if colours is None else colours.to(device)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            facts = on.survey(SceneWindows.entire(seen, told, response=response))
            found.append(on.posterior(seen, facts).mean.cpu())
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)


def test_doubt_about_the_level_is_in_the_deviation():
    model = _model()
    _, facts, estimate = _whole(model)
    least = facts["level_std"] * estimate.cube
    assert (estimate.std >= 0.999 * least).all() and facts["level_std"] > 0


def test_configs_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="steps must be 0 to 5"):
        Config(steps=6)
    with pytest.raises(ValueError, match="three"):
        Config(strengths=(1.0,))


def test_the_shipped_model_takes_what_its_card_offers():
    card = registry.find("default")
    assert card.has_uncertainty and card.steps in card.step_choices
    for steps in card.step_choices:
        assert load_model(card, steps=steps).config.steps == steps
