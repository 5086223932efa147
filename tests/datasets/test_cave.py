import numpy as np
import pytest

from hsi_xr.datasets import load
from hsi_xr.errors import MissingFact, UnknownName, UsageError
from tests.mat_files import cut, texture, write_image

SIZE = (5, 8)
RNG = np.random.default_rng(3)
CAMERA = RNG.uniform(0, 1, (3, 31))


def write_scene(folder, name, cube, *, channels=1):
    scene = folder / f"{name}_ms" / f"{name}_ms"
    for band, plane in enumerate(cube, 1):
        pixels = np.stack([plane] * channels)
        pixels[1:] //= 2  # a reader of the first channel is not affected
        write_image(scene / f"{name}_ms_{band:02d}.png", pixels, "PNG")
    write_image(scene / f"{name}_RGB.bmp", (cube[[25, 15, 5]] >> 8).astype("uint8"), "BMP")


@pytest.fixture
def cube():
    return (texture(*SIZE, 31) * 65535).astype("uint16").transpose(2, 0, 1)


@pytest.fixture
def cave(tmp_path, cube):
    write_scene(tmp_path, "beads", cube)
    write_scene(tmp_path, "watercolors", cube, channels=4)
    (tmp_path / "beads_ms/beads_ms/Thumbs.db").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("name", ["beads", "watercolors"])
def test_bands_are_divided_by_65535_whatever_their_number_of_channels(cave, cube, name):
    pair = load("cave", cave, camera=CAMERA).read(name)
    np.testing.assert_array_equal(pair.cube, cube.astype("float32") / np.float32(65535))
    assert (pair.cube[:, 0, -1] == 1).all() and pair.cube.dtype == np.float32


def test_the_camera_renders_white_as_white_and_other_spectra_by_its_curves(cave, cube):
    dataset = load("cave", cave, camera=CAMERA)
    pair = dataset.read("beads")
    np.testing.assert_allclose(pair.rgb[:, 0, -1], 1, atol=1e-6)
    expected = CAMERA[1] / CAMERA[1].sum() @ (cube[:, 2, 3] / 65535)
    assert pair.rgb[1, 2, 3] == pytest.approx(expected, abs=1e-6)
    assert dataset.coding == "linear"


def test_the_distributed_image_is_srgb(cave, cube):
    dataset = load("cave", cave, rgb="display")
    expected = (cube[[25, 15, 5]] >> 8).astype("float32") / 255
    np.testing.assert_array_equal(dataset.read("beads").rgb, expected)
    assert dataset.coding == "srgb"


def test_images_need_a_camera_unless_the_distributed_ones_are_read(cave):
    with pytest.raises(MissingFact, match=r"camera=\(3, 31\)"):
        load("cave", cave)
    with pytest.raises(UsageError, match="omit camera"):
        load("cave", cave, rgb="display", camera=CAMERA)
    with pytest.raises(UnknownName, match="'camera' or 'display'"):
        load("cave", cave, rgb="bmp")


def test_the_splits_are_those_of_hsgan(cave):
    splits = load("cave", cave, camera=CAMERA).splits
    assert splits["validation"] == ("balloons", "watercolors")
    assert len(splits["train"]) == 30 and not {*splits["train"]} & {*splits["validation"]}


def test_problems_name_the_files_of_bands(cave, cube):
    scene = cave / "beads_ms/beads_ms"
    (scene / "beads_ms_07.png").unlink()
    cut(scene / "beads_ms_09.png")
    write_image(scene / "beads_ms_11.png", cube[:1, :3], "PNG")
    write_image(scene / "beads_ms_32.png", cube[:1], "PNG")
    cut(scene / "beads_RGB.bmp")
    (cave / "lemons_ms").mkdir()
    dataset = load("cave", cave, rgb="display", size=SIZE)
    lines = [line for line in dataset.problems() if "beads" in line or "missing" not in line]
    expected = [
        "07.png' is missing",
        "09.png' is trunc",
        "11.png' has shape 1 x 3 x 8; expected 1 x 5 x 8",
        "RGB.bmp' is trunc",
        "32.png' is extra",
        "lemons_ms' is extra",
    ]
    assert len(lines) == len(expected)
    assert all(text in line for text, line in zip(expected, lines))
    assert len(dataset.problems()) == 5 + 1 + 30 * 32
    without_extra = [line for line in dataset.problems() if "extra" not in line]
    of_splits = [*dataset.problems("train"), *dataset.problems("validation")]
    assert sorted(of_splits) == sorted(without_extra)
    assert all("beads" not in line for line in dataset.problems("validation"))
