"""Scenes and cubes that are persisted on a cluster, or computed by another scheduler."""

import numpy as np
import pytest
import rioxarray
import xarray as xr
from dask.callbacks import Callback
from distributed import Client, Future, wait

import hsi_xr
from hsi_xr.pipeline import blend
from hsi_xr.pipeline.survey import _surveys
from tests.scenes import rgb_image, save, scene

SIZE = (150, 203)
TILES = {"one piece": None, "tiles": 64, "blended": 32}


@pytest.fixture(scope="module")
def client():
    """A cluster in this process."""
    with Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        yield client


@pytest.fixture
def model(slope):
    """Returns a function: the model that needs blending if the tiles are blended."""
    return lambda mode: (
        slope(name="whole_tile", pull=1.0, context="tile") if mode == "blended" else slope()
    )


@pytest.fixture
def path(tmp_path):
    return save(tmp_path / "scene.tif", rgb_image(*SIZE))


def _local(obj, model, mode, **options) -> np.ndarray:
    cube = hsi_xr.reconstruct(obj, model, tile=TILES[mode], **options)
    return cube["reflectance"].compute(scheduler="synchronous").values


def _is_remote(array: xr.DataArray) -> bool:
    return any(isinstance(value, Future) for value in array.data.dask.values())


def _opened(path) -> xr.DataArray:
    return rioxarray.open_rasterio(path, chunks={"x": 37, "y": 41})


def _masked(path) -> xr.DataArray:
    array = _opened(path).persist()
    return array.where(array["x"] > float(array["x"][20]))


def _dataset(path) -> xr.Dataset:
    bands = _opened(path)
    colours = {c: bands.isel(band=i, drop=True) for i, c in enumerate(("red", "green", "blue"))}
    return xr.Dataset(colours).persist()


LINEAR = {"radiometry": "linear", "scale": 1.0}
SRGB = {"radiometry": "srgb", "scale": 1 / 255}
KINDS = {
    "rioxarray": (lambda path: _opened(path).persist(), {}),
    "opened": (lambda path: hsi_xr.open(path, chunks=(61, 50)).persist(), {}),
    "opened and selected": (lambda path: hsi_xr.open(path).persist().isel(x=slice(3, 150)), {}),
    "derived": (lambda path: _opened(path).persist() * np.float32(1 / 255), LINEAR),
    "derived and persisted": (lambda path: (_opened(path) * np.float32(1 / 255)).persist(), LINEAR),
    "part": (lambda path: _opened(path).persist().isel(y=slice(11, 140), x=slice(9, 201)), {}),
    "masked": (_masked, SRGB),
    "dataset": (_dataset, SRGB),
}


@pytest.mark.parametrize("mode", TILES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_persisted_scene_gives_the_cube_of_the_same_scene_in_memory(
    client, path, model, kind, mode
):
    make, options = KINDS[kind]
    persisted, weights = make(path), model(mode)
    local = persisted.compute()
    wanted = _local(local.chunk(y=50, x=70), weights, mode, **options)
    cube = hsi_xr.reconstruct(persisted, weights, tile=TILES[mode], **options)
    np.testing.assert_allclose(cube["reflectance"].compute(), wanted, atol=1e-6, rtol=0)
    assert hsi_xr.plan(persisted, weights, **options).tiles == 1
    survey, same = (hsi_xr.survey(obj, weights, **options) for obj in (persisted, local))
    np.testing.assert_allclose(survey.statistics["mean"], same.statistics["mean"], rtol=1e-5)


@pytest.mark.parametrize("mode", TILES)
def test_a_persisted_cube_can_be_used_in_every_way(client, path, model, tmp_path, mode):
    cube = hsi_xr.reconstruct(_opened(path).persist(), model(mode), tile=TILES[mode]).persist()
    assert _is_remote(cube["reflectance"])
    local = cube.compute()
    for place in "ab":
        (tmp_path / place).mkdir()
    for name, use in USES.items():
        found, wanted = (use(obj, tmp_path / place) for obj, place in ((cube, "a"), (local, "b")))
        np.testing.assert_allclose(found, wanted, atol=1e-5, err_msg=name)


def _pixel(cube) -> tuple[float, float]:
    return float(cube["x"][40]), float(cube["y"][30])


def _written(cube, folder):
    return hsi_xr.open(hsi_xr.write(cube, folder / "cube.tif", dtype="float32"))


def _product(cube, folder):
    product = hsi_xr.write_product(cube, folder / "product.zarr", dtype="float32", stac=False)
    return hsi_xr.open(product.cube)


def _panel() -> xr.DataArray:
    nm = np.arange(400, 701, 10.0)
    return xr.DataArray(np.full(31, 0.5), dims="wavelength", coords={"wavelength": nm})


def _gains(cube, folder):
    return np.array(hsi_xr.gains(cube, [(*_pixel(cube), _panel())]).values)


def _calibrated(cube, folder):
    return hsi_xr.calibrate(cube, [(*_pixel(cube), _panel())])["reflectance"]


def _sensor(cube, folder):
    return hsi_xr.to_sensor(cube, "sentinel-2a")["reflectance"]


def _plotted(cube, folder):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    return cube.hsi.plot.rgb().images[0].get_array()


USES = {
    "write": _written,
    "product": _product,
    "gains": _gains,
    "calibrate": _calibrated,
    "sensor": _sensor,
    "spectrum": lambda cube, folder: hsi_xr.spectrum(cube, *_pixel(cube))["reflectance"],
    "indices": lambda cube, folder: hsi_xr.indices(cube, ["NGRDI"]),
    "sam": lambda cube, folder: hsi_xr.sam(cube, _panel()),
    "rgb": lambda cube, folder: cube.hsi.rgb(),
    "plot": _plotted,
}


def test_a_cube_can_be_the_scene_of_another_one(client, path, model):
    first = hsi_xr.reconstruct(_opened(path).persist(), model("tiles"), tile=64)
    again = first.hsi.rgb().drop_vars(["wavelength", "fwhm"])
    for image in (again, again.persist()):
        cube = hsi_xr.reconstruct(image, model("tiles"), radiometry="reflectance", tile=64)
        wanted = _local(again.compute(), model("tiles"), "tiles", radiometry="reflectance")
        np.testing.assert_allclose(cube["reflectance"], wanted, atol=1e-5)


@pytest.mark.parametrize("mode", TILES)
@pytest.mark.parametrize("scheduler", ["threads", "synchronous", "distributed"])
def test_schedulers_give_the_same_numbers(client, model, scheduler, mode):
    wanted = _local(scene(*SIZE), model(mode), mode)
    _surveys.clear()
    blend._pending.clear()
    cube = hsi_xr.reconstruct(scene(*SIZE, chunks=(41, 203)), model(mode), tile=TILES[mode])
    found = cube["reflectance"].compute(scheduler=scheduler)
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_processes_give_the_same_numbers(model, path, tmp_path):
    """Workers share no memory, so that each runs the blended tiles that it needs."""
    wanted = {mode: _local(path, model(mode), mode) for mode in TILES}
    for mode in TILES:
        cube = hsi_xr.reconstruct(_opened(path), model(mode), tile=TILES[mode])["reflectance"]
        found = cube.compute(scheduler="processes", num_workers=2)
        np.testing.assert_allclose(found, wanted[mode], atol=1e-6, rtol=0)
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None):
        persisted = _opened(path).persist()
        for mode in TILES:
            cube = hsi_xr.reconstruct(persisted, model(mode), tile=TILES[mode])
            written = hsi_xr.write(cube, tmp_path / f"{TILES[mode]}.tif", dtype="float32")
            for found in (cube["reflectance"], hsi_xr.open(written)):
                np.testing.assert_allclose(found.compute(), wanted[mode], atol=1e-6, rtol=0)


def test_a_persisted_scene_has_the_token_of_the_lazy_one(client, path):
    """Which is its name: nothing is gathered from the cluster."""
    lazy = _opened(path)
    persisted = lazy.persist()
    assert hsi_xr.plan(lazy).work.token == hsi_xr.plan(persisted).work.token
    with Callback(pretask=lambda *_: pytest.fail("something was computed")):
        names = [hsi_xr.reconstruct(persisted, tile=64)["reflectance"].data.name for _ in "ab"]
    assert names[0] == names[1]


def test_a_persisted_file_is_not_read_again(client, path, slope):
    wanted = _local(path, slope(), "tiles")
    persisted = hsi_xr.open(path).persist()
    assert hsi_xr.plan(hsi_xr.open(path)).scene.file is not None
    wait(persisted.data)
    path.unlink()
    found = hsi_xr.reconstruct(persisted, slope(), tile=64)["reflectance"]
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=0)
