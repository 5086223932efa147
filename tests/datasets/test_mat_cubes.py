"""Harvard, ICVL and KAIST: cubes in MATLAB files, from which a camera renders images."""

import numpy as np
import pytest

from hsi_xr.band_grid import Bands
from hsi_xr.datasets import COMMON, load
from hsi_xr.errors import InvalidData, MissingFact, UsageError
from tests.mat_files import cut, texture, write_v5, write_v73

SIZE = (6, 9)
CAMERA = np.random.default_rng(5).uniform(0, 1, (3, 31))


@pytest.fixture
def still():
    """The mask of the Harvard scene: one pixel moved, the brightest."""
    mask = np.ones(SIZE, "uint8")
    mask[4, 2] = 0
    return mask


@pytest.fixture
def harvard(tmp_path, still):
    radiance = 0.05 * texture(*SIZE, 31)
    radiance[4, 2] = 0.09
    write_v5(tmp_path / "CZ_hsdb/img1.mat", ref=radiance.astype("float64"), lbl=still)
    write_v5(tmp_path / "CZ_hsdbi/imga3.mat", ref=radiance, lbl=still)
    return tmp_path


@pytest.mark.parametrize("name", ["img1", "imga3"])
def test_harvard_is_masked_and_its_brightest_valid_value_is_one(harvard, still, name):
    pair = load("harvard", harvard, camera=CAMERA).read(name)
    np.testing.assert_array_equal(np.isnan(pair.cube).all(0), still == 0)
    np.testing.assert_allclose(np.nanmax(pair.cube), 1, rtol=1e-6)
    expected = texture(*SIZE, 31).transpose(2, 0, 1)
    np.testing.assert_allclose(pair.cube[:, still == 1], expected[:, still == 1], rtol=1e-5)
    assert np.isfinite(pair.rgb).all() and (pair.rgb[:, 0, -1] > 0.999).all()


def test_harvard_applies_one_factor_to_all_scenes(harvard):
    pair = load("harvard", harvard, camera=CAMERA, scale=10).read("img1")
    assert pair.cube[3, 0, -1] == pytest.approx(0.5)
    with pytest.raises(UsageError, match="'maximum' or a positive number"):
        load("harvard", harvard, camera=CAMERA, scale=0)


def test_harvard_keeps_its_own_bands_and_never_shifts_them(harvard):
    own = load("harvard", harvard, camera=CAMERA)
    common = load("harvard", harvard, camera=CAMERA, resampled=COMMON)
    assert own.bands.centres[0] == 420 and common.bands.centres[0] == 400
    measured, resampled = own.read("img1"), common.read("img1")
    assert np.isnan(resampled.cube[:2]).all()
    np.testing.assert_array_equal(resampled.cube[2:], measured.cube[:29])
    np.testing.assert_array_equal(resampled.rgb, measured.rgb)


def test_harvard_is_interpolated_linearly_between_its_bands(harvard):
    own = load("harvard", harvard, camera=CAMERA).read("img1").cube
    between = Bands((425.0, 720.0, 721.0))
    cube = load("harvard", harvard, camera=CAMERA, resampled=between).read("img1").cube
    np.testing.assert_allclose(cube[0], (own[0] + own[1]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(cube[1], own[30])
    assert np.isnan(cube[2]).all()


def test_harvard_has_the_splits_of_hsgan(harvard):
    splits = load("harvard", harvard, camera=CAMERA).splits
    assert splits["validation"] == ("img2", "imgc3", "imge7", "imgh1")
    assert len(splits["train"]) == 73 and not {*splits["train"]} & {*splits["validation"]}


def test_harvard_reports_its_problems(harvard, still):
    write_v5(harvard / "CZ_hsdb/img2.mat", ref=texture(9, 6, 31), lbl=still)
    write_v5(harvard / "CZ_hsdb/img3.mat", ref=texture(*SIZE, 31), lbl=still[:3])
    write_v5(harvard / "CZ_hsdb/img4.mat", ref=texture(*SIZE, 31))
    write_v5(harvard / "CZ_hsdb/imgz.mat", ref=texture(*SIZE, 31), lbl=still)
    (harvard / "CZ_hsdb/calib.txt").write_text("1 1 1")
    cut(harvard / "CZ_hsdb/img1.mat")
    dataset = load("harvard", harvard, camera=CAMERA, size=SIZE)
    lines = [line for line in dataset.problems() if "is missing" not in line]
    expected = [
        "img1.mat' is trunc",
        "img2.mat' has shape 9 x 6 x 31",
        "img3.mat' has shape 3 x 9; expected",
        "img4.mat' has no variable 'lbl'",
        "imgz.mat' is extra",
    ]
    assert len(lines) == len(expected)
    assert all(text in line for text, line in zip(expected, lines))
    validation = dataset.problems("validation")
    assert len(validation) == 4 and lines[1] in validation and len(dataset.problems("train")) == 72


def test_harvard_refuses_a_mask_of_another_size(harvard, still):
    write_v5(harvard / "CZ_hsdb/img2.mat", ref=texture(*SIZE, 31), lbl=still[:3])
    with pytest.raises(InvalidData, match="has another size"):
        load("harvard", harvard, camera=CAMERA).read("img2")


@pytest.fixture
def icvl(tmp_path):
    """One scene, stored sideways as in the data set; upright it is the texture."""
    upright = (4095 * texture(*SIZE, 31)).round()
    sideways = np.rot90(upright, k=-1)
    write_v73(tmp_path / "eve_0331-1606.mat", rad=sideways, rgb=texture(*SIZE, 3))
    return tmp_path


def test_icvl_is_rotated_upright_and_divided_by_4095(icvl):
    pair = load("icvl", icvl, camera=CAMERA).read("eve_0331-1606")
    expected = (4095 * texture(*SIZE, 31)).round().transpose(2, 0, 1) / 4095
    np.testing.assert_allclose(pair.cube, expected, rtol=1e-6)
    assert (pair.cube[:, 0, -1] == 1).all() and pair.rgb.shape == (3, *SIZE)


def test_icvl_has_the_splits_of_hsgan_and_reports_its_problems(icvl):
    write_v73(icvl / "sat_0406-1107.mat", rad=texture(3, 4, 30))
    write_v73(icvl / "mine.mat", rad=texture(3, 4, 31))
    dataset = load("icvl", icvl, camera=CAMERA)
    assert [len(dataset.splits[split]) for split in ("train", "validation")] == [191, 11]
    lines = [line for line in dataset.problems() if "is missing" not in line]
    assert len(lines) == 2 and len(dataset.problems()) == 2 + 200
    assert [len(dataset.problems(split)) for split in ("train", "validation")] == [191, 10]
    assert "sat_0406-1107.mat' has shape 3 x 4 x 30; expected any x any x 31" in lines[0]
    assert "mine.mat' is extra" in lines[1]


@pytest.mark.parametrize("name", ["harvard", "icvl", "cave", "cubes"])
def test_cubes_without_images_need_a_camera(tmp_path, name):
    with pytest.raises(MissingFact, match="without RGB images"):
        load(name, tmp_path)


@pytest.fixture
def kaist(tmp_path):
    """Two training scenes, one under each key, a test scene, and the mask."""
    train = np.float64(65536) * texture(*SIZE, 28)
    write_v5(tmp_path / "cave_1024_28/scene1.mat", img_expand=train, img=0 * train)
    write_v5(tmp_path / "cave_1024_28/scene2.mat", img=train)
    write_v5(tmp_path / "TSA_simu_data/Truth/scene01.mat", img=texture(4, 7, 28))
    write_v5(tmp_path / "TSA_simu_data/mask.mat", mask=texture(4, 7))
    return tmp_path


@pytest.mark.parametrize("number", [1, 2])
def test_kaist_training_cubes_are_divided_by_65536_under_either_key(kaist, number):
    dataset = load("kaist", kaist)
    cube = dataset.cube(f"cave_1024_28/scene{number}")
    np.testing.assert_array_equal(cube, texture(*SIZE, 28).transpose(2, 0, 1))


def test_kaist_test_cubes_are_not_rescaled_and_have_a_mask(kaist):
    dataset = load("kaist", kaist, test_size=(4, 7))
    cube = dataset.cube("TSA_simu_data/Truth/scene01")
    np.testing.assert_array_equal(cube, texture(4, 7, 28).transpose(2, 0, 1))
    np.testing.assert_array_equal(dataset.mask(), texture(4, 7))
    with pytest.raises(InvalidData, match="the mask in"):
        load("kaist", kaist).mask()


def test_kaist_has_28_bands_205_and_10_scenes(kaist):
    dataset = load("kaist", kaist)
    assert len(dataset.bands) == 28 and dataset.bands.centres[::27] == (453.5, 648)
    assert [len(dataset.splits[split]) for split in ("train", "test")] == [205, 10]


def test_kaist_reads_pairs_if_a_camera_is_given(kaist):
    name = "TSA_simu_data/Truth/scene01"
    with pytest.raises(MissingFact, match=r"camera=\(3, 28\)"):
        load("kaist", kaist).read(name)
    assert load("kaist", kaist, camera=CAMERA[:, :28]).read(name).rgb.shape == (3, 4, 7)


def test_kaist_reports_its_problems(kaist):
    cut(kaist / "TSA_simu_data/mask.mat")
    write_v5(kaist / "TSA_simu_data/Truth/scene11.mat", img=texture(4, 7, 28))
    write_v5(kaist / "cave_1024_28/scene3.mat", cube=texture(*SIZE, 28))
    dataset = load("kaist", kaist, train_size=SIZE, test_size=(4, 7))
    lines = [line for line in dataset.problems() if "is missing" not in line]
    expected = [
        "scene3.mat' has no variable 'img_expand' or 'img'; it has cube",
        "scene11.mat' is extra",
        "mask.mat' is trunc",
    ]
    assert len(lines) == len(expected) and len(dataset.problems()) == 3 + 202 + 9
    assert all(text in line for text, line in zip(expected, lines))
    assert [len(dataset.problems(split)) for split in ("train", "test")] == [1 + 202, 9]


def test_kaist_names_the_folder_that_is_missing(kaist):
    (line,) = load("kaist", kaist / "TSA_simu_data").problems("test")
    assert "does not exist" in line and "that contains 'TSA_simu_data/Truth'" in line
