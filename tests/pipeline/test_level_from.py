"""A reflectance product of the same ground gives the level of an image."""

import numpy as np
import pytest
import rioxarray  # noqa: F401  # the accessor .rio
import xarray as xr
from affine import Affine

import hsi_xr
from hsi_xr.errors import (
    BandMismatch,
    InvalidData,
    MissingFact,
    NotGeoreferenced,
    UnknownName,
    UsageError,
)
from hsi_xr.pipeline.brightness import COLOUR_STD, SPECTRUM_STD
from tests.scenes import GRID, UTM, save

LEVEL = 1.4
ROWS, COLUMNS = 184, 243
FACTOR = 20
"""Pixels of the image along a pixel of the reference."""


def _ground(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """(3, rows, columns) reflectance: patches, brighter to the east."""
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0.05, 0.4, (3, rows // 17 + 1, columns // 17 + 1))
    patches = coarse.repeat(17, axis=1).repeat(17, axis=2)[:, :rows, :columns]
    return patches * np.linspace(0.6, 1.2, columns)


def _coded(linear: np.ndarray) -> np.ndarray:
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (255 * coded.clip(0, 1)).round().astype("uint8")


def _image(path, level: float = LEVEL, **profile):
    return save(path, _coded(level * _ground()), photometric="RGB", **profile)


def _averages(ground: np.ndarray, factor: int = FACTOR) -> np.ndarray:
    rows, columns = (size // factor for size in ground.shape[1:])
    parts = ground[:, : rows * factor, : columns * factor]
    return parts.reshape(3, rows, factor, columns, factor).mean((2, 4)).astype("float32")


def _reference(path, values: np.ndarray | None = None, *, factor: int = FACTOR, **profile):
    values = _averages(_ground(), factor) if values is None else values
    grid = GRID * Affine.scale(factor)
    return save(path, values, transform=grid, photometric="RGB", **profile)


def _found(image, reference, **options):
    planned = hsi_xr.plan(image, level_from=reference, **options)
    assert planned.job.level is None
    return planned.with_level()


@pytest.fixture
def image(tmp_path):
    return _image(tmp_path / "image.tif")


@pytest.mark.parametrize("factor", [1, 7, 20])
def test_a_reference_gives_the_level(tmp_path, image, factor):
    reference = _reference(tmp_path / "reference.tif", factor=factor)
    level = _found(image, reference).level.level
    assert level.gain == pytest.approx(LEVEL, rel=0.005)
    assert COLOUR_STD <= level.log_std < 1.5 * COLOUR_STD


def test_a_reference_in_another_crs_gives_the_level(tmp_path, image):
    reference = hsi_xr.open(_reference(tmp_path / "reference.tif", factor=10))
    warped = reference.rio.write_nodata(np.nan).rio.reproject("EPSG:4326")
    warped.drop_encoding().rio.to_raster(tmp_path / "warped.tif")
    with_names = hsi_xr.open(tmp_path / "warped.tif")
    assert _found(image, with_names).level.level.gain == pytest.approx(LEVEL, rel=0.03)


def test_paths_arrays_and_chunks_give_the_same_level(tmp_path, image):
    path = _reference(tmp_path / "reference.tif")
    expected = _found(image, path).level.level
    for chunks in (None, {"y": 31, "x": 57}):
        scene = hsi_xr.open(image, chunks=chunks).drop_encoding() * 1
        reference = hsi_xr.open(path, chunks={"y": 3, "x": 2}).drop_encoding() * 1
        found = _found(scene, reference, radiometry="srgb", scale=1 / 255).level.level
        assert found.gain == pytest.approx(expected.gain, rel=1e-4)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_scaled_reference_scales_the_cube(tmp_path, image, factor):
    averages = _averages(_ground())
    cubes = [
        hsi_xr.reconstruct(image, level_from=_reference(tmp_path / f"{f}.tif", f * averages))
        for f in (1.0, factor)
    ]
    levels = [cube.attrs["hsi_xr_level_gain"] for cube in cubes]
    assert levels[0] / levels[1] == pytest.approx(factor, rel=1e-4)
    ratio = float(cubes[1]["reflectance"].mean() / cubes[0]["reflectance"].mean())
    assert ratio == pytest.approx(factor, rel=0.1)


def test_a_cube_of_the_same_image_gives_its_level(image):
    cube = hsi_xr.reconstruct(image, level=LEVEL).compute()
    level = _found(image, cube).level.level
    assert level.gain == pytest.approx(LEVEL, rel=0.06)
    assert SPECTRUM_STD <= level.log_std < 2 * SPECTRUM_STD


def test_clouds_gaps_and_overexposed_pixels_do_not_count(tmp_path):
    pixels = _coded(LEVEL * _ground())
    pixels[:, 100:140, 30:200] = 255
    alpha = np.full((1, ROWS, COLUMNS), 255, "uint8")
    alpha[:, :50, :70], pixels[:, :50, :70] = 0, 3
    holes = save(
        tmp_path / "holes.tif", np.concatenate([pixels, alpha]), photometric="RGB", alpha="YES"
    )
    averages = _averages(_ground())
    averages[:, :, 9:] = 0.95  # an unmasked cloud
    averages[:, 3, :4] = -9999
    reference = _reference(tmp_path / "reference.tif", averages, nodata=-9999)
    assert _found(holes, reference).level.level.gain == pytest.approx(LEVEL, rel=0.02)


def test_products_and_surveys_state_the_reference(tmp_path, image):
    reference = _reference(tmp_path / "reference.tif")
    assert "level    from reference.tif" in str(hsi_xr.plan(image, level_from=reference))
    survey = hsi_xr.survey(image, exact=True, level_from=reference)
    cubes = [
        hsi_xr.reconstruct(image, **how) for how in ({"survey": survey}, {"level_from": reference})
    ]
    for cube in cubes:
        assert cube.attrs["hsi_xr_level"] == "from reference"
        assert cube.attrs["hsi_xr_level_gain"] == pytest.approx(LEVEL, rel=0.01)
        assert cube.attrs["hsi_xr_level_factor_high"] >= np.exp(1.64 * COLOUR_STD)
        assert cube.attrs["hsi_xr_level_origin"].startswith("reference.tif, 108 places")
    np.testing.assert_allclose(*(cube["reflectance"].values for cube in cubes), atol=1e-5)


def test_integers_need_their_scale(tmp_path, image):
    stored = (_averages(_ground()) * 10_000).round().astype("uint16")
    unscaled = _reference(tmp_path / "unscaled.tif", stored)
    with pytest.raises(MissingFact, match=r"scale of its uint16 values.*level_radiometry"):
        hsi_xr.plan(image, level_from=unscaled)
    with pytest.raises(InvalidData, match="but a white reflector should be 1"):
        hsi_xr.reconstruct(image, level_from=unscaled_as_float(unscaled))
    with pytest.raises(MissingFact, match="level_radiometry='sentinel-2-l2a-offset'"):
        hsi_xr.plan(image, level_from=unscaled, level_radiometry="sentinel-2-l2a")
    with pytest.raises(UnknownName, match=r"the reference of level_from= .*did you mean"):
        hsi_xr.plan(image, level_from=unscaled, level_radiometry="planet")
    expected = pytest.approx(LEVEL, rel=0.005)
    assert _found(image, f"vrt://{unscaled}?a_scale=0.0001").level.level.gain == expected
    assert _found(image, hsi_xr.open(unscaled) * 1e-4).level.level.gain == expected


def unscaled_as_float(path) -> xr.DataArray:
    return hsi_xr.open(path) * 1.0


def test_bands_are_selected_by_name_or_number(tmp_path, image):
    blue, green, red = _averages(_ground())[::-1]
    bands = np.stack([blue, green, red, 3 * red])
    path = save(tmp_path / "reference.tif", bands, transform=GRID * Affine.scale(FACTOR))
    with pytest.raises(BandMismatch, match=r"level_from.*rgb=\(3, 2, 1\)"):
        hsi_xr.plan(image, level_from=path)
    for reference in (hsi_xr.open(path, rgb=(3, 2, 1)), f"vrt://{path}?bands=3,2,1"):
        assert _found(image, reference).level.level.gain == pytest.approx(LEVEL, rel=0.005)


def test_references_that_cannot_be_compared_are_refused(tmp_path, image):
    averages = _averages(_ground())
    elsewhere = GRID * Affine.translation(10_000, 0) * Affine.scale(FACTOR)
    far = save(tmp_path / "far.tif", averages, transform=elsewhere, photometric="RGB")
    with pytest.raises(UsageError, match=r"'far.tif', does not overlap the scene"):
        hsi_xr.plan(image, level_from=far)
    coarse = save(tmp_path / "coarse.tif", averages, transform=GRID * Affine.scale(400))
    with pytest.raises(UsageError, match="lies entirely within the scene"):
        hsi_xr.plan(image, level_from=coarse)
    nowhere = save(tmp_path / "nowhere.tif", averages, crs=None)
    with pytest.raises(NotGeoreferenced, match="the reference has none"):
        hsi_xr.plan(image, level_from=nowhere)
    plain = _image(tmp_path / "plain.tif", crs=None)
    with pytest.raises(NotGeoreferenced, match="the scene has none"):
        hsi_xr.plan(plain, level_from=far, allow_ungeoreferenced=True)
    cloudy = _reference(tmp_path / "cloudy.tif", np.full_like(averages, -1), nodata=-1)
    with pytest.raises(InvalidData, match=r"'cloudy.tif', has a valid and positive"):
        hsi_xr.reconstruct(image, level_from=cloudy)
    with pytest.raises(UsageError, match="must be reflectance, but it is srgb"):
        hsi_xr.plan(image, level_from=image)
    with pytest.raises(UsageError, match="pass a reference as"):
        hsi_xr.plan(image, level_radiometry="reflectance")


def test_only_windows_of_a_large_scene_are_read(tmp_path):
    import dask.array as da

    read = []

    def block(block_info=None):
        read.append(block_info[None]["array-location"])
        return np.full((3, 512, 512), 128, "float32")

    side = 12_800
    pixels = da.map_blocks(
        block,
        dtype="float32",
        chunks=((3,), (512,) * 25, (512,) * 25),
        meta=np.empty((0, 0, 0), "float32"),
    )
    scene = (
        xr.DataArray(pixels, dims=("band", "y", "x")).rio.write_crs(UTM).rio.write_transform(GRID)
    )
    known = np.full((3, side // 100, side // 100), 0.1, "float32")
    grid = GRID * Affine.scale(100)
    reference = (
        xr.DataArray(known, dims=("band", "y", "x")).rio.write_crs(UTM).rio.write_transform(grid)
    )
    planned = _found(scene, reference, radiometry="linear", scale=1 / 255)
    assert planned.level.level.gain == pytest.approx(128 / 255 / 0.1, rel=1e-3)
    assert len(read) < 625 * 0.6


def test_the_brightness_of_colours_and_spectra_is_as_near_as_stated():
    """Brightness of the spectra of the default model, as cameras and as Sentinel-2 see them."""
    import torch

    from hsi_xr.checkpoints.registry import find
    from hsi_xr.checkpoints.weights import load_model

    card = find("default")
    model = load_model(card)
    spectra, share = model.mixture.mean[1:].detach(), model.mixture.log_weight[1:].softmax(0)
    nm = torch.tensor(card.bands.centres)
    bands = [(664.6, 31.0), (559.8, 36.0), (492.4, 66.0)]  # centre and width of B4, B3, B2, nm
    curves = torch.stack([(-(((nm - c) / (w / 2.3548)) ** 2) / 2).exp() for c, w in bands])
    satellite = spectra @ (curves / curves.sum(1, keepdim=True)).mean(0)
    cameras = model.photofinishing.cameras.mean(0).mean(0)
    mean_camera = spectra @ cameras
    corrected = model.mixture.colour_corrected(
        model.photofinishing.cameras, model.photofinishing.observer, torch.ones(1)
    )
    for response in (model.photofinishing.cameras, corrected):
        seen = spectra @ response.detach().mean(1).T
        for known, stated in ((satellite, COLOUR_STD), (mean_camera, 2 * SPECTRUM_STD)):
            mean = share @ (seen / known[:, None]).log().detach()
            assert mean.abs().max() < 1.5 * stated
