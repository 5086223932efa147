"""What attributes, coordinates and encoding of an array state, and what they leave open."""

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr

import hsi_xr
from hsi_xr.errors import InvalidData, MissingFact, UsageError
from hsi_xr.pipeline.array_facts import facts_of
from tests.scenes import rgb_image, save, scene

ROWS, COLUMNS = 23, 31
SCALED = {"scale_factor": 1e-4, "add_offset": -0.1}


def stored(dtype="uint16", **attrs):
    """Integers with a georeference, as a reader leaves them that decodes nothing."""
    array = scene(ROWS, COLUMNS, chunks=None).astype(dtype)
    array.encoding = {}
    return array.assign_attrs(attrs)


def radiometry(array, **stated):
    return str(hsi_xr.plan(array, **stated).scene.radiometry)


def test_integers_with_a_scale_in_their_attributes_are_not_scaled_yet():
    array = stored(**SCALED)
    assert facts_of(array).state == "stored"
    assert radiometry(array).startswith("reflectance, scale 0.0001, offset -0.1 (stated by the att")


@pytest.mark.parametrize(
    "encoding", [{}, {"dtype": "float32"}, {"dtype": "uint16"}, {"scale_factor": 0.5}]
)
def test_floats_with_a_scale_in_their_attributes_may_be_scaled_already(encoding):
    """Arithmetic keeps the attributes, and drops the encoding."""
    array = stored("float32", **SCALED) * 1e-4
    array.attrs, array.encoding = dict(SCALED), encoding
    with pytest.raises(UsageError, match=r"del scene.attrs\['scale_factor'\]"):
        hsi_xr.plan(array)


def test_the_user_decides_whether_floats_are_scaled_already():
    counts = stored("float32", **SCALED) + 2000
    counts.attrs = dict(SCALED)
    physical = (counts * 1e-4 - 0.1).assign_attrs(SCALED)
    plain = physical.copy()
    plain.attrs = {}
    expected = hsi_xr.reconstruct(plain, radiometry="reflectance").reflectance
    for array, stated in ((counts, {"scale": 1e-4, "offset": -0.1}), (physical, {"scale": 1})):
        found = hsi_xr.reconstruct(array, radiometry="reflectance", **stated).reflectance
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_data_type_in_the_encoding_alone_says_nothing():
    array = stored("float32")
    array.encoding = {"dtype": "uint8"}
    with pytest.raises(MissingFact, match="float32"):
        hsi_xr.plan(array)


def test_the_mask_of_a_file_must_not_get_lost(tmp_path):
    path = tmp_path / "scene.tif"
    save(path, rgb_image(ROWS, COLUMNS))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 5 > 0)
    with pytest.raises(InvalidData, match="masked=True"):
        hsi_xr.plan(rioxarray.open_rasterio(path))
    found = hsi_xr.reconstruct(rioxarray.open_rasterio(path, masked=True)).reflectance
    xr.testing.assert_allclose(found, hsi_xr.reconstruct(path).reflectance.compute())


@pytest.mark.parametrize("applied", [False, True])
def test_the_bands_of_an_item_are_a_coordinate_in_stackstac(applied):
    item = {"scale": 1e-4, "offset": -0.1, "nodata": 0}
    bands = np.array([item] * 3, dtype=object)
    array = stored().assign_coords({"raster:bands": ("band", bands)})
    array = array.assign_coords({"earthsearch:boa_offset_applied": applied})
    offset = 0 if applied else -0.1
    assert radiometry(array).startswith(f"reflectance, scale 0.0001, offset {offset:g}")
    assert facts_of(array).bands[0].nodata == 0


@pytest.mark.parametrize(
    ("time", "acquired"),
    [
        ("2026-05-04T10:30:00", "2026-05-04T10:30:00Z"),
        ("2026-05-04", None),  # a day without a time: midnight would be a guess
        ("NaT", None),
    ],
)
def test_a_time_coordinate_is_the_acquisition_time(time, acquired):
    array = stored("uint8").expand_dims(time=[np.datetime64(time, "ns")])
    assert hsi_xr.reconstruct(array).attrs.get("datetime") == acquired


def test_attributes_of_all_bands_follow_a_selection():
    """rioxarray keeps tuples for all bands of the file when bands are selected."""
    array = stored(
        long_name=("blue", "green", "red"), scales=(1e-4, 2e-4, 3e-4), nodatavals=(1, 2, 3)
    )
    facts = facts_of(array.isel(band=[2, 0]))
    assert [(band.names, band.scale, band.nodata) for band in facts.bands] == [
        (("red",), 3e-4, 3),
        (("blue",), 1e-4, 1),
    ]
