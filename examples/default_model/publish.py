"""Calibrates and measures a trained checkpoint, and writes it as weights with a card:
`python -m examples.default_model.publish DATA RUN/last.pt OUT.safetensors [--bands NM NM NM]`.

Instead of a checkpoint, weights that were published before can be calibrated and measured again.
"""

import argparse
import logging
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

import hsi_xr
from examples.default_model import calibrate, fit_exposure, sources
from examples.default_model.batches import TrainingData
from examples.default_model.calibrate_sensors import calibrate_sensors, with_sensor_row
from examples.default_model.level_table import level_scores
from examples.default_model.model_card import (
    DEFINITION,
    INFRARED,
    LEVEL_DEFINITION,
    STATEMENTS,
)
from examples.default_model.root_polynomial import fit_baseline, without_coverage
from examples.default_model.score import (
    Case,
    cases,
    mean_scores,
    reconstruct,
    score,
    scores_by_band,
)
from examples.default_model.simulate_images import RGBImage
from examples.default_model.training_data import BANDS, as_tensor, load_training_data
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
from hsi_xr.training import checkpoints

SURVEYED = ("BART_2019_rgb_crop.tif", "5b90f92da0d7280005fab355_4310.tif")
"""Images that are large enough for a survey to read only windows of them."""

STEPS = (0, 1, 2, 5)
"""Numbers of steps in which the chain may be run."""


def load_trained(path: Path, bands: Bands, data: TrainingData) -> tuple[GuidedPosterior, bool]:
    """Returns a trained model, and true if its network was trained.

    Args:
        path: A checkpoint, of which the averaged weights are taken, or published weights, for
            which the brightness of sunlit ground is fitted again.
        bands: The band grid of the model.
        data: What it was trained on.
    """
    if path.suffix == ".safetensors":
        weights = load_file(path)
        trained = any(name.startswith("network.") for name in weights)
        model = _empty_model(bands, trained=trained)
        weights.setdefault("photofinishing.sunlit", model.photofinishing.sunlit)
        weights["uncertainty_scales"] = with_sensor_row(weights["uncertainty_scales"])
        model.load_state_dict(weights)
        fit_exposure.fit(model, data)
        return model.eval(), trained
    state = checkpoints.read(path)
    trained = bool(state["run"]["network"])
    model = _empty_model(bands, trained=trained)
    weights = state["average"]
    weights["uncertainty_scales"] = with_sensor_row(weights["uncertainty_scales"])
    model.load_state_dict(weights)
    return model.eval(), trained


def _empty_model(bands: Bands, *, trained: bool) -> GuidedPosterior:
    return GuidedPosterior(Config(bands=len(bands), size="base" if trained else "none"))


def card_of(
    model: GuidedPosterior, folder: Path, data: TrainingData, bands: Bands, *, trained: bool
) -> dict[str, Any]:
    """Returns the card of a model, with everything that is measured.

    Args:
        model: The calibrated model.
        folder: The data.
        data: What the model was trained on.
        bands: Its band grid.
        trained: True if its network was trained.

    Raises:
        ValueError: Tiles differ from the whole scene, whatever their halo.
    """
    card = {
        **STATEMENTS,
        "name": "guided-posterior-visible"
        if bands.centres[-1] <= 700
        else "guided-posterior-visible-infrared",
        "bands": {"centres_nm": list(bands.centres), "widths_nm": list(bands.widths or ())},
        "config": asdict(model.config),
        "stride": model.stride,
        "steps": model.config.steps,
        "step_choices": list(STEPS) if trained else [0],
        "reach": {"survey": True, "context": None},
    }
    if bands.centres[-1] > 780:
        card["limits"] = [*STATEMENTS["limits"], INFRARED]
    images = {"a NEON plot": _plot_image(folder, bands), "random patches": random_patches()}
    reach = reach_by_steps(partial(in_steps, model), card, images)
    if reach["tolerance"] > TOLERANCE:
        raise ValueError(f"no halo keeps a tile within {TOLERANCE} of the whole scene: {reach}")
    return {
        **card,
        "reach": reach,
        "parameters": parameters(model),
        "gmac_per_pixel": Probe(model, card).gmac_per_pixel(),
        "memory_bytes_per_pixel": memory_bytes_per_pixel(card),
        "scores": {
            **all_scores(model, cases(folder, bands), data, trained=trained),
            "level_definition": LEVEL_DEFINITION,
            "level": level_scores(model, folder) if bands == BANDS else {},
        },
    }


def _plot_image(folder: Path, bands: Bands) -> Tensor:
    """The RGB image of a plot, (1, 3, 320, 320) linear."""
    plots = sources.paired_plots(folder, bands)
    rgb = srgb_decode(as_tensor(next(plot for plot in plots if plot.name == "OSBS_5").rgb))[None]
    return functional.pad(rgb, (60, 60, 60, 60), mode="reflect")


def in_steps(model: GuidedPosterior, steps: int) -> GuidedPosterior:
    """Returns a model with the same weights whose chain runs in the given number of steps."""
    copy = GuidedPosterior(replace(model.config, steps=steps))
    copy.load_state_dict(model.state_dict())
    return copy.eval()


def all_scores(
    model: GuidedPosterior, held_out: list[Case], data: TrainingData, *, trained: bool
) -> dict[str, Any]:
    """Returns the scores of a model and of the baseline."""
    run = partial(reconstruct, model)
    known = [case for case in held_out if "camera known" in case.name]
    scores: dict[str, Any] = {
        "definition": DEFINITION,
        "model": mean_scores(held_out, run),
        "root_polynomial_alone": baseline_scores(held_out, data),
        "taken_for_another_camera": wrong_camera_scores(model, known),
        "by_band": {case.name: scores_by_band(case, run) for case in known},
    }
    if trained:
        for_display = [case for case in held_out if "linear" not in case.name]
        scores["pictures_by_steps"] = scores_by_steps(model, for_display)
    return scores


def baseline_scores(held_out: list[Case], data: TrainingData) -> dict[str, dict[str, float]]:
    """Returns the scores of root-polynomial regression, which knows neither camera nor gain."""
    of_cameras, of_images = fit_baseline(data, torch.Generator().manual_seed(3))

    def run(image: RGBImage) -> Estimate:
        coefficients = of_cameras if image.level_known else of_images
        cube = root_polynomial.predict(image.rgb[None], coefficients)
        return Estimate(cube, 0 * cube, 0 * cube[:, :1])

    return without_coverage(mean_scores(held_out, run))


def wrong_camera_scores(
    model: GuidedPosterior, held_out: list[Case]
) -> dict[str, dict[str, float]]:
    """Returns mean scores over four cameras, each of which is assumed to be the right one."""
    cameras = model.photofinishing.cameras
    means = {}
    for case in held_out:
        rows = [
            score(reconstruct(model, replace(image, response=camera)), truth, level_known=True)
            for camera in cameras[:: len(cameras) // 4]
            for image, truth in case.pairs
        ]
        means[case.name] = _mean(rows, "mrae", "sam_deg")
    return means


def scores_by_steps(model: GuidedPosterior, held_out: list[Case]) -> dict[str, dict[str, Any]]:
    """Returns scores, and the seconds that an image takes, by steps of the chain.

    Scores are means over the plots of sites trained on, and over the unseen site and sensor.
    """
    scores = {}
    for steps in STEPS:
        chain = in_steps(model, steps)
        rows = mean_scores(held_out, partial(reconstruct, chain))
        start = time.perf_counter()
        reconstruct(chain, held_out[0].pairs[0][0])
        seconds = time.perf_counter() - start
        near = [row for name, row in rows.items() if name.startswith("held-out")]
        far = [row for name, row in rows.items() if name.startswith("unseen")]
        scores[str(steps)] = {
            "plots of known sites": _mean(near, "mrae_levelled", "sam_deg"),
            "unseen site and sensor": _mean(far, "mrae_levelled", "sam_deg"),
            "seconds": round(seconds, 3),
        }
    return scores


def _mean(rows: list[dict[str, float]], *keys: str) -> dict[str, float]:
    return {key: sum(row[key] for row in rows) / len(rows) for key in keys}


def survey_error(weights: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Returns how a survey by windows differs from one of all pixels, in the centre of images."""
    errors = {}
    for name in SURVEYED:
        path = folder / "scenes_rgb" / name
        windows, exact = (
            hsi_xr.reconstruct(path, weights, survey=hsi_xr.survey(path, weights, exact=every))
            .reflectance.isel(y=slice(400, 656), x=slice(400, 656))
            .compute()
            for every in (False, True)
        )
        difference = abs(windows - exact)
        errors[name] = {"mean": float(difference.mean()), "max": float(difference.max())}
    return errors


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bands", type=int, nargs=3, default=(400, 700, 10), metavar="NM")
    parser.add_argument("--note", help="how this training run differed from the script")
    options = parser.parse_args()
    bands = Bands.regular(*options.bands)
    data = load_training_data(options.data, bands)
    model, trained = load_trained(options.checkpoint, bands, data)
    calibrate.calibrate_uncertainty(model, data, torch.Generator().manual_seed(2))
    calibrate_sensors(model, data, bands, torch.Generator().manual_seed(4))
    card = card_of(model, options.data, data, bands, trained=trained)
    if options.note:
        card["training"] = {**card["training"], "note": options.note}
    save_model(model, options.out, card)
    card["survey_error"] = survey_error(options.out, options.data)
    save_model(model, options.out, card)


if __name__ == "__main__":
    main()
