"""`hsi-xr evaluate`: what it refuses, prints and writes."""

import csv
import json

import numpy as np
import pytest

from tests.command_line import run
from tests.evaluation.pairs import Pairs
from tests.training.small import write_pairs


@pytest.fixture
def cave(tmp_path):
    """Two scenes of a data set, in its layout but smaller."""
    io = pytest.importorskip("skimage.io", reason="writes the pictures")
    for letter, name in (("b", "balloons"), ("c", "watercolors")):
        inner = tmp_path / "cave" / f"{name}_ms" / f"{name}_ms"
        inner.mkdir(parents=True)
        pair = Pairs().read(letter)
        for number, band in enumerate(pair.cube, 1):
            image = (65535 * band).round().astype("uint16")
            io.imsave(inner / f"{name}_ms_{number:02d}.png", image, check_contrast=False)
        seen = (255 * np.moveaxis(pair.rgb, 0, -1)).astype("uint8")
        io.imsave(inner / f"{name}_RGB.bmp", seen, check_contrast=False)
    return tmp_path / "cave"


@pytest.fixture
def arguments(slope, cave):
    """The minimum arguments for a cheap model on these scenes."""
    asked = ("--data", f"cave={cave}", "--option", "rgb=display", "--split", "validation")
    return ("evaluate", "--model", slope, *asked, "--option", "cave.size=[40, 53]")


def test_the_table_is_printed_with_its_protocol_and_written_with_figures(arguments, out):
    result = run(*arguments, "--out", out / "scores")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (out / "scores" / "scores.md").read_text()
    assert "| cave" in result.stdout and "split validation" in result.stdout
    assert "rgb=display" in result.stdout
    report = json.loads((out / "scores" / "scores.json").read_text())
    names = {image["image"] for image in report["images"]}
    assert {path.stem for path in out.rglob("*.png")} == names and len(names) == 2
    (row,) = csv.DictReader((out / "scores" / "scores.csv").open())
    assert float(row["mrae"]) == pytest.approx(np.mean([i["mrae"] for i in report["images"]]))


def test_an_option_may_be_for_one_data_set(slope, cave, tmp_path):
    """KAIST has no option rgb, so the error is about its missing scenes."""
    asked = ("--data", f"cave={cave}", "--data", f"kaist={tmp_path}", "--split", "validation")
    of_all = run("evaluate", "-m", slope, *asked, "--option", "rgb=display")
    assert of_all.exit_code == 2 and "'kaist' has no option rgb" in of_all.stderr
    of_one = run("evaluate", "-m", slope, *asked, "--option", "cave.rgb=display")
    assert of_one.exit_code == 2 and "kaist has no split" in of_one.stderr
    alone = run("evaluate", "-m", slope, *asked[:2], *asked[4:], "--option", "cave.rgb=display",
                "--option", "rgb=camera", "--option", "size=[40, 53]")  # fmt: skip
    assert alone.exit_code == 0, alone.stderr
    assert "rgb=display" in alone.stdout


def test_the_image_of_a_camera_is_scored_if_one_is_given(arguments, out, tmp_path):
    rows = {str(nm): [nm - 300, 200 - abs(nm - 550), 800 - nm] for nm in (380, 550, 780)}
    path = tmp_path / "camera.json"
    path.write_text(json.dumps({"spectral_data": {"data": {"main": rows}}}))
    result = run(*arguments, "--camera", path, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "BPMRAE" in result.stdout and "camera camera.json, sha256" in result.stdout
    report = json.loads((out / "scores.json").read_text())
    assert 0 < report["means"][0]["bpmrae"] != report["means"][0]["mrae"]
    assert len([*out.rglob("*.png")]) == 2
    rows.pop("780")
    path.write_text(json.dumps({"spectral_data": {"data": {"main": rows}}}))
    refused = run(*arguments, "--camera", path)
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "380 to 550 nm" in refused.stderr


def test_an_earlier_evaluation_is_kept_unless_overwritten(arguments, out):
    arguments = (*arguments, "--out", out, "--no-pictures")
    assert run(*arguments).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"scores.json", "scores.csv", "scores.md"}
    refused = run(*arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--overwrite" in refused.stderr
    assert run(*arguments, "--overwrite", "--seed", 5).exit_code == 0
    assert json.loads((out / "scores.json").read_text())["protocol"]["seed"] == 5


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--split", "tset"), 2, "no split"),
        (("--crop", "centre"), 2, "ntire"),
        (("--crop", "ntire"), 3, "40 x 53 px"),
        (("--model", "defalt"), 2, "did you mean"),
        (("--option", "colour=red"), 2, "no option"),
        (("--samples", "0"), 2, "samples"),
        (("--seed", "-1"), 2, "seed"),
        (("--floor", "inf"), 2, "floor"),
        (("--device", "abacus"), 2, "device"),
    ],
)
def test_invalid_requests_and_data_leave_no_files(arguments, out, more, code, words):
    result = run(*arguments, "--out", out / "scores", *more)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr and result.stderr.count("\n") == 1
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("pairs", ("scale=abc",), "scale must be a positive number"),
        ("pairs", ("bands=COMMON",), "bands must be [first, last, step] in nm"),
        ("cave", ("camera=[[1,2],[3]]",), "(3, 31) sensitivities"),
        ("cave", ("rgb=display", "size=[1, 2, 3]"), "size must be (rows, columns)"),
    ],
)
def test_an_invalid_option_value_is_refused_in_one_line(slope, tmp_path, name, options, words):
    for part in ("hsi", "rgb"):
        (tmp_path / part).mkdir()
    given = [word for option in options for word in ("--option", option)]
    result = run("evaluate", "-m", slope, "--data", f"{name}={tmp_path}", *given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr and result.stderr.count("\n") == 1


def test_invalid_files_are_listed_before_work(arguments, cave, out):
    (cave / "watercolors_ms/watercolors_ms/watercolors_ms_07.png").unlink()
    result = run(*arguments, "--out", out / "scores")
    assert result.exit_code == 3 and "watercolors_ms_07.png' is missing" in result.stderr
    assert not list(out.iterdir())


def test_bands_are_given_and_reported_as_numbers(slope, tmp_path, out):
    folder = write_pairs(tmp_path / "pairs")
    read = ("--option", "bands=[400,700,20]", "--option", "scale=1.0", "--no-pictures")
    result = run("evaluate", "-m", slope, "--data", f"pairs={folder}", *read, "--out", out / "s")
    assert result.exit_code == 0, result.stderr
    (data,) = json.loads((out / "s" / "scores.json").read_text())["protocol"]["data"]
    assert data["options"] == {"bands": [400, 700, 20], "scale": 1.0}


def test_a_missing_data_set_is_reported(slope, tmp_path):
    assert run("evaluate", "-m", slope, "--data", f"cave={tmp_path / 'no'}").exit_code == 3
    assert run("evaluate", "-m", slope, "--data", f"cvae={tmp_path}").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [(), ("--data", "cave"), ("--data", "cave=a", "--data", "cave=b"),
     ("--data", "cave=a", "--option", "coding"),
     ("--data", "cave=a", "--option", "rgb=display", "--option", "rgb=camera"),
     ("--data", "cave=a", "--option", "icvl.rgb=display")],
)  # fmt: skip
def test_malformed_arguments_are_refused(arguments):
    result = run("evaluate", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
