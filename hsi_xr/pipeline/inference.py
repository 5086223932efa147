"""Runs models on one device; arguments and results are numpy arrays.

Sampling, the resulting uncertainty, and the comparison with the camera's image are computed here,
around the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

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
from hsi_xr.pipeline.precision import single_precision
from hsi_xr.pipeline.scene_statistics import StatisticsArrays
from hsi_xr.reconstructors._base import (
    GroundNoise,
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
Ground = tuple[Tensor, Tensor]
"""Absolute rows (images, h) and columns (images, w); see `tiles.anchor_of`."""
NoiseOfSample = Callable[[int], Noise]
"""Returns the noise of a sample, counted from 0."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one scene, and the colour statistics of the scene.

    Attributes:
        rgb: (windows, channels, h, w) linear values without NaN.
        weights: (windows, 1, h, w), 1 where a pixel counts for the statistics of the scene.
        lines: Absolute rows (windows, h) and columns (windows, w); see `tiles.anchor_of`.
        chromaticity: Chromaticity histogram of the scene; None if its level is known.
        extremes: (2,) lowest and highest linear value of the scene.
    """

    rgb: Array
    weights: Array
    lines: tuple[Lines, Lines]
    chromaticity: Array | None
    extremes: Array


class Models:
    """The models of one device, loaded on first use; for one thread."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self._models: dict[tuple[str, str, int | None], Reconstructor] = {}
        self._statistics: tuple[StatisticsArrays, SceneStatistics] | None = None

    def run(
        self, job: Job, rgb: Array, lines: tuple[Lines, Lines], statistics: StatisticsArrays
    ) -> Array:
        """Reconstructs images of a surveyed scene.

        Args:
            job: The model and how to run it.
            rgb: (images, channels, h, w) linear values without NaN.
            lines: Absolute rows (images, h) and columns (images, w); see `tiles.anchor_of`.
            statistics: The statistics of the scene; the same object for all of its images.

        Returns:
            (images, channels of the job's outputs, h, w).
        """
        images, ground = self._tensor(rgb), self._ground(lines)
        with single_precision():
            outputs = self._outputs(job, images, ground, self._on_device(statistics))
        return _stack(job, outputs, images)

    def run_whole(self, job: Job, windows: Windows) -> tuple[Array, StatisticsArrays]:
        """Reconstructs all windows of a scene together.

        Returns:
            (windows, channels of the job's outputs, h, w), and the statistics of the scene.
        """
        scene, ground = self._scene(job, windows), self._ground(windows.lines)
        with single_precision():
            cube, statistics = self._model(job).whole(scene, _noise(job, ground)(0))
            if job.needs_uncertainty:
                outputs = self._outputs(job, scene.rgb, ground, statistics)
            else:
                cube = _make_consistent(job, cube, scene.rgb)
                outputs = _compare(job, cube, scene.rgb)
        arrays = {name: tensor.float().cpu().numpy() for name, tensor in statistics.items()}
        return _stack(job, outputs, scene.rgb), arrays

    def _outputs(
        self, job: Job, rgb: Tensor, ground: Ground, statistics: SceneStatistics
    ) -> dict[str, Tensor]:
        """Returns output variables by name, each (images, channels, h, w).

        They include those of the job.
        """
        model, noise = self._model(job), _noise(job, ground)
        if isinstance(model, ProbabilisticReconstructor) and job.needs_uncertainty:
            quantiles = job.outputs.quantiles
            estimate = model.estimate(
                rgb,
                noise(0),
                statistics,
                probabilities=[*quantiles.values()],
                draws=[
                    GroundNoise(NoiseField(job.seed, k), *ground) for k in range(job.outputs.draws)
                ],
            )
            outputs = _compare(job, _make_consistent(job, estimate.cube, rgb), rgb)
            found = estimate.quantiles
            return outputs | {
                **_draws(job, estimate.draws, rgb),
                "reflectance_std": estimate.std,
                "out_of_domain": estimate.novelty,
                **({} if found is None else dict(zip(quantiles, found.unbind(1)))),
            }
        if job.samples > 1:
            return self._sampled_outputs(job, rgb, noise, statistics)
        cube = model(rgb, noise(0), statistics, stochastic=False)
        return _compare(job, _make_consistent(job, cube, rgb), rgb)

    def _sampled_outputs(
        self, job: Job, rgb: Tensor, noise: NoiseOfSample, statistics: SceneStatistics
    ) -> dict[str, Tensor]:
        """Returns the mean and standard deviation of samples, accumulated as by Welford (1962)."""
        model = self._model(job)
        mean = squares = torch.zeros((), device=self.device)
        for k in range(job.samples):
            sample = model(rgb, noise(k), statistics, stochastic=True)
            sample = _make_consistent(job, sample, rgb).float()
            difference = sample - mean
            mean = mean + difference / (k + 1)
            squares = squares + difference * (sample - mean)
        deviation = (squares / (job.samples - 1)).sqrt()
        return _compare(job, mean, rgb) | {"reflectance_std": deviation}

    def _scene(self, job: Job, windows: Windows) -> SceneWindows:
        chromaticity, response = windows.chromaticity, job.response
        return SceneWindows(
            rgb=self._tensor(windows.rgb),
            weights=self._tensor(windows.weights),
            chromaticity=None
            if chromaticity is None
            else torch.from_numpy(chromaticity)[None].to(self.device),
            extremes=torch.from_numpy(windows.extremes).to(self.device),
            response=None
            if response is None
            else torch.tensor(response.curves, device=self.device),
            level=job.level,
        )

    def _ground(self, lines: tuple[Lines, Lines]) -> Ground:
        rows, columns = (torch.from_numpy(each).to(self.device) for each in lines)
        return rows, columns

    def _tensor(self, images: Array) -> Tensor:
        return torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)

    def _on_device(self, statistics: StatisticsArrays) -> SceneStatistics:
        """Returns statistics as tensors, cached because successive tiles are of one scene."""
        if self._statistics is None or self._statistics[0] is not statistics:
            tensors = {
                k: torch.from_numpy(array).to(self.device) for k, array in statistics.items()
            }
            self._statistics = (statistics, tensors)
        return self._statistics[1]

    def _model(self, job: Job) -> Reconstructor:
        # the same weights can run in different numbers of steps
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


def _noise(job: Job, ground: Ground) -> NoiseOfSample:
    """Returns the noise at some rows and columns, as a function of sample and step."""
    return lambda sample: (
        lambda step: NoiseField(job.seed, sample).read(*ground, channels=job.bands, step=step)
    )


def _draws(job: Job, draws: Tensor | None, rgb: Tensor) -> dict[str, Tensor]:
    """Returns joint draws as the reflectance, (images, draws * bands, h, w), if there are any."""
    if draws is None:
        return {}
    each = [_make_consistent(job, draw, rgb) for draw in draws.unbind(1)]
    return {"reflectance": torch.cat(each, dim=1)}


def _make_consistent(job: Job, cube: Tensor, rgb: Tensor) -> Tensor:
    """Moves an estimate towards the image as the job's consistency requires."""
    if job.consistency is None or job.response is None:
        return cube
    noise = HALF_STEP if job.consistency == "soft" else 0.0
    camera = _camera(job.response, rgb.device)
    return consistent(cube.float(), rgb, camera, job.response.centres, noise=noise)


def _compare(job: Job, cube: Tensor, rgb: Tensor) -> dict[str, Tensor]:
    """Returns the reflectance and, if the job needs it, its difference from the image."""
    if "rgb_residual" not in job.outputs or job.response is None:
        return {"reflectance": cube}
    projected = _camera(job.response, rgb.device).project(cube.float())
    return {"reflectance": cube, "rgb_residual": projected - rgb}


@lru_cache(maxsize=KEPT)
def _camera(response: SpectralResponse, device: torch.device) -> Camera:
    return Camera(torch.tensor(response.curves)).to(device)


def _stack(job: Job, outputs: dict[str, Tensor], rgb: Tensor) -> Array:
    """Stacks the outputs of a job along their channels.

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
