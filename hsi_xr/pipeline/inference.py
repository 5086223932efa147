"""A device and the models that are loaded on it: images in, answers out, both numpy.

What a job asks around the network is here: how often it is drawn from, what the camera must see.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hsi_xr.camera.operator import HALF_STEP, Camera, consistent
from hsi_xr.camera.spectral_response import Response
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.diffusion.noise import NoiseField
from hsi_xr.errors import InvalidCheckpoint
from hsi_xr.pipeline.job import Job
from hsi_xr.pipeline.scene_statistics import StatisticsArrays
from hsi_xr.reconstructors._base import (
    Noise,
    ProbabilisticReconstructor,
    Reconstructor,
    SceneStatistics,
    SceneWindows,
)

KEPT = 8
"""Number of models that a device keeps loaded."""

Array = NDArray[np.float32]
Lines = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one scene, and what far more of its pixels tell; without NaN."""

    rgb: Array
    """(windows, 3, h, w) linear RGB."""
    weights: Array
    """(windows, 1, h, w), 1 where a pixel counts for the scene's facts."""
    lines: tuple[Lines, Lines]
    """Absolute rows (windows, h) and columns (windows, w)."""
    chromaticity: Array | None
    """Colours of the scene; None where its level is known."""
    extremes: Array
    """(2,) lowest and highest linear RGB of the scene."""


class Models:
    """Of one device; to be used by one thread."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self._models: dict[tuple[Any, ...], Reconstructor] = {}
        self._facts: tuple[StatisticsArrays, SceneStatistics] | None = None

    def run(
        self, job: Job, rgb: Array, lines: tuple[Lines, Lines], facts: StatisticsArrays
    ) -> Array:
        """Runs images of one surveyed scene.

        Args:
            job: What is asked of them.
            rgb: (images, 3, h, w) linear RGB without NaN.
            lines: Absolute rows (images, h) and columns (images, w) of the ground.
            facts: The scene's; the same object for all of its images.

        Returns:
            (images, answers of the job, h, w).
        """
        seen = self._tensor(rgb)
        with single_precision():
            found = self._sampled(job, seen, self._noise(job, *lines), self._on_device(facts))
            found = _compared(job, found, seen)
        return _numbers(job, found, seen)

    def run_whole(self, job: Job, windows: Windows) -> tuple[Array, StatisticsArrays]:
        """Runs all windows of a scene in step and surveys it.

        Returns:
            (windows, answers of the job, h, w), and the scene's facts.
        """
        seen, noise = self._tensor(windows.rgb), self._noise(job, *windows.lines)
        colours = windows.chromaticity
        palette = None if colours is None else torch.from_numpy(colours)[None].to(self.device)
        span = torch.from_numpy(windows.extremes).to(self.device)
        with single_precision():
            response = None if job.response is None else torch.tensor(job.response.curves)
            scene = SceneWindows(
                seen,
                self._tensor(windows.weights),
                palette,
                span,
                response=None if response is None else response.to(self.device),
            )
            cube, facts = self._model(job).whole(scene, noise(0))
            sampled = job.samples > 1 or job.novelty
            cube = self._sampled(job, seen, noise, facts) if sampled else _held(job, cube, seen)
            cube = _compared(job, cube, seen)
        told = {key: tensor.float().cpu().numpy() for key, tensor in facts.items()}
        return _numbers(job, cube, seen), told

    def _sampled(
        self, job: Job, rgb: Tensor, noise: Callable[[int], Noise], facts: SceneStatistics
    ) -> Tensor:
        """The mean chain; or mean and deviation, as the model tells them or of stochastic chains.

        Those are streamed (Welford 1962).
        """
        model = self._model(job)
        if isinstance(model, ProbabilisticReconstructor) and (job.samples > 1 or job.novelty):
            found = model.estimate(rgb, noise(0), facts)
            beside = [found.std] * (job.samples > 1) + [found.novelty] * job.novelty
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

    def _on_device(self, facts: StatisticsArrays) -> SceneStatistics:
        """The scene's facts as tensors; kept, since one scene's tiles come in a row."""
        if self._facts is None or self._facts[0] is not facts:
            kept = {key: torch.from_numpy(array).to(self.device) for key, array in facts.items()}
            self._facts = (facts, kept)
        return self._facts[1]

    def _model(self, job: Job) -> Reconstructor:
        """Loaded once per process and device: only this owner asks, one call at a time."""
        # a card may run the same weights in another way
        key = (job.model, job.sha256, job.steps)
        if key not in self._models:
            card = registry.find(job.model, untrained=not job.trained)
            if card.sha256 != job.sha256:
                raise InvalidCheckpoint(
                    f"{job.model!r} changed after the work was planned; plan it again"
                )
            model = load_model(card, steps=job.steps).to(self.device)
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
