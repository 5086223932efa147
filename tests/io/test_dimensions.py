"""Dimensions and variables of usual names are served; the repair of others works literally."""

import numpy as np
import pytest
import xarray as xr

import hsi_xr
from hsi_xr.errors import BandMismatch, InvalidData
from hsi_xr.io.dimensions import image_variables, repair_of, with_standard_dims
from tests.scenes import scene

ROWS, COLUMNS = 17, 26
NM = [655.0, 555.0, 480.0]


def colours(**renamed):
    """A Dataset with a variable for each colour, as stored in 8 bits."""
    image = scene(ROWS, COLUMNS, chunks=None).astype("uint8")
    names = ("red", "green", "blue")
    planes = {name: image.isel(band=i, drop=True) for i, name in enumerate(names)}
    return xr.Dataset({renamed.get(name, name): plane for name, plane in planes.items()})


def cube_of(obj):
    return hsi_xr.reconstruct(obj).reflectance.values


@pytest.fixture(scope="module")
def expected():
    return cube_of(scene(ROWS, COLUMNS, chunks=None).astype("uint8"))


@pytest.mark.parametrize("name", ["wavelength", "wavelengths", "spectral"])
@pytest.mark.parametrize("as_dataset", [False, True])
def test_numbers_along_a_spectral_dimension_are_wavelengths(name, as_dataset, expected):
    image = scene(ROWS, COLUMNS, chunks=None).astype("uint8").isel(band=[2, 0, 1])
    image = image.rename(band=name).assign_coords({name: [NM[2], NM[0], NM[1]]})
    obj = image.to_dataset(name="image") if as_dataset else image
    standard = with_standard_dims(obj)
    assert standard.sizes["band"] == 3
    np.testing.assert_array_equal(standard.wavelength, [480, 655, 555])
    np.testing.assert_array_equal(cube_of(obj), expected)


def test_a_cube_whose_bands_are_swapped_for_wavelengths_is_a_cube():
    cube = hsi_xr.reconstruct(scene(ROWS, COLUMNS, chunks=None).astype("uint8"))
    for obj in (cube, cube.reflectance):
        swapped = obj.swap_dims(band="wavelength")
        found = swapped.hsi.to_sensor("sentinel-2a")
        xr.testing.assert_allclose(found, obj.hsi.to_sensor("sentinel-2a"))


def test_usual_names_of_rows_and_columns_are_served(expected):
    image = scene(ROWS, COLUMNS, chunks=None).astype("uint8")
    found = cube_of(
        image.rename(y="lat", x="lon", band="channel").transpose("lon", "lat", "channel")
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.assign(scl=ds.red.astype("uint8") * 0),
        lambda ds: ds.assign(quicklook=ds.to_dataarray("band").transpose("y", "x", "band")),
        lambda ds: ds.assign(red=ds.red.chunk(y=5), blue=ds.blue.chunk(x=7)),
        lambda ds: ds[["blue", "red", "green"]],
    ],
)
def test_further_variables_and_chunks_do_not_matter(change, expected):
    np.testing.assert_array_equal(cube_of(change(colours())), expected)


def test_a_mask_next_to_decoded_colours_does_not_matter(tmp_path):
    """Sentinel-2: colours that xarray has decoded, and an undecoded classification."""
    colours_ = colours() / 255.0
    colours_.to_netcdf(
        tmp_path / "a.nc",
        engine="h5netcdf",
        encoding={name: {"dtype": "uint16", "scale_factor": 1e-4} for name in colours_},
    )
    opened = xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf", decode_coords="all")
    plain = cube_of(opened)
    np.testing.assert_array_equal(cube_of(opened.assign(scl=opened.red.astype("uint8"))), plain)


def test_variables_never_count_by_position(tmp_path):
    dataset = colours(red="nir08", green="a", blue="b")
    dataset.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    for obj in (dataset, tmp_path / "a.nc"):
        with pytest.raises(BandMismatch, match="which variables are red, green and blue"):
            hsi_xr.plan(obj)
        found = hsi_xr.plan(obj, rgb=("nir08", "a", "b"), radiometry="srgb")
        assert found.scene.meaning.chosen.indices == (0, 1, 2)


def test_several_images_are_refused_through_every_door(tmp_path):
    image = scene(ROWS, COLUMNS, chunks=None).astype("uint8").drop_vars("band")
    dataset = xr.Dataset({"before": image, "after": image})
    with pytest.raises(BandMismatch, match=r"several images, before, after; choose one"):
        image_variables(dataset)
    dataset.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    for obj in (dataset, tmp_path / "a.nc"):
        with pytest.raises(InvalidData, match="several images"):
            hsi_xr.plan(obj)
    assert hsi_xr.open(tmp_path / "a.nc", variable="after").shape == (3, ROWS, COLUMNS)


@pytest.mark.parametrize(
    ("dims", "repair"),
    [
        (("time", "band", "y", "x"), ".isel(time=0)"),
        (("u", "v", "band"), ".rename({'u': 'y', 'v': 'x'})"),
        (("colour", "y", "x"), ".rename({'colour': 'band'})"),
        (("time", "colour", "y", "x"), ".rename({'colour': 'band'}).isel(time=0)"),
        (("a b", "y", "x"), ".rename({'a b': 'band'})"),
        (("band", "x"), ".expand_dims('y')"),
    ],
)
def test_the_repair_of_dimensions_works_literally(dims, repair):
    array = xr.DataArray(np.zeros((2, 3, 4, 5)[: len(dims)]), dims=dims)
    assert repair_of(array) == repair
    mended = eval(f"array{repair}", {"array": array})  # noqa: S307  # the text is ours
    assert {*with_standard_dims(mended).dims} == {"band", "y", "x"}
