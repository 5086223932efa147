"""What attributes, coordinates and encoding of an array state, and what they leave open."""

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from rasterio.enums import ColorInterp

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
    assert {band.state for band in facts_of(array)} == {"stored"}
    assert radiometry(array).startswith("reflectance, scale 0.0001, offset -0.1 (stated by the att")


@pytest.mark.parametrize(
    "encoding", [{}, {"dtype": "float32"}, {"dtype": "uint16"}, {"scale_factor": 0.5}]
)
def test_floats_with_a_scale_in_their_attributes_may_be_scaled_already(encoding):
    """Arithmetic keeps the attributes, and drops the encoding."""
    array = stored("float32", **SCALED) * 1e-4
    array.attrs, array.encoding = dict(SCALED), encoding
    with pytest.raises(UsageError, match="pass scale=1 if they have"):
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
    assert facts_of(array)[0].nodata == 0


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
    assert [
        (band.names, band.scale, band.nodata) for band in facts_of(array.isel(band=[2, 0]))
    ] == [
        (("red",), 3e-4, 3),
        (("blue",), 1e-4, 1),
    ]


def test_arrays_become_variables_with_their_nodata_scale_and_offset():
    """`to_dataset("band")` moves the attributes of the array to the Dataset."""
    array = stored(**SCALED, _FillValue=0)
    array[:, :5, :7] = 0
    dataset = array.to_dataset("band").rename({1: "red", 2: "green", 3: "blue"})
    expected = hsi_xr.reconstruct(array).reflectance
    assert int(expected[0].isnull().sum()) == 35
    xr.testing.assert_allclose(hsi_xr.reconstruct(dataset).reflectance, expected)


def rgba(path, names=("Red", "Green", "Blue", "Alpha"), *, last):
    pixels = np.concatenate([rgb_image(ROWS, COLUMNS), last[None]])
    save(path, pixels, photometric="RGB", alpha="YES")
    with rasterio.open(path, "r+") as file:
        file.descriptions = names
    return path


def test_an_alpha_band_must_not_get_lost(tmp_path):
    alpha = np.full((ROWS, COLUMNS), 255, "uint8")
    alpha[:9, :11] = 0
    path = rgba(tmp_path / "scene.tif", last=alpha)
    raw, masked = (rioxarray.open_rasterio(path, masked=value) for value in (False, True))
    renamed = raw.assign_coords(band=["red", "green", "blue", "alpha"])
    for scene_ in (path, raw, masked, masked[:3], renamed):
        assert int(hsi_xr.reconstruct(scene_).reflectance[0].isnull().sum()) == 99
    with pytest.raises(InvalidData, match="masked=True"):
        hsi_xr.plan(raw[:3])


def test_a_band_that_is_called_near_infrared_is_no_alpha(tmp_path):
    """GDAL interprets the fourth band of many files as alpha."""
    nir = np.zeros((ROWS, COLUMNS), "uint8")
    path = rgba(tmp_path / "scene.tif", ("Red", "Green", "Blue", "NIR"), last=nir)
    for scene_ in (path, rioxarray.open_rasterio(path)):
        assert np.isfinite(hsi_xr.reconstruct(scene_).reflectance).all()
        assert hsi_xr.plan(scene_, rgb=("NIR", 1, 2)).scene.meaning.chosen.indices == (3, 0, 1)


def test_colours_follow_their_bands_and_not_their_labels(tmp_path):
    path = tmp_path / "scene.tif"
    save(path, rgb_image(ROWS, COLUMNS)[::-1], photometric="MINISBLACK")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    opened = hsi_xr.open(path)
    assert chosen(opened) == (2, 1, 0)
    assert chosen(opened.isel(band=[2, 1, 0])) == (0, 1, 2)
    assert chosen(opened.isel(band=[2, 1, 0]).assign_coords(band=[1, 2, 3])) == (0, 1, 2)
    assert chosen(opened * 1.0, radiometry="srgb", scale=1 / 255) == (2, 1, 0)
    by_rioxarray = rioxarray.open_rasterio(path)
    assert chosen(by_rioxarray) == (2, 1, 0)
    assert chosen(by_rioxarray.isel(band=[2, 1, 0])) == (0, 1, 2)
    assert chosen(by_rioxarray.isel(band=[2, 1, 0]).drop_vars("band")) == (0, 1, 2)


def chosen(array, **stated):
    return hsi_xr.plan(array, **stated).scene.meaning.chosen.indices


def test_a_float_nodata_value_of_0_has_the_same_rule_through_every_reader(tmp_path):
    pixels = rgb_image(ROWS, COLUMNS).astype("float32") / 255
    pixels[:, :5, :7] = 0
    pixels[2, 10:20, 10:20] = 0
    save(tmp_path / "scene.tif", pixels, nodata=0)
    path = tmp_path / "scene.tif"
    readers = (
        hsi_xr.open(path),
        rioxarray.open_rasterio(path),
        rioxarray.open_rasterio(path, masked=True),
        xr.open_dataset(path, engine="rasterio"),
    )
    for scene_ in readers:
        found = hsi_xr.reconstruct(scene_, radiometry="srgb").reflectance
        assert int(found[0].isnull().sum()) == 35


@pytest.mark.parametrize("scale", [0, -1e-4, float("inf"), float("nan")])
def test_an_impossible_scale_is_refused_before_any_work(scale):
    with pytest.raises(InvalidData, match="impossible"):
        hsi_xr.plan(stored(scale_factor=scale, add_offset=0.1))


def test_numbers_of_attributes_that_are_text():
    assert radiometry(stored(scale_factor="0.0001", nodata="none")).startswith("reflectance")
    with pytest.raises(InvalidData, match="'abc'"):
        hsi_xr.plan(stored(scale_factor="abc"))


def test_variables_opened_from_single_files_are_bands():
    image = stored("uint8")
    single = {name: image.isel(band=[i]) for i, name in enumerate(("blue", "red", "green"))}
    merged = xr.merge([band.assign_coords(band=[1]).rename(name) for name, band in single.items()])
    assert [str(band.label) for band in hsi_xr.plan(merged).scene.meaning.bands] == [
        "red",
        "green",
        "blue",
    ]
    joined = xr.concat([band.assign_coords(band=[1]) for band in single.values()], "band")
    assert chosen(joined, rgb=(2, 3, 1)) == chosen(joined, rgb=("2", "3", "1")) == (1, 2, 0)
