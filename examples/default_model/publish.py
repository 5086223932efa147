"""Measures a trained checkpoint and writes weights and card:
`python -m examples.default_model.publish DATA CHECKPOINT OUT.safetensors [--bands NM NM NM]`.
"""

import argparse
import logging
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import hsi_xr
from examples.default_model import calibrate, sources
from examples.default_model.batches import Source, as_tensor
from examples.default_model.score import Case, by_band, cases, reconstruct, score, table
from examples.default_model.simulate import Shot, spectra
from examples.default_model.train import HELD_OUT_CAMERAS, material
from hsi_xr.band_grid import Bands
from hsi_xr.camera.srgb import srgb_decode
from hsi_xr.checkpoints.measure import (
    TOLERANCE,
    Probe,
    memory_bytes_per_pixel,
    random_patches,
    reach_by_steps,
)
from hsi_xr.checkpoints.weights import parameters, save_model
from hsi_xr.networks import root_polynomial
from hsi_xr.reconstructors._base import Estimate
from hsi_xr.reconstructors.guided_posterior import Config, GuidedPosterior

SURVEYED = ("BART_2019_rgb_crop.tif", "5b90f92da0d7280005fab355_4310.tif")
"""Pictures too large to be their own survey."""

INFRARED = (
    "Cameras are taken as blind beyond 780 nm, where their measured curves end; infrared is told "
    "only by what is usual for the visible part of a spectrum."
)

STEPS = (0, 1, 2, 5)
"""That the chain may be run in."""

DEFINITION = (
    "means over images of MRAE, MRAE after the best common scaling, SAM in degrees, PSNR in dB, "
    "and the share of values within 1.645 standard deviations; pixels with mean reflectance below "
    "0.02 are left out; four cameras not used in training; real RGB is reconstructed at 0.1 m and "
    "averaged to the 1 m of its ground truth"
)

ABOUT: dict[str, Any] = {
    "schema": 1,
    "version": "0.2.1",
    "reconstructor": "guided-posterior",
    "paper": "Ding et al. 2026 (arXiv:2605.05688); Murakami et al. 2002",
    "licence": "Apache-2.0",
    "citation": "Mixture after Murakami, Obi, Yamaguchi, Ohyama 2002 (Applied Optics 41(23)); "
    "refinement after Ding, Zhao, Sun, Liu 2026, R2H-Diff (arXiv:2605.05688); weights by the "
    "hsi_xr project",
    "has_uncertainty": True,
    "camera_aware": True,
    "training": {
        "script": "python -m examples.default_model.train",
        "data": [
            "69 of 85 paired plots of NEON sites MLBS and OSBS (NEON, CC0 1.0), distributed "
            "through the IDTReeS competition, whose own record states no licence",
            "spectra of soils, urban materials, dry vegetation and PROSAIL canopies (earthlib, "
            "MIT as distributed; its upstream libraries are unverified)",
            "field spectra of the MUUFL Gulfport data set (MIT)",
            "48 camera sensitivities of rawtoaces-data (Apache-2.0)",
        ],
        "held_out": "every fifth plot of each site, the site HARV, the AVIRIS suburb scene, and "
        f"the cameras {', '.join(HELD_OUT_CAMERAS)}",
        "images": "simulated: random camera, light, white balance, colour matrix, exposure, haze, "
        "mosaic sensor, tone curve, 8 bits, JPEG of quality 65 to 95; and the RGB images of the "
        "plots",
        "chosen_by_hand": "the way images for display are recognised, and that the network runs "
        "only on request, were chosen with the scores below in view",
    },
    "intended_use": [
        "Screening and mapping where no imaging spectrometer has flown; teaching; as a prior where "
        "a few spectra of the ground are known",
    ],
    "limits": [
        "An estimate from three values per pixel: spectra of the same colour are distinguished "
        "only by what is common on land. Not for detecting materials that are made to look alike, "
        "and not for decisions about health, safety or law.",
        "The brightness of images made for display is inferred from the whole scene and can be "
        "wrong by a factor. Shapes of spectra are more reliable than their level.",
        "Learned from forest, soil and built-up surfaces of the eastern United States and from "
        "spectral libraries; water, snow, flowers and paints are rare in its training data, and "
        "`out_of_domain` flags some of them.",
        "If the level of a scene is not known, its uncertainty dominates the standard deviation, "
        "which is then the same for all pixels and too wide for most scenes.",
    ],
}


def classical(source: Source, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Root-polynomial regression on the same ground: of the mean camera, and of pictures."""
    drawn = spectra(source.groups, 20_000, rng)
    seen = drawn @ source.studio.cameras.mean(0).T
    pictures, behind = [], []
    for _ in range(60):
        batch = source.draw(rng, size=32)
        for shot, cube in zip(batch.shots, batch.cube):
            if not shot.level_known:
                pictures.append(shot.rgb.flatten(1).T[::16])
                behind.append(cube.flatten(1).T[::16])
    return (
        root_polynomial.fit(seen, drawn),
        root_polynomial.fit(torch.cat(pictures), torch.cat(behind)),
    )


def yardstick(of: list[Case], fits: tuple[Tensor, Tensor]) -> dict[str, dict[str, float]]:
    """Scores of root-polynomial regression alone; it knows no camera and no doubt."""

    def take(shot: Shot) -> Estimate:
        found = root_polynomial.predict(shot.rgb[None], fits[0 if shot.level_known else 1])
        return Estimate(found, 0 * found, 0 * found[:, :1])

    found = table(of, take)
    return {name: {k: v for k, v in row.items() if "cov" not in k} for name, row in found.items()}


def _plot(folder: Path, bands: Bands) -> Tensor:
    """A plot's picture, (1, 3, 320, 320) linear."""
    plots = sources.paired_plots(folder, bands)
    rgb = srgb_decode(as_tensor(next(p for p in plots if p.name == "OSBS_5").rgb))[None]
    return functional.pad(rgb, (60, 60, 60, 60), mode="reflect")


def in_steps(model: GuidedPosterior, steps: int) -> GuidedPosterior:
    """The same weights, run in so many steps."""
    found = GuidedPosterior(replace(model.config, steps=steps))
    found.load_state_dict(model.state_dict())
    return found.eval()


def by_steps(model: GuidedPosterior, of: list[Case]) -> dict[str, dict[str, Any]]:
    """Scores of pictures, and seconds of one of them, by steps of the chain.

    Means over the plots of sites that were trained on, and over unseen ones and another sensor.
    """
    found = {}
    for steps in STEPS:
        chain = in_steps(model, steps)
        rows = table(of, partial(reconstruct, chain))
        begun = time.perf_counter()
        reconstruct(chain, of[0].pairs[0][0])
        spent = time.perf_counter() - begun
        near = [row for name, row in rows.items() if name.startswith("held-out")]
        far = [row for name, row in rows.items() if name.startswith("unseen")]
        found[str(steps)] = {
            "plots of known sites": _mean(near),
            "unseen site and sensor": _mean(far),
            "seconds": round(spent, 3),
        }
    return found


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {k: sum(row[k] for row in rows) / len(rows) for k in ("mrae_levelled", "sam_deg")}


def of_one_camera(model: GuidedPosterior, of: list[Case]) -> dict[str, dict[str, float]]:
    """Scores of a model that takes every picture for that of one camera; means over four such."""
    found = {}
    for case in of:
        rows = [
            score(reconstruct(model, replace(shot, camera=camera)), truth)
            for camera in model.photofinishing.cameras[:: len(model.photofinishing.cameras) // 4]
            for shot, truth in case.pairs
        ]
        found[case.name] = {k: sum(r[k] for r in rows) / len(rows) for k in ("mrae", "sam_deg")}
    return found


def card_of(
    model: GuidedPosterior, folder: Path, source: Source, bands: Bands, *, trained: bool
) -> dict[str, Any]:
    """Everything that a card says, measured now."""
    pictures = {"a NEON plot": _plot(folder, bands), "random patches": random_patches()}
    card = {
        **ABOUT,
        "name": "guided-posterior-visible" if bands.centres[-1] <= 700 else "guided-posterior",
        "bands": {"centres_nm": list(bands.centres), "widths_nm": list(bands.widths or ())},
        "config": asdict(model.config),
        "stride": model.stride,
        "steps": model.config.steps,
        "step_choices": list(STEPS) if trained else [0],
        "reach": {"survey": True, "context": None},
    }
    reach = reach_by_steps(partial(in_steps, model), card, pictures)
    if reach["tolerance"] > TOLERANCE:
        raise ValueError(f"no halo keeps a tile within {TOLERANCE} of the whole: {reach}")
    of = cases(folder, bands)
    fits = classical(source, torch.Generator().manual_seed(3))
    scores: dict[str, Any] = {
        "definition": DEFINITION,
        "model": table(of, partial(reconstruct, model)),
        "root_polynomial_alone": yardstick(of, fits),
    }
    known = [case for case in of if "camera known" in case.name]
    scores["taken_for_another_camera"] = of_one_camera(model, known)
    scores["by_band"] = {case.name: by_band(case, partial(reconstruct, model)) for case in known}
    if trained:
        pictures_of = [case for case in of if "linear" not in case.name]
        scores["pictures_by_steps"] = by_steps(model, pictures_of)
    return {
        **card,
        "reach": reach,
        "parameters": parameters(model),
        "gmac_per_pixel": Probe(model, card).gmac_per_pixel(),
        "memory_bytes_per_pixel": memory_bytes_per_pixel(card),
        "scores": scores,
    }


def survey_error(weights: Path, folder: Path) -> dict[str, dict[str, float]]:
    """What a survey by windows changes against one of all pixels, of large pictures' middles."""
    found = {}
    for name in SURVEYED:
        path = folder / "scenes_rgb" / name
        windows, exact = (
            hsi_xr.reconstruct(path, weights, survey=hsi_xr.survey(path, weights, exact=every))
            .reflectance.isel(y=slice(400, 656), x=slice(400, 656))
            .compute()
            for every in (False, True)
        )
        apart = abs(windows - exact)
        found[name] = {"mean": float(apart.mean()), "max": float(apart.max())}
    return found


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bands", type=int, nargs=3, default=(400, 700, 10), metavar="NM")
    parser.add_argument("--note", help="how this run differed from the plain script")
    options = parser.parse_args()
    bands = Bands.regular(*options.bands)
    state = torch.load(options.checkpoint, weights_only=True)
    trained = state["done"] > 0
    model = GuidedPosterior(Config(bands=len(bands)))
    model.load_state_dict(state["average"])
    model.eval()
    source = material(options.data, bands)
    calibrate.temper(model, source, torch.Generator().manual_seed(2))
    card = card_of(model, options.data, source, bands, trained=trained)
    if bands.centres[-1] > 780:
        card["limits"] = [*card["limits"], INFRARED]
    if options.note:
        card["training"] = {**card["training"], "note": options.note}
    save_model(model, options.out, card)
    card["survey_error"] = survey_error(options.out, options.data)
    save_model(model, options.out, card)


if __name__ == "__main__":
    main()
