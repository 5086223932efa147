"""A small data set, and small systems that are trained on it."""

import json
from pathlib import Path

import numpy as np

from hsi_xr.band_grid import Bands
from hsi_xr.datasets._base import DataSet, Pair
from hsi_xr.training.data import Data
from hsi_xr.training.loop import Training
from hsi_xr.training.objectives import (
    Adversarial,
    AnyObjective,
    Denoising,
    Regression,
    TwoStage,
)
from hsi_xr.training.optimiser import Optimiser
from hsi_xr.training.patches import PatchBatch
from hsi_xr.training.settings import Run, Schedule
from hsi_xr.training.setup import prepare
from tests.scenes import save

STEPS = 9

SYSTEMS: dict[str, tuple[str, dict[str, object], AnyObjective]] = {
    "regression": ("hscnn-plus", {"blocks": 1}, Regression()),
    "regression, RMSE": ("mst-plus-plus", {"stages": 1}, Regression(loss="rmse")),
    "epsilon": ("ddpm", {"width": 8, "steps": 2, "norm": "group"}, Denoising(norm="l2")),
    "x0": ("r2h-diff", {"size": "thin", "shapes": 3}, Denoising(gradient=1.0, mrae=0.1)),
    "adversarial": ("srcgan", {"levels": 4, "width": 4}, Adversarial(width=4)),
    "two stages": (
        "sdp-mst-plus-plus",
        {"stages": 1, "prior": 16, "extractor": 8, "extractor_blocks": 1},
        TwoStage(first=3, latent=3),
    ),
    "two stages, literal": (
        "sdp-mst-plus-plus",
        {"stages": 1, "prior": 16, "extractor": 8, "extractor_blocks": 1},
        TwoStage(stages="literal", first=4),
    ),
}
"""What is trained: a system, its configuration, an objective."""


class Slopes:
    """Squares of spectra that rise, fall or peak; no two scenes, rows or columns are equal."""

    bands = Bands.regular(400, 700, 100)
    coding = "srgb"

    def __init__(self, *, holes: bool = False) -> None:
        self.splits = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
        self.holes = holes
        self.wrong: list[str] = []

    def read(self, name: str) -> Pair:
        rng = np.random.default_rng(ord(name))
        share = rng.dirichlet(np.ones(3), (5, 7)).transpose(2, 0, 1)
        share = share.repeat(8, axis=1).repeat(8, axis=2)[:, :36, :50]
        ramp = np.linspace(0.1, 0.9, len(self.bands))
        shapes = np.stack([ramp, ramp[::-1], 0.9 - np.abs(ramp - 0.5)])
        cube = np.einsum("sb,shw->bhw", shapes, share) * np.linspace(0.1, 1, 50)
        cube[2] = 0.4  # a constant, which no root polynomial predicts: those grow with the light
        rgb = np.clip(cube[[3, 1, 0]], 0, 1) ** (1 / 2.2)
        if self.holes:
            cube[:, 3:9, 5:11] = np.nan
        return Pair(name, cube.astype("float32"), rgb.astype("float32"))

    def problems(self, *splits: str) -> list[str]:
        return self.wrong


def run_of(kind: str, out: Path, **changes: object) -> Run:
    """The settings of a run of a few steps."""
    system, config, objective = SYSTEMS[kind]
    fields = {
        "system": system,
        "config": config,
        "data": Data(name="slopes", folder=out, patch=32, batch=2),
        "objective": objective,
        "optimiser": Optimiser(rate=2e-3, accumulate=2),
        "schedule": Schedule(steps=STEPS, validate=0, save=4, log=1),
        "ema": 0.9,
        "seed": 3,
        "out": out,
    }
    return Run(**{**fields, **changes})


def training_of(run: Run, data: DataSet, *, resume: bool = False) -> Training[PatchBatch]:
    """The training of a run on a data set."""
    return Training(prepare(run, data), run, resume=resume)


def write_camera(path: Path, *, last: int = 780) -> Path:
    """A camera whose channels peak at 600, 550 and 450 nm, from 380 nm on."""
    main = {
        str(nm): [float(np.exp(-(((nm - peak) / 50) ** 2))) for peak in (600, 550, 450)]
        for nm in range(380, last + 1, 20)
    }
    path.write_text(json.dumps({"spectral_data": {"data": {"main": main}}}))
    return path


def write_pairs(folder: Path) -> Path:
    """The scenes as pairs of GeoTIFFs, with their splits."""
    wavelengths = np.arange(380.0, 721.0, 5)
    scenes = Slopes()
    for part in ("hsi", "rgb"):
        (folder / part).mkdir(parents=True)
    for split, names in scenes.splits.items():
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            pair = scenes.read(name)
            at = np.interp(wavelengths, scenes.bands.centres, range(len(scenes.bands)))
            low = at.astype(int).clip(0, len(scenes.bands) - 2)
            share = (at - low)[:, None, None]
            cube = (1 - share) * pair.cube[low] + share * pair.cube[low + 1]
            save(folder / f"hsi/{name}.tif", cube.astype("float32"))
            save(folder / f"rgb/{name}.tif", (255 * pair.rgb).astype("uint8"))
    lines = ["# nm", *(f"{nm:g}" for nm in wavelengths)]
    (folder / "wavelengths.csv").write_text("\n".join(lines) + "\n")
    return folder
