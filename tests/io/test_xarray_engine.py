"""`xr.open_dataset(..., engine="hsi_xr")` returns the same data as `hsi_xr.open`."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import BandMismatch, UsageError
from hsi_xr.io import formats
from hsi_xr.io.raster_source import stored_dtype
from tests.io.test_formats import named

FORMATS = formats.names()


@pytest.fixture
def complete(cube):
    """A cube with the companions that a reconstruction can have."""
    given = cube()
    flat = given.reflectance.isel(band=0, drop=True)
    return given.assign(
        reflectance_std=abs(given.reflectance) / 10, rgb_residual=flat - 0.2, out_of_domain=flat
    )


@pytest.mark.parametrize("name", FORMATS)
def test_a_product_opens_as_the_dataset_that_was_written(name, complete, tmp_path):
    path = hsi_xr.write(complete, named(tmp_path, name), format=name)
    opened = xr.open_dataset(path, engine="hsi_xr")
    assert list(opened.data_vars) == list(complete.data_vars)
    for variable, array in complete.data_vars.items():
        assert opened[variable].dims == array.dims
        expected = hsi_xr.open(path, variable=str(variable)).values.reshape(array.shape)
        np.testing.assert_array_equal(opened[variable], expected)
    assert opened.attrs["hsi_xr_seed"] == complete.attrs["hsi_xr_seed"]
    assert not any(str(key).startswith("hsi_xr_") for key in opened.reflectance.attrs)
    assert stored_dtype(opened.reflectance) == "int16"
    again = hsi_xr.write(opened, tmp_path / "again.zarr")
    xr.testing.assert_allclose(xr.open_dataset(again, engine="hsi_xr"), opened)


def test_a_scene_opens_as_its_image(save, rgb_image):
    path = save(rgb_image())
    opened = xr.open_dataset(path, engine="hsi_xr")
    xr.testing.assert_identical(opened["rgb"].load(), hsi_xr.open(path).load())
    assert repr(opened.hsi).startswith("<hsi_xr: RGB scene>")
    cube = opened.hsi.reconstruct()
    xr.testing.assert_equal(cube.compute(), hsi_xr.reconstruct(path).compute())
    two = xr.open_dataset(path, engine="hsi_xr", rgb=[3, 1])
    np.testing.assert_array_equal(two["image"], hsi_xr.open(path, rgb=[3, 1]))
    with pytest.raises(BandMismatch, match="9"):
        xr.open_dataset(path, engine="hsi_xr", rgb=[9])


def test_nothing_is_read_before_it_is_needed(save, rgb_image):
    path = save(rgb_image())
    opened = xr.open_dataset(path, engine="hsi_xr", cache=False)
    lazy = xr.open_dataset(path, engine="hsi_xr", chunks={})
    assert lazy.chunks == {"band": (3,), "y": (300,), "x": (512, 5)}
    whole = xr.open_dataset(path, engine="hsi_xr", chunks="auto")
    assert whole["rgb"].chunks == ((3,), (300,), (517,))
    again = pickle.loads(pickle.dumps(lazy))  # noqa: S301  our own bytes
    np.testing.assert_array_equal(again["rgb"], rgb_image())
    path.unlink()
    for dataset in (opened, lazy):
        with pytest.raises(Exception, match=r"changed|exist|scene\.tif"):
            dataset["rgb"].values  # noqa: B018


@pytest.mark.parametrize(
    "index",
    [
        (0, 5, 7),
        (slice(None), slice(200, 90, -7), slice(3, 500, 11)),
        (slice(None, None, -1), -1, slice(-3, None)),
        ([2, 0], [1, 299, 5], slice(4, 4)),
        (slice(1, 1), slice(None), slice(None)),
    ],
)
def test_an_index_selects_the_same_pixels(index, save, rgb_image):
    path = save(rgb_image())
    indexers = dict(zip(("band", "y", "x"), index))
    lazy = xr.open_dataset(path, engine="hsi_xr")["rgb"].isel(indexers)
    xr.testing.assert_equal(lazy, hsi_xr.open(path).isel(indexers))


def test_variables_can_be_dropped_and_chosen(complete, tmp_path):
    path = hsi_xr.write(complete, tmp_path / "cube.tif")
    opened = xr.open_dataset(path, engine="hsi_xr", drop_variables=["rgb_residual", "fwhm"])
    assert set(opened.data_vars) == {"reflectance", "reflectance_std", "out_of_domain"}
    assert "fwhm" not in opened.coords
    only = xr.open_dataset(path, engine="hsi_xr", variable="reflectance_std")
    assert list(only.data_vars) == ["reflectance_std"]
    hsi_xr.write(complete.assign_attrs(hsi_xr_seed=8), tmp_path / "other.tif")
    (tmp_path / "other_std.tif").rename(tmp_path / "cube_std.tif")
    assert "reflectance_std" not in xr.open_dataset(path, engine="hsi_xr")  # from another run


def test_the_engine_accepts_only_paths(tmp_path):
    with pytest.raises(UsageError, match="opens paths and URLs, not bytes"):
        xr.open_dataset(b"II*\0", engine="hsi_xr")


def test_the_engine_is_never_chosen_automatically(save, rgb_image):
    path = save(rgb_image())
    assert not xr.backends.list_engines()["hsi_xr"].guess_can_open(path)
    code = "import sys, xarray; xarray.backends.list_engines(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
