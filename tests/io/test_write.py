import errno
import json
import os
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import dask.array
import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rio_cogeo.cogeo import cog_validate

import hsi_xr
from hsi_xr.errors import (
    DestinationExists,
    DestinationUnwritable,
    InvalidData,
    MissingFact,
    UnreadableFile,
    UsageError,
)
from hsi_xr.io.blocks import block_sizes
from hsi_xr.io.cog_layout import is_cog
from hsi_xr.io.disk import writing
from hsi_xr.io.georef import crs_of, transform_of
from hsi_xr.io.preview import write_thumbnail
from hsi_xr.io.raster_source import source_of, stored_dtype
from hsi_xr.io.write import WriteOptions, write_files

ROOT = Path(__file__).parents[2]
UTM = CRS.from_epsg(32633)
ROTATED = Affine(0.1, 0.02, 500_000 + 1 / 3, 0.02, -0.1, 4_650_000.7)
STEP = 1e-4
SLOW = """
import sys, time
import dask.array, numpy as np, xarray as xr
import hsi_xr

def cube(pause=0.0):
    def block(block_info=None):
        (_, (top, bottom), (left, right)) = block_info[None]["array-location"]
        time.sleep(pause)
        rng = np.random.default_rng((top, left))
        return rng.uniform(0, 0.5, (3, bottom - top, right - left)).astype("float32")
    chunks = (3,), (512, 512, 512, 64), (512, 300)
    data = dask.array.map_blocks(block, chunks=chunks, dtype="float32", meta=np.empty((0, 0, 0)))
    return xr.Dataset({"reflectance": (("band", "y", "x"), data)}, attrs={"hsi_xr_seed": 3})

if __name__ == "__main__":
    hsi_xr.write(cube(pause=0.4), sys.argv[1])
"""


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of affine, for rioxarray
        yield


def same(product: xr.DataArray, given: xr.DataArray, *, within: float = 0.0) -> bool:
    """True if pixels and the pattern of NaN agree."""
    return np.allclose(product.values, given.values, rtol=0, atol=within, equal_nan=True)


def valid_cog(path: Path, *, strict: bool = True) -> bool:
    with warnings.catch_warnings():  # rio-cogeo warns about missing georeferences
        warnings.simplefilter("ignore")
        return cog_validate(path, strict=strict, quiet=True)[0]


def count_chunks(dataset: xr.Dataset, calls: list[tuple[int, ...]]) -> xr.Dataset:
    """Returns the same lazy cube, which appends the shape of each computed chunk to `calls`."""

    def note(block: np.ndarray) -> np.ndarray:
        calls.append(block.shape)
        return block

    data = dataset.reflectance.data.map_blocks(note, dtype="float32", meta=np.empty((0, 0, 0)))
    return dataset.assign(reflectance=dataset.reflectance.copy(data=data))


def fail_at(dataset: xr.Dataset, error: BaseException, *, at: int) -> xr.Dataset:
    """Returns the same lazy cube, whose chunk number `at` raises an error."""

    def fail(block: np.ndarray, block_info=None) -> np.ndarray:
        place, counts = block_info[0]["chunk-location"][1:], block_info[0]["num-chunks"][1:]
        if np.ravel_multi_index(place, counts) == at:
            raise error
        return block

    data = dataset.reflectance.data.map_blocks(fail, dtype="float32", meta=np.empty((0, 0, 0)))
    return dataset.assign(reflectance=dataset.reflectance.copy(data=data))


def test_two_runs_do_not_write_one_product(cube, tmp_path):
    """The second run is rejected with any options, and the first is not affected."""
    given, path, refused = cube(300, 517, 3, chunks={"y": 70, "x": 90}), tmp_path / "cube.tif", []

    def meanwhile(done: int, total: int) -> None:
        for how in ({}, {"overwrite": True}, {"resume": True}):
            with pytest.raises(UsageError, match="another run is writing") as error:
                hsi_xr.write(given, path, **how)
            refused.append(str(error.value))

    hsi_xr.write(given, path, progress=meanwhile)
    assert refused and same(hsi_xr.open(path), given.reflectance, within=STEP)
    assert [each.name for each in tmp_path.iterdir() if "part" in each.name] == []


def test_a_file_with_the_name_of_the_part_folder_is_an_error_and_kept(cube, tmp_path):
    (tmp_path / "cube.tif.part").write_text("somebody's")
    with pytest.raises(DestinationUnwritable, match=r"cube\.tif\.part.* move it"):
        hsi_xr.write(cube(33, 31, 3), tmp_path / "cube.tif", overwrite=True)
    assert (tmp_path / "cube.tif.part").read_text() == "somebody's"
    assert [each.name for each in tmp_path.iterdir()] == ["cube.tif.part"]


@pytest.mark.parametrize("shape", [(300, 517), (517, 300), (33, 31), (64, 600), (1100, 1300)])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_a_written_cube_reads_back(cube, tmp_path, shape, dtype):
    given = cube(*shape, 3, chunks={"y": 70, "x": 90})
    product = hsi_xr.open(hsi_xr.write(given, tmp_path / "cube.tif", dtype=dtype))
    assert valid_cog(tmp_path / "cube.tif")
    exact = dtype == "float32"
    assert same(product, given.reflectance, within=0.0 if exact else STEP / 2 + 1e-6)
    for name in ("wavelength", "fwhm", "band", "y", "x"):
        np.testing.assert_array_equal(product[name], given[name])
    assert transform_of(product) == transform_of(given)
    assert crs_of(product) == UTM
    assert product.name == "reflectance"
    provenance = {key: given.attrs[key] for key in given.attrs if key.startswith("hsi_xr_")}
    own = given.reflectance.attrs | {"hsi_xr_georeferenced": "yes"}
    assert product.attrs == {**own, **provenance, "datetime": "2026-01-02T03:04:05Z"}
    assert all(band.is_product for band in source_of(product).facts)


def test_writing_an_opened_cube_changes_nothing(cube, tmp_path):
    first = hsi_xr.open(hsi_xr.write(cube(), tmp_path / "first.tif"))
    second = hsi_xr.open(hsi_xr.write(first, tmp_path / "second.tif"))
    xr.testing.assert_identical(first, second)


@pytest.mark.parametrize(
    "chunks",
    [
        None,
        {"y": 512, "x": 512},
        {"y": 1024, "x": 512},
        {"y": 700, "x": 333},
        {"band": 2, "y": 97, "x": 1300},
        {"y": (3, 1000, 97), "x": -1},
    ],
)
def test_chunks_do_not_change_the_file(cube, tmp_path, chunks):
    given = cube(1100, 1300, 2, chunks=chunks)
    product = hsi_xr.open(hsi_xr.write(given, tmp_path / "cube.tif", dtype="float32"))
    assert same(product, given.reflectance)


@pytest.mark.parametrize(
    ("chunks", "count"),
    [
        ({"y": 512, "x": 1024}, 3 * 2),
        ({"y": 500, "x": 500}, 3 * 3),
        ({"y": 384, "x": 384}, 3 * 4),
        ({"band": 1, "y": 70, "x": 1300}, 2 * 16),
        ({"y": (0, 700, 0, 400, 0), "x": (1, 1299)}, 2 * 2),
    ],
)
def test_each_chunk_is_computed_once(cube, tmp_path, chunks, count):
    calls = []
    whole = cube(1100, 1300, 2)
    given = count_chunks(whole.chunk(chunks), calls)
    product = hsi_xr.open(hsi_xr.write(given, tmp_path / "cube.tif", dtype="float32"))
    assert len([shape for shape in calls if np.prod(shape)]) == count
    assert same(product, whole.reflectance)


@pytest.mark.parametrize("side", [512, 500, 200])
def test_each_chunk_of_a_slice_is_computed_once(cube, tmp_path, side):
    """An area of interest starts and ends within chunks."""
    calls = []
    whole = cube(1100, 1300, 2)
    rows, columns = slice(99, 1090), slice(333, 1250)
    given = count_chunks(whole.chunk(y=side, x=side), calls).isel(y=rows, x=columns)
    product = hsi_xr.open(hsi_xr.write(given, tmp_path / "cube.tif", dtype="float32"))
    touched = [range(span.start // side, (span.stop - 1) // side + 1) for span in (rows, columns)]
    assert len(calls) == len(touched[0]) * len(touched[1])
    assert same(product, whole.reflectance.isel(y=rows, x=columns))


def test_blocks_are_whole_chunks_joined_to_512_pixels():
    """Their size bounds the memory of the blocks that are computed ahead."""
    chunks = {"y": (300, 300, 2000, 1, 1), "x": (511,) * 9}
    array = xr.DataArray(dask.array.zeros((2602, 4599)), dims=("y", "x")).chunk(chunks)
    rows, columns = block_sizes([array], 512)
    assert rows == (600, 2000, 2)
    assert columns == (1022,) * 4 + (511,)
    held = array.compute()
    assert block_sizes([held], 512) == ((512,) * 5 + (42,), (512,) * 8 + (503,))


def test_dimensions_may_come_in_any_order(cube, tmp_path):
    given = cube(chunks={"y": 100})
    hsi_xr.write(given.transpose("y", "x", "band"), tmp_path / "cube.tif", dtype="float32")
    assert same(hsi_xr.open(tmp_path / "cube.tif"), given.reflectance)


@pytest.mark.parametrize("shape", [(1, 517), (517, 1), (1, 2000), (2000, 1), (1, 1), (512, 2000)])
@pytest.mark.parametrize("transform", [Affine(0.1, 0, 5e5 + 1 / 3, 0, -0.1, 4.65e6), ROTATED])
def test_thin_and_rotated_scenes_keep_their_georeference(cube, tmp_path, shape, transform):
    given = cube(*shape, transform=transform)
    product = hsi_xr.open(hsi_xr.write(given, tmp_path / "cube.tif"))
    assert transform_of(product) == transform
    # rio-cogeo warns about the missing overviews of a single column
    assert valid_cog(tmp_path / "cube.tif", strict=shape[1] > 1)
    assert same(product, given.reflectance, within=STEP)


@pytest.mark.parametrize("width", [512, 256, 1024])
def test_widths_of_whole_tiles_are_valid(cube, tmp_path, width):
    hsi_xr.write(cube(700, width, 3), tmp_path / "cube.tif")
    assert valid_cog(tmp_path / "cube.tif")


@pytest.mark.parametrize("transform", [Affine(0.1, 0, 5e5 + 1 / 3, 0, -0.1, 4.65e6), ROTATED])
def test_a_slice_keeps_its_georeference(cube, tmp_path, transform):
    whole = cube(transform=transform, chunks={"y": 128, "x": 128})
    part = whole.isel(y=slice(33, 34), x=slice(101, 402))
    product = hsi_xr.open(hsi_xr.write(part, tmp_path / "part.tif"))
    x, y = transform @ (101, 33)
    assert transform_of(product) == Affine(*transform[:2], x, *transform[3:5], y)
    assert same(product, part.reflectance, within=STEP)


def test_a_scene_without_georeference_is_marked(cube, tmp_path):
    given = cube(crs=None, transform=Affine.identity())
    hsi_xr.write(given, tmp_path / "cube.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "cube.tif") as file:
            assert file.crs is None
            assert file.transform == Affine.identity()
            assert file.tags(ns="HSI_XR")["GEOREFERENCED"] == "no"
    assert crs_of(hsi_xr.open(tmp_path / "cube.tif")) is None


def test_rasterio_finds_all_metadata(cube, tmp_path):
    given = cube(600, 517, 31)
    hsi_xr.write(given, tmp_path / "cube.tif")
    with rasterio.open(tmp_path / "cube.tif") as file:
        assert file.profile["interleave"] == "band"
        assert file.profile["compress"] == "zstd"
        assert file.block_shapes == [(512, 512)] * 31
        assert (file.dtypes, file.nodata) == (("int16",) * 31, -32768)
        assert file.scales == (1e-4,) * 31
        assert file.units == ("1",) * 31
        assert file.overviews(31) == [2]
        assert {"ENVI", "HSI_XR", "IMAGERY"} <= {*file.tag_namespaces()}
        assert file.descriptions[:2] == ("400 nm", "410.123 nm")
        assert file.tags(2, ns="IMAGERY") == {
            "CENTRAL_WAVELENGTH_UM": "0.410123456",
            "FWHM_UM": "0.00955",
        }
        assert file.tags(1)["wavelength"] == "400"
        assert file.tags(1)["wavelength_units"] == "Nanometers"
        assert file.tags()["TIFFTAG_SOFTWARE"] == f"hsi-xr {hsi_xr.__version__}"
        assert file.tags()["AREA_OR_POINT"] == "Area"
        assert file.tags(ns="ENVI")["default_bands"] == "{26, 16, 6}"
        assert file.tags(ns="IMAGERY")["ACQUISITIONDATETIME"] == "2026-01-02 03:04:05.000000"
        made = file.tags(ns="HSI_XR")
        assert (made["MODEL"], made["SEED"], made["SCALE_IN"]) == ("r2h_base", "7", "1.25")
        assert made["SOURCE"] == "scene & <field>.tif"
        assert made["RECONSTRUCTED"] == "YES"
        assert json.loads(made["CONFIG"])["seed"] == 7
        colours = {25: ColorInterp.red, 15: ColorInterp.green, 5: ColorInterp.blue}
        expected = [colours.get(band, ColorInterp.undefined) for band in range(31)]
        assert list(file.colorinterp) == expected
    assert not list(tmp_path.glob("*.aux.xml"))
    style = (tmp_path / "cube.qml").read_text()
    assert 'redBand="26" greenBand="16" blueBand="6"' in style


def test_rioxarray_reads_the_product(cube, tmp_path):
    given = cube()
    hsi_xr.write(given, tmp_path / "cube.tif")
    read = rioxarray.open_rasterio(tmp_path / "cube.tif", masked=True, mask_and_scale=True)
    assert same(read, given.reflectance, within=STEP)
    assert read.rio.crs == UTM
    assert read.rio.transform() == transform_of(given)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_overviews_are_means_of_the_valid_pixels(cube, tmp_path, dtype):
    given = cube(700, 1100, 3)
    hsi_xr.write(given, tmp_path / "cube.tif", dtype=dtype)
    with rasterio.open(tmp_path / "cube.tif", overview_level=0) as file:
        coarse = file.read(2, masked=True).filled(0) * (STEP if dtype == "int16" else 1)
        holes = file.read_masks(2) == 0
    fours = given.reflectance.values[1].reshape(350, 2, 550, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # four NaN have no mean
        means = np.nanmean(fours, axis=(1, 3))
    np.testing.assert_array_equal(holes, np.isnan(means))
    np.testing.assert_allclose(coarse, np.nan_to_num(means), atol=STEP)


@pytest.mark.parametrize("options", [{}, {"BIGTIFF": "YES"}, {"BLOCKXSIZE": 64, "BLOCKYSIZE": 64}])
@pytest.mark.parametrize(("bands", "rows"), [(1, 600), (31, 300), (200, 20)])
def test_every_band_has_its_metadata_at_every_overview_level(cube, tmp_path, options, bands, rows):
    """Even if GDAL opens the overview as a separate image."""
    given = cube(rows, 1300, bands)
    path = hsi_xr.write(given, tmp_path / "cube.tif", creation_options=options)
    assert valid_cog(path)
    with rasterio.open(path) as file:
        whole = [metadata(file, band) for band in (1, bands)]
        levels = len(file.overviews(1))
        assert file.tags(ns="HSI_XR_HELD") == {}
    assert levels == 2
    assert whole[0][0] == {"wavelength": "400", "wavelength_units": "Nanometers", "fwhm": "9.5"}
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as file:
            assert [metadata(file, band) for band in (1, bands)] == whole
            assert file.read(bands).shape == file.shape
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # only the image has a georeference
            with rasterio.open(f"GTIFF_DIR:{level + 2}:{path}") as file:
                assert [metadata(file, band) for band in (1, bands)] == whole
                assert file.descriptions[0] == "400 nm"


def metadata(file: rasterio.DatasetReader, band: int) -> tuple[object, ...]:
    scale = file.scales[band - 1], file.offsets[band - 1], file.units[band - 1], file.nodata
    return file.tags(band), file.tags(band, ns="IMAGERY"), *scale


def test_companions_are_computed_with_the_cube_in_one_pass(cube, tmp_path):
    calls = []
    given = count_chunks(cube(chunks={"y": 512, "x": 512}), calls)
    given["reflectance_std"] = given.reflectance / 10
    given["rgb_residual"] = given.reflectance.isel(band=0, drop=True) - 0.2
    hsi_xr.write(given, tmp_path / "cube.tif")
    assert len(calls) == 2  # one per block of 512 columns
    deviation = hsi_xr.open(tmp_path / "cube_std.tif")
    assert deviation.name == "reflectance_std"
    assert stored_dtype(deviation) == "uint16"
    assert same(deviation, given.reflectance_std, within=STEP)
    np.testing.assert_array_equal(deviation.wavelength, given.wavelength)
    residual = hsi_xr.open(tmp_path / "cube_residual.tif")
    assert same(residual[0], given.rgb_residual, within=STEP)
    assert "wavelength" not in residual.coords
    names = ("cube.qml", "cube.tif", "cube_residual.tif", "cube_std.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("shape", [(5, 7), (64, 64), (300, 41), (511, 510)])
def test_a_small_cube_is_not_padded_to_a_whole_tile(cube, tmp_path, shape):
    given = cube(*shape)
    hsi_xr.write(given, tmp_path / "cube.tif")
    with rasterio.open(tmp_path / "cube.tif") as file:
        rows, columns = file.block_shapes[0]
        assert rows % 16 == columns % 16 == 0
        assert 0 < rows - shape[0] <= 16 and 0 < columns - shape[1] <= 16
    assert is_cog(tmp_path / "cube.tif")
    assert same(hsi_xr.open(tmp_path / "cube.tif"), given.reflectance, within=STEP)


def test_clipping_is_reported_once(cube, tmp_path):
    given = cube(600, 700)
    given.reflectance[0] = 4.0
    with pytest.warns(UserWarning, match="clipped to") as caught:
        hsi_xr.write(given, tmp_path / "cube.tif")
    clipped = [warning for warning in caught if "clipped to" in str(warning.message)]
    assert [warning.filename for warning in clipped] == [__file__]


def test_clipped_values_are_kept_by_float32(cube, tmp_path):
    given = cube()
    given.reflectance[0, 0, 0] = 4.0
    given.reflectance[1, 0, 0] = np.inf
    with pytest.warns(UserWarning, match=r"'cube\.tif' has .* clipped to 3\.2767"):
        hsi_xr.write(given, tmp_path / "cube.tif")
    with rasterio.open(tmp_path / "cube.tif") as file:
        assert file.read(window=((0, 1), (0, 1)))[:2].ravel().tolist() == [32767, -32768]
    hsi_xr.write(given, tmp_path / "floats.tif", dtype="float32")
    with rasterio.open(tmp_path / "floats.tif") as file:
        assert file.read(window=((0, 1), (0, 1)))[:2].ravel().tolist() == [4.0, np.inf]


@pytest.mark.parametrize("name", ["cube.tif", "cube.img"])
def test_no_georeference_is_invented(cube, tmp_path, name):
    """QGIS mistakes rows that run north from 0 for a georeference, and flips the image."""
    given = cube(crs=None, transform=Affine.identity())
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(hsi_xr.write(given, tmp_path / name)):
        pass
    assert transform_of(hsi_xr.open(tmp_path / name)) is None


def test_creation_options_are_applied(cube, tmp_path):
    options = {"compress": "deflate", "blockxsize": 128, "blockysize": 128, "bigtiff": "yes"}
    given = cube(600, 700, 3)
    hsi_xr.write(given, tmp_path / "cube.tif", creation_options=options)
    with rasterio.open(tmp_path / "cube.tif") as file:
        assert file.compression.name == "deflate"
        assert file.block_shapes[0] == (128, 128)
    assert valid_cog(tmp_path / "cube.tif")
    lossy = {"COMPRESS": "LERC_ZSTD", "MAX_Z_ERROR": 0.01}
    hsi_xr.write(given, tmp_path / "lossy.tif", dtype="float32", creation_options=lossy)
    assert same(hsi_xr.open(tmp_path / "lossy.tif"), given.reflectance, within=0.011)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tiled": "no"},
        {"BLOCKXSIZE": 100},
        {"BLOCKYSIZE": "many"},
        {"compress": "jpeg"},
        {"COMPRESS": "ZTSD"},
        {"predictor": 9},
        {"PREDICTOR": 3},
        {"INTERLEAVE": "line"},
        {"ZSTD_LEVEL": 99},
        {"ZLEVEL": 6},
        {"MAX_Z_ERROR": 0.01},
        {"MAX_Z_ERROR": 5, "COMPRESS": "LERC"},
        {"MAX_Z_ERROR": "nan", "COMPRESS": "LERC"},
        {"BIGTIFF": "NO"},
        {"NUM_THREADS": "all"},
        {"PROFILE": "BASELINE"},
        {"TFW": "YES"},
        {"FOO": "bar"},
        {"SUFFIXES": ".tif"},
    ],
    ids=str,
)
@pytest.mark.parametrize("format", ["cog", "geotiff"])
def test_unknown_and_harmful_options_are_rejected_before_any_work(cube, tmp_path, wrong, format):
    """GDAL ignores unknown options, and writes empty tiles with 8-bit codecs."""
    with pytest.raises(UsageError, match=next(iter(wrong)).upper()):
        hsi_xr.write(cube(), tmp_path / "cube.tif", format=format, creation_options=wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("codec", ["zstd", "deflate", "lzw", "packbits", "lzma", "lerc_zstd"])
def test_every_lossless_codec_preserves_the_values(cube, tmp_path, codec):
    given = cube(60, 70, 3)
    for dtype, within in (("int16", STEP), ("float32", 0)):
        path = tmp_path / f"{dtype}.tif"
        hsi_xr.write(given, path, dtype=dtype, creation_options={"compress": codec})
        assert same(hsi_xr.open(path), given.reflectance, within=within)
        with rasterio.open(path) as file:
            assert file.compression.name == codec


def test_a_plain_geotiff_has_no_overviews(cube, tmp_path):
    given = cube(700, 517, 3)
    hsi_xr.write(given, tmp_path / "cube.tif", format="geotiff")
    with rasterio.open(tmp_path / "cube.tif") as file:
        assert file.overviews(1) == []
    assert same(hsi_xr.open(tmp_path / "cube.tif"), given.reflectance, within=STEP)


def test_progress_ends_at_the_total(cube, tmp_path):
    calls = []
    given = cube(1100, 600, 2)
    hsi_xr.write(given, tmp_path / "cube.tif", progress=lambda *pixels: calls.append(pixels))
    assert calls[-1] == (1100 * 600, 1100 * 600)
    assert calls == sorted(calls)
    assert len(calls) == 3 * 2


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ({"path": "cube.png"}, UsageError, ".tif or .tiff"),
        ({"path": "none/cube.tif"}, DestinationUnwritable, "create the folder"),
        ({"path": "folder.tif"}, DestinationUnwritable, "is a folder"),
        ({"path": "file/cube.tif"}, DestinationUnwritable, "cannot write into"),
        ({"dtype": "uint8"}, UsageError, "int16, float32"),
        ({"scale": 0.0}, UsageError, "positive"),
    ],
)
def test_impossible_requests_are_rejected_before_computing(cube, tmp_path, call, error, words):
    calls = []
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "file").touch()
    given = count_chunks(cube(chunks={}), calls)
    path = tmp_path / call.pop("path", "cube.tif")
    with pytest.raises(error, match=words):
        hsi_xr.write(given, path, **call)
    assert not calls
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.tif"]


def test_a_read_only_folder_is_rejected(cube):
    with pytest.raises(DestinationUnwritable, match="/proc"):
        hsi_xr.write(cube(), "/proc/cube.tif")


def test_invalid_cubes_are_rejected(cube, tmp_path):
    given = cube()
    for wrong, error, words in [
        (given.rename(reflectance="radiance"), UsageError, "radiance"),
        (given.reflectance.rename(band="wave"), UsageError, "band, y, x"),
        (given.isel(y=slice(0)), InvalidData, "at least one"),
        (given.assign_attrs(datetime="last summer"), UsageError, "last summer.*time of day"),
        (given.assign_attrs(datetime="2026-01-02"), MissingFact, "2026-01-02T10:30:00Z"),
        (given.isel(x=[0, 1, 5]), InvalidData, "evenly spaced"),
    ]:
        with pytest.raises(error, match=words):
            hsi_xr.write(wrong, tmp_path / "cube.tif")
    assert not list(tmp_path.iterdir())


def test_wavelengths_in_other_units_are_converted_or_rejected(cube, tmp_path):
    given = cube()
    um = given.wavelength / 1000
    um.attrs["units"] = "um"
    hsi_xr.write(given.assign_coords(wavelength=um), tmp_path / "cube.tif")
    np.testing.assert_allclose(hsi_xr.open(tmp_path / "cube.tif").wavelength, given.wavelength)
    um.attrs["units"] = "cm-1"
    with pytest.raises(InvalidData, match="'cm-1'"):
        hsi_xr.write(given.assign_coords(wavelength=um), tmp_path / "other.tif")


@pytest.mark.parametrize("error", [RuntimeError("device lost"), UnreadableFile("torn"), SystemExit])
def test_a_failure_leaves_the_old_product_and_nothing_else(cube, tmp_path, error):
    given = cube(1100, 1300, 2, chunks={"y": 512, "x": 512})
    hsi_xr.write(given, tmp_path / "cube.tif")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(error if isinstance(error, type) else type(error)):
        hsi_xr.write(fail_at(given, error, at=4), tmp_path / "cube.tif", overwrite=True)
    with pytest.raises(DestinationExists, match="overwrite"):
        hsi_xr.write(given, tmp_path / "cube.tif")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_overwriting_removes_all_files_of_the_old_product(cube, tmp_path):
    hsi_xr.write(cube(), tmp_path / "cube.tif")
    (tmp_path / "cube.tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>")
    given = cube(120, 80, 4)
    hsi_xr.write(given, tmp_path / "cube.tif", overwrite=True)
    assert same(hsi_xr.open(tmp_path / "cube.tif"), given.reflectance, within=STEP)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cube.qml", "cube.tif"]


def test_an_existing_style_is_replaced_only_with_overwrite(cube, tmp_path):
    style = tmp_path / "cube.qml"
    style.write_text("mine")
    with pytest.raises(DestinationExists, match=r"cube\.qml"):
        hsi_xr.write(cube(), tmp_path / "cube.tif")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    hsi_xr.write(cube(120, 80, 2), tmp_path / "cube.tif")  # two bands have no natural colours
    assert style.read_text() == "mine"
    hsi_xr.write(cube(), tmp_path / "cube.tif", overwrite=True)
    assert "<qgis" in style.read_text()
    hsi_xr.write(cube(120, 80, 2), tmp_path / "cube.tif", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["cube.tif"]


@pytest.mark.parametrize("name", ["cube.img", "cube.tiff"])
def test_sharing_the_style_of_another_raster_is_an_error(cube, tmp_path, name):
    """QGIS uses `cube.qml` for all rasters called cube, whatever their bands are."""
    calls = []
    (tmp_path / "cube.tif").write_text("mine")
    with pytest.raises(DestinationExists, match=r"'cube\.tif'.*choose another name"):
        hsi_xr.write(count_chunks(cube(chunks={}), calls), tmp_path / name, overwrite=True)
    assert not calls
    assert [path.name for path in tmp_path.iterdir()] == ["cube.tif"]
    hsi_xr.write(cube(120, 80, 2), tmp_path / name)  # two bands have no natural colours
    hsi_xr.write(cube(120, 80), tmp_path / "cube.zarr")  # a store has no style


def test_a_style_is_replaced_after_its_cube(cube, tmp_path, monkeypatch):
    """If the disk fails between the two, the cube must not get the style of another one."""
    path = hsi_xr.write(cube(), tmp_path / "cube.tif")
    path.with_suffix(".qml").write_text("mine")
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target == path:
            raise OSError("full")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DestinationUnwritable, match="full"):
        hsi_xr.write(cube(), path, overwrite=True)
    assert path.with_suffix(".qml").read_text() == "mine"


def test_companions_of_a_replaced_cube_are_removed(cube, tmp_path):
    given = cube()
    given["reflectance_std"] = given.reflectance / 10
    given["rgb_residual"] = given.reflectance.isel(band=0, drop=True) - 0.2
    path = hsi_xr.write(given, tmp_path / "cube.tif")
    (tmp_path / "cube_std.tif.aux.xml").write_text("<PAMDataset/>")
    hsi_xr.write(given.drop_vars("rgb_residual"), path, overwrite=True)
    assert {each.name for each in tmp_path.iterdir()} == {"cube.tif", "cube.qml", "cube_std.tif"}
    hsi_xr.write(cube(), path, overwrite=True)
    assert {each.name for each in tmp_path.iterdir()} == {"cube.tif", "cube.qml"}


def test_unrelated_files_with_the_name_of_a_companion_are_kept(cube, tmp_path, save, rgb_image):
    path = hsi_xr.write(cube(), tmp_path / "cube.tif")
    save(rgb_image(), "cube_std.tif")
    (tmp_path / "cube_residual.tif").write_text("notes")
    other = hsi_xr.write(cube(90, 70), tmp_path / "other.tif")
    hsi_xr.write(cube(), path, overwrite=True)
    assert (tmp_path / "cube_std.tif").exists() and (tmp_path / "cube_residual.tif").exists()
    shutil.copy(other, tmp_path / "cube_std.tif")  # another cube
    hsi_xr.write(cube(), path, overwrite=True)
    assert (tmp_path / "cube_std.tif").exists()


def test_a_cube_can_replace_the_file_it_is_read_from(cube, tmp_path):
    path = hsi_xr.write(cube(1100, 600, 3), tmp_path / "cube.tif", dtype="float32")
    half = hsi_xr.open(path) / 2
    expected = half.compute()
    assert same(hsi_xr.open(hsi_xr.write(half, path, dtype="float32", overwrite=True)), expected)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("side", [512, 500])
def test_an_interrupted_run_is_resumed(cube, tmp_path, dtype, side):
    """Even if a tile of the file contains pixels of finished and of missing blocks."""
    given = cube(1100, 1300, 2, chunks={"y": side, "x": side})
    path, calls = tmp_path / "cube.tif", []
    with pytest.raises(KeyboardInterrupt):
        hsi_xr.write(fail_at(given, KeyboardInterrupt(), at=7), path, dtype=dtype)
    assert not path.exists()
    hsi_xr.write(count_chunks(given, calls), path, dtype=dtype, resume=True)
    assert len(calls) < 9
    whole = hsi_xr.write(given, tmp_path / "whole.tif", dtype=dtype)
    assert same(hsi_xr.open(path), hsi_xr.open(whole))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cube.tif", "whole.tif"]


def interrupt_run(given: xr.Dataset, path: Path, **options: object) -> None:
    with pytest.raises(KeyboardInterrupt):
        hsi_xr.write(fail_at(given, KeyboardInterrupt(), at=7), path, **options)


def test_a_run_is_resumed_only_with_the_same_configuration(cube, tmp_path):
    given = cube(1100, 1300, 2, chunks={"y": 512, "x": 512})
    path = tmp_path / "cube.tif"
    interrupt_run(given, path)
    for other, options, words in [
        (given.assign_attrs(hsi_xr_seed=8), {}, "hsi_xr_seed was 7 and is 8"),
        (given.assign_attrs(datetime="2026-01-02T03:04:06Z"), {}, "datetime was"),
        (given, {"dtype": "float32"}, "stored as was"),
        (given, {"format": "geotiff"}, "format was .cog. and is .geotiff."),
        (given.isel(y=slice(1, None)), {}, "transform was"),
        (given.assign(reflectance=given.reflectance + 0.01), {}, "other values|differs"),
    ]:
        with pytest.raises(UsageError, match=words):
            hsi_xr.write(other, path, resume=True, **options)
    same_time = "2026-01-02T04:04:05+01:00"
    hsi_xr.write(given.assign_attrs(history="later", datetime=same_time), path, resume=True)
    assert same(hsi_xr.open(path), given.reflectance, within=STEP)


@pytest.mark.parametrize("damaged", ["0.tif", "journal.json"])
def test_a_damaged_run_is_resumed_from_its_intact_blocks(cube, tmp_path, damaged):
    given = cube(1100, 1300, 2, chunks={"y": 512, "x": 512})
    path = tmp_path / "cube.tif"
    interrupt_run(given, path)
    left = tmp_path / "cube.tif.part" / damaged
    content = left.read_bytes()
    left.write_bytes(content[: int(0.7 * len(content))])
    hsi_xr.write(given, path, resume=True)
    assert same(hsi_xr.open(path), given.reflectance, within=STEP)


def test_a_new_run_replaces_an_interrupted_one(cube, tmp_path):
    given = cube(1100, 1300, 2, chunks={"y": 512, "x": 512})
    path, calls = tmp_path / "cube.tif", []
    interrupt_run(given, path)
    hsi_xr.write(count_chunks(given, calls), path)
    assert len(calls) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["cube.tif"]


def test_resume_starts_a_run_if_none_was_interrupted(cube, tmp_path):
    hsi_xr.write(cube(), tmp_path / "cube.tif", resume=True)
    with pytest.raises(DestinationExists):
        hsi_xr.write(cube(), tmp_path / "cube.tif", resume=True)


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_run_is_resumed_to_the_same_pixels(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    path, journal = tmp_path / "cube.tif", tmp_path / "cube.tif.part" / "journal.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, script, path], env=environment)
    while not journal.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not path.exists()
    assert json.loads(journal.read_text())["done"]
    cube = runpy.run_path(str(script))["cube"]()
    hsi_xr.write(cube, path, resume=True)
    whole = hsi_xr.write(cube, tmp_path / "whole.tif")
    assert same(hsi_xr.open(path), hsi_xr.open(whole))
    assert not list(tmp_path.glob("*part*"))


@pytest.mark.skipif(os.name != "posix", reason="sets a limit on the size of files")
@pytest.mark.parametrize("share", [0.2, 0.9, 1.1])
def test_a_full_disk_is_an_error_and_leaves_no_files(cube, tmp_path, share):
    """While staging (`share` of the uncompressed values fits, below 1), or while finishing.

    GDAL continues in other threads and does not report that the disk is full.
    """
    given = cube(1100, 1300, 3, chunks={"y": 512, "x": 512})
    padded = 3 * (3 * 512) ** 2 * np.dtype("int16").itemsize
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * padded), before[1]))
    try:
        with pytest.raises(DestinationUnwritable, match=r"cannot write|does not contain"):
            hsi_xr.write(given, tmp_path / "cube.tif", creation_options={"COMPRESS": "NONE"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("code", "suggests"), [(errno.ENOSPC, True), (errno.EACCES, False)])
def test_only_the_error_for_a_full_disk_suggests_freeing_space(code, suggests):
    with (
        pytest.raises(DestinationUnwritable, match=os.strerror(code)) as caught,
        writing(Path("cube.tif")),
    ):
        raise OSError(code, os.strerror(code))
    assert ("free some space" in str(caught.value)) == suggests


def test_the_thumbnail_reuses_the_overview_of_the_style(cube, tmp_path):
    written = write_files(cube(), tmp_path / "cube.tif", WriteOptions())
    reused = write_thumbnail(written.path, written.overview).read_bytes()
    assert written.overview is not None
    assert write_thumbnail(written.path).read_bytes() == reused


def test_a_disk_that_is_too_small_is_detected_before_work(tmp_path):
    data = dask.array.zeros((2, 10**7, 10**7), chunks=(2, 10**6, 10**6))
    whole = xr.DataArray(data, dims=("band", "y", "x"), name="reflectance")
    with pytest.raises(DestinationUnwritable, match=r"need 400000\.0 GB"):
        hsi_xr.write(whole, tmp_path / "cube.tif")
    assert not list(tmp_path.iterdir())


def test_real_scenes_read_back(real_scenes, tmp_path):
    for at, path in enumerate(real_scenes):
        scene = hsi_xr.open(path)
        given = (scene / 255).rename("reflectance")
        product = hsi_xr.open(hsi_xr.write(given, tmp_path / f"{at}.tif", dtype="float32"))
        assert valid_cog(tmp_path / f"{at}.tif")
        assert same(product, given)
        assert transform_of(product) == transform_of(scene)
        assert crs_of(product) == crs_of(scene)
