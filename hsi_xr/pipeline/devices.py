"""Runs models on devices: one worker thread per device collects requests into full batches.

Arguments and results are numpy arrays, so that the callers never handle torch.
"""

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray

from hsi_xr.errors import UnknownName, UsageError
from hsi_xr.networks import chromaticity
from hsi_xr.pipeline.inference import Array, Lines, Models, Windows
from hsi_xr.pipeline.job import CUDA_BATCH, Job
from hsi_xr.pipeline.options import apply_memory_options
from hsi_xr.pipeline.scene_statistics import StatisticsArrays
from hsi_xr.pipeline.shared_futures import errors_go_to


@dataclass(frozen=True, eq=False)
class Request:
    """An image of a surveyed scene to reconstruct.

    Attributes:
        job: The model and how to run it.
        rgb: (3, h, w) linear RGB without NaN.
        rows, columns: (h,) and (w,) absolute rows and columns; see `tiles.anchor_of`.
        statistics: The statistics of the scene; the same object for all of its images.
        result: (channels of the job's outputs, h, w).
    """

    job: Job
    rgb: Array
    rows: Lines
    columns: Lines
    statistics: StatisticsArrays
    result: "Future[Array]" = field(default_factory=Future)

    def can_batch_with(self, other: "Request") -> bool:
        return (
            self.job == other.job
            and self.statistics is other.statistics
            and self.rgb.shape == other.rgb.shape
        )


@dataclass(frozen=True, eq=False)
class _WholeScene:
    """Windows of a scene to reconstruct together, in a batch of their own."""

    job: Job
    windows: Windows
    result: "Future[tuple[Array, StatisticsArrays]]" = field(default_factory=Future)


_TOO_LARGE = "{} x {} px do not fit into the device's memory; give a smaller tile (--tile)"


def resolve_device(name: str) -> str:
    """Returns the full name of a device: "cpu" or "cuda:N".

    Args:
        name: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UnknownName: This machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UnknownName(f"no device is called {name!r}; use auto, cpu or cuda:N") from error
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise UnknownName(f"no device {name!r}: this machine has {count} CUDA devices; use cpu")
        return f"cuda:{device.index or 0}"
    if device.type != "cpu":
        raise UnknownName(f"device {name!r} is not supported; use auto, cpu or cuda:N")
    return "cpu"


def reconstruct(requests: list[Request]) -> list[Array]:
    """Reconstructs images of a surveyed scene, and waits until all are finished."""
    for request in requests:
        _worker(request.job.device).queue.put(request)
    return [request.result.result() for request in requests]


def reconstruct_together(job: Job, windows: Windows) -> tuple[Array, StatisticsArrays]:
    """Reconstructs windows of a scene together, and waits; see `Models.run_whole`."""
    request = _WholeScene(job, windows)
    _worker(job.device).queue.put(request)
    try:
        return request.result.result()
    except torch.OutOfMemoryError as error:
        raise UsageError(_TOO_LARGE.format(*windows.rgb.shape[-2:])) from error


def chromaticity_histogram(rgb: Array, valid: NDArray[np.bool_]) -> Array:
    """Returns the chromaticity histogram of an image's valid pixels.

    A scene's histogram is the mean over its images; see `hsi_xr.networks.chromaticity`.
    """
    weights = torch.from_numpy(valid.astype("float32"))[None, None]
    return chromaticity.chromaticity_histogram(torch.from_numpy(rgb)[None], weights)[0].numpy()


class _Worker:
    """A thread that runs all models of a device."""

    def __init__(self, device: str) -> None:
        self.models = Models(device)
        self.queue: SimpleQueue[Request | _WholeScene] = SimpleQueue()
        self._batch_limits: dict[tuple[str, tuple[int, ...]], int] = {}
        threading.Thread(target=self._serve, name=f"hsi_xr {device}", daemon=True).start()

    def _serve(self) -> None:
        waiting: list[Request] = []
        while True:
            while not waiting or not self.queue.empty():
                request = self.queue.get()
                if isinstance(request, _WholeScene):
                    self._run_whole(request)
                else:
                    waiting.append(request)
            first = waiting[0]
            matching = [request for request in waiting if request.can_batch_with(first)]
            batch = matching[: self._batch_size(first)]
            taken = set(map(id, batch))
            waiting = [request for request in waiting if id(request) not in taken]
            waiting = self._run(batch) + waiting

    def _run_whole(self, request: _WholeScene) -> None:
        with errors_go_to([request.result]):
            request.result.set_result(self.models.run_whole(request.job, request.windows))

    def _run(self, batch: list[Request]) -> list[Request]:
        """Runs a batch; returns the requests that must be tried again."""
        with errors_go_to(request.result for request in batch):
            try:
                results = self.models.run(
                    batch[0].job,
                    np.stack([request.rgb for request in batch]),
                    (
                        np.stack([request.rows for request in batch]),
                        np.stack([request.columns for request in batch]),
                    ),
                    batch[0].statistics,
                )
            except torch.OutOfMemoryError as error:
                if len(batch) > 1:
                    self._halve_batches(batch)
                    return batch
                raise UsageError(_TOO_LARGE.format(*batch[0].rgb.shape[-2:])) from error
            for request, result in zip(batch, results, strict=True):
                request.result.set_result(result)
        return []

    def _batch_size(self, request: Request) -> int:
        size = request.job.batch or (1 if self.models.device.type == "cpu" else CUDA_BATCH)
        return min(size, self._batch_limits.get((request.job.model, request.rgb.shape), size))

    def _halve_batches(self, batch: list[Request]) -> None:
        """Limits later batches of this shape to half the size of one that did not fit."""
        self._batch_limits[batch[0].job.model, batch[0].rgb.shape] = len(batch) // 2
        if self.models.device.type == "cuda":
            torch.cuda.empty_cache()


_starting = threading.Lock()
"""Without it, two threads could start two workers for one device."""


def _worker(device: str) -> _Worker:
    with _starting:
        return _start_worker(os.getpid(), resolve_device(device))


@lru_cache
def _start_worker(process: int, device: str) -> _Worker:
    """Starts a worker. Each process needs its own, since threads do not survive a fork."""
    if device == "cpu":
        apply_memory_options()
    return _Worker(device)
