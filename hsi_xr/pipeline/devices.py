"""One owner per device: tiles of all threads meet in its queue and leave in full batches.

What comes in and goes out is numpy, so that the scene's side never sees torch.
"""

import os
import threading
from collections.abc import Callable
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


@dataclass(frozen=True, eq=False)
class Request:
    """One image to reconstruct, at absolute rows and columns of the ground."""

    job: Job
    rgb: Array
    """(3, h, w) linear RGB without NaN."""
    rows: Lines
    columns: Lines
    facts: StatisticsArrays
    answer: "Future[Array]" = field(default_factory=Future)
    """(channels of the job's outputs, h, w)."""

    def runs_with(self, other: "Request") -> bool:
        """Whether both may share a batch."""
        return (
            self.job == other.job
            and self.facts is other.facts
            and self.rgb.shape == other.rgb.shape
        )


def resolve_device(name: str) -> str:
    """The full name of "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UnknownName: No such device on this machine.
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
            raise UnknownName(f"device {name!r} is not there: {count} CUDA devices; use cpu")
        return f"cuda:{device.index or 0}"
    if device.type != "cpu":
        raise UnknownName(f"device {name!r} is not supported; use auto, cpu or cuda:N")
    return "cpu"


def reconstruct(requests: list[Request]) -> list[Array]:
    """Runs images of a surveyed scene; blocks until all are done."""
    for request in requests:
        _owner(os.getpid(), request.job.device).queue.put(request)
    return [request.answer.result() for request in requests]


def chromaticity_histogram(rgb: Array, valid: NDArray[np.bool_]) -> Array:
    """Colours of the valid pixels of an image, to be averaged over a scene; see `_palette`."""
    weights = torch.from_numpy(valid.astype("float32"))[None, None]
    return chromaticity.chromaticity_histogram(torch.from_numpy(rgb)[None], weights)[0].numpy()


def reconstruct_whole(job: Job, windows: Windows) -> tuple[Array, StatisticsArrays]:
    """See `Models.run_whole`; blocks until it is done."""
    owner = _owner(os.getpid(), job.device)
    asked = _Whole(lambda: owner.models.run_whole(job, windows))
    owner.queue.put(asked)
    try:
        return asked.answer.result()
    except torch.OutOfMemoryError as error:
        raise UsageError(_TOO_LARGE.format(*windows.rgb.shape[-2:])) from error


@dataclass(frozen=True, eq=False)
class _Whole:
    """Something that the owner is to run by itself."""

    run: "Callable[[], tuple[Array, StatisticsArrays]]"
    answer: "Future[tuple[Array, StatisticsArrays]]" = field(default_factory=Future)


_TOO_LARGE = "{} x {} px do not fit the device's memory; give a smaller tile (--tile)"


class _Owner:
    """A thread that alone runs networks on a device."""

    def __init__(self, device: str) -> None:
        self.models = Models(device)
        self.queue: SimpleQueue[Request | _Whole] = SimpleQueue()
        self._limit: dict[tuple[str, tuple[int, ...]], int] = {}
        threading.Thread(target=self._serve, name=f"hsi_xr {device}", daemon=True).start()

    def _serve(self) -> None:
        waiting: list[Request] = []
        while True:
            while not waiting or not self.queue.empty():
                asked = self.queue.get()
                if isinstance(asked, _Whole):
                    _settle(asked)
                else:
                    waiting.append(asked)
            first = waiting[0]
            batch = [each for each in waiting if each.runs_with(first)][: self._size(first)]
            taken = {id(each) for each in batch}
            waiting = [each for each in waiting if id(each) not in taken]
            waiting = self._answer(batch) + waiting

    def _answer(self, batch: list[Request]) -> list[Request]:
        """Runs a batch and tells whoever asked; gives back what is to be tried again."""
        try:
            answers = self.models.run(
                batch[0].job,
                np.stack([each.rgb for each in batch]),
                (np.stack([b.rows for b in batch]), np.stack([b.columns for b in batch])),
                batch[0].facts,
            )
        except torch.OutOfMemoryError as error:
            return self._retry_smaller(batch, error)
        except BaseException as error:  # noqa: BLE001  # whoever asked gets it; the owner serves on
            for each in batch:
                each.answer.set_exception(error)
            return []
        for each, answer in zip(batch, answers, strict=True):
            each.answer.set_result(answer)
        return []

    def _size(self, request: Request) -> int:
        asked = request.job.batch or (1 if self.models.device.type == "cpu" else CUDA_BATCH)
        return min(asked, self._limit.get((request.job.model, request.rgb.shape), asked))

    def _retry_smaller(self, batch: list[Request], error: BaseException) -> list[Request]:
        """Batches of half the size from now on; a single tile that does not fit is an error."""
        if len(batch) == 1:
            refusal = UsageError(_TOO_LARGE.format(*batch[0].rgb.shape[-2:]))
            refusal.__cause__ = error
            batch[0].answer.set_exception(refusal)
            return []
        self._limit[batch[0].job.model, batch[0].rgb.shape] = len(batch) // 2
        if self.models.device.type == "cuda":
            torch.cuda.empty_cache()
        return batch


def _settle(asked: _Whole) -> None:
    try:
        asked.answer.set_result(asked.run())
    except BaseException as error:  # noqa: BLE001  # whoever asked gets it; the owner serves on
        asked.answer.set_exception(error)


_opening = threading.Lock()  # without it, two threads would open two owners of one device


def _owner(process: int, device: str) -> _Owner:
    with _opening:
        return _open(process, resolve_device(device))


@lru_cache
def _open(process: int, device: str) -> _Owner:
    """One per process: threads do not survive a fork, so a child opens its own."""
    if device == "cpu":
        apply_memory_options()
    return _Owner(device)
