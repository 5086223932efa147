"""Scenes of the bands of satellites and multispectral cameras."""

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr
from rasterio.transform import from_origin

import hsi_xr
from hsi_xr.band_grid import Bands
from hsi_xr.camera.spectral_response import SpectralResponse
from hsi_xr.errors import BandMismatch, InvalidData, UsageError
from tests.command_line import run

MODEL = "visible-infrared"
GRID = Bands.regular(400, 1000, 10)
NAMES = ("B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12", "B01", "B09")
USED = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B1")


def _ground(rows=19, columns=31):
    """Reflectance of leaves, soil and water, mixed, on the grid of the model."""
    nm = np.array(GRID.centres)
    edge = 1 / (1 + np.exp(-(nm - 715) / 12))
    leaf = 0.03 + 0.05 * np.exp(-(((nm - 550) / 30) ** 2)) + 0.4 * edge
    soil = 0.05 + 0.3 * (nm - 400) / 600
    water = 0.04 * np.exp(-(nm - 400) / 200) + 0.002
    shares = np.random.default_rng(3).dirichlet((1, 1, 0.2), (rows, columns))
    return np.einsum("yxk,kb->byx", shares, np.array([leaf, soil, water])).astype("float32")


def _recorded(sensor, channels, grid=GRID):
    response = SpectralResponse.of(sensor, grid)
    rows = [response.curves[response.channels.index(name)] for name in channels]
    return np.einsum("cb,byx->cyx", np.array(rows, dtype="float32"), _ground())


@pytest.fixture
def sentinel(tmp_path):
    """A GeoTIFF with the names of Sentinel-2, the infrared beyond the model among them."""
    bands = iter(_recorded("sentinel-2a", USED))
    plain = [name.replace("B0", "B") for name in NAMES]
    stack = [next(bands) if name in USED else np.full((19, 31), 0.2) for name in plain]
    path = tmp_path / "sentinel.tif"
    profile = {
        **{"driver": "GTiff", "width": 31, "height": 19, "count": len(stack), "dtype": "uint16"},
        **{"crs": "EPSG:32632", "transform": from_origin(5e5, 5e6, 10, 10)},
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.round(np.array(stack) * 10_000).astype("uint16"))
        file.descriptions, file.scales = NAMES, (1e-4,) * len(stack)
    return path


def _array(values, names=None):
    array = xr.DataArray(values, dims=("band", "y", "x"))
    if names is not None:
        array = array.assign_coords(band=list(names))
    return array


OPTIONS = {"radiometry": "reflectance", "allow_ungeoreferenced": True}


def test_names_tell_the_channels_and_the_plan_what_is_left_out(sentinel):
    plan = hsi_xr.plan(sentinel, MODEL, camera="sentinel-2a")
    assert plan.response.channels == USED
    assert plan.scene.meaning.chosen.indices == (0, 1, 2, 3, 4, 5, 6, 7, 10)
    assert "not used: B9, B10, B11, B12" in str(plan)
    visible = hsi_xr.plan(sentinel, camera="sentinel-2a")
    assert visible.response.channels == ("B2", "B3", "B4", "B1")


def test_all_channels_beat_red_green_and_blue(sentinel):
    truth = _ground()
    every, three = (
        hsi_xr.reconstruct(sentinel, MODEL, camera="sentinel-2a", rgb=rgb).compute()
        for rgb in (None, ("B04", "B03", "B02"))
    )
    errors = [float(abs(cube.reflectance - truth).mean()) for cube in (every, three)]
    assert errors[0] < 0.4 * errors[1]
    assert errors[0] < 0.05 * truth.mean()
    assert every.attrs["hsi_xr_camera_channels"] == ",".join(USED)
    assert "multispectral" in every.attrs["title"]


def test_a_path_an_array_and_the_command_line_agree(sentinel, tmp_path):
    of_path = hsi_xr.reconstruct(sentinel, MODEL, camera="sentinel-2a").compute()
    of_array = hsi_xr.reconstruct(hsi_xr.open(sentinel), MODEL, camera="sentinel-2a")
    xr.testing.assert_equal(of_path.reflectance, of_array.reflectance.compute())
    out = tmp_path / "cube.tif"
    given = ("--camera", "sentinel-2a", "--dtype", "float32")
    assert run("reconstruct", sentinel, out, "-m", MODEL, *given).exit_code == 0
    np.testing.assert_array_equal(hsi_xr.open(out), of_path.reflectance)
    some = tmp_path / "some.tif"
    bands = ("--bands", "B02,B8A,B03,B04,B05")
    assert run("reconstruct", sentinel, some, "-m", MODEL, *bands, *given).exit_code == 0
    chosen = hsi_xr.reconstruct(
        sentinel, MODEL, camera="sentinel-2a", bands=("B02", "B8A", "B03", "B04", "B05")
    )
    np.testing.assert_array_equal(hsi_xr.open(some), chosen.reflectance)


def test_the_order_of_bands_and_chunks_do_not_matter(sentinel):
    image = hsi_xr.open(sentinel)
    whole = hsi_xr.reconstruct(image, MODEL, camera="sentinel-2a", tile=0).reflectance
    chunked = hsi_xr.open(sentinel, chunks={"y": 7, "x": 10})
    computed = chunked.copy(data=chunked.data * 1)  # no longer read from the file
    for scene in (chunked, computed):
        tiled = hsi_xr.reconstruct(scene, MODEL, camera="sentinel-2a", tile=8)
        xr.testing.assert_allclose(tiled.reflectance, whole, rtol=1e-3)
    order = (8, 3, 1, 2, 4, 7, 6, 5, 11)
    shuffled = hsi_xr.reconstruct(sentinel, MODEL, camera="sentinel-2a", bands=order)
    xr.testing.assert_allclose(shuffled.reflectance, whole, rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("names", [None, ("Blue", "Green", "Red", "NIR"), ("n", "r", "g", "b")])
def test_naip_is_used_by_position_by_names_and_by_letters(names):
    channels = ("Blue", "Green", "Red", "NIR")
    if names == ("n", "r", "g", "b"):
        channels = ("NIR", "Red", "Green", "Blue")
    scene = _array(_recorded("leica-ads100", channels), names)
    plan = hsi_xr.plan(scene, MODEL, camera="leica-ads100", **OPTIONS)
    assert plan.response.channels == channels
    cube = hsi_xr.reconstruct(scene, MODEL, camera="leica-ads100", samples=2, **OPTIONS)
    assert float(abs(cube.reflectance - _ground()).mean()) < 0.15 * _ground().mean()
    assert cube.reflectance_std.shape == cube.reflectance.shape
    assert "more than three channels" in cube.reflectance_std.attrs["comment"]


def test_an_array_of_responses_takes_bands_in_its_order():
    response = SpectralResponse.of("planetscope-superdove", GRID)
    scene = _array(_recorded("planetscope-superdove", response.channels))
    named = hsi_xr.reconstruct(scene, MODEL, camera="planetscope-superdove", **OPTIONS)
    curves = np.array(response.curves)
    numbers = hsi_xr.reconstruct(scene, MODEL, camera=curves, **OPTIONS)
    np.testing.assert_allclose(named.reflectance, numbers.reflectance, rtol=1e-3)


def test_consistent_cubes_are_recorded_as_the_image():
    response = SpectralResponse.of("micasense-rededge-mx-dual", GRID)
    image = _recorded("micasense-rededge-mx-dual", response.channels)
    cube = hsi_xr.reconstruct(
        _array(image),
        MODEL,
        camera="micasense-rededge-mx-dual",
        consistency="exact",
        residual=True,
        **OPTIONS,
    )
    seen = torch.einsum(
        "cb,byx->cyx", torch.tensor(response.curves), torch.tensor(cube.reflectance.values)
    )
    np.testing.assert_allclose(seen, image, atol=2e-4)
    assert float(cube.rgb_residual.max()) < 2e-4


def test_a_survey_serves_parts_of_a_scene(sentinel):
    survey = hsi_xr.survey(sentinel, MODEL, camera="sentinel-2a")
    whole = hsi_xr.reconstruct(sentinel, MODEL, camera="sentinel-2a").reflectance
    part = hsi_xr.open(sentinel).isel(y=slice(3, 15), x=slice(8, 30))
    cut = hsi_xr.reconstruct(part, MODEL, camera="sentinel-2a", survey=survey).reflectance
    xr.testing.assert_allclose(cut, whole.isel(y=slice(3, 15), x=slice(8, 30)), rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bands": (1, 2, 3, 4)}, BandMismatch, "name a sensor.*--camera sentinel-2a"),
        ({"camera": "nikon-d850", "bands": (1, 2, 3, 4)}, BandMismatch, "name a sensor"),
        ({"camera": "sentinel-2a", "bands": (1, 2, 9)}, BandMismatch, "9 is B11"),
        ({"camera": "sentinel-2a", "bands": (1, 2)}, BandMismatch, "bands="),
        ({"camera": "sentinel-2a", "rgb": (1, 2, 3), "bands": (1, 2, 3)}, UsageError, "one of"),
        ({"camera": "sentinel-2a", "radiometry": "linear"}, UsageError, "radiometry='reflectance'"),
        (
            {"camera": "sentinel-2a", "model": "root-polynomial"},
            BandMismatch,
            "red, green and blue",
        ),
        ({"camera": "dji-mavic-3m", "model": "default"}, InvalidData, "visible-infrared"),
        ({"camera": np.ones((5, 61))}, BandMismatch, "5 bands in the order of the channels"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_repair(sentinel, options, error, message):
    with pytest.raises(error, match=message):
        hsi_xr.plan(sentinel, **{"model": MODEL, **options})


def test_quantiles_of_more_channels_enclose_the_ground(sentinel):
    part = hsi_xr.open(sentinel).isel(y=slice(0, 4), x=slice(0, 5))
    cube = hsi_xr.reconstruct(part, MODEL, camera="sentinel-2a", quantiles=(0.05, 0.95))
    low, high = cube.reflectance_q05, cube.reflectance_q95
    assert bool((low <= high).all())
    truth = _ground()[:, :4, :5]
    assert float(((low <= truth) & (truth <= high)).mean()) > 0.7
