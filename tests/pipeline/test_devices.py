"""The worker of a device: full batches, smaller ones if memory runs out, and errors."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch

import hsi_xr
from hsi_xr.errors import InvalidCheckpoint, UsageError
from hsi_xr.pipeline.devices import Request, reconstruct
from hsi_xr.pipeline.graph import pixels_of
from hsi_xr.pipeline.outputs import Outputs
from hsi_xr.pipeline.plan import survey_conditions
from hsi_xr.pipeline.precision import single_precision
from hsi_xr.pipeline.tasks import reconstruct_scene
from tests.scenes import scene


def test_a_third_party_model_runs_by_the_path_of_its_weights(slope):
    image = scene(130, 201)
    cube = hsi_xr.reconstruct(image, slope(), tile=64)["reflectance"].compute()
    assert cube.shape == (31, 130, 201)
    ratio = cube.isel(band=30) / cube.isel(band=0)
    np.testing.assert_allclose(ratio, 3.0, rtol=1e-5)


def _requests(model, count: int, batch: int) -> list[Request]:
    """Returns requests for random images of one shape and one scene."""
    job = replace(hsi_xr.plan(scene(64, 64), model).job, device="cpu", batch=batch)
    statistics = {"mean": np.full(1, 0.4, dtype="float32")}
    rng = np.random.default_rng(0)
    return [
        Request(
            job,
            rng.random((3, 12, 20), dtype="float32"),
            np.arange(12),
            np.arange(20) + 20 * k,
            statistics,
        )
        for k in range(count)
    ]


def _batches():
    import third_party_slope

    return third_party_slope.BATCHES


def test_waiting_requests_run_in_full_batches(slope):
    """The first request may run alone, if no other one was waiting yet."""
    reconstruct(_requests(slope(), 9, 4))
    sizes = _batches()
    assert sum(sizes) == 9 and len(sizes) <= 4 and max(sizes) == 4


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_batch_is_halved_when_memory_runs_out(slope, limit):
    model = slope(limit=limit)
    results = reconstruct(_requests(model, 9, 8))
    assert any(size > limit for size in _batches()), "no batch was too large"
    for result, request in zip(results, _requests(model, 9, 8), strict=True):
        expected = request.rgb.mean(0) / 0.4 * np.linspace(0.5, 1.5, 31)[:, None, None]
        np.testing.assert_allclose(result, expected, rtol=1e-4)


def test_a_tile_that_never_fits_is_an_error_and_the_worker_continues(slope):
    model, image = slope(limit=0), scene(130, 201)
    plan = hsi_xr.plan(image, model)
    known = {
        "mean": np.ones(1, dtype="float32"),
        "scene/rgb": np.full(3, 0.2, dtype="float32"),
    }
    survey = hsi_xr.Survey(
        known,
        plan.card.sha256,
        plan.scene.radiometry.condition,
        survey_conditions(plan.card, plan.job),
    )
    with pytest.raises(UsageError, match="--tile"):
        hsi_xr.reconstruct(image, model, tile=64, survey=survey).compute()
    assert np.isfinite(hsi_xr.reconstruct(scene(20, 24))["reflectance"].compute()).all()


def test_weights_that_change_after_planning_are_rejected(slope):
    model = slope()
    cube = hsi_xr.reconstruct(scene(40, 52), model)
    card = json.loads(model.with_suffix(".json").read_text())
    model.with_suffix(".json").write_text(json.dumps(card | {"sha256": "0" * 64}))
    with pytest.raises(InvalidCheckpoint, match="changed"):
        cube.compute()


def test_processes_compute_the_same_cube_as_threads(slope):
    cube = hsi_xr.reconstruct(scene(130, 201), slope(), tile=64)["reflectance"]
    threads = cube.compute(scheduler="threads")
    np.testing.assert_allclose(cube.compute(scheduler="processes", num_workers=2), threads)


@pytest.mark.parametrize("rows", [20, 130])
def test_networks_run_without_tf32_and_other_code_is_not_affected(slope, rows):
    """With TF32, a GPU rounds the factors of convolutions to 10 bits."""
    model = slope()
    before = torch.backends.cudnn.allow_tf32
    hsi_xr.reconstruct(scene(rows, 201), model, tile=64, device="cpu").compute()
    import third_party_slope

    assert third_party_slope.ROUNDED and not any(third_party_slope.ROUNDED)
    assert torch.backends.cudnn.allow_tf32 == before


def test_overlapping_devices_restore_the_setting(monkeypatch):
    """The first thread to enter leaves first; each has its own thread, as workers do."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    first, second = ExitStack(), ExitStack()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        one.submit(first.enter_context, single_precision()).result()
        other.submit(second.enter_context, single_precision()).result()
        one.submit(first.close).result()
        assert not torch.backends.cudnn.allow_tf32
        other.submit(second.close).result()
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_computes_the_same_cube_as_a_cpu():
    image = scene(150, 230)
    cpu, gpu = (hsi_xr.reconstruct(image, tile=64, device=name) for name in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.reflectance.compute(), cpu.reflectance.compute(), atol=1e-3)


def test_an_output_of_another_shape_is_an_error_and_the_worker_continues(slope):
    model = slope()
    odd = [
        replace(request, job=replace(request.job, outputs=Outputs(30)))
        for request in _requests(model, 3, 2)
    ]
    with pytest.raises(InvalidCheckpoint, match=r"shape \(., 31, 12, 20\); expected \(., 30"):
        reconstruct(odd)
    assert len(reconstruct(_requests(model, 2, 2))) == 2


def test_an_output_of_another_shape_is_an_error_for_a_scene_in_one_piece(slope):
    planned = hsi_xr.plan(scene(40, 52, chunks=None), slope())
    work = replace(planned.work, job=replace(planned.job, outputs=Outputs(30)))
    with pytest.raises(InvalidCheckpoint, match=r"31, \d+, \d+\); expected \(1, 30"):
        reconstruct_scene(work, pixels_of(planned))


def test_values_that_are_not_finite_are_an_error(slope):
    requests = _requests(slope(), 1, 1)
    bad = [replace(request, statistics={"mean": np.zeros(1, "float32")}) for request in requests]
    with pytest.raises(InvalidCheckpoint, match="not finite"):
        reconstruct(bad)
