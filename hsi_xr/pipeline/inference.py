"""A device and the models that are loaded on it: images in, answers out, both numpy.

What a job asks around the network is here: how often it is drawn from, what the camera must see.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hsi_xr.camera.consistency import HALF_STEP, consistent
from hsi_xr.camera.operator import Camera
from hsi_xr.camera.spectral_response import SpectralResponse
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
            (images, channels of the job's outputs, h, w).
        """
        seen = self._tensor(rgb)
        with single_precision():
            outputs = self._sample(job, seen, self._noise(job, *lines), self._on_device(facts))
        return _stack(job, outputs, seen)

    def run_whole(self, job: Job, windows: Windows) -> tuple[Array, StatisticsArrays]:
        """Runs all windows of a scene in step and surveys it.

        Returns:
            (windows, channels of the job's outputs, h, w), and the scene's facts.
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
            if job.needs_uncertainty:
                outputs = self._sample(job, seen, noise, facts)
            else:
                outputs = _measured(job, _held(job, cube, seen), seen)
        statistics = {key: tensor.float().cpu().numpy() for key, tensor in facts.items()}
        return _stack(job, outputs, seen), statistics

    def _sample(
        self, job: Job, rgb: Tensor, noise: Callable[[int], Noise], facts: SceneStatistics
    ) -> dict[str, Tensor]:
        """Runs the model of a job on images of a surveyed scene.

        Returns:
            Output variables by name, each (images, channels, h, w): the job's, or more.
        """
        model = self._model(job)
        if isinstance(model, ProbabilisticReconstructor) and job.needs_uncertainty:
            estimate = model.estimate(rgb, noise(0), facts)
            outputs = _measured(job, _held(job, estimate.cube, rgb), rgb)
            return outputs | {
                "reflectance_std": estimate.std,
                "out_of_domain": estimate.novelty,
            }
        if job.samples == 1:
            cube = model(rgb, noise(0), facts, stochastic=False)
            return _measured(job, _held(job, cube, rgb), rgb)
        mean = spread = torch.zeros((), device=self.device)
        for k in range(job.samples):  # streamed (Welford 1962)
            draw = _held(job, model(rgb, noise(k), facts, stochastic=True), rgb).float()
            step = draw - mean
            mean = mean + step / (k + 1)
            spread = spread + step * (draw - mean)
        deviation = (spread / (job.samples - 1)).sqrt()
        return _measured(job, mean, rgb) | {"reflectance_std": deviation}

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
    if job.consistency is None or job.response is None:
        return cube
    noise = HALF_STEP if job.consistency == "soft" else 0.0
    camera = _camera(job.response, rgb.device)
    return consistent(cube.float(), rgb, camera, job.response.centres, noise=noise)


def _measured(job: Job, cube: Tensor, rgb: Tensor) -> dict[str, Tensor]:
    """The reflectance and, where that is an output, its difference from the image."""
    if "rgb_residual" not in job.outputs or job.response is None:
        return {"reflectance": cube}
    projected = _camera(job.response, rgb.device).project(cube.float())
    return {"reflectance": cube, "rgb_residual": projected - rgb}


@lru_cache(maxsize=KEPT)
def _camera(response: SpectralResponse, device: torch.device) -> Camera:
    return Camera(torch.tensor(response.curves)).to(device)


def _stack(job: Job, outputs: dict[str, Tensor], rgb: Tensor) -> Array:
    """The outputs of a job along one axis, in its order.

    Raises:
        InvalidCheckpoint: The model yields other shapes, or values that are not finite.
    """
    for name, channels in job.outputs.slices.items():
        expected = (len(rgb), channels.stop - channels.start, *rgb.shape[2:])
        shape = tuple(outputs[name].shape) if name in outputs else None
        if shape != expected:
            raise InvalidCheckpoint(
                f"{job.model!r} computes {name} of shape {shape}; expected {expected}"
            )
    stack = torch.cat([outputs[name] for name in job.outputs.names], dim=1)
    if not stack.isfinite().all():
        raise InvalidCheckpoint(
            f"{job.model!r} computes values that are not finite; its weights are damaged, or the "
            "scene is unlike anything it was trained on"
        )
    return stack.float().cpu().numpy()
