"""Planning: everything that can be known or refused before a pixel is read or a weight loaded."""

import os
from dataclasses import dataclass
from functools import cached_property

import xarray as xr
from dask.base import tokenize

from hsi_xr.camera.spectral_response import UNKNOWN, CameraLike, SpectralResponse
from hsi_xr.checkpoints.card import Card
from hsi_xr.checkpoints.registry import find
from hsi_xr.errors import MissingFact, UnknownName, UsageError
from hsi_xr.pipeline.job import CONSISTENCIES, CUDA_BATCH, Consistency, Job
from hsi_xr.pipeline.outputs import Outputs
from hsi_xr.pipeline.scene import Scene, Selection, as_scene
from hsi_xr.pipeline.scene_statistics import Survey
from hsi_xr.pipeline.survey import WINDOWS
from hsi_xr.pipeline.tasks import Work
from hsi_xr.pipeline.tiles import Tiling, anchor_of

Input = xr.Dataset | xr.DataArray | str | os.PathLike[str]

WHOLE = 1_200_000
"""Scenes of up to this many pixels run in one piece and are their own, exact survey."""

TILE = 512

BLEND = 64
"""Pixels over which tiles are blended where the answer depends on the tile; at most half of one."""

_STREAM = 512 * 2**20
"""Bytes of blocks on their way to a file, and of the cache that GDAL writes through."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What a reconstruction will do and need; made without reading a pixel."""

    scene: Scene
    card: Card
    tiling: Tiling
    job: Job
    survey: Survey | None
    """The survey that was handed in."""
    response: SpectralResponse | None
    """Of the camera, where that is known."""

    @property
    def whole(self) -> bool:
        """Whether the scene runs in one piece and needs no survey before it."""
        return self.tiling.count == 1 and self.survey is None

    @cached_property
    def work(self) -> Work:
        """The job on this scene, under a name that only equal work has."""
        scene = self.scene
        of = (scene.file or scene.rgb.data, scene.radiometry, self.tiling, self.job)
        given = self.survey and self.survey.sha256
        return Work(self.job, self.tiling, scene.radiometry, tokenize(*of, given))

    @property
    def tiles(self) -> int:
        return self.tiling.count

    @property
    def overlap_overhead(self) -> float:
        """Share of pixels that are computed more than once."""
        return self.tiling.seen() / (self.tiling.rows * self.tiling.columns) - 1

    @property
    def output_bytes(self) -> int:
        """Size of the answer in memory, float32, if it were computed as one."""
        return 4 * self.job.outputs.values * self.tiling.rows * self.tiling.columns

    @property
    def memory_bytes(self) -> int:
        """Estimated peak while streaming to a file: a batch that runs, blocks on their way.

        Where tiles are blended, also what a row of them tells of the next one.
        """
        tile = self.tiling.overlapping(0, 0)  # none is larger
        batch = self.job.batch or (1 if self.job.device in ("auto", "cpu") else CUDA_BATCH)
        seen = len(tile.view_rows) * len(tile.view_columns) * batch
        block = len(tile.rows) * len(tile.columns)
        held = self.tiling.blend * (self.tiling.columns + len(tile.rows))
        run = seen * int(self.card.data["memory_bytes_per_pixel"])
        return run + 4 * self.job.outputs.channels * (2 * block + held) + _STREAM

    def __str__(self) -> str:
        t, gib = self.tiling, 2**30
        survey = (
            "given" if self.survey else "the scene itself" if self.whole else f"{WINDOWS} windows"
        )
        blended = f", blended over {t.blend} px" if t.blend else ""
        lines = {
            "scene": f"{t.rows} x {t.columns} px, {self.scene.radiometry.kind}, "
            f"scale {self.scene.radiometry.scale:.6g}",
            "model": f"{self.card}",
            **self._camera,
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
    def _camera(self) -> dict[str, str]:
        if self.response is None:
            return {}
        consistency = self.job.consistency
        held = f", consistency {consistency}" if consistency else ""
        return {"camera": f"{self.response.name}{held}"}


def plan(
    obj: Input,
    model: str | os.PathLike[str] = "default",
    *,
    rgb: Selection | None = None,
    radiometry: str | None = None,
    scale: float | None = None,
    camera: CameraLike | None = None,
    tile: int | None = None,
    halo: int | None = None,
    steps: int | None = None,
    samples: int = 1,
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
    """Tells what `reconstruct` would do with the same arguments, and refuses what it would refuse.

    Reads no pixel and loads no weights. See `reconstruct` for arguments and errors.
    """
    scene = as_scene(
        obj,
        rgb=rgb,
        radiometry=radiometry,
        scale=scale,
        allow_ungeoreferenced=allow_ungeoreferenced,
    )
    card = find(model, untrained=untrained)
    _check_counts(samples=samples, seed=seed, batch=batch)
    if out_of_domain and not card.has_uncertainty:
        raise UsageError(
            f"{card.name} does not estimate what is out of its domain; the default model does"
        )
    unknown = camera is None or (isinstance(camera, str) and camera == UNKNOWN)
    seen_by = None if camera is None or unknown else SpectralResponse.of(camera, card.bands)
    if consistency is not None or residual:
        _check_comparable(scene, seen_by, consistency)
    companions = {
        "reflectance_std": samples > 1,
        "rgb_residual": residual,
        "out_of_domain": out_of_domain,
    }
    job = Job(
        model=str(card.weights or card.reconstructor),
        sha256=card.sha256,
        trained=card.trained,
        outputs=Outputs.of(
            len(card.bands), companions={name for name, wanted in companions.items() if wanted}
        ),
        device=usable_device(device),
        batch=batch or 0,
        seed=seed,
        samples=samples,
        level_known=scene.radiometry.level_known,
        steps=_steps(card, steps),
        consistency=consistency,
        response=seen_by if card.camera_aware or consistency or residual else None,
    )
    if survey is not None:
        survey.check(
            model_sha256=card.sha256, radiometry=str(scene.radiometry), run=run_of(card, job)
        )
    return Plan(scene, card, _tiling(scene, card, tile, halo, job.steps), job, survey, seen_by)


def _check_comparable(
    scene: Scene, seen_by: SpectralResponse | None, consistency: Consistency | None
) -> None:
    """Refuses to compare an estimate with an image that it cannot be compared with."""
    if consistency is not None and consistency not in CONSISTENCIES:
        raise UnknownName(
            f"no consistency is called {consistency!r}; choose {' or '.join(CONSISTENCIES)}"
        )
    if seen_by is None:
        raise MissingFact(
            "consistency and residual are about what the camera sees of the estimate; say which "
            "camera took the scene: one of `hsi_xr.cameras()`, e.g. camera='hasselblad-l2d-20c' "
            "(--camera NAME), or the path of a JSON file of its sensitivities"
        )
    if not scene.radiometry.level_known:
        raise UsageError(
            "consistency and residual compare reflectance with reflectance, and "
            f"{_WHY_NOT[scene.radiometry.kind]}; give what the camera recorded over what it "
            "records of white, with radiometry='reflectance' (--radiometry reflectance), or leave "
            "them out"
        )


def _steps(card: Card, steps: int | None) -> int | None:
    if steps is None or steps == card.steps:
        return None
    if steps not in card.step_choices:
        choices = ", ".join(map(str, card.step_choices))
        raise UsageError(f"{card.name} runs in {choices} steps; got {steps}")
    return steps


def run_of(card: Card, job: Job) -> str:
    """What else a survey depends on, as text."""
    camera = "any" if not card.camera_aware else "unknown"
    if card.camera_aware and job.response is not None:
        camera = job.response.sha256[:12]
    steps = "as the card says" if job.steps is None else job.steps
    return f"camera {camera}, steps {steps}, seed {job.seed}"


_WHY_NOT = {
    "srgb": "an sRGB picture was brightened, tinted and bent for display",
    "linear": "linear light of unknown exposure does not tell how bright white would be",
}


def _tiling(
    scene: Scene, card: Card, tile: int | None, halo: int | None, steps: int | None
) -> Tiling:
    rows, columns = scene.rgb.sizes["y"], scene.rgb.sizes["x"]
    if tile is None:
        tile = 0 if rows * columns <= WHOLE else TILE
    elif tile >= max(rows, columns):
        tile = 0
    blend = min(BLEND, tile // 2) if card.context == "tile" else 0
    return Tiling(
        rows=rows,
        columns=columns,
        tile=tile,
        halo=card.halo_in(steps) if halo is None else halo,
        stride=card.stride,
        anchor=anchor_of(scene.transform),
        blend=blend,
    )


def usable_device(name: str) -> str:
    """The device if it can be used; only asking for CUDA loads torch.

    Raises:
        UnknownName: This machine has none of that name.
    """
    if name in ("auto", "cpu"):
        return name
    from hsi_xr.pipeline.devices import resolve_device

    return resolve_device(name)


def _check_counts(*, samples: int, seed: int, batch: int | None) -> None:
    if not 1 <= samples <= 1024:
        raise UsageError(f"samples must be 1 to 1024; got {samples}")
    if not 0 <= seed < 2**64:
        raise UsageError(f"a seed is a whole number from 0 to 2**64 - 1; got {seed}")
    if batch is not None and batch < 1:
        raise UsageError(f"a batch has at least one tile; got {batch}")
