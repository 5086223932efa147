"""Measures a trained checkpoint and writes weights and card:
`python -m hsi_xr.training.publish DATA CHECKPOINT [--gain CHECKPOINT] OUT.safetensors`.
"""

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hsi_xr.physics import srgb_decode
from hsi_xr.reconstructors._measure import TOLERANCE, Probe, memory, quilt
from hsi_xr.reconstructors._weights import parameters, save_model
from hsi_xr.reconstructors.r2h_diff import Config, R2HDiffReconstructor
from hsi_xr.regression import root_polynomial
from hsi_xr.training import sources
from hsi_xr.training.batches import as_tensor
from hsi_xr.training.default import BANDS, HELD_OUT_CAMERAS, fit_base, material
from hsi_xr.training.score import cases, score, table

ABOUT: dict[str, Any] = {
    "schema": 1,
    "name": "r2h-diff-visible",
    "version": "0.1.0",
    "reconstructor": "r2h-diff",
    "paper": "Ding et al. 2026 (arXiv:2605.05688)",
    "licence": "Apache-2.0",
    "citation": "Design after Ding, Zhao, Sun, Liu 2026, R2H-Diff (arXiv:2605.05688); base after "
    "Finlayson, Mackiewicz, Hurlbert 2015 (IEEE TIP 24(5)); weights by the hsi_xr project",
    "training": {
        "script": "python -m hsi_xr.training.default",
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
        "pictures": "random camera, light, white balance, colour matrix, exposure, tone curve and "
        "8 bits; and the plots' own RGB",
    },
    "limits": [
        "An estimate from three numbers: spectra with the same colour are told apart only by what "
        "is usual on land.",
        "The brightness of display-referred pictures is a guess from the whole scene; it can be "
        "wrong by a factor. Shapes of spectra are more reliable than their level.",
        "Trained on forest, soil and built-up surfaces of the eastern United States and on "
        "spectral libraries; water, snow, flowers and paints are little known to it.",
        "400 to 430 nm is the least reliable range; the spread of samples is not calibrated.",
    ],
}


def yardstick(folder: Path) -> dict[str, dict[str, float]]:
    """Scores of root-polynomial regression alone, fitted on the same pictures.

    Where the level is known it is fitted on pictures of known level, else on them as delivered.
    """
    source = material(folder)
    fits = {
        known: fit_base(source, torch.Generator().manual_seed(0), calibrated=known)
        for known in (True, False)
    }
    found = {}
    for case in cases(folder):
        coefficients = fits[case.known_gain][:, :, None, None]
        rows = [
            score(functional.conv2d(root_polynomial(rgb), coefficients), truth)
            for rgb, truth in case.pairs
        ]
        found[case.name] = {key: sum(r[key] for r in rows) / len(rows) for key in rows[0]}
    return found


def _plot(folder: Path) -> Tensor:
    """A plot's picture, (1, 3, 320, 320) linear."""
    plots = sources.paired_plots(folder, BANDS)
    rgb = srgb_decode(as_tensor(next(p for p in plots if p.name == "OSBS_5").rgb))[None]
    return functional.pad(rgb, (60, 60, 60, 60), mode="reflect")


def card_of(model: R2HDiffReconstructor, folder: Path) -> dict[str, Any]:
    """Everything that a card says, measured now."""
    pictures = {"a NEON plot": _plot(folder), "a quilt of random colours": quilt()}
    card = {
        **ABOUT,
        "bands": {"centres_nm": list(BANDS.centres), "widths_nm": list(BANDS.widths or ())},
        "config": asdict(model.config),
        "stride": model.stride,
        "steps": model.config.steps,
        "reach": {"survey": True, "context": None},
    }
    probe = Probe(model, card)
    reach = probe.reach(pictures)
    if reach["tolerance"] > TOLERANCE:
        raise ValueError(f"no halo keeps a tile within {TOLERANCE} of the whole: {reach}")
    return {
        **card,
        "reach": reach,
        "parameters": parameters(model),
        "gmac_per_pixel": probe.cost(),
        "memory_bytes_per_pixel": memory(card),
        "scores": {
            "definition": "means over images of MRAE, MRAE after the best single brightness, SAM "
            "in degrees, PSNR in dB; pixels with mean reflectance under 0.02 left out; real RGB "
            "is reconstructed at 0.1 m and averaged to the 1 m of its truth",
            "model": table(model, folder, base_only=False),
            "root_polynomial_on_the_same_gain": table(model, folder, base_only=True),
            "root_polynomial_alone": yardstick(folder),
        },
    }


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--note", help="how this run differed from the plain script")
    parser.add_argument("--gain", type=Path, help="checkpoint whose scene gain is taken")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, weights_only=True)["average"]
    if options.gain:
        other = torch.load(options.gain, weights_only=True)["model"]
        state |= {key: tensor for key, tensor in other.items() if key.startswith("gain.")}
    model = R2HDiffReconstructor(Config())
    model.load_state_dict(state)
    card = card_of(model.eval(), options.data)
    if options.note:
        card["training"] = {**card["training"], "note": options.note}
    save_model(model, options.out, card)


if __name__ == "__main__":
    main()
