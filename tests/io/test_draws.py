"""Joint draws in files: a dimension of stores, a file each in other formats."""

import json

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.io import formats
from tests.scenes import scene

STORES = [name for name in formats.names() if formats.by_name(name).MULTI_VARIABLE]
OTHERS = [name for name in formats.names() if name not in STORES]


@pytest.fixture(scope="module")
def drawn() -> xr.Dataset:
    image = scene(45, 61)
    image[:, 3:7, 50:] = np.nan
    return hsi_xr.reconstruct(image, samples=3, draws=True).persist()


def _path(folder, name):
    return folder / f"cube{formats.by_name(name).SUFFIXES[0]}"


@pytest.mark.parametrize("name", STORES)
def test_stores_have_the_dimension_sample(drawn, tmp_path, name):
    path = hsi_xr.write(drawn, _path(tmp_path, name), dtype="float32")
    with xr.open_dataset(path, engine="zarr" if name == "zarr" else "h5netcdf") as stored:
        assert stored.reflectance.dims == ("sample", "band", "y", "x")
        np.testing.assert_array_equal(stored.reflectance, drawn.reflectance)
        np.testing.assert_array_equal(stored.sample, [1, 2, 3])
        assert stored.sample.attrs["standard_name"] == "realization"
        assert stored.reflectance.encoding["chunksizes" if name == "netcdf" else "chunks"][0] == 1
    for number in (1, 3):
        found = hsi_xr.open(path, variable=f"reflectance_draw{number:02d}")
        np.testing.assert_array_equal(found, drawn.reflectance[number - 1])
    assert hsi_xr.open(path).name == "reflectance_draw01"


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_have_a_file_for_each_draw_and_their_mean(drawn, tmp_path, name):
    path = hsi_xr.write(drawn, _path(tmp_path, name), dtype="float32", format=name)
    mean = hsi_xr.open(path)
    np.testing.assert_allclose(mean, drawn.reflectance.mean("sample", skipna=False), atol=1e-6)
    assert mean.attrs["cell_methods"] == "realization: mean"
    for number in (1, 2, 3):
        found = hsi_xr.open(path.with_stem(f"cube_draw{number:02d}"))
        np.testing.assert_array_equal(found, drawn.reflectance[number - 1])
        assert found.name == f"reflectance_draw{number:02d}"


@pytest.mark.parametrize("name", formats.names())
def test_files_state_the_level_of_each_draw(drawn, tmp_path, name):
    path = hsi_xr.write(drawn, _path(tmp_path, name), format=name)
    stated = hsi_xr.open(path).attrs["hsi_xr_level_factors"]
    factors = [float(text) for text in stated.split(",")]
    np.testing.assert_allclose(factors, drawn.level_factor, rtol=1e-3)


def test_an_array_of_draws_is_written_as_a_dataset_of_them(drawn, tmp_path):
    path = hsi_xr.write(drawn.reflectance, tmp_path / "cube.zarr", dtype="float32")
    with xr.open_zarr(path) as stored:
        np.testing.assert_array_equal(stored.reflectance, drawn.reflectance)


@pytest.mark.parametrize("name", ["cog", "zarr"])
def test_products_list_their_draws(drawn, tmp_path, name):
    path = _path(tmp_path, name)
    product = hsi_xr.write_product(drawn, path, datetime="2026-01-02T10:30:00Z")
    draws = [f"cube_draw{number:02d}.tif" for number in (1, 2, 3)] if name == "cog" else []
    assert [each.name for each in product.companions if "draw" in each.name] == draws
    assets = json.loads(product.item.read_text())["assets"]
    assert [assets[f"draw-{number:02d}"]["href"] for number in (1, 2, 3) if draws] == [
        f"./{each}" for each in draws
    ]
    assert hsi_xr.validate(path).findings == []
    opened = xr.open_dataset(path, engine="hsi_xr")
    for number in (1, 2, 3):
        found = opened[f"reflectance_draw{number:02d}"]
        np.testing.assert_allclose(found, drawn.reflectance[number - 1], atol=6e-5)


def test_one_draw_is_written_as_a_cube(drawn, tmp_path):
    one = drawn.isel(sample=1)
    path = hsi_xr.write(one, tmp_path / "cube.tif", dtype="float32")
    np.testing.assert_array_equal(hsi_xr.open(path), one.reflectance)


def test_overwriting_removes_draws_that_the_new_cube_does_not_have(drawn, tmp_path):
    path = hsi_xr.write(drawn, tmp_path / "cube.tif")
    foreign = tmp_path / "cube_draw07.tif"
    foreign.write_bytes((tmp_path / "cube_std.tif").read_bytes())
    hsi_xr.write(drawn.isel(sample=slice(2)), path, overwrite=True)
    left = {each.name for each in tmp_path.glob("*_draw*")}
    assert left == {"cube_draw01.tif", "cube_draw02.tif", "cube_draw07.tif"}
