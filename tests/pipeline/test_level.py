"""A level that is stated takes the place of the one that is estimated from the colours."""

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import MissingFact, UsageError
from tests.scenes import rgb_image, save, scene

LEVEL = 1.7
MODELS = ("default", "r2h-diff-pictures", "root-polynomial")


def _linear_scene(rows: int, columns: int, exposure: float = 1.0) -> xr.DataArray:
    """Linear light, as from a raw file."""
    image = scene(rows, columns)
    return image.copy(data=(image.data / 255) ** 2.2 * exposure).drop_encoding()


def _cube(image, *, tile: int = 64, **options) -> np.ndarray:
    return hsi_xr.reconstruct(image, tile=tile, **options)["reflectance"].values


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("exposure", [0.4, 3.0])
def test_another_exposure_with_its_level_gives_the_same_cube(model, exposure):
    options = {"model": model, "radiometry": "linear"}
    cubes = [_cube(_linear_scene(90, 131, f), level=f * LEVEL, **options) for f in (1.0, exposure)]
    np.testing.assert_allclose(cubes[1], cubes[0], rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_a_lower_level_gives_a_brighter_cube(model):
    dark, bright = (_cube(scene(90, 131), model=model, level=f) for f in (1.0, 0.5))
    assert 1.8 < np.nanmean(bright) / np.nanmean(dark) < 2.2


def test_the_stored_value_of_white_is_a_level():
    coded = (235 / 255 + 0.055) / 1.055
    found, expected = (
        _cube(scene(60, 83), **how) for how in ({"white": 235}, {"level": coded**2.4})
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_stored_value_of_white_is_scaled_as_the_scene():
    values = (scene(60, 83).values * 200 + 1000).round().astype("uint16")
    image = scene(60, 83).copy(data=values).drop_encoding()
    options = {"radiometry": "linear", "scale": 2e-5, "offset": -0.02}
    found = hsi_xr.plan(image, white=41_000, **options)
    assert found.level.level.gain == pytest.approx(0.8)
    with pytest.raises(MissingFact, match=r"brighter than 1000.*--level"):
        hsi_xr.plan(image, white=1000, **options)


@pytest.mark.parametrize("chunks", [(60, 83), (17, 41)])
def test_chunks_and_files_do_not_change_the_cube(tmp_path, chunks):
    path = save(tmp_path / "scene.tif", rgb_image(60, 83))
    expected = _cube(path, tile=32, level=LEVEL)
    found = _cube(scene(60, 83, chunks=chunks), tile=32, level=LEVEL)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_products_plans_and_surveys_state_the_level(tmp_path):
    image = scene(90, 131)
    cube = hsi_xr.reconstruct(image, level=LEVEL)
    written = hsi_xr.write_product(
        cube.assign_attrs(datetime="2026-01-02T10:30:00Z"), tmp_path / "cube.tif"
    )
    for attrs in (cube.attrs, hsi_xr.open(written.cube).attrs):
        assert attrs["hsi_xr_level"] == "stated"
        assert attrs["hsi_xr_level_gain"] == LEVEL and "hsi_xr_level_factor_low" not in attrs
        assert attrs["hsi_xr_level_origin"] == "as given"
    assert cube["reflectance"].attrs["standard_name"] == "surface_bidirectional_reflectance"
    assert "level    1.7 (as given)" in str(hsi_xr.plan(image, level=LEVEL))
    assert "a white reflector reads 235" in str(hsi_xr.plan(image, white=235))
    tokens = [hsi_xr.plan(image, **how).work.token for how in ({}, {"level": 1.7}, {"level": 1.8})]
    assert len({*tokens}) == 3


def test_a_part_of_a_scene_has_the_level_of_its_survey(tmp_path):
    image = scene(90, 131)
    survey = hsi_xr.survey(image, exact=True, level=LEVEL)
    survey = hsi_xr.Survey.load(survey.save(tmp_path / "survey"))
    whole = hsi_xr.reconstruct(image, tile=32, survey=survey)
    assert whole.attrs["hsi_xr_level_gain"] == LEVEL
    np.testing.assert_allclose(whole["reflectance"], _cube(image, tile=0, level=LEVEL), atol=1e-4)
    hsi_xr.plan(image, survey=survey, level=LEVEL)
    with pytest.raises(UsageError, match=r"level 1.7, this run uses .*level 1.8"):
        hsi_xr.plan(image, survey=survey, level=1.8)
    with pytest.raises(UsageError, match="survey the scene again"):
        hsi_xr.plan(image, survey=hsi_xr.survey(image), level=LEVEL)


@pytest.mark.parametrize("level", [0, -1.5, np.nan, np.inf])
def test_impossible_levels_are_refused(level):
    with pytest.raises(MissingFact, match="positive number"):
        hsi_xr.plan(scene(32, 40), level=level)


@pytest.mark.parametrize("white", [0, -3, 256, np.nan])
def test_impossible_values_of_white_are_refused(white):
    with pytest.raises(MissingFact, match="at most 255 of a white reflector"):
        hsi_xr.plan(scene(32, 40), white=white)


def test_a_level_is_refused_where_it_has_no_meaning():
    image = scene(32, 40)
    with pytest.raises(UsageError, match=r"level= \(--level\) and white= \(--white\)"):
        hsi_xr.plan(image, level=1.0, white=255)
    with pytest.raises(UsageError, match="level of a reflectance image is always 1"):
        hsi_xr.plan(image, radiometry="reflectance", scale=1 / 255, level=1.0)
    with pytest.raises(UsageError, match="mst-plus-plus cannot use the level"):
        hsi_xr.plan(image, "mst-plus-plus", untrained=True, level=1.0)
