"""The level of a scene is stated once, in memory and in files, and quantiles are stored with it."""

import json

import dask
import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import UsageError
from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.level_interval import LEVEL_VARIABLES, LevelInterval, level_text
from tests.scenes import scene

QUANTILES = (0.05, 0.5, 0.975)
NAMES = ["reflectance_q05", "reflectance_q50", "reflectance_q975"]
SCALARS = [*LEVEL_VARIABLES]


def _scalars(cube):
    return {name: float(cube[name]) for name in SCALARS}


@pytest.mark.parametrize("tile", [0, 32])
@pytest.mark.parametrize("chunks", [None, 25])
def test_a_cube_states_the_level_of_its_survey(tile, chunks):
    image = scene(70, 90)
    image = image.compute() if chunks is None else image.chunk(y=chunks, x=chunks)
    found = _scalars(hsi_xr.reconstruct(image, tile=tile))
    expected = hsi_xr.survey(image, exact=tile == 0).level_interval
    assert expected is not None
    for name, value in expected.scalars.items():
        assert found[name] == pytest.approx(value, rel=1e-5)
    assert found["level_factor_low"] < 1 < found["level_factor_high"]


def test_the_level_of_reflectance_is_not_in_doubt():
    image = scene(40, 50) / np.float32(300)
    known = hsi_xr.reconstruct(image, radiometry="reflectance", scale=1.0)
    assert not {*SCALARS} & {*known.data_vars}
    survey = hsi_xr.survey(image, radiometry="reflectance", scale=1.0)
    assert survey.level_interval is None


def test_a_survey_that_is_given_states_its_level():
    image = scene(70, 90)
    survey = hsi_xr.survey(image)
    part = hsi_xr.reconstruct(image[:, 8:40, 16:60], survey=survey)
    assert _scalars(part) == pytest.approx(survey.level_interval.scalars)


def test_quantiles_are_ordered_and_the_same_in_tiles():
    image = scene(50, 45)
    survey = hsi_xr.survey(image, exact=True)
    options = {"survey": survey, "quantiles": QUANTILES[::-1]}
    whole, tiles = (hsi_xr.reconstruct(image, tile=tile, **options) for tile in (0, 32))
    stack = np.stack([whole[name] for name in NAMES])
    assert (stack >= 0).all() and (np.diff(stack, axis=0) >= -1e-6).all()
    assert [name for name in whole.data_vars if "_q" in name] == NAMES
    for name in NAMES:
        close = np.isclose(tiles[name], whole[name], rtol=1e-3, atol=1e-4)
        assert close.all()
        assert whole[name].attrs["long_name"].endswith("quantile of reflectance")


def test_quantiles_alone_leave_the_estimate_unchanged():
    image = scene(40, 50)
    with_quantiles = hsi_xr.reconstruct(image, quantiles=[0.5])
    plain = hsi_xr.reconstruct(image)["reflectance"]
    np.testing.assert_allclose(with_quantiles["reflectance"], plain, rtol=1e-5, atol=1e-7)
    assert "reflectance_std" not in with_quantiles


@pytest.fixture(scope="module")
def lazy():
    image = scene(37, 45).chunk(y=20, x=25)
    return hsi_xr.reconstruct(image, tile=32, samples=2, quantiles=QUANTILES)


@pytest.fixture(scope="module")
def cube(lazy):
    return lazy.compute()


@pytest.mark.parametrize("suffix", ["tif", "img", "zarr", "nc"])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_files_return_level_and_quantiles(tmp_path, lazy, cube, suffix, dtype):
    path = hsi_xr.write(lazy, tmp_path / f"cube.{suffix}", dtype=dtype)
    attrs = hsi_xr.open(path).attrs
    for name, value in _scalars(cube).items():
        assert attrs[f"hsi_xr_{name}"] == pytest.approx(value, rel=1e-3)
    assert LevelInterval.from_attributes(attrs) is not None
    both = xr.open_dataset(path, engine="hsi_xr")
    for name in NAMES:
        np.testing.assert_allclose(both[name], cube[name], atol=6e-5)
        np.testing.assert_allclose(hsi_xr.open(path, variable=name), cube[name], atol=6e-5)
    product = CubeFile.read(path)
    assert [*product.companions] == ["reflectance_std", *NAMES]
    assert all(file.config == product.config for file in product.companions.values())
    # a product that was read keeps its level when it is written again
    again = hsi_xr.write(both, tmp_path / f"again.{suffix}", dtype=dtype)
    assert hsi_xr.open(again).attrs["hsi_xr_level_gain"] == attrs["hsi_xr_level_gain"]


def test_the_item_states_level_and_quantiles(tmp_path, cube):
    path = hsi_xr.write(cube, tmp_path / "cube.tif")
    item = hsi_xr.describe(path, datetime="2026-05-04T10:30:00Z")
    assert item.properties["hsi_xr:level_gain"] == pytest.approx(float(cube.level_gain), rel=1e-3)
    assert "common factor of" in item.properties["processing:lineage"]
    assert {"quantile-05", "quantile-50", "quantile-975"} <= item.assets.keys()
    item.save_object(include_self_link=False, dest_href=str(tmp_path / "cube.json"))
    assert not hsi_xr.validate(tmp_path / "cube.json").findings


def test_a_calibrated_cube_has_scaled_quantiles_and_no_level_in_doubt():
    cube = hsi_xr.reconstruct(scene(40, 50), quantiles=(0.05, 0.95)).compute()
    (x, y), nm = (float(cube[axis][7]) for axis in "xy"), cube.wavelength.values
    known = xr.DataArray(1.5 * cube.reflectance[:, 7, 7].values, {"wavelength": nm}, "wavelength")
    calibrated = hsi_xr.calibrate(cube, [(x, y, known)], smooth=np.inf)
    gain = calibrated.reflectance / cube.reflectance
    np.testing.assert_allclose(calibrated.reflectance_q95, gain * cube.reflectance_q95, rtol=1e-3)
    assert not {*SCALARS} & {*calibrated.data_vars}


def test_overwriting_removes_quantiles_of_the_replaced_cube(tmp_path):
    cube = hsi_xr.reconstruct(scene(40, 50), quantiles=(0.1, 0.9)).compute()
    path = hsi_xr.write(cube, tmp_path / "cube.tif")
    assert (tmp_path / "cube_q10.tif").exists()
    hsi_xr.write(cube.drop_vars("reflectance_q10"), path, overwrite=True)
    assert not (tmp_path / "cube_q10.tif").exists() and (tmp_path / "cube_q90.tif").exists()


@pytest.mark.parametrize("wrong", [(0.0,), (1.0,), (0.05005,), (0.5, 0.5)])
def test_probabilities_that_are_none_are_refused(wrong):
    with pytest.raises(UsageError, match="--quantiles"):
        hsi_xr.plan(scene(40, 50), quantiles=wrong)


def test_models_without_quantiles_are_refused():
    with pytest.raises(UsageError, match="does not compute quantiles"):
        hsi_xr.plan(scene(40, 50), "root-polynomial", quantiles=(0.5,))


def test_a_plan_says_that_the_level_will_be_estimated():
    assert "estimated" in str(hsi_xr.plan(scene(40, 50)))


def test_the_interval_of_an_overestimated_gain_is_above_one():
    level = LevelInterval(gain=2.0, low=1.0, high=2.0)
    assert level.factor == (1.0, 2.0)
    assert (
        str(level) == "reflectance values may be off by a common factor of 1 to 2 (90 % interval)"
    )
    assert LevelInterval.from_attributes(level.attributes) == level


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({}, "estimated from the colours of the image, gain "),
        ({"level": 1.5}, "stated (as given), gain 1.5 over reflectance."),
        ({"model": "root-polynomial"}, "estimated by the model, with unknown uncertainty."),
        ({"radiometry": "reflectance", "scale": 1 / 255}, ""),
    ],
)
def test_the_preview_and_its_asset_state_the_level(tmp_path, options, level):
    time = "2026-05-04T10:30:00Z"
    cube = hsi_xr.reconstruct(scene(37, 45), **{"radiometry": "srgb", **options}).compute()
    product = hsi_xr.write_product(cube, tmp_path / "cube.tif", datetime=time)
    with rasterio_open(str(product.preview)) as png:
        described = png.tags()["Description"]
    item = json.loads(product.item.read_text())
    assert item["assets"]["thumbnail"]["description"] == described
    assert described.startswith("Bands 650, 550 and 450 nm of the estimate")
    lineage = item["properties"]["processing:lineage"]
    assert ("level of the scene" in described, "level of the scene" in lineage) == (
        bool(level),
    ) * 2
    assert level in described and level in lineage
    stated = LevelInterval.from_attributes(hsi_xr.open(product.cube).attrs)
    assert (stated is not None) == (not options)
    assert stated is None or str(stated) in described
    assert not hsi_xr.validate(product.item).findings


def test_a_calibrated_cube_says_nothing_about_its_level(cube):
    x, y = float(cube.x[7]), float(cube.y[11])
    calibrated = cube.hsi.calibrate([(x, y, cube.reflectance.hsi.spectrum(x, y))])
    assert level_text({"level": "calibrated"}) == ""
    assert "level" not in repr(calibrated.hsi)


def test_a_representation_shows_level_and_quantiles_and_computes_nothing(tmp_path, lazy, cube):
    def refuse(*args, **kwargs):
        raise AssertionError("a representation computes nothing")

    interval = "reflectance values may be off by a common factor of"
    with dask.config.set(scheduler=refuse):
        text = repr(lazy.hsi)
    assert "level: estimated" in text and interval not in text
    names = ", ".join(["reflectance_std", *NAMES])
    path = hsi_xr.write(cube, tmp_path / "cube.tif")
    for obj in (lazy, cube, xr.open_dataset(path, engine="hsi_xr")):
        assert f"other variables: {names}" in " ".join(repr(obj.hsi).split())
    for obj in (cube, hsi_xr.open(path)):
        assert interval in " ".join(repr(obj.hsi).split())
    assert f"other variables: {', '.join(NAMES)}" in repr(hsi_xr.open(path).hsi)
