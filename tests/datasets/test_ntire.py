import numpy as np
import pytest

from hsi_xr.datasets import load, verify
from hsi_xr.datasets.ntire2020 import DAMAGED
from hsi_xr.errors import InvalidData, UnknownName
from tests.mat_files import cut, texture, write_image, write_v5, write_v73

SIZE = (6, 9)


def image(seed: int = 1) -> np.ndarray:
    """(3, 6, 9) uint8; the last pixel of the first row is saturated red."""
    pixels = np.random.default_rng(seed).integers(20, 200, (3, *SIZE)).astype("uint8")
    pixels[:, 0, -1] = 255, 0, 0
    return pixels


def uniform(colour: tuple[int, int, int]) -> np.ndarray:
    """An image of one colour, which JPEG changes by a level or two at most."""
    return np.broadcast_to(np.array(colour, "uint8")[:, None, None], (3, *SIZE)).copy()


@pytest.fixture
def arad_1k(tmp_path):
    """Two scenes for training and one for validation, by lists."""
    lists = {"train_list.txt": ["ARAD_1K_0001", "ARAD_1K_0007"], "valid_list.txt": ["ARAD_1K_0901"]}
    (tmp_path / "split_txt").mkdir()
    for file, names in lists.items():
        (tmp_path / "split_txt" / file).write_text("\n".join(names) + "\n")
        for name in names:
            write_v73(tmp_path / f"Train_Spec/{name}.mat", cube=texture(*SIZE, 31))
            write_image(
                tmp_path / f"Train_RGB/{name}.jpg", uniform((200, 100, 50)), "JPEG", QUALITY="100"
            )
    return tmp_path


def test_2022_reads_upright_cubes_and_divides_images_by_255(arad_1k):
    dataset = load("ntire2022", arad_1k, size=SIZE)
    pair = dataset.read("ARAD_1K_0001")
    assert pair.cube.shape == (31, *SIZE) and pair.cube.dtype == pair.rgb.dtype == np.float32
    np.testing.assert_array_equal(pair.cube, texture(*SIZE, 31).transpose(2, 0, 1))
    assert (pair.cube[:, 0, -1] == 1).all()
    # JPEG changes a uniform colour by a level or two
    np.testing.assert_allclose(pair.rgb[:, 3, 4] * 255, [200, 100, 50], atol=2)


def test_2022_has_bands_coding_and_the_splits_of_the_lists(arad_1k):
    dataset = load("ntire2022", arad_1k, size=SIZE)
    assert dataset.bands.centres[::15] == (400, 550, 700) and dataset.coding == "srgb"
    assert dataset.splits == {
        "train": ("ARAD_1K_0001", "ARAD_1K_0007"),
        "validation": ("ARAD_1K_0901",),
    }
    assert load("ntire2022", arad_1k, coding="linear").coding == "linear"


def test_2022_a_list_cannot_train_on_validation_scenes_of_the_benchmark(tmp_path):
    (tmp_path / "train_list.txt").write_text("ARAD_1K_0001\nARAD_1K_0950\n")
    with pytest.raises(InvalidData, match="0950' is in the splits 'train' and 'validation'"):
        load("ntire2022", tmp_path)


def test_2022_without_lists_has_the_splits_of_the_benchmark(tmp_path):
    splits = load("ntire2022", tmp_path).splits
    assert [len(splits["train"]), len(splits["validation"])] == [897, 50]
    assert {"ARAD_1K_0314", "ARAD_1K_0340", "ARAD_1K_0531"}.isdisjoint(splits["train"])
    assert splits["validation"][::49] == ("ARAD_1K_0901", "ARAD_1K_0950")


def test_2022_with_complete_files_has_no_problems(arad_1k):
    write_v73(arad_1k / "Train_Spec/ARAD_1K_0314.mat", cube=texture(2, 2, 31))  # known, in no list
    dataset = load("ntire2022", arad_1k, size=SIZE)
    assert dataset.problems() == [] and verify(dataset) is dataset


def test_2022_reports_every_problem_in_a_line(arad_1k):
    (arad_1k / "Train_Spec/ARAD_1K_0001.mat").unlink()
    cut(arad_1k / "Train_RGB/ARAD_1K_0001.jpg")
    cut(arad_1k / "Train_Spec/ARAD_1K_0007.mat")
    write_v73(arad_1k / "Train_Spec/ARAD_1K_0901.mat", cube=texture(SIZE[1], SIZE[0], 31))
    (arad_1k / "Train_RGB/holiday.jpg").write_bytes(b"")
    dataset = load("ntire2022", arad_1k, size=SIZE)
    expected = [
        "0001.mat' is missing",
        "0001.jpg' is trunc",
        "0007.mat' is trunc",
        "9 x 6 x 31; expected 6 x 9 x 31",
        "holiday.jpg' is extra",
    ]
    problems = dataset.problems()
    assert len(problems) == len(expected)
    assert all(text in line for text, line in zip(expected, problems))
    with pytest.raises(InvalidData, match="5 problems"):
        verify(dataset)
    assert [*dataset.problems("train"), *dataset.problems("validation")] == problems[:4]
    with pytest.raises(InvalidData, match="1 problem;"):
        verify(dataset, "validation")


def test_long_lists_of_problems_end_with_a_count(tmp_path):
    with pytest.raises(InvalidData, match=r"1894 problems(.|\n)*and 1874 more"):
        verify(load("ntire2022", tmp_path))


def test_a_cube_and_an_image_of_different_sizes_are_refused(arad_1k):
    write_v73(arad_1k / "Train_Spec/ARAD_1K_0001.mat", cube=texture(5, 9, 31))
    with pytest.raises(InvalidData, match="5 x 9 pixels, its RGB image 6 x 9"):
        load("ntire2022", arad_1k).read("ARAD_1K_0001")


def test_an_unknown_scene_is_refused_with_a_hint(arad_1k):
    with pytest.raises(UnknownName, match="did you mean 'ARAD_1K_0901'"):
        load("ntire2022", arad_1k).read("ARAD_1K_901")


@pytest.fixture
def arad_hs(tmp_path):
    """One scene for training (v5) and one for validation (v7.3), in both tracks."""
    for part, name, write in [
        ("Train", "ARAD_HS_0002", write_v5),
        ("Validation", "ARAD_HS_0451", write_v73),
    ]:
        base = tmp_path / f"NTIRE2020_{part}"
        write(base.parent / f"{base.name}_Spectral/{name}.mat", cube=texture(*SIZE, 31))
        write_image(base.parent / f"{base.name}_Clean/{name}_clean.png", image(), "PNG")
        write_image(
            base.parent / f"{base.name}_RealWorld/{name}_RealWorld.jpg",
            uniform((90, 180, 30)), "JPEG", QUALITY="100",
        )  # fmt: skip
    return tmp_path


@pytest.mark.parametrize("name", ["ARAD_HS_0002", "ARAD_HS_0451"])
def test_2020_reads_both_versions_and_both_tracks_alike(arad_hs, name):
    clean = load("ntire2020", arad_hs).read(name)
    np.testing.assert_array_equal(clean.cube, texture(*SIZE, 31).transpose(2, 0, 1))
    np.testing.assert_array_equal(clean.rgb, image().astype("float32") / 255)
    real = load("ntire2020", arad_hs, track="real-world").read(name)
    np.testing.assert_array_equal(real.cube, clean.cube)
    np.testing.assert_allclose(real.rgb[:, 3, 4] * 255, [90, 180, 30], atol=2)


def test_2020_skips_the_damaged_scene(arad_hs):
    splits = load("ntire2020", arad_hs).splits
    assert [len(splits["train"]), len(splits["validation"])] == [449, 10]
    assert DAMAGED == "ARAD_HS_0340" and DAMAGED not in splits["train"]


def test_2020_reports_its_problems(arad_hs):
    for folder in ("Train_Spectral", "Train_Clean"):
        ending = ".mat" if folder.endswith("Spectral") else "_clean.png"
        (arad_hs / f"NTIRE2020_{folder}/{DAMAGED}{ending}").write_bytes(b"")
    (arad_hs / "NTIRE2020_Validation_Clean/other.png").write_bytes(b"")
    cut(arad_hs / "NTIRE2020_Train_Clean/ARAD_HS_0002_clean.png")
    dataset = load("ntire2020", arad_hs, size=SIZE)
    present = [line for line in dataset.problems() if "is missing" not in line]
    assert len(present) == 2
    assert "0002_clean.png' is truncated" in present[0] and "other.png' is extra" in present[1]
    assert len(dataset.problems()) == 2 * (449 + 10 - 2) + 2
    by_split = [len(dataset.problems(split)) for split in ("train", "validation")]
    assert by_split == [2 * 448 + 1, 2 * 9]


def test_2020_has_two_tracks(arad_hs):
    with pytest.raises(UnknownName, match="clean, real-world"):
        load("ntire2020", arad_hs, track="dirty")
