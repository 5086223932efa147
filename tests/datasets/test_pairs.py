"""Your own cubes, with and without images."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from examples.default_model.sources import resample
from hsi_xr.band_grid import Bands, contributing, convolve
from hsi_xr.camera.srgb import srgb_decode
from hsi_xr.datasets import COMMON, load, verify
from hsi_xr.errors import BandMismatch, InvalidData, MissingFact, NotGeoreferenced, UnreadableFile
from tests.scenes import DATA, save

COARSE = Affine(1, 0, 500_000, 0, -1, 4_000_000)
FINE = COARSE @ Affine.scale(0.25)
WAVELENGTHS = np.arange(395.0, 706.0, 5)
BANDS = Bands.regular(450, 650, 50)
ROWS, COLUMNS = 4, 7
OPTIONS = {"bands": BANDS, "scale": 1e-4}


def spectra() -> np.ndarray:
    """(63, 4, 7) int16: reflectance times 10,000, in every pixel a ramp over the wavelengths."""
    slope = np.random.default_rng(0).uniform(1, 8, (1, ROWS, COLUMNS))
    return (slope * (WAVELENGTHS - 300)[:, None, None]).round().astype("int16")


def image() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 4 * ROWS, 4 * COLUMNS)).astype("uint8")


def decode(rgb: np.ndarray) -> np.ndarray:
    import torch

    return srgb_decode(torch.from_numpy(rgb / 255)).numpy()


def block_means(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(3, fine.shape[1] // 4, 4, fine.shape[2] // 4, 4).mean((2, 4))


def write_wavelengths(folder, wavelengths=WAVELENGTHS):
    lines = ["# nm", *(f"{nm:g}" for nm in wavelengths)]
    (folder / "wavelengths.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def plots(tmp_path):
    """Two plots as GeoTIFF, with images of four times the resolution."""
    for part in ("hsi", "rgb"):
        (tmp_path / part).mkdir()
    for name in ("a", "b"):
        save(tmp_path / f"hsi/{name}.tif", spectra(), transform=COARSE)
        save(tmp_path / f"rgb/{name}.tif", image(), transform=FINE)
    write_wavelengths(tmp_path)
    return tmp_path


def test_linear_values_are_averaged_over_the_pixels_of_the_cube(plots):
    dataset = load("pairs", plots, **OPTIONS)
    pair = dataset.read("a")
    assert pair.cube.shape == (5, ROWS, COLUMNS) and pair.rgb.shape == (3, ROWS, COLUMNS)
    np.testing.assert_allclose(pair.rgb, block_means(decode(image())), atol=1e-5)
    assert dataset.coding == "linear" and pair.rgb.dtype == pair.cube.dtype == np.float32


def test_cubes_are_resampled_to_the_bands_of_the_option(plots):
    cube = load("pairs", plots, **OPTIONS).read("a").cube
    # the mean of a ramp under a symmetric Gaussian is its value at the centre
    at = np.searchsorted(WAVELENGTHS, BANDS.centres)
    np.testing.assert_allclose(cube[1:4], spectra()[at][1:4] / 1e4, rtol=2e-3)


def test_a_band_that_was_not_measured_is_nan(plots):
    bands = Bands((380.0, 400.0, 700.0, 2200.0), (10.0,) * 4)
    with np.errstate(all="raise", under="ignore"):
        cube = load("pairs", plots, bands=bands, scale=1e-4).read("a").cube
    assert np.isnan(cube[[0, 3]]).all() and np.isfinite(cube[1:3]).all()


def test_nodata_in_a_distant_band_does_not_affect_the_other_bands(plots):
    wavelengths = np.append(WAVELENGTHS, (1400.0, 1900.0))
    bad = np.full((2, ROWS, COLUMNS), -9999, "int16")
    save(plots / "hsi/b.tif", np.append(spectra(), bad, 0), transform=COARSE, nodata=-9999)
    expected = load("pairs", plots, **OPTIONS).read("a")
    write_wavelengths(plots, wavelengths)
    pair = load("pairs", plots, **OPTIONS).read("b")
    np.testing.assert_array_equal(pair.cube, expected.cube)
    write_wavelengths(plots / "hsi", wavelengths)
    (plots / "hsi/a.tif").unlink()
    alone = load("cubes", plots / "hsi", camera=np.ones((3, 5)), **OPTIONS).read("b")
    np.testing.assert_array_equal(alone.cube, expected.cube)


def test_nan_affects_only_bands_to_which_it_contributes():
    cube = np.ones((5, 2, 2), "float32")
    cube[3, 0, 0] = np.nan
    wavelengths = np.array([400, 450, 500, 505, 900], "float32")
    averages = convolve(cube, wavelengths, Bands((400.0, 450.0, 500.0), (10.0,) * 3))
    assert np.isfinite(averages[:2]).all() and np.isnan(averages[2]).sum() == 1
    assert contributing(wavelengths, Bands((500.0,))).tolist() == [False, False, True, True, False]


def test_a_single_spectrum_is_averaged_like_a_cube():
    wavelengths = np.arange(395, 456, 5).astype("float32")
    spectrum = np.linspace(0.1, 0.7, 13, dtype="float32")
    bands = Bands.regular(400, 450, 10)
    cube = convolve(spectrum[:, None, None], wavelengths, bands)
    np.testing.assert_array_equal(convolve(spectrum, wavelengths, bands), cube[:, 0, 0])


def test_extents_may_differ_and_the_rest_is_nan(plots):
    shifted = FINE @ Affine.translation(8, -4)  # two columns to the east, one row to the north
    save(plots / "rgb/a.tif", image(), transform=shifted)
    pair = load("pairs", plots, **OPTIONS).read("a")
    assert np.isnan(pair.cube[:, :, :2]).all() and np.isnan(pair.cube[:, -1]).all()
    assert np.isnan(pair.rgb[:, :, :2]).all() and np.isnan(pair.rgb[:, -1]).all()
    expected = block_means(decode(image()))[:, 1:, :-2]
    np.testing.assert_allclose(pair.rgb[:, :-1, 2:], expected, atol=1e-5)
    assert np.isfinite(pair.cube[:, :-1, 2:]).all()


def test_means_are_weighted_by_area_where_pixels_do_not_nest(plots):
    """Pixels of 0.4 m: an edge of a cube pixel cuts every other one in half."""
    pixels = image()[:, :10, :18]
    save(plots / "rgb/a.tif", pixels, transform=COARSE @ Affine.scale(0.4))
    rgb = load("pairs", plots, **OPTIONS).read("a").rgb
    weights = np.array([[1, 1, 0.5, 0, 0], [0, 0, 0.5, 1, 1]]) / 2.5
    expected = weights @ decode(pixels)[1, :5, :5] @ weights.T
    np.testing.assert_allclose(rgb[1, :2, :2], expected, atol=1e-6)


def test_south_up_images_have_the_same_averages(plots):
    south_up = COARSE @ Affine.translation(0, ROWS) @ Affine.scale(0.25, -0.25)
    save(plots / "rgb/a.tif", image()[:, ::-1], transform=south_up)
    dataset = load("pairs", plots, **OPTIONS)
    np.testing.assert_allclose(dataset.read("a").rgb, dataset.read("b").rgb, atol=1e-6)


def test_nodata_of_the_image_is_omitted_from_the_mean(plots):
    pixels = image()
    pixels[:, :2, :4] = 0
    pixels[:, 4:8, 4:8] = 0
    save(plots / "rgb/a.tif", pixels, transform=FINE, nodata=0)
    pair = load("pairs", plots, **OPTIONS).read("a")
    half = decode(pixels)[:, 2:4, :4].mean((1, 2))
    np.testing.assert_allclose(pair.rgb[:, 0, 0], half, atol=1e-5)
    assert np.isnan(pair.cube[:, 1, 1]).all() and np.isnan(pair.rgb[:, 1, 1]).all()


def test_wavelengths_of_an_envi_header_take_precedence(plots):
    (plots / "hsi/a.tif").unlink()
    save(plots / "hsi/a.img", spectra(), transform=COARSE, driver="ENVI")
    header = plots / "hsi/a.hdr"
    listed = ", ".join(f"{nm + 50:g}" for nm in WAVELENGTHS)
    header.write_text(
        header.read_text() + f"wavelength units = Nanometers\nwavelength = {{{listed}}}\n"
    )
    header = load("pairs", plots, bands=Bands((600.0,)), scale=1e-4)
    table = load("pairs", plots, bands=Bands((550.0,)), scale=1e-4)
    np.testing.assert_allclose(header.read("a").cube, table.read("b").cube, rtol=1e-6)


def test_a_zarr_array_is_read(plots):
    (plots / "hsi/a.tif").unlink()
    with rasterio.open(
        plots / "hsi/a.zarr", "w", driver="Zarr", count=63, height=ROWS, width=COLUMNS,
        dtype="int16", transform=COARSE,
    ) as file:  # fmt: skip
        file.write(spectra())
    dataset = load("pairs", plots, crs="EPSG:32633", **OPTIONS)
    np.testing.assert_array_equal(dataset.read("a").cube, dataset.read("b").cube)


def test_splits_are_lists_in_the_folder_and_by_default_all_train(plots):
    assert load("pairs", plots).splits == {"train": ("a", "b")}
    (plots / "train.txt").write_text("b\n")
    (plots / "validation.txt").write_text("a\n")
    assert load("pairs", plots).splits == {"train": ("b",), "validation": ("a",)}


def test_a_list_has_one_name_per_line_with_its_spaces_and_no_duplicates(plots):
    (plots / "train.txt").write_text("\ufeff plot 1 \r\n\n  \nb\n", "utf-8")
    assert load("pairs", plots).splits == {"train": ("plot 1", "b")}
    (plots / "train.txt").write_text("b\na\nb \n")
    with pytest.raises(InvalidData, match=r"train\.txt' lists 'b' twice"):
        load("pairs", plots)


def test_a_scene_is_in_one_split_only(plots):
    """Scores of a scene that was trained on would be too good."""
    (plots / "train.txt").write_text("a\nb\n")
    (plots / "test.txt").write_text("b\n")
    with pytest.raises(
        InvalidData, match="'b' is in the splits 'train' and 'test'; remove it from one"
    ):
        load("pairs", plots)


def test_missing_options_are_named_with_an_example(plots):
    with pytest.raises(MissingFact, match=r"hsi/a\.tif.*scale=1e-4"):
        load("pairs", plots).read("a")
    save(plots / "rgb/a.tif", image().astype("float32"), transform=FINE)
    with pytest.raises(MissingFact, match=r"rgb/a\.tif.*radiometry='srgb'"):
        load("pairs", plots, **OPTIONS).read("a")
    (plots / "wavelengths.csv").unlink()
    with pytest.raises(MissingFact, match="has no wavelengths"):
        load("pairs", plots, **OPTIONS).read("b")


def test_options_state_the_meaning_of_stored_image_values(plots):
    save(plots / "rgb/a.tif", image().astype("float32"), transform=FINE)
    options = {**OPTIONS, "rgb_scale": 1 / 255}
    coded = load("pairs", plots, radiometry="srgb", **options).read("a").rgb
    np.testing.assert_allclose(coded, block_means(decode(image())), atol=1e-5)
    scaled = load("pairs", plots, radiometry="linear", **options).read("a").rgb
    np.testing.assert_allclose(scaled, block_means(image() / 255), atol=1e-5)


def test_values_far_above_white_are_refused(plots):
    save(plots / "hsi/a.tif", spectra().astype("float32"), transform=COARSE)
    with pytest.raises(InvalidData, match=r"hsi/a\.tif.*scale=1e-4"):
        load("pairs", plots, bands=BANDS).read("a")
    save(plots / "rgb/b.tif", image().astype("float32"), transform=FINE)
    with pytest.raises(InvalidData, match=r"rgb/b\.tif.*rgb_scale=1/255"):
        load("pairs", plots, radiometry="linear", **OPTIONS).read("b")


def test_a_truncated_envi_cube_is_refused_and_not_read_as_zeros(plots):
    (plots / "hsi/a.tif").unlink()
    path = save(plots / "hsi/a.img", spectra(), transform=COARSE, driver="ENVI")
    assert load("pairs", plots, **OPTIONS).problems() == []
    path.write_bytes(path.read_bytes()[:-10])
    assert "a.img' is truncated" in load("pairs", plots, **OPTIONS).problems()[0]


def test_a_wavelength_file_of_other_bands_is_refused(plots):
    write_wavelengths(plots, WAVELENGTHS[:-1])
    with pytest.raises(InvalidData, match="lists 62 bands"):
        load("pairs", plots, **OPTIONS).read("a")
    (plots / "wavelengths.csv").write_text("wavelength\n400\n")
    with pytest.raises(InvalidData, match="not a list of wavelengths"):
        load("pairs", plots, **OPTIONS).read("a")


@pytest.mark.parametrize(
    ("write", "error", "words"),
    [
        (lambda p: save(p, image()[:1], transform=FINE), BandMismatch, "1 band"),
        (lambda p: save(p, image(), transform=FINE, crs=None), NotGeoreferenced, "crs=..."),
        (
            lambda p: save(p, image(), transform=FINE @ Affine.translation(400, 0)),
            InvalidData,
            "do not overlap",
        ),
        (lambda p: save(p, image(), transform=FINE, crs="EPSG:3857"), InvalidData, "CRS"),
        (lambda p: save(p, image()[:, :3, :3], transform=COARSE), None, None),
        (
            lambda p: save(p, image()[:, :3, :3], transform=COARSE @ Affine.scale(1.5)),
            InvalidData,
            "larger pixels",
        ),
    ],
)
def test_an_image_that_does_not_match_is_reported_and_refused(plots, write, error, words):
    write(plots / "rgb/b.tif")
    dataset = load("pairs", plots, **OPTIONS)
    if error is None:
        assert dataset.problems() == []
        return
    assert len(dataset.problems()) == 1 and words in dataset.problems()[0]
    with pytest.raises(error, match=r"b\.tif"):
        dataset.read("b")


def test_problems_name_missing_extra_and_truncated_files(plots):
    whole = (plots / "hsi/a.tif").read_bytes()
    (plots / "hsi/a.tif").write_bytes(whole[: len(whole) // 2])
    save(plots / "rgb/c.tif", image(), transform=FINE)
    (plots / "train.txt").write_text("a\nb\nd")
    problems = load("pairs", plots, **OPTIONS).problems()
    expected = ["hsi' lacks 'd'", "rgb' lacks 'd'", "'c' in", "a.tif' is truncated"]
    assert len(problems) == len(expected)
    assert all(text in line for text, line in zip(expected, problems))
    assert load("pairs", plots, **OPTIONS).problems("train") == [*problems[:2], problems[3]]
    with pytest.raises(UnreadableFile, match="'d' is missing"):
        load("pairs", plots, **OPTIONS).read("d")


def test_without_lists_a_file_without_its_counterpart_is_extra(plots):
    (plots / "rgb/b.tif").unlink()
    problems = load("pairs", plots, **OPTIONS).problems()
    assert len(problems) == 1 and "'b' in" in problems[0] and "hsi' is extra" in problems[0]
    assert load("pairs", plots, **OPTIONS).problems("train") == []


def test_two_cubes_with_the_same_stem_are_refused(plots):
    save(plots / "hsi/a.img", spectra(), transform=COARSE, driver="ENVI")
    with pytest.raises(InvalidData, match="the same stem"):
        load("pairs", plots)


def test_images_are_rendered_from_cubes_alone(plots):
    write_wavelengths(plots / "hsi")
    camera = np.random.default_rng(2).uniform(0, 1, (3, len(BANDS)))
    dataset = load("cubes", plots / "hsi", camera=camera, **OPTIONS)
    pair = verify(dataset).read("b")
    np.testing.assert_array_equal(pair.cube, load("pairs", plots, **OPTIONS).read("b").cube)
    expected = camera[2] / camera[2].sum() @ pair.cube[:, 3, 5]
    assert pair.rgb[2, 3, 5] == pytest.approx(expected, rel=1e-5)
    assert dataset.coding == "linear" and dataset.splits == {"train": ("a", "b")}


def test_nodata_of_a_cube_is_nan_in_the_image_too(plots):
    pixels = spectra()
    pixels[:, 1, 2] = -9999
    save(plots / "hsi/a.tif", pixels, transform=COARSE, nodata=-9999)
    pair = load("cubes", plots / "hsi", camera=np.ones((3, 5)), **OPTIONS).read("a")
    assert np.isnan(pair.cube[:, 1, 2]).all() and np.isnan(pair.cube).sum() == 5
    assert np.isnan(pair.rgb[:, 1, 2]).all() and np.isnan(pair.rgb).sum() == 3


def test_bands_that_the_cube_does_not_cover_are_reported(plots):
    bands = Bands((600.0, 800.0))
    dataset = load("cubes", plots / "hsi", camera=np.ones((3, 2)), bands=bands, scale=1e-4)
    assert len(dataset.problems()) == 2 and "does not cover 800 nm" in dataset.problems()[0]
    with pytest.raises(InvalidData, match="does not cover 800 nm"):
        dataset.read("a")


NEON = DATA / "cubes"


def neon(folder, cubes: dict[str, str], images: dict[str, str], bands: int):
    """Link the NEON files under one name per pair, with the first of their wavelengths."""
    for part, files in {"hsi": cubes, "rgb": images}.items():
        (folder / part).mkdir()
        for name, source in files.items():
            (folder / part / f"{name}.tif").symlink_to((NEON / source).resolve())
    lines = (NEON / "neon_wavelengths_nm.csv").read_text().splitlines()
    centres = [float(line.split(",")[0]) for line in lines if line[0].isdigit()]
    write_wavelengths(folder, centres[:bands])
    return np.array(centres[:bands], "float32")


@pytest.mark.skipif(not NEON.is_dir(), reason="the NEON plots are not available")
def test_neon_plots_are_pairs(tmp_path):
    """HSI: 369 bands, int16, 1 m. RGB: float32 up to 255, 0.1 m."""
    names = ("MLBS_1", "OSBS_5", "OSBS_36")
    files = [{name: f"neon_idtrees/{part}/{name}.tif" for name in names} for part in ("HSI", "RGB")]
    wavelengths = neon(tmp_path, *files, bands=369)
    dataset = load("pairs", tmp_path, scale=1e-4, radiometry="srgb", rgb_scale=1 / 255)
    pair = verify(dataset).read("OSBS_5")
    assert pair.cube.shape == (31, 20, 20) and np.isfinite(pair.cube).all()
    with rasterio.open(tmp_path / "hsi/OSBS_5.tif") as file:
        expected = resample(file.read() / np.float32(1e4), wavelengths, COMMON)
    np.testing.assert_allclose(pair.cube.clip(1e-4), expected, rtol=1e-4)
    with rasterio.open(tmp_path / "rgb/OSBS_5.tif") as file:
        blocks = decode(file.read()).reshape(3, 20, 10, 20, 10).mean((2, 4))
    np.testing.assert_allclose(pair.rgb, blocks, atol=1e-4)


@pytest.mark.skipif(not NEON.is_dir(), reason="the NEON plots are not available")
def test_a_neon_cube_without_crs_is_read_if_the_crs_is_given(tmp_path):
    base = "neon_plots/HARV_726000_4699000"
    neon(
        tmp_path,
        {"HARV": f"{base}_reflectance_crop.tif"},
        {"HARV": f"{base}_rgb_crop.tif"},
        bands=426,
    )
    with pytest.raises(NotGeoreferenced, match="EPSG:32618"):
        load("pairs", tmp_path, scale=1e-4).read("HARV")
    pair = load("pairs", tmp_path, scale=1e-4, crs="EPSG:32618").read("HARV")
    assert pair.cube.shape == (31, 40, 40) and np.isfinite(pair.cube).all()
    cube_green, image_green = pair.cube[15].ravel(), pair.rgb[1].ravel()
    assert (
        np.corrcoef(cube_green, image_green)[0, 1] > 0.5
    )  # the same ground in the same orientation
