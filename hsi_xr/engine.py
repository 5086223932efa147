"""One owner per device: tiles of all threads meet in its queue and leave in full batches.

The only place where models are loaded and run. What comes in and goes out is numpy, so that the
scene's side never sees torch.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hsi_xr.allocation import keep_freed_memory
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.errors import InvalidCheckpoint, UnknownName, UsageError
from hsi_xr.facts import Facts
from hsi_xr.job import CUDA_BATCH, Job
from hsi_xr.physics import HALF_STEP, Camera, consistent
from hsi_xr.reconstructors import _palette, _registry
from hsi_xr.reconstructors._base import Doubting, Noise, Reconstructor, SceneFacts, Sensing
from hsi_xr.reconstructors._weights import load_model
from hsi_xr.responses import Response

KEPT = 8
"""Models that a device holds at once: a batch of scenes may have a camera each."""

Array = NDArray[np.float32]
Lines = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Request:
    """One image to reconstruct, at absolute rows and columns of the ground."""

    job: Job
    rgb: Array
    """(3, h, w) linear RGB without NaN."""
    rows: Lines
    columns: Lines
    facts: Facts
    answer: "Future[Array]" = field(default_factory=Future)
    """(answers of the job, h, w)."""

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


def palette(rgb: Array, valid: NDArray[np.bool_]) -> Array:
    """Colours of the valid pixels of an image, to be averaged over a scene; see `_palette`."""
    weights = torch.from_numpy(valid.astype("float32"))[None, None]
    return _palette.palette(torch.from_numpy(rgb)[None], weights)[0].numpy()


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one scene, and what far more of its pixels tell; without NaN."""

    rgb: Array
    """(windows, 3, h, w) linear RGB."""
    weights: Array
    """(windows, 1, h, w), 1 where a pixel counts for the scene's facts."""
    lines: tuple[Lines, Lines]
    """Absolute rows (windows, h) and columns (windows, w)."""
    palette: Array | None
    """Colours of the scene; None where its level is known."""
    extremes: Array
    """(2,) lowest and highest linear RGB of the scene."""


def reconstruct_whole(job: Job, windows: Windows) -> tuple[Array, Facts]:
    """Runs all windows of a scene in step and surveys it.

    Returns:
        (windows, answers of the job, h, w), and the scene's facts.
    """
    owner = _owner(os.getpid(), job.device)
    asked = _Whole(lambda: owner.run_whole(job, windows))
    owner.queue.put(asked)
    try:
        return asked.answer.result()
    except torch.OutOfMemoryError as error:
        raise UsageError(_TOO_LARGE.format(*windows.rgb.shape[-2:])) from error


@dataclass(frozen=True, eq=False)
class _Whole:
    """Something that the owner is to run by itself."""

    run: "Callable[[], tuple[Array, Facts]]"
    answer: "Future[tuple[Array, Facts]]" = field(default_factory=Future)


_TOO_LARGE = "{} x {} px do not fit the device's memory; give a smaller tile (--tile)"


class _Owner:
    """A thread that alone runs networks on a device."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.queue: SimpleQueue[Request | _Whole] = SimpleQueue()
        self._models: dict[tuple[Any, ...], Reconstructor] = {}
        self._limit: dict[tuple[str, tuple[int, ...]], int] = {}
        self._facts: tuple[Facts, SceneFacts] | None = None
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
            answers = self._run(batch)
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
        asked = request.job.batch or (1 if self.device.type == "cpu" else CUDA_BATCH)
        return min(asked, self._limit.get((request.job.model, request.rgb.shape), asked))

    def _retry_smaller(self, batch: list[Request], error: BaseException) -> list[Request]:
        """Batches of half the size from now on; a single tile that does not fit is an error."""
        if len(batch) == 1:
            refusal = UsageError(_TOO_LARGE.format(*batch[0].rgb.shape[-2:]))
            refusal.__cause__ = error
            batch[0].answer.set_exception(refusal)
            return []
        self._limit[batch[0].job.model, batch[0].rgb.shape] = len(batch) // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return batch

    def _run(self, batch: list[Request]) -> list[Array]:
        job = batch[0].job
        rgb = self._tensor(np.stack([each.rgb for each in batch]))
        noise = self._noise(
            job, np.stack([b.rows for b in batch]), np.stack([b.columns for b in batch])
        )
        with single_precision():
            found = self._sampled(job, rgb, noise, self._on_device(batch[0].facts))
            found = _compared(job, found, rgb)
        return list(_numbers(job, found, rgb))

    def run_whole(self, job: Job, windows: Windows) -> tuple[Array, Facts]:
        """See `reconstruct_whole`."""
        seen, noise = self._tensor(windows.rgb), self._noise(job, *windows.lines)
        colours = windows.palette
        palette = None if colours is None else torch.from_numpy(colours)[None].to(self.device)
        span = torch.from_numpy(windows.extremes).to(self.device)
        with single_precision():
            cube, facts = self._model(job).whole(
                seen, self._tensor(windows.weights), noise(0), palette=palette, extremes=span
            )
            sampled = job.samples > 1 or job.strangeness
            cube = self._sampled(job, seen, noise, facts) if sampled else _held(job, cube, seen)
            cube = _compared(job, cube, seen)
        told = {key: tensor.float().cpu().numpy() for key, tensor in facts.items()}
        return _numbers(job, cube, seen), told

    def _sampled(
        self, job: Job, rgb: Tensor, noise: Callable[[int], Noise], facts: SceneFacts
    ) -> Tensor:
        """The mean chain; or mean and deviation, as the model tells them or of stochastic chains.

        Those are streamed (Welford 1962).
        """
        model = self._model(job)
        if isinstance(model, Doubting) and (job.samples > 1 or job.strangeness):
            found = model.estimate(rgb, noise(0), facts)
            beside = [found.deviation] * (job.samples > 1) + [found.strange] * job.strangeness
            return torch.cat([_held(job, found.cube, rgb), *beside], dim=1)
        if job.samples == 1:
            return _held(job, model(rgb, noise(0), facts, stochastic=False), rgb)
        mean = spread = torch.zeros((), device=self.device)
        for k in range(job.samples):
            draw = _held(job, model(rgb, noise(k), facts, stochastic=True), rgb).float()
            step = draw - mean
            mean = mean + step / (k + 1)
            spread = spread + step * (draw - mean)
        return torch.cat([mean, (spread / (job.samples - 1)).sqrt()], dim=1)

    def _noise(self, job: Job, rows: Lines, columns: Lines) -> Callable[[int], Noise]:
        """Sample -> step -> noise at these rows and columns."""
        r, c = (torch.from_numpy(lines).to(self.device) for lines in (rows, columns))
        return lambda sample: (
            lambda step: NoiseField(job.seed, sample).read(r, c, channels=job.bands, step=step)
        )

    def _tensor(self, images: Array) -> Tensor:
        return torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)

    def _on_device(self, facts: Facts) -> SceneFacts:
        """The scene's facts as tensors; kept, since one scene's tiles come in a row."""
        if self._facts is None or self._facts[0] is not facts:
            kept = {key: torch.from_numpy(array).to(self.device) for key, array in facts.items()}
            self._facts = (facts, kept)
        return self._facts[1]

    def _model(self, job: Job) -> Reconstructor:
        """Loaded once per process and device: only this owner asks, one call at a time."""
        # a card may run the same weights in another way
        key = (job.model, job.sha256, job.steps, job.response)
        if key not in self._models:
            card = _registry.find(job.model, untrained=not job.trained)
            if card.sha256 != job.sha256:
                raise InvalidCheckpoint(
                    f"{job.model!r} changed after the work was planned; plan it again"
                )
            model = load_model(card, steps=job.steps)
            if isinstance(model, Sensing) and job.response is not None:
                model.sense(torch.tensor(job.response.curves))
            model = model.to(self.device)
            while len(self._models) >= KEPT:
                del self._models[next(iter(self._models))]
            self._models[key] = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs
        return self._models[key]


class _SinglePrecision:
    """Runs networks in single precision, and leaves other code what it chose.

    By itself a GPU rounds the factors of convolutions to 10 bits (TF32). Logarithms of how likely
    colours are have large ones that nearly cancel; rounded, spectra err by some per cent. The
    setting is the process's, and devices run at once: the first that enters changes it, the last
    that leaves brings it back.
    """

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._inside = 0
        self._chosen = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._counting:
            if not self._inside:
                self._chosen = torch.backends.cudnn.allow_tf32
                torch.backends.cudnn.allow_tf32 = False
            self._inside += 1
        try:
            with torch.inference_mode():
                yield
        finally:
            with self._counting:
                self._inside -= 1
                if not self._inside:
                    torch.backends.cudnn.allow_tf32 = self._chosen


single_precision = _SinglePrecision()


def _held(job: Job, cube: Tensor, rgb: Tensor) -> Tensor:
    """A model's answer, moved to what the camera saw where that was asked for."""
    asked, response = job.measurement, job.response
    if asked is None or asked.consistency is None or response is None:
        return cube
    noise = HALF_STEP if asked.consistency == "soft" else 0.0
    return consistent(cube.float(), rgb, _camera(response, rgb), response.centres, noise=noise)


def _compared(job: Job, found: Tensor, rgb: Tensor) -> Tensor:
    """And, where that was asked for, what the camera sees of the mean, less the image."""
    if not job.compares or job.response is None:
        return found
    seen = _camera(job.response, rgb).project(found[:, : job.bands].float())
    return torch.cat([found, seen - rgb], dim=1)


def _camera(response: Response, rgb: Tensor) -> Camera:
    return Camera(torch.tensor(response.curves).to(rgb))


def _numbers(job: Job, found: Tensor, rgb: Tensor) -> Array:
    """A model's answer to images, if it is one."""
    wanted = (len(rgb), job.answers, *rgb.shape[2:])
    if found.shape != wanted:
        raise InvalidCheckpoint(
            f"{job.model!r} answers {tuple(found.shape)} where {wanted} was asked for"
        )
    if not found.isfinite().all():
        raise InvalidCheckpoint(
            f"{job.model!r} answers numbers that are not finite; its weights are damaged, or the "
            "scene is unlike all that it was made for"
        )
    return found.float().cpu().numpy()


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
        keep_freed_memory()
    return _Owner(device)
