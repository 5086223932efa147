"""One owner per device: batches of one shape, smaller ones when memory runs out, errors handed on."""

import numpy as np
import pytest

import hsi_xr
from tests.scenes import scene
from tests.stranger import install


@pytest.fixture
def slope(tmp_path, monkeypatch):
    def make(**config):
        monkeypatch.syspath_prepend(tmp_path)
        return install(tmp_path, **config)

    return make


def test_an_installed_strangers_model_runs_by_the_path_of_its_weights(slope):
    image = scene(130, 201)
    cube = hsi_xr.reconstruct(image, slope(), tile=64)["reflectance"].compute()
    assert cube.shape == (31, 130, 201)
    ratio = cube.isel(band=30) / cube.isel(band=0)
    np.testing.assert_allclose(ratio, 3.0, rtol=1e-5)


@pytest.mark.parametrize("limit", [1, 2])
def test_out_of_memory_halves_the_batch_and_goes_on(slope, limit):
    model, image = slope(limit=limit), scene(256, 256)
    survey = hsi_xr.survey(image, model)
    big = hsi_xr.reconstruct(image, model, tile=64, batch=8, survey=survey)["reflectance"]
    one = hsi_xr.reconstruct(image, model, tile=64, batch=1, survey=survey)["reflectance"]
    np.testing.assert_allclose(big.compute(num_workers=8), one.compute(), atol=1e-6)


def test_an_error_in_a_network_reaches_the_caller_and_the_owner_serves_on(slope):
    model, image = slope(limit=0), scene(130, 201)
    plan = hsi_xr.plan(image, model)
    known = {"mean": np.ones(1, dtype="float32")}
    survey = hsi_xr.Survey(known, plan.card.sha256, str(plan.scene.radiometry))
    with pytest.raises(RuntimeError, match="does not fit"):
        hsi_xr.reconstruct(image, model, tile=64, survey=survey).compute()
    assert np.isfinite(hsi_xr.reconstruct(scene(20, 24))["reflectance"].compute()).all()


def test_the_processes_scheduler_gives_what_threads_give(slope):
    cube = hsi_xr.reconstruct(scene(130, 201), slope(), tile=64)["reflectance"]
    threads = cube.compute(scheduler="threads")
    np.testing.assert_allclose(cube.compute(scheduler="processes", num_workers=2), threads)
