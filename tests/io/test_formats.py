"""The contract of all formats, including new ones, and reading by other tools."""

import json
import os
import resource
import warnings
from itertools import product as pairs
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
import rioxarray
import spectral
import xarray as xr
import zarr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

import hsi_xr
from hsi_xr.errors import (
    DestinationExists,
    DestinationUnwritable,
    UnknownName,
    UnreadableFile,
    UsageError,
)
from hsi_xr.io import formats
from hsi_xr.io.georef import coordinates, crs_of, transform_of
from hsi_xr.io.store_reader import StoredArray
from hsi_xr.io.wavelengths import read_wavelengths
from tests.memory import needs_proc, peak
from tests.stac_validation import SCHEMAS, validate

ROTATED = Affine(0.1, 0.02, 500_000 + 1 / 3, 0.02, -0.1, 4_650_000.7)
UTM = CRS.from_epsg(32633)
FORMATS = formats.names()
STORES = [name for name in FORMATS if formats.by_name(name).MULTI_VARIABLE]


def named(folder: Path, name: str, stem: str = "cube") -> Path:
    return folder / f"{stem}{formats.by_name(name).SUFFIXES[0]}"


def full(cube: xr.Dataset) -> xr.Dataset:
    """Returns a cube with companion variables."""
    residual = cube.reflectance.isel(band=0, drop=True) - 0.2
    return cube.assign(reflectance_std=cube.reflectance / 10, rgb_residual=residual)


@st.composite
def cubes(draw: st.DrawFn) -> xr.Dataset:
    """Draws small cubes of any shape, mask, chunks, georeference, wavelengths and provenance."""
    rows, columns, bands = (draw(st.integers(1, most)) for most in (40, 33, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.uniform(-0.2, 1.5, (bands, rows, columns)).astype("float32")
    values[:, rng.uniform(size=(rows, columns)) < draw(st.floats(0, 1))] = np.nan
    size, x, y = (draw(st.floats(*ends)) for ends in ((0.01, 99), (1e5, 9e5), (-9e6, 9e6)))
    crs = draw(st.sampled_from([None, *map(CRS.from_epsg, (32633, 32755, 2056, 3857))]))
    coords = coordinates(Affine(size, 0, x, 0, -size * 1.5, y), crs, (rows, columns))
    lengths = st.lists(
        st.integers(300_000, 2_500_000), min_size=bands, max_size=bands, unique=True
    ).map(lambda thousandths: np.sort(thousandths) / 1000)
    if draw(st.booleans()):
        coords["wavelength"] = ("band", draw(lengths), {"units": "nm"})
        if draw(st.booleans()):
            coords["fwhm"] = ("band", draw(lengths), {"units": "nm"})
    text = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20)
    facts = st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False), text, st.booleans())
    made = draw(
        st.dictionaries(
            st.from_regex(r"[a-z]{1,8}", fullmatch=True).map("hsi_xr_x{}".format),
            st.one_of(facts, st.lists(facts, max_size=3)),
            max_size=4,
        )
    )
    reflectance = xr.DataArray(values, dims=("band", "y", "x"), attrs={"comment": draw(text)})
    cube = xr.Dataset({"reflectance": reflectance}, coords, made)
    return cube.chunk(y=draw(st.integers(1, 40)), x=draw(st.integers(1, 40)))


@settings(max_examples=20, derandomize=True)
@given(cube=cubes(), dtype=st.sampled_from(["int16", "float32"]), scale=st.floats(1e-4, 1e-2))
def test_every_format_returns_the_same_cube(cube, dtype, scale):
    made = {key: value for key, value in cube.attrs.items() if key.startswith("hsi_xr_")}
    whole = cube.reflectance.values
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CF cannot express the skew grid that the WKT states
        opened = {}
        for name in FORMATS:
            path = named(Path(folder) / name, name)
            path.parent.mkdir()
            hsi_xr.write(cube, path, dtype=dtype, scale=scale, format=name)
            opened[name] = hsi_xr.open(path, chunks=13).compute()
        for name, found in opened.items():
            xr.testing.assert_identical(found, opened["cog"])
            step = 0.0 if dtype == "float32" else scale
            np.testing.assert_allclose(found.values, whole, rtol=0, atol=step / 2 + 1e-6)
            assert transform_of(found) == transform_of(cube), name
            assert crs_of(found) == crs_of(cube)
            assert {key: found.attrs[key] for key in made} == made
            for coordinate in ("wavelength", "fwhm"):
                assert (coordinate in found.coords) == (coordinate in cube.coords)
                if coordinate in cube.coords:
                    np.testing.assert_array_equal(found[coordinate], cube[coordinate])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(300, 517, 5), (1100, 1300, 3), (1, 600, 2), (700, 1, 40)])
def test_scenes_larger_and_thinner_than_a_chunk_read_back(cube, tmp_path, name, shape):
    given = full(cube(*shape, chunks={"y": 70, "x": 90}))
    path = hsi_xr.write(given, named(tmp_path, name), format=name, dtype="float32")
    for variable, array in given.data_vars.items():
        found = hsi_xr.open(path, variable=variable)
        assert found.name == variable
        band = found if "band" in array.dims else found[0]
        np.testing.assert_array_equal(band.values, array.values)


@pytest.mark.parametrize(("first", "second"), [*pairs(FORMATS, FORMATS)])
def test_one_format_can_be_written_as_another(cube, tmp_path, first, second):
    given = full(cube(90, 70))
    one = hsi_xr.open(hsi_xr.write(given, named(tmp_path, first, "one"), format=first))
    other = hsi_xr.open(hsi_xr.write(one, named(tmp_path, second, "other"), format=second))
    xr.testing.assert_identical(one.compute(), other.compute())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (Affine.identity(), None),
        (ROTATED, CRS.from_epsg(32633)),
        (Affine(0.1, 0.02, 10, 0.01, -0.1, 20), CRS.from_epsg(32633)),
        (Affine(0.1, 0.02, 10, -0.04, 0.2, 20), CRS.from_epsg(32633)),
        (Affine(-1, 0, 10, 0, 1, 20), CRS.from_epsg(32633)),
        (Affine(-1, 0, 10, 0, -1, 20), CRS.from_epsg(32633)),
        (Affine(0.5, 0, 10, 0, -0.2, 20), CRS.from_epsg(32633)),
        (Affine.translation(5e5, 4e6) @ Affine.rotation(-137) @ Affine.scale(0.3, -0.3), UTM),
        (Affine(1e-5, 0, 15.1, 0, -1e-5, 47.3), CRS.from_epsg(4326)),
        (Affine(1, 0, 10, 0, -1, 20), CRS.from_proj4("+proj=laea +lat_0=47 +lon_0=15")),
        (Affine(1, 0, 10, 0, -1, 20), CRS.from_epsg(9518)),
        (Affine(1, 0, 1e6, 0, 1, 20), CRS.from_epsg(3857)),
        (Affine(1, 0, 10, 0, -1, 20), None),
    ],
)
def test_a_georeference_is_kept_to_the_last_digit_or_refused(cube, tmp_path, name, transform, crs):
    given = cube(33, 47, transform=transform, crs=crs)
    square = transform.a == -transform.e and transform.b == transform.d
    upright = transform.b == transform.d == 0 and transform.a > 0 > transform.e
    if name == "envi" and crs is not None and not (upright or (square and transform.b)):
        with pytest.raises(UsageError, match="ENVI header"):
            hsi_xr.write(given, named(tmp_path, name), format=name)
        assert not list(tmp_path.iterdir())
        return
    found = hsi_xr.open(hsi_xr.write(given, named(tmp_path, name), format=name))
    if name == "envi" and transform.b:  # a header states only the angle
        assert transform_of(found).almost_equals(transform, precision=1e-9)
    else:
        assert transform_of(found) == (None if transform.is_identity else transform)
    assert crs_of(found) == crs


@pytest.mark.parametrize("name", FORMATS)
def test_a_part_of_an_opened_cube_keeps_its_georeference(cube, tmp_path, name):
    given = cube(300, 517)
    part = hsi_xr.open(hsi_xr.write(given, named(tmp_path, name), format=name))[:, 33:91, 101:]
    assert transform_of(part) == transform_of(given.isel(y=slice(33, 91), x=slice(101, None)))


@pytest.mark.parametrize("name", FORMATS)
def test_a_failure_leaves_the_old_product_and_nothing_else(cube, tmp_path, name):
    path = hsi_xr.write(full(cube()), named(tmp_path, name), format=name)
    before = contents(tmp_path)
    broken = cube(chunks={"y": 100})
    data = broken.reflectance.data.map_blocks(fail, dtype="float32", meta=np.empty((0, 0, 0)))
    broken = broken.assign(reflectance=broken.reflectance.copy(data=data))
    with pytest.raises(RuntimeError, match="device lost"):
        hsi_xr.write(broken, path, format=name, overwrite=True)
    with pytest.raises(DestinationExists, match="overwrite"):
        hsi_xr.write(cube(), path, format=name)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", FORMATS)
def test_a_failed_rename_leaves_the_old_product(cube, tmp_path, name, monkeypatch):
    path = hsi_xr.write(full(cube()), named(tmp_path, name), format=name)
    before = contents(tmp_path)
    replace = Path.replace

    def refused(self: Path, target: Path) -> Path:
        if target == path and self.parent.name == "finished":
            raise OSError("refused")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(DestinationUnwritable, match="refused"):
        hsi_xr.write(cube(90, 70), path, format=name, overwrite=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", FORMATS)
def test_overwriting_leaves_only_what_is_new(cube, tmp_path, name):
    path = hsi_xr.write(full(cube()), named(tmp_path, name), format=name)
    hsi_xr.write(cube(90, 70, 2), path, format=name, overwrite=True)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    hsi_xr.write(cube(90, 70, 2), named(fresh, name), format=name)
    found = {each.name for each in tmp_path.iterdir()} - {"fresh"}
    assert found == {each.name for each in fresh.iterdir()}
    assert hsi_xr.open(path).sizes == {"band": 2, "y": 90, "x": 70}


@pytest.mark.parametrize("name", FORMATS)
def test_a_resumed_run_writes_the_same_files(cube, tmp_path, name):
    given = full(cube(1100, 700, 2, chunks={"y": 300, "x": 300}))
    path, calls = named(tmp_path, name), []
    with pytest.raises(KeyboardInterrupt):
        hsi_xr.write(given, path, format=name, progress=interrupt)
    assert [each.name for each in tmp_path.iterdir()] == [f"{path.name}.part"]
    data = given.reflectance.data.map_blocks(lambda block: (calls.append(1), block)[1])
    again = full(given[["reflectance"]].assign(reflectance=given.reflectance.copy(data=data)))
    hsi_xr.write(again, path, format=name, resume=True)
    whole = hsi_xr.write(given, named(tmp_path, name, "whole"), format=name)
    for variable in given.data_vars:
        here, there = (hsi_xr.open(each, variable=variable).values for each in (path, whole))
        np.testing.assert_array_equal(here, there)
    assert 0 < len(calls) < 12
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", FORMATS)
def test_chunks_of_the_cube_do_not_change_the_files(cube, tmp_path, name):
    """Only the time of writing may differ."""
    left, right = tmp_path / "left", tmp_path / "right"
    for folder, chunks in ((left, {"y": 97, "x": 300}), (right, {"y": 400, "x": 51})):
        folder.mkdir()
        given = full(cube(600, 700, 3, chunks=chunks))
        hsi_xr.write(given, named(folder, name), format=name)
    timed = {"zarr.json", "cube.nc", "cube.img.aux.xml", "cube_std.img.aux.xml"}
    one, other = (contents(folder) for folder in (left, right))
    assert one.keys() == other.keys()
    for file in one:
        if Path(file).suffix != ".tif" and Path(file).name not in timed:
            assert one[file] == other[file] or "residual" in file


@pytest.mark.parametrize("name", FORMATS)
def test_files_are_reproducible_at_a_given_time_of_writing(cube, tmp_path, name, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")
    given = full(cube(90, 70))
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        hsi_xr.write(given, named(folder, name), format=name)
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    if name == "netcdf":  # HDF5 stores chunks in the order in which they arrive
        with (
            xr.open_dataset(tmp_path / "one" / "cube.nc") as left,
            xr.open_dataset(tmp_path / "other" / "cube.nc") as right,
        ):
            xr.testing.assert_identical(left, right)
            assert left.attrs["date_created"] == "2026-05-28T20:26:40Z"
    else:
        assert one == other


def contents(folder: Path) -> dict[str, bytes]:
    files = (each for each in folder.rglob("*") if each.is_file())
    return {str(each.relative_to(folder)): each.read_bytes() for each in files}


def fail(block: np.ndarray) -> np.ndarray:
    raise RuntimeError("device lost")


def interrupt(done: int, total: int) -> None:
    if done > total / 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ({"path": "cube.png"}, UsageError, r"\.zarr \(zarr\)"),
        ({"path": "cube.tif", "format": "zarr"}, UsageError, r"end in \.zarr.*'cube\.zarr'"),
        ({"path": "cube.tif", "format": "hdf"}, UnknownName, "known: cog, envi"),
        (
            {"path": "cube.zarr", "creation_options": {"CHUNK": 7}},
            UsageError,
            "from 16 to 4096",
        ),
        (
            {"path": "cube.zarr", "creation_options": {"SHARD": 1000}},
            UsageError,
            "SHARD=768",
        ),
        (
            {"path": "cube.zarr", "creation_options": {"COMPRESS": "LZW"}},
            UsageError,
            "Zarr has no creation option",
        ),
        ({"path": "cube.nc", "creation_options": {"ZLEVEL": 11}}, UsageError, "0 to 9"),
        ({"path": "cube.img", "creation_options": {"INTERLEAVE": "BAND"}}, UsageError, "BIL, BSQ"),
        ({"path": "folder.zarr"}, DestinationUnwritable, "is a folder"),
        ({"path": "folder.zarr", "overwrite": True}, DestinationUnwritable, "another name"),
    ],
)
def test_unsupported_requests_are_rejected_before_any_work(cube, tmp_path, call, error, words):
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "folder.zarr" / "thesis.txt").touch()
    with pytest.raises(error, match=words):
        hsi_xr.write(cube(), tmp_path / call.pop("path"), **call)
    assert [str(each.relative_to(tmp_path)) for each in sorted(tmp_path.rglob("*"))] == [
        "folder.zarr",
        "folder.zarr/thesis.txt",
    ]


@pytest.mark.parametrize("name", ["band/1", "spatial_ref", "wavelength"])
def test_a_variable_of_a_store_cannot_have_a_reserved_name(cube, tmp_path, name):
    given = cube().reflectance.rename(name)
    with pytest.raises(UsageError, match="rename"):
        hsi_xr.write(given.drop_vars("wavelength"), tmp_path / "cube.zarr")
    assert not list(tmp_path.iterdir())


def test_a_header_of_another_file_is_not_overwritten(cube, tmp_path):
    (tmp_path / "cube.hdr").write_text("ENVI, of cube.dat")
    with pytest.raises(DestinationExists, match=r"cube\.hdr"):
        hsi_xr.write(cube(), tmp_path / "cube.img")
    assert (tmp_path / "cube.hdr").read_text() == "ENVI, of cube.dat"


@pytest.mark.parametrize("name", FORMATS)
def test_the_error_for_a_missing_variable_names_it(cube, tmp_path, name):
    path = hsi_xr.write(cube(), named(tmp_path, name), format=name)
    with pytest.raises(UnknownName, match="rgb_residual"):
        hsi_xr.open(path, variable="rgb_residual")


@pytest.mark.parametrize("name", STORES)
def test_a_damaged_store_is_reported(cube, tmp_path, name):
    path = hsi_xr.write(cube(), named(tmp_path, name), format=name)
    largest = max(contents(tmp_path).items(), key=lambda item: len(item[1]))
    (tmp_path / largest[0]).write_bytes(largest[1][: len(largest[1]) // 2])
    with pytest.raises(UnreadableFile, match=r"damaged|cannot be read"):
        hsi_xr.open(path).compute()


@pytest.mark.skipif(os.name != "posix", reason="sets a limit on the size of files")
def test_a_disk_that_fills_up_while_a_store_is_written_is_an_error(cube, tmp_path):
    given = full(cube(1100, 1300, 3, chunks={"y": 512, "x": 512}))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(1.1 * 3 * 1536**2 * 4), before[1]))
    try:
        with pytest.raises(DestinationUnwritable, match=r"cannot write .*File too large"):
            hsi_xr.write(
                given, tmp_path / "cube.nc", dtype="float32", creation_options={"ZLEVEL": 0}
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_a_zarr_store_is_sharded_consolidated_and_georeferenced_by_conventions(cube, tmp_path):
    given = full(cube(1100, 1300, 31))
    path = hsi_xr.write(given, tmp_path / "cube.zarr")
    root = json.loads((path / "zarr.json").read_text())
    assert root["zarr_format"] == 3
    assert {"reflectance", "reflectance_std", "x"} <= root["consolidated_metadata"][
        "metadata"
    ].keys()
    attrs = root["attributes"]
    assert [each["name"] for each in attrs["zarr_conventions"]] == ["proj:", "spatial"]
    assert attrs["proj:code"] == "EPSG:32633"
    assert attrs["spatial:transform"] == list(transform_of(given))[:6]
    assert (attrs["spatial:dimensions"], attrs["spatial:shape"]) == (["y", "x"], [1100, 1300])
    array = zarr.open_group(path, mode="r")["reflectance"]
    assert (array.chunks, array.shards) == ((8, 256, 256), (32, 1024, 1024))
    assert len([*(path / "reflectance" / "c").rglob("*")]) <= 2 * 2 + 4


@pytest.mark.parametrize(
    "open_", [xr.open_zarr, lambda path: xr.open_dataset(path, engine="zarr", consolidated=True)]
)
def test_xarray_reads_a_zarr_store(cube, tmp_path, open_):
    given = full(cube())
    assert_cf(open_(hsi_xr.write(given, tmp_path / "cube.zarr")), given)


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_reads_a_netcdf_file(cube, tmp_path, engine):
    given = full(cube())
    path = hsi_xr.write(given, tmp_path / "cube.nc")
    with xr.open_dataset(path, engine=engine) as found:
        assert_cf(found, given)
        assert found.reflectance.dtype == "float32"
        assert found.reflectance.encoding["chunksizes"] == (5, 256, 256)
    with xr.open_dataset(path, engine=engine, decode_coords="all") as found:
        assert found.reflectance.rio.crs == CRS.from_epsg(32633)


def assert_cf(found: xr.Dataset, given: xr.Dataset) -> None:
    for variable, array in given.data_vars.items():
        np.testing.assert_allclose(found[variable], array, rtol=0, atol=5.1e-5)
        assert found[variable].dims == array.dims
    np.testing.assert_array_equal(found.wavelength, given.wavelength)
    np.testing.assert_array_equal(found.fwhm, given.fwhm)
    np.testing.assert_array_equal(found.x, given.x)
    assert found.attrs["Conventions"] == "CF-1.12"
    assert found.attrs["hsi_xr_model"] == "r2h_base"
    assert found.reflectance.attrs["standard_name"] == "surface_bidirectional_reflectance"
    assert found.wavelength.attrs["standard_name"] == "radiation_wavelength"
    assert found.x.attrs["standard_name"] == "projection_x_coordinate"
    assert found.rio.crs == CRS.from_epsg(32633)
    assert found.rio.transform() == transform_of(given)


def test_gdal_reads_a_netcdf_file(cube, tmp_path):
    given = cube()
    path = hsi_xr.write(given, tmp_path / "cube.nc")
    with rasterio.open(f"netcdf:{path}:reflectance") as file:
        assert file.crs == CRS.from_epsg(32633)
        assert file.transform.almost_equals(transform_of(given), precision=1e-6)
        numbers = file.read(3, masked=True).astype("float32").filled(np.nan) * file.scales[2]
    np.testing.assert_allclose(numbers, given.reflectance[2], rtol=0, atol=5.1e-5)


def test_spectral_python_reads_an_envi_file(cube, tmp_path):
    given = cube(90, 70, 31)
    path = hsi_xr.write(given, tmp_path / "cube.img")
    image = spectral.open_image(str(path.with_suffix(".hdr")))
    np.testing.assert_allclose(image.bands.centers, given.wavelength)
    np.testing.assert_allclose(image.bands.bandwidths, given.fwhm)
    assert image.bands.band_unit == "Nanometers"
    assert image.metadata["default bands"] == ["26", "16", "6"]
    assert image.metadata["band names"][0] == "400 nm"
    assert image.metadata["interleave"] == "bil"
    assert image.scale_factor == 10_000
    values = np.asarray(image.load()).transpose(2, 0, 1)
    missing = np.isclose(values, float(image.metadata["data ignore value"]) / 10_000)
    np.testing.assert_allclose(
        np.where(missing, np.nan, values), given.reflectance, rtol=0, atol=5.1e-5
    )


def test_rioxarray_reads_an_envi_file(cube, tmp_path):
    given = cube(90, 70, 31)
    path = hsi_xr.write(given, tmp_path / "cube.img", creation_options={"interleave": "bsq"})
    found = rioxarray.open_rasterio(path, masked=True, mask_and_scale=True)
    np.testing.assert_allclose(found, given.reflectance, rtol=0, atol=5.1e-5)
    np.testing.assert_allclose(found.wavelength, given.wavelength)
    assert found.rio.crs == CRS.from_epsg(32633)
    assert found.rio.transform() == transform_of(given)


def test_an_envi_header_alone_has_all_metadata(cube, tmp_path):
    given = cube(90, 70, 31)
    path = hsi_xr.write(given, tmp_path / "cube.img")
    whole = hsi_xr.open(path).compute()
    (tmp_path / "cube.img.aux.xml").unlink()
    header = path.with_suffix(".hdr").read_text()
    assert "acquisition time = 2026-01-02T03:04:05Z" in header
    assert "description = {model estimate, not a measurement}" in header
    assert str(tmp_path) not in header
    found = hsi_xr.open(path).compute()
    np.testing.assert_array_equal(found.values, whole.values)
    assert transform_of(found) == transform_of(whole)
    made = {key: value for key, value in whole.attrs.items() if key.startswith("hsi_xr_")}
    assert {key: found.attrs[key] for key in made} == made
    assert found.attrs["datetime"] == whole.attrs["datetime"]
    np.testing.assert_array_equal(found.wavelength, given.wavelength)
    np.testing.assert_array_equal(found.fwhm, given.fwhm)
    bands = hsi_xr.describe(path).to_dict()["assets"]["reflectance"]["bands"]
    assert bands[1]["eo:center_wavelength"] == 0.410123456


@pytest.mark.parametrize("name", FORMATS)
def test_a_product_of_every_format_is_described(cube, tmp_path, name):
    path = hsi_xr.write(full(cube(90, 70, 31)), named(tmp_path, name), format=name)
    item = hsi_xr.describe(path).to_dict(include_self_link=False)
    assert not validate(item, SCHEMAS if SCHEMAS.exists() else None) or not SCHEMAS.exists()
    data = {key: asset for key, asset in item["assets"].items() if "data" in asset["roles"]}
    assert data.keys() == {"reflectance", "uncertainty", "residual"}
    types = {
        "cog": pystac.MediaType.COG,
        "envi": None,
        "geotiff": pystac.MediaType.COG,  # so small that it needs no overviews
        "netcdf": pystac.MediaType.NETCDF,
        "zarr": "application/vnd.zarr; version=3",
    }
    assert {asset.get("type") for asset in data.values()} == {types[name]}
    assert data["reflectance"]["raster:scale"] == 1e-4
    assert [asset["data_type"] for asset in data.values()] == ["int16", "uint16", "float32"]
    assert data["reflectance"]["bands"][1]["eo:center_wavelength"] == 0.410123456
    assert all((tmp_path / asset["href"]).exists() for asset in item["assets"].values())
    variables = {asset.get("hsi_xr:variable") for asset in data.values()}
    assert variables == (
        {"reflectance", "reflectance_std", "rgb_residual"} if name in STORES else {None}
    )
    assert item["properties"]["datetime"] == "2026-01-02T03:04:05Z"
    assert item["properties"]["processing:datetime"]
    assert hsi_xr.describe(hsi_xr.open(path)).to_dict() == hsi_xr.describe(path).to_dict()


@pytest.mark.parametrize("name", ["cog", "geotiff", "envi"])
def test_odc_stac_loads_bands_by_wavelength_from_an_item(cube, tmp_path, name, request):
    if name == "envi":  # odc-stac prevents GDAL from looking for the header
        request.addfinalizer(odc.stac.configure_rio)
        odc.stac.configure_rio(GDAL_DISABLE_READDIR_ON_OPEN="FALSE")
    given = cube(700, 530, 31)
    item = hsi_xr.describe(hsi_xr.write(given, named(tmp_path, name), format=name))
    item.set_self_href(str(tmp_path / "cube.json"))
    bands = item.assets["reflectance"].extra_fields["bands"]
    for nm in (550, 650):
        away = [abs(band["eo:center_wavelength"] - nm / 1000) for band in bands]
        at = int(np.argmin(away))
        loaded = odc.stac.load([item], bands=[f"reflectance.{at + 1}"], chunks={})
        assert loaded.odc.crs.to_epsg() == 32633
        (array,) = loaded.data_vars.values()
        numbers = array.isel(time=0).values
        found = np.where(numbers == array.nodata, np.nan, numbers * np.float32(1e-4))
        np.testing.assert_allclose(found, given.reflectance[at], rtol=0, atol=5.1e-5)


def test_the_wavelengths_of_a_store_are_read_once(cube):
    """In a remote store, each access is a request."""
    calls = []
    given = cube(30, 40, 7)
    lazy = given.wavelength.variable.chunk(band=7)
    counted = lazy.copy(data=lazy.data.map_blocks(lambda x: (calls.append(1), x)[1], dtype=float))
    stored = StoredArray("Zarr", given.assign_coords(wavelength=counted), ["reflectance"])
    calls.clear()
    centres, _ = read_wavelengths(stored, stored.indexes)
    np.testing.assert_allclose(centres, given.wavelength)
    assert stored.descriptions[0] == "400 nm"
    assert len(calls) == 1


def test_a_scene_may_be_in_a_foreign_store(cube, tmp_path):
    """A store with axes in another order, only a CF georeference, and no reflectance."""
    values = np.random.default_rng(0).integers(1, 255, (61, 83, 3)).astype("uint8")
    place = coordinates(Affine(2, 0, 500, 0, -2, 900), CRS.from_epsg(32633), (61, 83))
    del place["spatial_ref"].attrs["GeoTransform"]
    scene = xr.Dataset({"rgb": (("y", "x", "band"), values)}, place)
    scene.rgb.encoding["grid_mapping"] = "spatial_ref"
    scene.to_zarr(tmp_path / "scene.zarr", zarr_format=3, consolidated=False)
    scene.to_netcdf(tmp_path / "scene.nc", engine="h5netcdf")
    for path in (tmp_path / "scene.zarr", tmp_path / "scene.nc"):
        found = hsi_xr.open(path)
        np.testing.assert_array_equal(found, values.transpose(2, 0, 1))
        assert transform_of(found) == Affine(2, 0, 500, 0, -2, 900)
        assert crs_of(found) == CRS.from_epsg(32633)
        estimate = hsi_xr.reconstruct(path, "root-polynomial")
        assert estimate.reflectance.sizes == {"band": 31, "y": 61, "x": 83}
    names = scene.rename(rgb="a", band="colour")
    names.to_zarr(tmp_path / "other.zarr", zarr_format=3, consolidated=False)
    with pytest.raises(UnreadableFile, match=r"\.rename\({'colour': 'band'}\)"):
        hsi_xr.open(tmp_path / "other.zarr")


def peak_of_writing(rows: int, path: Path) -> int:
    """Returns the peak resident bytes of a process that writes a lazy cube of so many rows."""
    code = f"""
import dask.array, numpy as np, xarray as xr
import hsi_xr
def block(block_info=None):
    (_, (top, bottom), (left, right)) = block_info[None]["array-location"]
    ramp = np.linspace(0, 0.5, right - left, dtype="float32")
    return np.broadcast_to(ramp, (31, bottom - top, right - left))
data = dask.array.map_blocks(block, chunks=((31,), (512,) * {rows // 512}, (512, 512)),
                             dtype="float32", meta=np.empty((0, 0, 0)))
hsi_xr.write(xr.DataArray(data, dims=("band", "y", "x"), name="reflectance"), {str(path)!r})
"""
    return peak(code)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "geotiff"])
def test_memory_does_not_grow_with_the_scene(tmp_path, name):
    """At most 32 blocks are computed ahead, so 128 blocks need no more memory."""
    small, large = (
        peak_of_writing(rows * 512, named(tmp_path, name, str(rows))) for rows in (16, 64)
    )
    assert large <= 1.15 * small, f"{small / 1e6:.0f} MB, {large / 1e6:.0f} MB for the large one"
