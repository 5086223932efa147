import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.enums import ColorInterp

import hsi_xr
from hsi_xr.errors import BandMismatch, InvalidData, UnreadableFile, UsageError
from hsi_xr.io.georef import coordinates, crs_of, pixel_grid_of, transform_of
from hsi_xr.io.raster_source import source_of, stored_dtype
from hsi_xr.io.reader import read_window

ROTATED = Affine(0.1, 0.02, 500_000 + 1 / 3, 0.02, -0.1, 4_650_000.7)


@pytest.fixture(autouse=True)
def no_warnings():
    """Missing metadata is reported by attributes and errors, never by warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def moved(transform: Affine, column: int, row: int) -> Affine:
    x, y = transform @ (column, row)
    return Affine(*transform[:2], x, *transform[3:5], y)


def damaged(path, start: float, stop: float):
    """Overwrites a share of the file's bytes, as a failing disk would."""
    content = bytearray(path.read_bytes())
    at, end = int(start * len(content)), int(stop * len(content))
    content[at:end] = b"\xff" * (end - at)
    path.write_bytes(content)


def test_real_scenes_keep_grid_and_mask(real_scenes):
    for path in real_scenes:
        scene = hsi_xr.open(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(path) as src:
                assert pixel_grid_of(scene) == src.transform
                assert crs_of(scene) == src.crs
                assert scene.rio.crs == src.crs
                invalid = src.dataset_mask() == 0
        np.testing.assert_array_equal(np.isnan(scene.values).all(axis=0), invalid)
        assert not np.isnan(scene.values[:, ~invalid]).any()


def test_opening_reads_no_pixel(save, rgb_image):
    """The pixels are unreadable, which only computing them reveals."""
    path = save(rgb_image(), compress="deflate", tiled=True, blockxsize=128, blockysize=128)
    damaged(path, 0.05, 0.95)
    scene = hsi_xr.open(path, chunks=200)
    assert scene.shape == (3, 300, 517)
    with pytest.raises(UnreadableFile, match=r"scene\.tif.*damaged or truncated"):
        scene.compute()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_truncated_files_are_rejected(save, rgb_image, kept, interleave):
    path = save(rgb_image(), interleave=interleave)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UnreadableFile, match=r"scene\.tif") as refused:
        hsi_xr.open(path)
    assert "\n" not in str(refused.value)


def test_a_file_that_changed_after_opening_is_rejected_when_read(save, rgb_image):
    scene = hsi_xr.open(save(rgb_image()))
    save(rgb_image(301, 517))
    with pytest.raises(UnreadableFile, match="changed since"):
        scene.compute()


def test_files_that_are_not_rasters_are_rejected(tmp_path):
    with pytest.raises(UnreadableFile, match="does not exist"):
        hsi_xr.open(tmp_path / "none.tif")
    for content in (b"", b"not an image"):
        (tmp_path / "text.tif").write_bytes(content)
        with pytest.raises(UnreadableFile, match=r"text\.tif"):
            hsi_xr.open(tmp_path / "text.tif")


def test_complex_values_are_rejected(save):
    with pytest.raises(InvalidData, match="complex64"):
        hsi_xr.open(save(np.ones((3, 5, 7), dtype="complex64")))


def test_bands_are_chosen_by_number_in_order(save, rgb_image):
    path = save(rgb_image(bands=5))
    np.testing.assert_array_equal(hsi_xr.open(path, rgb=(4, 2, 1)), rgb_image(bands=5)[[3, 1, 0]])
    assert hsi_xr.open(path).name == "image"
    for wrong in ((0, 1, 2), (1, 2, 6)):
        with pytest.raises(BandMismatch, match="1, 2, 3, 4, 5"):
            hsi_xr.open(path, rgb=wrong)
    with pytest.raises(BandMismatch, match="no bands"):
        hsi_xr.open(path, rgb=())


@pytest.mark.parametrize("chunks", [None, 512, 97, (64, 200), 10_000])
def test_chunks_do_not_change_pixels(save, rgb_image, chunks):
    path = save(rgb_image(), nodata=255)
    scene = hsi_xr.open(path, chunks=chunks)
    assert scene.dtype == "float32"
    assert (scene.chunks is None) == (chunks is None)
    np.testing.assert_array_equal(scene.values, rgb_image())


@pytest.mark.parametrize(
    ("chunks", "sizes"),
    [
        (512, ((3,), (300,), (512, 5))),
        (-1, ((3,), (300,), (517,))),
        ("auto", ((3,), (300,), (517,))),
        ({}, ((3,), (300,), (512, 5))),
        ({"x": 400, "y": 200}, ((3,), (200, 100), (400, 117))),
        ({"x": -1, "band": 1}, ((1, 1, 1), (300,), (517,))),
        ({"y": (100, 200)}, ((3,), (100, 200), (512, 5))),
        ((200, 400), ((3,), (200, 100), (400, 117))),
        ((2, -1, "auto"), ((2, 1), (300,), (517,))),
        ("100 KiB", None),
    ],
)
def test_chunks_may_have_any_form_that_xarray_and_dask_accept(save, rgb_image, chunks, sizes):
    path = save(rgb_image())
    scene = hsi_xr.open(path, chunks=chunks)
    if sizes is None:
        assert max(scene.data.blocks[0, i, 0].nbytes for i in range(2)) <= 100 * 1024
    else:
        assert scene.chunks == sizes
    xr.testing.assert_identical(scene.compute(), hsi_xr.open(path, chunks=None))


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        (0, "0 is not a positive"),
        (-5, "-5 is not a positive"),
        (True, "True is not a positive"),
        ((3, 0), "0 is not a positive"),
        ((1, 2, 3, 4), "4 sizes"),
        ({"lat": 400}, "no dimension 'lat'; the dimensions are band, y, x"),
        ({"y": (100, 100)}, "chunks={'y': [(]100, 100[)]} cannot be used"),
        ("large", "'large'"),
        (2.5, "2.5"),
        (object(), "object"),
    ],
)
def test_the_error_for_impossible_chunks_suggests_valid_ones(save, rgb_image, chunks, words):
    with pytest.raises(UsageError, match=words) as refused:
        hsi_xr.open(save(rgb_image()), chunks=chunks)
    assert "chunks={'y': 400, 'x': 400}" in str(refused.value)


def test_a_nodata_value_that_can_be_a_colour_must_be_in_all_bands(save, rgb_image):
    pixels = rgb_image()
    pixels[:, 10:20, 30:50] = 0
    pixels[2, 100:120, 200:260] = 0  # a shadow without blue
    values = hsi_xr.open(save(pixels, nodata=0)).values
    assert np.isnan(values[:, 10:20, 30:50]).all()
    assert np.isnan(values).sum() == 3 * 10 * 20


def test_a_nodata_value_that_cannot_be_a_colour_counts_in_any_band(save, rgb_image):
    pixels = rgb_image().astype("int16")
    pixels[1, 10:20, 30:50] = -9999
    values = hsi_xr.open(save(pixels, nodata=-9999)).values
    assert np.isnan(values[:, 10:20, 30:50]).all()
    assert np.isnan(values).sum() == 3 * 10 * 20


def test_a_given_nodata_value_is_a_stored_value(save, rgb_image):
    """It replaces the nodata value of the file, and the same rule applies."""
    pixels = rgb_image().astype("uint16")
    pixels[:, 10:20, 30:50] = 7
    pixels[2, 100:120, 200:260] = 7  # a shade of one colour
    path = save(pixels, nodata=300)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (1e-4,) * 3, (-0.1,) * 3
    given, own = hsi_xr.open(path, nodata=7), hsi_xr.open(path)
    assert np.argwhere(np.isnan(given.values).all(0)).tolist() == [
        [row, column] for row in range(10, 20) for column in range(30, 50)
    ]
    assert not np.isnan(own.values).any()
    assert given.name == own.name and given.data.name != own.data.name
    source = source_of(given)
    np.testing.assert_array_equal(
        read_window(source, slice(5, 60), slice(7, 90)), given[:, 5:60, 7:90]
    )
    np.testing.assert_array_equal(hsi_xr.open(path, nodata=7, chunks=None), given)


def test_a_given_nodata_value_that_cannot_be_a_colour_counts_in_any_band(save, rgb_image):
    pixels = rgb_image().astype("float32")
    pixels[1, 10:20, 30:50] = -9999
    values = hsi_xr.open(save(pixels), nodata=-9999).values
    assert np.isnan(values[:, 10:20, 30:50]).all()
    assert np.isnan(values).sum() == 3 * 10 * 20


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -3.4028234663852886e38])
def test_float_speckle_is_invalid_in_every_band(save, rgb_image, bad):
    pixels = rgb_image().astype("float32")
    pixels[0, 7, 9] = pixels[2, 299, 516] = bad
    values = hsi_xr.open(save(pixels, nodata=-3.4028234663852886e38)).values
    assert np.argwhere(np.isnan(values[1])).tolist() == [[7, 9], [299, 516]]
    np.testing.assert_array_equal(np.isnan(values[0]), np.isnan(values[1]))


def test_transparent_pixels_are_invalid_and_alpha_is_not_a_band(save, rgb_image):
    pixels = rgb_image(bands=4)
    pixels[3, 50:60] = 0
    path = save(pixels, photometric="rgb", alpha="yes")
    scene = hsi_xr.open(path, chunks=128)
    assert scene.sizes["band"] == 3
    assert np.isnan(scene.values[:, 50:60]).all()
    np.testing.assert_array_equal(scene.values[:, :50], pixels[:3, :50])
    with pytest.raises(BandMismatch, match="alpha"):
        hsi_xr.open(path, rgb=(1, 2, 4))


def test_an_alpha_band_is_recognised_only_by_its_colour_interpretation(save, rgb_image):
    path = save(rgb_image(bands=4))
    with rasterio.open(path, "r+") as file:
        kinds = [ColorInterp.red, ColorInterp.alpha, ColorInterp.green, ColorInterp.blue]
        file.colorinterp = kinds
    np.testing.assert_array_equal(hsi_xr.open(path).values, rgb_image(bands=4)[[0, 2, 3]])


def test_masked_pixels_are_invalid(save, rgb_image):
    path = save(rgb_image())
    mask = np.full((300, 517), 255, "uint8")
    mask[:, :33] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    values = hsi_xr.open(path, chunks=64).values
    np.testing.assert_array_equal(np.isnan(values), np.broadcast_to(mask == 0, values.shape))


def test_scale_and_offset_are_applied_and_mean_reflectance(save, rgb_image):
    path = save(rgb_image().astype("uint16") * 40, nodata=0)
    assert not any(band.is_scaled for band in source_of(hsi_xr.open(path)).facts)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [1e-4, 2e-4, 1e-4], [0, 0, -0.01]
    scene = hsi_xr.open(path)
    expected = rgb_image() * 40.0 * np.array([1e-4, 2e-4, 1e-4])[:, None, None]
    expected[2] -= 0.01
    np.testing.assert_allclose(scene, expected, rtol=1e-6, atol=1e-7)
    facts = source_of(scene).facts
    assert [(band.scale, band.offset) for band in facts] == [(1e-4, 0), (2e-4, 0), (1e-4, -0.01)]
    assert stored_dtype(scene) == "uint16"
    assert source_of(scene * 2) is None  # changed values must be declared again


def test_any_number_of_threads_reads_the_same_pixels(save, rgb_image):
    pixels = rgb_image(700, 900)
    path = save(pixels, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    source = source_of(hsi_xr.open(path))
    corners = np.random.default_rng(1).integers(0, 600, (200, 2))

    def agrees(corner):
        window = slice(corner[0], corner[0] + 77), slice(corner[1], corner[1] + 99)
        return np.array_equal(read_window(source, *window), pixels[:, *window])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(agrees, corners))


def test_a_window_is_clipped_to_the_file(save, rgb_image):
    source = source_of(hsi_xr.open(save(rgb_image())))
    window = read_window(source, slice(290, 400), slice(500, 9999))
    np.testing.assert_array_equal(window, rgb_image()[:, 290:, 500:])


def test_an_array_matches_its_file_until_it_is_changed(save, rgb_image):
    scene = hsi_xr.open(save(rgb_image()))
    assert source_of(scene).bands == (1, 2, 3)
    assert source_of(scene).matches(scene.assign_attrs(place="here"))
    for part in (scene.isel(y=slice(9)), scene.isel(band=[2, 1, 0]), scene.copy().load()):
        assert source_of(part) == source_of(scene)
        assert not source_of(scene).matches(part)
    for changed in (scene + 1, scene.where(scene > 9), scene.drop_encoding()):
        assert source_of(changed) is None
    assert set(scene.encoding) == {"source", "grid_mapping", "hsi_xr"}


def test_graphs_are_reproducible_and_hold_no_file(save, rgb_image):
    path = save(rgb_image())
    first, second = hsi_xr.open(path, chunks=100), hsi_xr.open(path, chunks=100)
    assert first.data.name == second.data.name != hsi_xr.open(path, chunks=99).data.name
    graph = first.__dask_graph__()
    assert len(graph) == 3 * 6
    assert len(pickle.dumps(dict(graph))) < 20_000


@pytest.mark.parametrize(("rows", "columns"), [(1, 517), (300, 1), (1, 1), (33, 31)])
@pytest.mark.parametrize("transform", [Affine(0.1, 0, 5e5 + 1 / 3, 0, -0.1, 4.65e6), ROTATED])
def test_thin_scenes_keep_their_transform(save, rgb_image, rows, columns, transform):
    scene = hsi_xr.open(save(rgb_image(rows, columns), transform=transform))
    assert transform_of(scene) == transform
    assert scene.shape == (3, rows, columns)


@pytest.mark.parametrize("window", [(0, 300, 0, 517), (13, 14, 400, 517), (299, 300, 516, 517)])
@pytest.mark.parametrize("transform", [Affine(0.1, 0, 5e5 + 1 / 3, 0, -0.1, 4.65e6), ROTATED])
def test_a_slice_keeps_the_location_of_its_pixels(save, rgb_image, window, transform):
    top, bottom, left, right = window
    scene = hsi_xr.open(save(rgb_image(), transform=transform))
    part = scene.isel(y=slice(top, bottom), x=slice(left, right))
    assert transform_of(part) == moved(transform, left, top)
    again = part.isel(y=slice(0, 1), x=slice(0, None))
    assert transform_of(again) == moved(transform, left, top)
    assert transform_of(part.to_dataset(name="rgb")) == transform_of(part)


def test_the_transform_that_a_rotated_slice_states_is_used(save, rgb_image):
    scene = hsi_xr.open(save(rgb_image(), transform=ROTATED))
    part = scene.isel(y=slice(40, 90), x=slice(7, 99))
    stated = part.rio.write_transform(moved(ROTATED, 7, 40))
    assert transform_of(stated) == moved(ROTATED, 7, 40)
    elsewhere = Affine(2, 1, 0, 1, -2, 0)
    assert transform_of(part.rio.write_transform(elsewhere)) == elsewhere


def test_thinned_flipped_and_coarsened_pixels_have_their_own_size(save, rgb_image):
    scene = hsi_xr.open(save(rgb_image(300, 516), transform=Affine(0.5, 0, 100, 0, -0.5, 900)))
    expected = {
        Affine(1.5, 0, 99.5, 0, -1, 900.25): scene[:, ::2, ::3],
        Affine(0.5, 0, 100, 0, 0.5, 750): scene[:, ::-1],
        Affine(1, 0, 100, 0, -1, 900): scene.coarsen(y=2, x=2).mean(),
    }
    for transform, array in expected.items():
        assert transform_of(array).almost_equals(transform, 1e-9)


def test_uneven_coordinates_have_no_transform(save, rgb_image):
    scene = hsi_xr.open(save(rgb_image()))
    with pytest.raises(InvalidData, match="'y' is not evenly spaced"):
        transform_of(scene.isel(y=[0, 1, 2, 7]))


def test_coordinates_imply_a_transform_if_there_are_two_of_them():
    coords = coordinates(Affine(2, 0, 10, 0, -3, 50), None, (4, 5))
    array = xr.DataArray(np.zeros((4, 5)), dims=("y", "x"), coords={**coords})
    bare = array.drop_vars("spatial_ref")
    assert transform_of(bare) == Affine(2, 0, 10, 0, -3, 50)
    assert transform_of(bare[:1]) is None
    assert crs_of(bare) is None


def test_a_scene_without_a_georeference_opens(save, rgb_image):
    scene = hsi_xr.open(save(rgb_image(), crs=None, transform=None))
    assert crs_of(scene) is None
    assert transform_of(scene) is None
    assert pixel_grid_of(scene) == Affine.identity()
    assert pixel_grid_of(scene[:, 5:, 7:]) == Affine.translation(7, 5)


@pytest.mark.parametrize("bands", [1, 2])
def test_the_error_for_a_scene_with_fewer_bands_has_suitable_advice(save, rgb_image, bands):
    with pytest.raises(BandMismatch, match="colour image"):
        hsi_xr.reconstruct(save(rgb_image(40, 50, bands)), "root-polynomial")
