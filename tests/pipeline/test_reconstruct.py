"""The result belongs to the scene: not to chunks, batches, threads, tiles or areas of interest."""

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


def _numbers(dataset: xr.Dataset, **compute) -> np.ndarray:
    return dataset["reflectance"].compute(**compute).values


@pytest.fixture(scope="module")
def tiled() -> np.ndarray:
    """150 x 203 px in tiles of 64, from one chunking, one at a time."""
    return _numbers(hsi_xr.reconstruct(scene(150, 203), tile=64), scheduler="synchronous")


@pytest.mark.parametrize("chunks", [(150, 203), (64, 64), (1, 203), (37, 41), (149, 100)])
def test_dask_chunks_do_not_change_the_cube(tiled, chunks):
    found = _numbers(hsi_xr.reconstruct(scene(150, 203, chunks=chunks), tile=64))
    np.testing.assert_allclose(found, tiled, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (2, 3), (5, 4)])
def test_batches_and_threads_do_not_change_the_cube(tiled, batch, threads):
    dataset = hsi_xr.reconstruct(scene(150, 203), tile=64, batch=batch)
    found = _numbers(dataset, scheduler="threads", num_workers=threads)
    np.testing.assert_allclose(found, tiled, atol=1e-5, rtol=0)


def test_a_file_gives_what_its_array_gives(tiled, tmp_path):
    path = save(
        tmp_path / "scene.tif", rgb_image(150, 203), tiled=True, blockxsize=32, blockysize=16
    )
    np.testing.assert_allclose(
        _numbers(hsi_xr.reconstruct(path, tile=64)), tiled, atol=1e-5, rtol=0
    )


def test_an_area_of_interest_of_the_answer_is_that_part_of_it(tiled):
    part = hsi_xr.reconstruct(scene(150, 203), tile=64).isel(y=slice(33, 120), x=slice(70, 171))
    np.testing.assert_allclose(_numbers(part), tiled[:, 33:120, 70:171], atol=1e-5, rtol=0)


def test_a_slice_of_the_scene_with_its_survey_gives_the_same_pixels():
    """Where the slice ends inside the scene its surroundings are unknown: a halo is left out."""
    whole = scene(150, 203)
    survey = hsi_xr.survey(whole, exact=True)
    wanted = _numbers(hsi_xr.reconstruct(whole, tile=64, survey=survey))
    part = whole.isel(y=slice(13, 150), x=slice(21, 203))
    found = _numbers(hsi_xr.reconstruct(part, tile=64, survey=survey))
    inner = (slice(None), slice(HALO, None), slice(HALO, None))
    np.testing.assert_allclose(found[inner], wanted[:, 13:, 21:][inner], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(160, 131), (64, 300), (100, 100), (33, 31)])
def test_tiled_is_whole_with_an_exact_survey(size):
    image = scene(*size)
    whole = _numbers(hsi_xr.reconstruct(image))
    survey = hsi_xr.survey(image, exact=True)
    found = _numbers(hsi_xr.reconstruct(image, tile=64, survey=survey))
    np.testing.assert_allclose(found, whole, atol=1e-4, rtol=0)


def test_tiled_is_nearly_whole_and_seamless_with_an_estimated_survey():
    """Mean deviation, and steps across tile edges over the same steps in the whole answer."""
    image = scene(260, 331)
    whole = _numbers(hsi_xr.reconstruct(image))
    found = _numbers(hsi_xr.reconstruct(image, tile=128))
    assert np.abs(found - whole).mean() <= 5e-4
    step = [np.abs(np.diff(cube[:, :, 127:129], axis=2)).mean() for cube in (found, whole)]
    assert step[0] / step[1] <= 1.002


def test_seeds_change_the_cube_and_repeat_it():
    image = scene(40, 52)
    first, again, other = (_numbers(hsi_xr.reconstruct(image, steps=1, seed=s)) for s in (1, 1, 2))
    assert (first == again).all()
    assert np.abs(first - other).max() > 0


def test_samples_have_a_mean_and_a_spread():
    cube = hsi_xr.reconstruct(scene(40, 52), samples=3).compute()
    assert cube["reflectance_std"].shape == cube["reflectance"].shape
    assert float(cube["reflectance_std"].min()) >= 0 and float(cube["reflectance_std"].max()) > 0
    assert "calibrated" in cube["reflectance_std"].attrs["comment"]


def test_invalid_pixels_stay_invalid_and_reach_no_other():
    """Speckle, and a corner without data; the valid rest changes little and stays finite."""
    image = scene(90, 120, chunks=None)
    rng = np.random.default_rng(0)
    holes = rng.random((90, 120)) < 0.02
    holes[:30, :40] = True
    holed = image.where(~xr.DataArray(holes, dims=("y", "x")))
    holed.encoding = image.encoding
    found = _numbers(hsi_xr.reconstruct(holed))
    assert (np.isnan(found) == holes).all()
    clean = _numbers(hsi_xr.reconstruct(image))
    assert np.nanmedian(np.abs(found - clean)) < 0.02  # the scene's brightness is another


def test_a_scene_without_any_valid_pixel_is_refused():
    empty = scene(40, 300).where(False)
    empty.encoding = {"dtype": "uint8"}
    for tile in (None, 64):
        with pytest.raises(InvalidData, match="nodata"):
            hsi_xr.reconstruct(empty, tile=tile).compute()


def test_data_in_one_small_corner_is_found():
    image = scene(200, 330, chunks=None)
    mask = np.zeros((200, 330), dtype=bool)
    mask[180:, 300:] = True
    lonely = image.where(xr.DataArray(mask, dims=("y", "x"))).chunk(y=64, x=64)
    lonely.encoding = image.encoding
    found = _numbers(hsi_xr.reconstruct(lonely, tile=64))
    assert (np.isfinite(found[0]) == mask).all()


def test_tiles_agree_with_the_whole_around_holes():
    """A hole as large as a halo: what fills it is the same from every side."""
    image = scene(140, 203, chunks=None)
    hole = np.zeros((140, 203), dtype=bool)
    hole[40:100, 90:150] = True
    holed = image.where(~xr.DataArray(hole, dims=("y", "x"))).chunk(y=50, x=64)
    holed.encoding = image.encoding
    survey = hsi_xr.survey(holed, exact=True)
    found = _numbers(hsi_xr.reconstruct(holed, tile=64, survey=survey))
    np.testing.assert_allclose(found, _numbers(hsi_xr.reconstruct(holed)), atol=1e-4, rtol=0)


def test_samples_do_not_depend_on_tiles():
    image = scene(70, 90)
    survey = hsi_xr.survey(image, exact=True)
    whole, tiled = (
        hsi_xr.reconstruct(image, tile=tile, samples=2, survey=survey).compute()
        for tile in (None, 64)
    )
    for name in ("reflectance", "reflectance_std"):
        np.testing.assert_allclose(tiled[name], whole[name], atol=1e-4, rtol=0)


def test_nodata_that_a_reader_left_as_numbers_is_not_used(tmp_path):
    import rioxarray

    pixels = rgb_image(60, 70)
    pixels[:, :20, :30] = 0
    path = save(tmp_path / "scene.tif", pixels, nodata=0)
    array = rioxarray.open_rasterio(path, chunks={"x": 32, "y": 32})
    found = _numbers(hsi_xr.reconstruct(array))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(_numbers(hsi_xr.reconstruct(path))))
    np.testing.assert_allclose(found, _numbers(hsi_xr.reconstruct(path)), atol=1e-6)


def test_a_scene_made_from_a_reconstruction_can_be_reconstructed():
    """Its survey reads pixels that need the other scene's survey."""
    first = hsi_xr.reconstruct(scene(130, 140), tile=64)
    again = first.hsi.rgb().drop_vars(["wavelength", "fwhm"])
    cube = again.hsi.reconstruct(radiometry="reflectance", tile=64)
    assert np.isfinite(cube["reflectance"].isel(y=slice(0, 9), x=slice(0, 9)).compute()).all()


def test_a_grid_mapping_of_another_name_keeps_its_crs():
    named = scene(40, 52).rename(spatial_ref="crs")
    named.encoding = {"dtype": "uint8", "grid_mapping": "crs"}
    assert hsi_xr.reconstruct(named).rio.crs == UTM


def test_a_few_absurd_pixels_are_invalid_and_stop_nothing():
    hot = scene(60, 70, chunks=None)
    hot[:, 5, 6] = 1e20
    hot.encoding = {"dtype": "uint8"}
    found = _numbers(hsi_xr.reconstruct(hot))
    assert np.isnan(found[:, 5, 6]).all() and np.isfinite(found).sum() == found.size - 31


@pytest.mark.parametrize("size", [(1, 60), (60, 1), (1, 1), (2, 3)])
def test_thin_scenes_work(size):
    assert np.isfinite(_numbers(hsi_xr.reconstruct(scene(*size)))).all()


def test_a_dataset_of_colours_is_an_array_of_bands():
    array = scene(40, 52)
    colours = {
        name: array.isel(band=i, drop=True) for i, name in enumerate(("red", "green", "blue"))
    }
    dataset = xr.Dataset(colours)
    for name in colours:
        dataset[name].encoding = {"dtype": "uint8"}
    wanted = _numbers(array.hsi.reconstruct())
    np.testing.assert_array_equal(_numbers(dataset.hsi.reconstruct()), wanted)
    np.testing.assert_array_equal(_numbers(array.to_dataset(name="rgb").hsi.reconstruct()), wanted)
    swapped = array.isel(band=[2, 0, 1]).assign_coords(band=[1, 2, 3])
    swapped.encoding = array.encoding
    np.testing.assert_array_equal(_numbers(swapped.hsi.reconstruct(rgb=(2, 3, 1))), wanted)


def test_an_array_in_memory_gives_an_array_in_memory():
    assert hsi_xr.reconstruct(scene(40, 52, chunks=None))["reflectance"].chunks is None
    assert hsi_xr.reconstruct(scene(40, 52))["reflectance"].chunks is not None


def test_the_spectrum_is_labelled():
    cube = hsi_xr.reconstruct(scene(40, 52))
    assert cube["wavelength"].values.tolist() == list(range(400, 701, 10))
    assert cube["wavelength"].attrs["units"] == cube["fwhm"].attrs["units"] == "nm"
    assert "not a measurement" in cube["reflectance"].attrs["comment"]
    assert cube.attrs["hsi_xr_radiometry"] == "srgb" and cube.attrs["hsi_xr_level"] == "estimated"
    assert "standard_name" not in cube["reflectance"].attrs  # its brightness is a guess
    known = hsi_xr.reconstruct(scene(40, 52), radiometry="reflectance", scale=1 / 255)
    assert known["reflectance"].attrs["standard_name"] == "surface_bidirectional_reflectance"
    assert cube.rio.crs == UTM and cube.rio.transform() == GRID


def test_a_rotated_scene_keeps_its_transform(tmp_path):
    turned = Affine.translation(500_000.3, 4e6) @ Affine.rotation(31) @ Affine.scale(0.25, -0.25)
    path = save(tmp_path / "turned.tif", rgb_image(40, 52), transform=turned)
    from hsi_xr.io.georef import transform_of

    cube = hsi_xr.reconstruct(path)
    assert transform_of(cube).almost_equals(turned, 1e-9)
    assert np.isfinite(_numbers(cube)).all()


def test_planning_reads_no_pixel_and_loads_no_weights(tmp_path):
    """The file is cut short after it was opened: whoever read it now would fail."""
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


def test_the_graph_has_a_task_per_tile_and_holds_no_model():
    """Weights are a megabyte; a hundred tasks with all that they share are a fraction of it."""
    cube = hsi_xr.reconstruct(scene(640, 640, chunks=(64, 64)), tile=64)["reflectance"]
    layers = cube.data.dask.layers
    (ours,) = (dict(layer) for name, layer in layers.items() if name.startswith("hsi-xr-recon"))
    tiles = [key for key in ours if isinstance(key, tuple)]
    assert len(tiles) == 100
    assert len(pickle.dumps({key: ours[key] for key in tiles})) < 100_000


def test_equal_work_has_equal_names():
    names = [hsi_xr.reconstruct(scene(300, 700), tile=64)["reflectance"].data.name for _ in "ab"]
    other = hsi_xr.reconstruct(scene(300, 700), tile=64, seed=1)["reflectance"].data.name
    assert names[0] == names[1] != other


def test_a_survey_can_be_saved_and_serves_only_its_own(tmp_path):
    image = scene(100, 130)
    survey = hsi_xr.survey(image)
    loaded = hsi_xr.Survey.load(survey.save(tmp_path / "scene.survey"))
    assert loaded.sha256 == survey.sha256
    np.testing.assert_array_equal(
        _numbers(hsi_xr.reconstruct(image, tile=64, survey=loaded)),
        _numbers(hsi_xr.reconstruct(image, tile=64, survey=survey)),
    )
    with pytest.raises(UsageError, match="survey"):
        hsi_xr.reconstruct(image, radiometry="linear", survey=loaded)
    (tmp_path / "no.survey").write_bytes(b"nothing")
    with pytest.raises(InvalidData):
        hsi_xr.Survey.load(tmp_path / "no.survey")


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda s: s.isel(band=[0]), BandMismatch, "1 band"),
        (lambda s: s.isel(band=[0, 1]), BandMismatch, "2 bands"),
        (lambda s: xr.concat([s, s], "band"), BandMismatch, "6 bands"),
        (lambda s: s.drop_vars(["spatial_ref"]), NotGeoreferenced, "write_crs"),
        (lambda s: s.astype(complex), InvalidData, "complex"),
        (lambda s: s > 3, InvalidData, "bool"),
        (lambda s: s.isel(y=slice(0, 0)), InvalidData, "empty"),
        (lambda s: s.rename(y="latitude"), InvalidData, "rename"),
        (lambda s: s.values, InvalidData, "ndarray"),
        (lambda s: s * 1.0, MissingFact, "radiometry"),
    ],
)
def test_what_cannot_be_a_scene_is_refused_while_planning(change, error, says):
    with pytest.raises(error, match=says):
        hsi_xr.plan(change(scene(40, 52)))


@pytest.mark.parametrize(
    ("options", "error", "says"),
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
        ({"rgb": (1, 2, 9)}, UnknownName, "9"),
    ],
)
def test_wrong_requests_are_refused_while_planning(options, error, says):
    with pytest.raises(error, match=says):
        hsi_xr.plan(scene(40, 52), **options)


def test_a_scale_that_cannot_be_right_is_refused():
    bright = scene(40, 52)
    with pytest.raises(InvalidData, match="times as bright as white"):
        hsi_xr.reconstruct(bright, radiometry="linear", scale=1.0).compute()


def test_the_ungeoreferenced_pass_when_allowed_and_say_so():
    bare = scene(40, 52).drop_vars(["spatial_ref", "x", "y"])
    bare.encoding = {"dtype": "uint8"}
    cube = hsi_xr.reconstruct(bare, allow_ungeoreferenced=True)
    assert cube.attrs["hsi_xr_georeferenced"] == "no"
    assert np.isfinite(_numbers(cube)).all()
