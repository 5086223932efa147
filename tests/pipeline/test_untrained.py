"""A system without weights is rejected, or runs with random ones and marks its product."""

import json

import numpy as np
import pytest
import rasterio

import hsi_xr
from hsi_xr.checkpoints import registry
from hsi_xr.errors import MissingWeights, UnknownName
from tests.command_line import run, write_scene
from tests.scenes import scene


@pytest.mark.parametrize("name", [c.call for c in hsi_xr.models() if not c.trained])
def test_the_error_for_a_system_without_weights_has_advice(name):
    with pytest.raises(MissingWeights, match=f"no weights for '{name}'.*untrained"):
        hsi_xr.plan(scene(32, 40), name)


def test_import_is_suggested_only_if_weights_were_published():
    with pytest.raises(MissingWeights, match="models import awan FILE"):
        registry.find("awan")
    with pytest.raises(MissingWeights) as refused:
        registry.find("srcgan")
    assert "import" not in str(refused.value)


def test_only_systems_can_run_untrained():
    with pytest.raises(UnknownName, match="did you mean 'awan'"):
        hsi_xr.plan(scene(32, 40), "awann", untrained=True)
    with pytest.raises(UnknownName, match="no system is called 'default'"):
        hsi_xr.plan(scene(32, 40), "default", untrained=True)


def test_the_cube_states_that_its_values_mean_nothing():
    image = scene(33, 31)
    cube = hsi_xr.reconstruct(image, "mst-plus-plus", untrained=True)
    assert cube.attrs["hsi_xr_weights"] == "random"
    assert "random weights" in cube.attrs["title"]
    assert "neither" in cube["reflectance"].attrs["comment"]
    again = hsi_xr.reconstruct(image, "mst-plus-plus", untrained=True)
    np.testing.assert_array_equal(cube["reflectance"].values, again["reflectance"].values)


def test_an_untrained_system_does_not_use_shipped_weights():
    cube = hsi_xr.reconstruct(scene(32, 40), "r2h-diff", untrained=True)
    assert cube.attrs["hsi_xr_weights"] == "random"
    assert hsi_xr.reconstruct(scene(32, 40), "r2h-diff").attrs["hsi_xr_weights"] == "trained"


def test_file_and_item_state_that_weights_were_random(tmp_path):
    rgb, out = write_scene(tmp_path / "rgb.tif"), tmp_path / "cube.tif"
    command = ("reconstruct", rgb, out, "--model", "srcgan", "--datetime", "2026-05-04T10:30:00Z")
    refused = run(*command)
    assert refused.exit_code == 2 and "--untrained" in refused.stderr and not out.exists()
    assert run(*command, "--untrained").exit_code == 0
    with rasterio.open(out) as file:
        assert file.tags(ns="HSI_XR")["WEIGHTS"] == "random"
    item = json.loads(out.with_suffix(".json").read_text())
    assert "weights were random" in item["properties"]["processing:lineage"]
