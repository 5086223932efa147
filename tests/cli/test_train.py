"""`hsi-xr train`, from a file to a model that reconstructs."""

import json

import pytest
import rasterio
from safetensors.torch import load_file

from hsi_xr.checkpoints.card import read
from hsi_xr.datasets import COMMON
from tests.command_line import run, write_scene
from tests.training.small import write_camera, write_pairs

RUN = """
system = "hscnn-plus"
[config]
blocks = 1
[data]
name = "pairs"
folder = "FOLDER"
options = {scale = 1.0}
patch = 16
batch = 2
crop = 4
[objective]
kind = "regression"
[schedule]
steps = 4
validate = 2
"""


@pytest.fixture
def data(tmp_path):
    return write_pairs(tmp_path / "data")


@pytest.fixture
def file(data, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RUN.replace("FOLDER", data.as_posix()))
    return path


def test_a_trained_model_reconstructs(file, tmp_path):
    out = tmp_path / "a 'folder'"
    camera = write_camera(tmp_path / "camera.json")
    seen = ("--set", f"objective.camera={camera.as_posix()}", "--set", "objective.camera_weight=10")
    command = ("train", file, "--out", out, "--set", "optimiser.rate=1e-3", *seen)
    done = run(*command)
    weights = out / "model.safetensors"
    assert (done.exit_code, done.stdout) == (0, f"{weights}\n")
    assert "step 4 of 4, regression " in done.stderr
    card = read(weights)
    assert card.bands.centres == COMMON.centres
    protocol = card.data["training"]
    assert protocol["data"]["name"] == "pairs" and "folder" not in protocol["data"]
    assert (protocol["optimiser"]["rate"], protocol["steps_taken"], protocol["scenes"]) == (
        1e-3,
        4,
        2,
    )
    assert protocol["scores"]["split"] == "validation" and protocol["processes"] == 1
    assert "weights_from" not in card.data  # it refers to published weights
    assert protocol["objective"]["camera"] == "camera.json"
    assert str(tmp_path) not in json.dumps(card.data)
    scene = write_scene(tmp_path / "scene.tif")
    cube = tmp_path / "cube.tif"
    assert run("reconstruct", scene, cube, "--model", weights).exit_code == 0
    with rasterio.open(cube) as found:
        assert found.count == len(COMMON)
    trained = load_file(weights)
    assert run(*command).exit_code == 2
    assert run(*command, "--resume").exit_code == 0
    found = load_file(weights)
    assert all(found[key].equal(value) for key, value in trained.items())


def test_bands_are_given_as_numbers(file, tmp_path):
    asked = ("--set", "data.options.bands=[450, 650, 50]", "--set", "schedule.validate=0")
    done = run("train", file, "--out", tmp_path / "out", *asked)
    assert done.exit_code == 0, done.stderr
    card = read(tmp_path / "out/model.safetensors")
    assert card.bands.centres == (450, 500, 550, 600, 650)
    assert card.data["training"]["data"]["options"] == {"scale": 1.0, "bands": [450, 650, 50]}


def test_a_card_names_the_camera_that_rendered_the_images(data, file, tmp_path):
    camera = write_camera(tmp_path / "camera.json")
    (data / "hsi/wavelengths.csv").write_text((data / "wavelengths.csv").read_text())
    cubes = ("--set", "data.name=cubes", "--set", f"data.folder={(data / 'hsi').as_posix()}")
    seen = ("--set", f"data.options.camera={camera.as_posix()}", "--set", "schedule.validate=0")
    done = run("train", file, "--out", tmp_path / "out", *cubes, *seen)
    assert done.exit_code == 0, done.stderr
    card = read(tmp_path / "out/model.safetensors").data
    assert card["training"]["data"]["options"]["camera"] == "camera.json"
    assert str(tmp_path) not in json.dumps(card)


def test_incomplete_data_are_listed(data, file, tmp_path):
    (data / "rgb/b.tif").unlink()
    done = run("train", file, "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert "1 problem" in done.stderr and "'b'" in done.stderr
    assert not (tmp_path / "out").exists()
