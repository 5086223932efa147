"""The result depends on the scene, not on chunks, batches, threads, tiles or areas of interest."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from dask.callbacks import Callback

import hsi_xr
from hsi_xr.errors import (
    BandMismatch,
    InvalidData,
    MissingFact,
    NotGeoreferenced,
    UnknownName,
    UsageError,
)
from tests.scenes import GRID, UTM, rgb_image, save, scene

HALO = hsi_xr.models()[0].halo


def _values(dataset: xr.Dataset, **compute) -> np.ndarray:
    return dataset["reflectance"].compute(**compute).values


@pytest.fixture(scope="module")
def tiled() -> np.ndarray:
    """150 x 203 px in tiles of 64 px, computed one at a time."""
    return _values(hsi_xr.reconstruct(scene(150, 203), tile=64), scheduler="synchronous")


@pytest.mark.parametrize("chunks", [(150, 203), (64, 64), (1, 203), (37, 41), (149, 100)])
def test_dask_chunks_do_not_change_the_cube(tiled, chunks):
    found = _values(hsi_xr.reconstruct(scene(150, 203, chunks=chunks), tile=64))
    np.testing.assert_allclose(found, tiled, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (2, 3), (5, 4)])
def test_batches_and_threads_do_not_change_the_cube(tiled, batch, threads):
    dataset = hsi_xr.reconstruct(scene(150, 203), tile=64, batch=batch)
    found = _values(dataset, scheduler="threads", num_workers=threads)
    np.testing.assert_allclose(found, tiled, atol=1e-5, rtol=0)


def test_a_file_gives_the_same_cube_as_its_array(tiled, tmp_path):
    path = save(
        tmp_path / "scene.tif", rgb_image(150, 203), tiled=True, blockxsize=32, blockysize=16
    )
    np.testing.assert_allclose(_values(hsi_xr.reconstruct(path, tile=64)), tiled, atol=1e-5, rtol=0)


def test_an_area_of_interest_equals_that_part_of_the_cube(tiled):
    part = hsi_xr.reconstruct(scene(150, 203), tile=64).isel(y=slice(33, 120), x=slice(70, 171))
    np.testing.assert_allclose(_values(part), tiled[:, 33:120, 70:171], atol=1e-5, rtol=0)


def test_a_slice_of_the_scene_with_its_survey_gives_the_same_pixels():
    """Except for a halo at the edges inside the scene, where the surroundings are unknown."""
    whole = scene(150, 203)
    survey = hsi_xr.survey(whole, exact=True)
    expected = _values(hsi_xr.reconstruct(whole, tile=64, survey=survey))
    part = whole.isel(y=slice(13, 150), x=slice(21, 203))
    found = _values(hsi_xr.reconstruct(part, tile=64, survey=survey))
    inner = (slice(None), slice(HALO, None), slice(HALO, None))
    np.testing.assert_allclose(found[inner], expected[:, 13:, 21:][inner], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(160, 131), (64, 300), (100, 100), (33, 31)])
def test_tiles_equal_the_whole_with_an_exact_survey(size):
    image = scene(*size)
    whole = _values(hsi_xr.reconstruct(image))
    survey = hsi_xr.survey(image, exact=True)
    found = _values(hsi_xr.reconstruct(image, tile=64, survey=survey))
    np.testing.assert_allclose(found, whole, atol=1e-4, rtol=0)


def test_tiles_nearly_equal_the_whole_with_a_sampled_survey():
    """The mean difference is small, and there are no seams at the edges of tiles."""
    image = scene(260, 331)
    whole = _values(hsi_xr.reconstruct(image))
    found = _values(hsi_xr.reconstruct(image, tile=128))
    assert np.abs(found - whole).mean() <= 5e-4
    step = [np.abs(np.diff(cube[:, :, 127:129], axis=2)).mean() for cube in (found, whole)]
    assert step[0] / step[1] <= 1.002


def test_equal_seeds_repeat_the_cube_and_others_change_it():
    image = scene(40, 52)
    first, again, other = (_values(hsi_xr.reconstruct(image, steps=1, seed=s)) for s in (1, 1, 2))
    assert (first == again).all()
    assert np.abs(first - other).max() > 0


def test_samples_have_a_mean_and_a_standard_deviation():
    cube = hsi_xr.reconstruct(scene(40, 52), samples=3).compute()
    assert cube["reflectance_std"].shape == cube["reflectance"].shape
    assert float(cube["reflectance_std"].min()) >= 0 and float(cube["reflectance_std"].max()) > 0
    assert "calibrated" in cube["reflectance_std"].attrs["comment"]


def test_invalid_pixels_stay_invalid_and_do_not_spread():
    """Random pixels and a corner are invalid; all others stay finite and change little."""
    image = scene(90, 120, chunks=None)
    rng = np.random.default_rng(0)
    holes = rng.random((90, 120)) < 0.02
    holes[:30, :40] = True
    holed = image.where(~xr.DataArray(holes, dims=("y", "x")))
    holed.encoding = image.encoding
    found = _values(hsi_xr.reconstruct(holed))
    assert (np.isnan(found) == holes).all()
    clean = _values(hsi_xr.reconstruct(image))
    assert (
        np.nanmedian(np.abs(found - clean)) < 0.02
    )  # the holes change the brightness of the scene


def test_a_scene_without_valid_pixels_is_rejected():
    empty = scene(40, 300).where(False)
    empty.encoding = {"dtype": "uint8", "rasterio_dtype": "uint8"}
    for tile in (None, 64):
        with pytest.raises(InvalidData, match="nodata"):
            hsi_xr.reconstruct(empty, tile=tile).compute()


def test_the_survey_finds_data_in_one_small_corner():
    image = scene(200, 330, chunks=None)
    mask = np.zeros((200, 330), dtype=bool)
    mask[180:, 300:] = True
    corner = image.where(xr.DataArray(mask, dims=("y", "x"))).chunk(y=64, x=64)
    corner.encoding = image.encoding
    found = _values(hsi_xr.reconstruct(corner, tile=64))
    assert (np.isfinite(found[0]) == mask).all()


def test_tiles_agree_with_the_whole_around_holes():
    """A hole as large as a halo is filled in the same way from every side."""
    image = scene(140, 203, chunks=None)
    hole = np.zeros((140, 203), dtype=bool)
    hole[40:100, 90:150] = True
    holed = image.where(~xr.DataArray(hole, dims=("y", "x"))).chunk(y=50, x=64)
    holed.encoding = image.encoding
    survey = hsi_xr.survey(holed, exact=True)
    found = _values(hsi_xr.reconstruct(holed, tile=64, survey=survey))
    np.testing.assert_allclose(found, _values(hsi_xr.reconstruct(holed)), atol=1e-4, rtol=0)


def test_samples_do_not_depend_on_tiles():
    image = scene(70, 90)
    survey = hsi_xr.survey(image, exact=True)
    whole, tiled = (
        hsi_xr.reconstruct(image, tile=tile, samples=2, survey=survey).compute()
        for tile in (None, 64)
    )
    for name in ("reflectance", "reflectance_std"):
        np.testing.assert_allclose(tiled[name], whole[name], atol=1e-4, rtol=0)


def test_nodata_values_that_a_reader_did_not_mask_are_masked(tmp_path):
    import rioxarray

    pixels = rgb_image(60, 70)
    pixels[:, :20, :30] = 0
    path = save(tmp_path / "scene.tif", pixels, nodata=0)
    array = rioxarray.open_rasterio(path, chunks={"x": 32, "y": 32})
    found = _values(hsi_xr.reconstruct(array))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(_values(hsi_xr.reconstruct(path))))
    np.testing.assert_allclose(found, _values(hsi_xr.reconstruct(path)), atol=1e-6)


def test_a_reconstruction_can_be_the_scene_of_another_one():
    """The survey of the outer scene reads pixels that need the survey of the inner one."""
    first = hsi_xr.reconstruct(scene(130, 140), tile=64)
    again = first.hsi.rgb().drop_vars(["wavelength", "fwhm"])
    cube = again.hsi.reconstruct(radiometry="reflectance", tile=64)
    assert np.isfinite(cube["reflectance"].isel(y=slice(0, 9), x=slice(0, 9)).compute()).all()


def test_a_grid_mapping_with_another_name_keeps_its_crs():
    named = scene(40, 52).rename(spatial_ref="crs")
    named.encoding = {"dtype": "uint8", "rasterio_dtype": "uint8", "grid_mapping": "crs"}
    assert hsi_xr.reconstruct(named).rio.crs == UTM


def test_a_few_implausibly_bright_pixels_are_invalid():
    hot = scene(60, 70, chunks=None)
    hot[:, 5, 6] = 1e20
    hot.encoding = {"dtype": "uint8", "rasterio_dtype": "uint8"}
    found = _values(hsi_xr.reconstruct(hot))
    assert np.isnan(found[:, 5, 6]).all() and np.isfinite(found).sum() == found.size - 31


@pytest.mark.parametrize("size", [(1, 60), (60, 1), (1, 1), (2, 3)])
def test_thin_scenes_can_be_reconstructed(size):
    assert np.isfinite(_values(hsi_xr.reconstruct(scene(*size)))).all()


def test_a_dataset_of_colours_is_an_array_of_bands():
    array = scene(40, 52)
    colours = {
        name: array.isel(band=i, drop=True) for i, name in enumerate(("red", "green", "blue"))
    }
    dataset = xr.Dataset(colours)
    for name in colours:
        dataset[name].encoding = {"dtype": "uint8", "rasterio_dtype": "uint8"}
    expected = _values(array.hsi.reconstruct())
    np.testing.assert_array_equal(_values(dataset.hsi.reconstruct()), expected)
    np.testing.assert_array_equal(_values(array.to_dataset(name="rgb").hsi.reconstruct()), expected)
    swapped = array.isel(band=[2, 0, 1]).assign_coords(band=[1, 2, 3])
    swapped.encoding = array.encoding
    np.testing.assert_array_equal(_values(swapped.hsi.reconstruct(rgb=(2, 3, 1))), expected)


def test_the_result_is_lazy_if_the_scene_is():
    assert hsi_xr.reconstruct(scene(40, 52, chunks=None))["reflectance"].chunks is None
    assert hsi_xr.reconstruct(scene(40, 52))["reflectance"].chunks is not None


def test_the_spectrum_is_labelled():
    cube = hsi_xr.reconstruct(scene(40, 52))
    assert cube["wavelength"].values.tolist() == list(range(400, 701, 10))
    assert cube["wavelength"].attrs["units"] == cube["fwhm"].attrs["units"] == "nm"
    assert "not a measurement" in cube["reflectance"].attrs["comment"]
    assert cube.attrs["hsi_xr_radiometry"] == "srgb" and cube.attrs["hsi_xr_level"] == "estimated"
    assert "standard_name" not in cube["reflectance"].attrs  # the level is estimated
    known = hsi_xr.reconstruct(scene(40, 52), radiometry="reflectance", scale=1 / 255)
    assert known["reflectance"].attrs["standard_name"] == "surface_bidirectional_reflectance"
    assert cube.rio.crs == UTM and cube.rio.transform() == GRID


def test_a_rotated_scene_keeps_its_transform(tmp_path):
    rotated = Affine.translation(500_000.3, 4e6) @ Affine.rotation(31) @ Affine.scale(0.25, -0.25)
    path = save(tmp_path / "rotated.tif", rgb_image(40, 52), transform=rotated)
    from hsi_xr.io.georef import transform_of

    cube = hsi_xr.reconstruct(path)
    assert transform_of(cube).almost_equals(rotated, 1e-9)
    assert np.isfinite(_values(cube)).all()


def test_planning_reads_no_pixel_and_loads_no_weights(tmp_path):
    """The file is truncated after it was opened, so that reading it would fail."""
    path = save(tmp_path / "scene.tif", rgb_image(700, 2000))
    code = f"""
import sys, hsi_xr
plan = hsi_xr.plan({str(path)!r})
assert "torch" not in sys.modules
assert plan.tiles == 8 and plan.output_bytes == 4 * 31 * 700 * 2000, plan
cube = hsi_xr.reconstruct({str(path)!r})
assert "torch" not in sys.modules
open({str(path)!r}, "r+b").truncate(1000)
cube.isel(x=slice(0, 600)).attrs
try:
    cube.isel(x=slice(0, 9), y=slice(0, 9)).compute()
except hsi_xr.errors.UnreadableFile:
    print("read now")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "read now", done.stderr


def test_an_array_is_not_computed_while_planning():
    ran = []
    with Callback(pretask=lambda key, *_: ran.append(key)):
        hsi_xr.plan(scene(300, 700), tile=64)
        hsi_xr.reconstruct(scene(300, 700), tile=64)
    assert ran == []


def test_the_graph_has_a_task_per_tile_and_contains_no_model():
    """The graph of a hundred tasks is smaller than the weights, which have one megabyte."""
    cube = hsi_xr.reconstruct(scene(640, 640, chunks=(64, 64)), tile=64)["reflectance"]
    layers = cube.data.dask.layers
    (graph,) = (dict(layer) for name, layer in layers.items() if name.startswith("hsi-xr-recon"))
    tiles = [key for key in graph if isinstance(key, tuple)]
    assert len(tiles) == 100
    assert len(pickle.dumps({key: graph[key] for key in tiles})) < 100_000


def test_equal_work_has_equal_names():
    names = [hsi_xr.reconstruct(scene(300, 700), tile=64)["reflectance"].data.name for _ in "ab"]
    other = hsi_xr.reconstruct(scene(300, 700), tile=64, seed=1)["reflectance"].data.name
    assert names[0] == names[1] != other


def test_a_saved_survey_is_valid_only_for_its_scene(tmp_path):
    image = scene(100, 130)
    survey = hsi_xr.survey(image)
    loaded = hsi_xr.Survey.load(survey.save(tmp_path / "scene.survey"))
    assert loaded.sha256 == survey.sha256
    np.testing.assert_array_equal(
        _values(hsi_xr.reconstruct(image, tile=64, survey=loaded)),
        _values(hsi_xr.reconstruct(image, tile=64, survey=survey)),
    )
    with pytest.raises(UsageError, match="survey"):
        hsi_xr.reconstruct(image, radiometry="linear", survey=loaded)
    (tmp_path / "no.survey").write_bytes(b"nothing")
    with pytest.raises(InvalidData):
        hsi_xr.Survey.load(tmp_path / "no.survey")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.isel(band=[0]), BandMismatch, "1 band"),
        (lambda s: s.isel(band=[0, 1]), BandMismatch, "2 bands"),
        (lambda s: xr.concat([s, s], "band"), BandMismatch, "6 bands"),
        (lambda s: s.drop_vars(["spatial_ref"]), NotGeoreferenced, "write_crs"),
        (lambda s: s.astype(complex), InvalidData, "complex"),
        (lambda s: s > 3, InvalidData, "bool"),
        (lambda s: s.isel(y=slice(0, 0)), InvalidData, "empty"),
        (lambda s: s.rename(y="u"), InvalidData, "rename"),
        (lambda s: s.values, InvalidData, "ndarray"),
        (lambda s: s * 1.0, MissingFact, "radiometry"),
    ],
)
def test_invalid_scenes_are_rejected_while_planning(change, error, message):
    with pytest.raises(error, match=message):
        hsi_xr.plan(change(scene(40, 52)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "defualt"}, UnknownName, "did you mean 'default'"),
        ({"device": "gpu7"}, UnknownName, "gpu7"),
        ({"device": "cuda:99"}, UnknownName, "cuda"),
        ({"radiometry": "gamma"}, UnknownName, "srgb"),
        ({"tile": 30}, UsageError, "multiple of 4"),
        ({"halo": -1}, UsageError, "negative"),
        ({"samples": 0}, UsageError, "samples"),
        ({"seed": -1}, UsageError, "seed"),
        ({"batch": 0}, UsageError, "batch"),
        ({"rgb": (1, 2)}, BandMismatch, "three"),
        ({"rgb": (1, 2, 9)}, BandMismatch, "no band 9"),
        ({"rgb": ("ultramarine", 2, 3)}, UnknownName, "ultramarine"),
    ],
)
def test_invalid_arguments_are_rejected_while_planning(options, error, message):
    with pytest.raises(error, match=message):
        hsi_xr.plan(scene(40, 52), **options)


def test_an_implausible_scale_is_rejected():
    bright = scene(40, 52)
    with pytest.raises(InvalidData, match="times as bright as white"):
        hsi_xr.reconstruct(bright, radiometry="linear", scale=1.0).compute()


def test_an_ungeoreferenced_scene_is_accepted_if_allowed_and_marked():
    bare = scene(40, 52).drop_vars(["spatial_ref", "x", "y"])
    bare.encoding = {"dtype": "uint8", "rasterio_dtype": "uint8"}
    cube = hsi_xr.reconstruct(bare, allow_ungeoreferenced=True)
    assert cube.attrs["hsi_xr_georeferenced"] == "no"
    assert np.isfinite(_values(cube)).all()
