"""The task of a run; networks get the same input in training as in inference."""

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import save_file

from hsi_xr.band_grid import Bands
from hsi_xr.errors import InvalidCheckpoint, UnknownName, UsageError
from hsi_xr.networks.chromaticity import chromaticity_histogram
from hsi_xr.reconstructors._base import SceneWindows
from hsi_xr.training import setup
from hsi_xr.training.data import Scenes
from hsi_xr.training.settings import as_plain
from tests.training.small import Slopes, run_of, training_of


def model_of(kind, tmp_path, **changes):
    return setup.new_model(run_of(kind, tmp_path, **changes), Slopes())[0].eval()


@pytest.mark.parametrize("level", ["min-max", "as-is", "gain"])
@pytest.mark.parametrize("kind", ["regression", "regression, RMSE"])
def test_a_network_gets_the_input_that_it_gets_in_a_reconstruction(kind, level, tmp_path):
    run = run_of(kind, tmp_path)
    model = model_of(kind, tmp_path, config={**run.config, "level": level})
    scene = Scenes(Slopes(), setup.survey_of(model), kept=1).read("a")
    rgb = scene.rgb[None, :, :32, :48]
    statistics = setup.survey_of(model)(rgb, torch.ones_like(rgb[:, :1]))
    with torch.inference_mode():
        ones = torch.ones_like(rgb[:, :1])
        whole, _ = model.whole(
            SceneWindows(rgb, ones, chromaticity_histogram(rgb)), lambda step: rgb
        )
        torch.testing.assert_close(model.network(model.adapter(rgb, statistics)), whole)


def test_pixels_that_a_data_set_filled_are_not_part_of_a_scene(tmp_path):
    """Filled with 0, they would be the darkest ones of every image."""
    model = model_of("regression", tmp_path)
    data = Slopes(holes=True)
    filled = data.read("a")
    filled.rgb[:, 3:9, 5:11] = 0
    data.read = lambda name: filled
    low = Scenes(data, setup.survey_of(model), kept=1).read("a").statistics["low"]
    assert low > 0.1
    assert low == pytest.approx(filled.rgb[filled.rgb > 0].min(), abs=1e-6)


def test_a_chain_decodes_to_the_cube_that_it_encodes(tmp_path):
    model = model_of("epsilon", tmp_path)
    rgb, cube = torch.rand(1, 3, 8, 8), torch.rand(1, 4, 8, 8)
    denoising_target = model.denoising_target(rgb, cube, {})
    torch.testing.assert_close(denoising_target.decode(denoising_target.clean), cube)


def test_the_gain_of_a_scene_is_one(tmp_path):
    """A data set has a single scale, so no gain is learned from it."""
    model = model_of("x0", tmp_path)
    histogram = chromaticity_histogram(torch.rand(2, 3, 9, 9))
    torch.testing.assert_close(model.gain(histogram), torch.ones(2, 3))


def test_weights_of_a_host_start_the_system_around_it(tmp_path):
    host = model_of("regression, RMSE", tmp_path, seed=8)
    weights = tmp_path / "host.safetensors"
    save_file(host.state_dict(), weights)
    started = model_of("two stages", tmp_path, start=weights)
    assert all(started.state_dict()[key].equal(value) for key, value in host.state_dict().items())


def test_weights_of_another_system_are_refused(tmp_path):
    weights = tmp_path / "other.safetensors"
    save_file(model_of("adversarial", tmp_path).state_dict(), weights)
    with pytest.raises(InvalidCheckpoint, match="does not fit this system: it has unknown"):
        model_of("regression", tmp_path, start=weights)
    with pytest.raises(UsageError, match="no weights file"):
        model_of("regression", tmp_path, start=tmp_path / "none.safetensors")
    weights.write_text("no weights at all")
    with pytest.raises(InvalidCheckpoint, match=r"other\.safetensors' contains no weights"):
        model_of("regression", tmp_path, start=weights)


def test_an_unknown_system_or_configuration_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'mst-plus-plus'"):
        model_of("regression", tmp_path, system="mst-plus-plu")
    with pytest.raises(UsageError, match=r"does not accept this config.*'stage'"):
        model_of("regression", tmp_path, config={"stage": 1})
    with pytest.raises(UsageError, match=r"level must be 'gain', 'min-max' or 'as-is'; got 'asis'"):
        model_of("regression", tmp_path, config={"level": "asis"})
    with pytest.raises(UsageError, match=r"coding must be 'linear' or 'srgb'; got 'sRGB'"):
        model_of("regression", tmp_path, config={"coding": "sRGB"})
    with pytest.raises(UsageError, match=r"config\.bands = 5, but the data set has 4 bands"):
        model_of("regression", tmp_path, config={"bands": 5})


def test_patches_are_multiples_of_the_stride(tmp_path):
    run = run_of("adversarial", tmp_path)
    with pytest.raises(UsageError, match=r"data\.patch must be a multiple of 16; got 40"):
        training_of(replace(run, data=replace(run.data, patch=40)), Slopes())


def test_bands_of_a_run_are_plain_numbers(tmp_path):
    """Whether a file or a program states them."""
    run = run_of("regression", tmp_path)
    for bands in ([400, 500, 100], Bands.regular(400, 500, 100)):
        data = replace(run.data, options={"bands": bands})
        plain = as_plain(replace(run, data=data))["data"]["options"]["bands"]
        assert plain in ([400, 500, 100], {"centres": [400, 500], "widths": [100.0, 100.0]})
