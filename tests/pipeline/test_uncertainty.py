"""The uncertainty of the default model, its steps, and the cameras it knows."""

import numpy as np
import pytest
import torch

import hsi_xr
from hsi_xr.errors import UsageError
from hsi_xr.io.cube_file import CubeFile
from tests.scenes import scene

REFLECTANCE = {"radiometry": "reflectance", "scale": 1.0}


def _scene(rows=70, columns=90):
    return scene(rows, columns)


def _linear(rows=41, columns=57):
    """Muted colours, as on natural ground."""
    image = scene(rows, columns)
    grey = image.mean("band")
    return (grey + 0.2 * (image - grey)).transpose("band", "y", "x").astype("float32") / 600


def test_the_estimate_does_not_depend_on_its_uncertainty():
    alone = hsi_xr.reconstruct(_scene())
    both = hsi_xr.reconstruct(_scene(), samples=8, out_of_domain=True)
    np.testing.assert_allclose(both["reflectance"], alone["reflectance"], rtol=1e-5, atol=1e-7)
    assert (both["reflectance_std"] > 0).all()
    assert ((both["out_of_domain"] >= 0) & (both["out_of_domain"] <= 1)).all()
    assert "calibrated" in both["reflectance_std"].attrs["comment"]


def test_tiles_have_the_uncertainty_of_the_whole():
    image = _scene(130, 150)
    options = {"samples": 2, "out_of_domain": True}
    survey = hsi_xr.survey(image, exact=True)
    whole = hsi_xr.reconstruct(image, survey=survey, tile=0, **options)
    tiles = hsi_xr.reconstruct(image, survey=survey, tile=48, **options)
    for name in ("reflectance", "reflectance_std", "out_of_domain"):
        np.testing.assert_allclose(tiles[name], whole[name], rtol=1e-3, atol=1e-4)


def test_a_known_camera_changes_the_estimate():
    known, unknown = (
        hsi_xr.reconstruct(_linear(), samples=2, camera=camera, **REFLECTANCE).compute()
        for camera in ("nikon-d810", None)
    )
    assert not np.allclose(unknown["reflectance"], known["reflectance"], rtol=1e-3)
    assert known.attrs["hsi_xr_camera"] == "nikon-d810"


def test_unnatural_colours_are_out_of_domain():
    image = _linear().compute()
    image[:, :20, :20] = np.array([0.01, 0.01, 0.8], dtype="float32")[:, None, None]
    image[:, 20:, :] = 0.15
    found = hsi_xr.reconstruct(image, out_of_domain=True, **REFLECTANCE)["out_of_domain"]
    assert (found[:20, :20] > 0.9).all() and (found[20:] < 0.5).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_steps_run_the_network(steps):
    alone, refined = (hsi_xr.reconstruct(_scene(), steps=n) for n in (None, steps))
    assert alone.attrs["hsi_xr_steps"] == 0 and refined.attrs["hsi_xr_steps"] == steps
    assert abs(alone["reflectance"] - refined["reflectance"]).max() > 1e-4


def test_tiles_with_steps_equal_the_whole():
    image = _scene(130, 150)
    survey = hsi_xr.survey(image, exact=True, steps=1)
    whole = hsi_xr.reconstruct(image, survey=survey, tile=0, steps=1)
    tiles = hsi_xr.reconstruct(image, survey=survey, tile=48, steps=1)
    np.testing.assert_allclose(tiles["reflectance"], whole["reflectance"], rtol=1e-3, atol=2e-5)


def test_the_error_for_an_unsupported_option_lists_the_supported_ones():
    with pytest.raises(UsageError, match="runs in 0, 1, 2, 5 steps; got 3"):
        hsi_xr.plan(_scene(), steps=3)
    with pytest.raises(UsageError, match="does not compute an out-of-distribution score"):
        hsi_xr.plan(_scene(), "root-polynomial", out_of_domain=True)


def test_a_survey_is_valid_only_for_its_camera_and_steps():
    image = _linear()
    survey = hsi_xr.survey(image, camera="nikon-d810", **REFLECTANCE)
    hsi_xr.plan(image, survey=survey, camera="nikon-d810", **REFLECTANCE)
    with pytest.raises(UsageError, match="camera unknown"):
        hsi_xr.plan(image, survey=survey, **REFLECTANCE)
    with pytest.raises(UsageError, match="steps 1"):
        hsi_xr.plan(image, survey=survey, camera="nikon-d810", steps=1, **REFLECTANCE)


def test_a_product_contains_the_uncertainty(tmp_path):
    cube = hsi_xr.reconstruct(_scene(), samples=2, out_of_domain=True)
    path = hsi_xr.write(cube, tmp_path / "cube.tif")
    product = CubeFile.read(path)
    for variable in ("reflectance_std", "out_of_domain"):
        assert product.companion(variable) is not None
        found = hsi_xr.open(path, variable=variable)
        np.testing.assert_allclose(found.squeeze(), cube[variable].squeeze(), atol=1e-4)
    item = hsi_xr.describe(path, datetime="2026-05-04T10:30:00Z")
    assert {"reflectance", "uncertainty", "quality"} <= item.assets.keys()


def test_consistency_with_uncertainty():
    cube = hsi_xr.reconstruct(
        _linear(),
        samples=2,
        out_of_domain=True,
        camera="nikon-d810",
        consistency="exact",
        residual=True,
        **REFLECTANCE,
    )
    assert float(cube["rgb_residual"].max()) <= 0.5 / 255
    assert torch.tensor(cube["reflectance_std"].values).isfinite().all()


def test_the_uncertainty_does_not_depend_on_the_number_of_samples():
    few, many = (hsi_xr.reconstruct(_scene(), samples=n).compute() for n in (2, 9))
    np.testing.assert_array_equal(few["reflectance_std"], many["reflectance_std"])
