"""Plans reconstructions: checks everything that can be checked without pixels or weights."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dask.base import tokenize

from hsi_xr.camera.spectral_response import RGB, CameraLike, SpectralResponse
from hsi_xr.checkpoints.card import Card
from hsi_xr.checkpoints.registry import find
from hsi_xr.io.colours import Selection
from hsi_xr.pipeline.argument_checks import (
    check_channels,
    check_comparable,
    check_counts,
    check_draws,
    check_memory,
    check_quantiles,
    check_uncertainty,
    response_of,
    selected,
    steps_of,
)
from hsi_xr.pipeline.band_choice import channels_of
from hsi_xr.pipeline.job import CUDA_BATCH, Consistency, Job
from hsi_xr.pipeline.level import StatedLevel
from hsi_xr.pipeline.level_from import Reference
from hsi_xr.pipeline.outputs import Outputs
from hsi_xr.pipeline.resolve_level import resolve_level
from hsi_xr.pipeline.scene import Input, Scene, as_scene
from hsi_xr.pipeline.scene_statistics import Survey
from hsi_xr.pipeline.survey import WINDOWS
from hsi_xr.pipeline.tasks import Work
from hsi_xr.pipeline.tiles import Tiling, anchor_of

WHOLE = 1_200_000
"""Scenes of up to this many pixels run in one piece, which is an exact survey as well."""

TILE = 512
"""Default side of a tile in pixels."""

DRAWN_BYTES, LEAST_TILE = 64 * 2**20, 64
"""Bytes of a tile with draws, which keep it in memory together, and its smallest side."""

BLEND = 64
"""Pixels over which tiles are blended if the model needs it; at most half a tile."""

_STREAM = 512 * 2**20
"""Bytes of blocks that wait to be written, and of GDAL's cache."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The plan of a reconstruction: what it will do, and the resources it needs.

    Attributes:
        scene: The scene.
        card: The card of the model.
        tiling: The grid of tiles.
        job: The model and how to run it.
        survey: The survey that the caller has passed, if any.
        response: The spectral response of the camera, if it is known.
        level: The level of the scene, or the reference for it; None if it is estimated.
    """

    scene: Scene
    card: Card
    tiling: Tiling
    job: Job
    survey: Survey | None
    response: SpectralResponse | None
    level: StatedLevel | Reference | None = None

    def with_level(self) -> "Plan":
        """Returns the plan with the level of its reference, if it has one, which is then read."""
        if not isinstance(self.level, Reference):
            return self
        level = self.level.level()
        return replace(self, job=replace(self.job, level=level.level), level=level)

    @property
    def states_level(self) -> bool:
        """True if the scene has a level that the model estimates with its uncertainty."""
        return self.card.has_uncertainty and not self.job.level_known

    @property
    def whole(self) -> bool:
        """True if the scene runs in one piece and needs no survey first."""
        return self.tiling.count == 1 and self.survey is None

    @cached_property
    def work(self) -> Work:
        """The job on this scene, with a token that only equal work has."""
        scene = self.scene
        inputs = (scene.file or scene.rgb.data, scene.radiometry, self.tiling, self.job)
        survey = self.survey and self.survey.sha256
        return Work(self.job, self.tiling, scene.radiometry, tokenize(*inputs, survey))

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return self.tiling.count

    @property
    def overlap_overhead(self) -> float:
        """Pixels that are computed repeatedly, as a share of the scene."""
        return self.tiling.pixels_read() / (self.tiling.rows * self.tiling.columns) - 1

    @property
    def output_bytes(self) -> int:
        """Size of the whole result in memory, as float32."""
        return 4 * self.job.outputs.values * self.tiling.rows * self.tiling.columns

    @property
    def memory_bytes(self) -> int:
        """Estimated peak memory while the result is streamed to a file.

        It covers a running batch and the blocks that wait to be written; if tiles are blended,
        also the pixels that a row of tiles contributes to the next row.
        """
        tile = self.tiling.overlapping(0, 0)  # none is larger
        batch = self.job.batch or (1 if self.job.device in ("auto", "cpu") else CUDA_BATCH)
        pixels = len(tile.view_rows) * len(tile.view_columns) * batch
        block = len(tile.rows) * len(tile.columns)
        overlap = self.tiling.blend * (self.tiling.columns + len(tile.rows))
        run = pixels * int(self.card.data["memory_bytes_per_pixel"])
        outputs = self.job.outputs
        drawn = 16 * outputs.draws * outputs.bands * pixels  # four copies while they are stacked
        return run + drawn + 4 * outputs.channels * (2 * block + overlap) + _STREAM

    def __str__(self) -> str:
        t, gib = self.tiling, 2**30
        survey = (
            "given" if self.survey else "the scene itself" if self.whole else f"{WINDOWS} windows"
        )
        blended = f", blended over {t.blend} px" if t.blend else ""
        lines = {
            "scene": f"{t.rows} x {t.columns} px",
            "colours": self.scene.meaning.colours,
            "values": f"{self.scene.radiometry}",
            **self._level,
            "nodata": self.scene.meaning.nodata,
            "location": f"{self.scene.location}",
            "model": f"{self.card}",
            **({"camera": self.camera} if self.camera else {}),
            "bands": f"{len(self.card.bands)}, {self.card.bands.centres[0]:g} to "
            f"{self.card.bands.centres[-1]:g} nm",
            "tiles": f"{t.count} of {t.tile or max(t.rows, t.columns)} px, halo {t.halo} px"
            f"{blended} ({self.overlap_overhead:.0%} overlap)",
            "survey": survey,
            "device": self.job.device,
            "memory": f"about {self.memory_bytes / gib:.1f} GiB",
            "output": f"{self.output_bytes / gib:.2f} GiB as float32",
        }
        return "\n".join(f"{name:<8} {text}" for name, text in lines.items())

    @property
    def _level(self) -> dict[str, str]:
        if self.level is not None:
            return {"level": f"{self.level}"}
        return {} if self.job.level_known else {"level": "estimated from the colours of the scene"}

    @property
    def camera(self) -> str:
        """The camera and how it is used, as text; "" if it is unknown."""
        if self.response is None:
            return ""
        consistency = self.job.consistency
        suffix = f", consistency {consistency}" if consistency else ""
        if self.response.channels != RGB:
            suffix = f", channels {', '.join(self.response.channels)}{suffix}"
        if self.response.left_out:
            suffix += f"; not used: {', '.join(self.response.left_out)}"
        if self.response.source:
            suffix += f"; responses {self.response.source}"
        return f"{self.response.name}{suffix}"


def plan(
    obj: Input,
    model: str | os.PathLike[str] = "default",
    *,
    rgb: Selection | None = None,
    bands: Selection | None = None,
    radiometry: str | None = None,
    scale: float | None = None,
    offset: float | None = None,
    level: float | None = None,
    white: float | None = None,
    level_from: Input | None = None,
    level_radiometry: str | None = None,
    camera: CameraLike | None = None,
    tile: int | None = None,
    halo: int | None = None,
    steps: int | None = None,
    samples: int = 1,
    draws: bool = False,
    quantiles: Sequence[float] = (),
    out_of_domain: bool = False,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    survey: Survey | None = None,
    consistency: Consistency | None = None,
    residual: bool = False,
    untrained: bool = False,
    allow_ungeoreferenced: bool = False,
) -> Plan:
    """Returns what `reconstruct` would do with the same arguments, without doing it.

    Reads no pixels and loads no weights.

    Args:
        obj: The scene. All arguments are those of `reconstruct`.

    Returns:
        Plan with tiles, overlap, memory and size of the result; `print` it for a summary.

    Raises:
        HsiError: As for `reconstruct`.
    """
    card = find(model, untrained=untrained)
    known = response_of(camera, card)
    channels = channels_of(known)
    scene = as_scene(
        obj,
        rgb=selected(rgb, bands),
        radiometry=radiometry,
        scale=scale,
        offset=offset,
        allow_ungeoreferenced=allow_ungeoreferenced,
        channels=channels,
    )
    response = known and known.select(scene.meaning.chosen.channels)
    check_channels(scene, card, channels)
    check_counts(samples=samples, seed=seed, batch=batch)
    if out_of_domain:
        check_uncertainty(card)
    check_quantiles(card, quantiles)
    if draws:
        check_draws(card, samples)
    stated = resolve_level(
        scene,
        card,
        survey,
        level=level,
        white=white,
        level_from=level_from,
        level_radiometry=level_radiometry,
    )
    compared = consistency is not None or residual
    if compared:
        check_comparable(scene, response, consistency)
    job = Job(
        model=str(card.weights or card.reconstructor),
        sha256=card.sha256,
        trained=card.trained,
        outputs=Outputs.of(
            len(card.bands),
            len(scene.meaning.bands),
            draws=samples if draws else 0,
            quantiles=quantiles,
            reflectance_std=samples > 1,
            rgb_residual=residual,
            out_of_domain=out_of_domain,
        ),
        device=usable_device(device),
        batch=batch or 0,
        seed=seed,
        samples=samples,
        level_known=scene.radiometry.level_known,
        steps=steps_of(card, steps),
        consistency=consistency,
        response=response if card.camera_aware or compared else None,
        level=stated.level if isinstance(stated, StatedLevel) else None,
    )
    if survey is not None:
        conditions = survey_conditions(card, job)
        survey.check(card.sha256, radiometry=scene.radiometry.condition, run=conditions)
    tiling = _tiling(scene, card, tile, halo, job)
    planned = Plan(scene, card, tiling, job, survey, response, stated)
    if draws:
        check_memory(planned.output_bytes, lazy=scene.lazy)
    return planned


def survey_conditions(card: Card, job: Job) -> str:
    """Returns the settings on which a survey depends, as text that surveys are compared by."""
    camera = "any" if not card.camera_aware else "unknown"
    if card.camera_aware and job.response is not None:
        camera = job.response.sha256[:12]
    steps = "as the card says" if job.steps is None else job.steps
    level = "" if job.level is None else f", level {job.level}"
    return f"camera {camera}, steps {steps}, seed {job.seed}{level}"


def _tiling(scene: Scene, card: Card, tile: int | None, halo: int | None, job: Job) -> Tiling:
    rows, columns = scene.rgb.sizes["y"], scene.rgb.sizes["x"]
    if tile is None:
        tile = _default_tile(rows * columns, job.outputs)
    elif tile >= max(rows, columns):
        tile = 0
    blend = min(BLEND, tile // 2) if card.needs_blending else 0
    return Tiling(
        rows=rows,
        columns=columns,
        tile=tile,
        halo=card.halo_in(job.steps) if halo is None else halo,
        stride=card.stride,
        anchor=anchor_of(scene.location.pixel_grid),
        blend=blend,
    )


def _default_tile(pixels: int, outputs: Outputs) -> int:
    """Returns the side of a tile by default, which is smaller if there are draws."""
    most = DRAWN_BYTES // (4 * outputs.channels) if outputs.draws else WHOLE
    if pixels <= min(WHOLE, most):
        return 0
    tile = TILE
    while tile > LEAST_TILE and outputs.draws and tile**2 > most:
        tile //= 2
    return tile


def usable_device(name: str) -> str:
    """Returns the name of a device if it can be used; only names of GPUs load torch.

    Raises:
        UnknownName: This machine has no such device.
    """
    if name in ("auto", "cpu"):
        return name
    from hsi_xr.pipeline.devices import resolve_device

    return resolve_device(name)
