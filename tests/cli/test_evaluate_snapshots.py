"""`hsi-xr evaluate-snapshots`: what it refuses, prints and writes."""

import csv
import json

import pytest
import torch

from hsi_xr.networks.bisrnet import BiSRNet
from tests.command_line import run
from tests.kaist_files import SIZE, write_kaist


@pytest.fixture
def arguments(tmp_path):
    torch.manual_seed(0)
    torch.save(BiSRNet().state_dict(), tmp_path / "bisrnet.pth")
    kaist = write_kaist(tmp_path / "kaist")
    named = ("--network", "bisrnet", "--weights", tmp_path / "bisrnet.pth")
    return ("evaluate-snapshots", kaist, *named, "--size", *SIZE)


def test_the_table_is_printed_with_its_protocol_and_written(arguments, out):
    result = run(*arguments, "--out", out / "scores")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (out / "scores" / "scores.md").read_text()
    assert {path.name for path in (out / "scores").iterdir()} == {
        "scores.json", "scores.csv", "scores.md",
    }  # fmt: skip
    report = json.loads((out / "scores" / "scores.json").read_text())
    rows = list(csv.DictReader((out / "scores" / "scores.csv").open()))
    assert [float(row["psnr"]) for row in rows] == [
        *(each["psnr"] for each in report["scenes"]), report["mean"]["psnr"],
    ]  # fmt: skip


def test_without_a_folder_it_prints_the_same_and_writes_nothing(arguments, out):
    assert run(*arguments).stdout == run(*arguments, "--out", out / "scores").stdout


def test_every_scene_is_logged_while_it_runs(arguments):
    report = run(*arguments, "-v").stderr.splitlines()
    assert len(report) == 10 and report[8].startswith("Info: scene09: PSNR ")


def test_an_earlier_evaluation_is_kept_unless_overwritten(arguments, out):
    (out / "scores.json").write_text("mine")
    refused = run(*arguments, "--out", out)
    assert (refused.exit_code, refused.stdout) == (2, "") and "--overwrite" in refused.stderr
    assert (out / "scores.json").read_text() == "mine"
    assert run(*arguments, "--out", out, "--overwrite").exit_code == 0
    assert "protocol" in json.loads((out / "scores.json").read_text())


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--network", "mst"), 2, "no published network"),
        (("--network", "awan"), 2, "reads RGB"),
        (("--network", "mst-s"), 3, "these are the tensors of bisrnet"),
        (("--weights", "nowhere.pth"), 3, "check the path"),
        (("--size", 256, 256), 3, "19 x 26 x 28; expected 256 x 256 x 28"),
        (("--size", 9, 26), 2, "SSIM window"),
        (("--device", "abacus"), 2, "device"),
    ],
)
def test_invalid_requests_and_data_leave_no_files(arguments, out, more, code, words):
    result = run(*arguments, "--out", out / "scores", *more)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert not list(out.iterdir())


def test_a_wrong_folder_is_refused_with_a_repair(arguments):
    command, kaist, *rest = arguments
    inside = run(command, kaist / "TSA_simu_data", *rest)
    assert inside.exit_code == 3
    assert "that contains 'TSA_simu_data/Truth'" in inside.stderr
    assert run(command, kaist / "no", *rest).exit_code == 3


@pytest.mark.parametrize("left_out", ["--network", "--weights"])
def test_network_and_weights_must_be_named(arguments, left_out):
    at = arguments.index(left_out)
    result = run(*arguments[:at], *arguments[at + 2 :])
    assert result.exit_code == 2 and left_out in result.stderr
