"""Measures systems as they are built and writes it into their cards:
`python -m examples.default_model.measure_systems [NAME ...]`.

Facts in a card are kept; what is measured with random weights, or follows from the configuration,
is written anew.
"""

import argparse
import logging
import time
from dataclasses import asdict
from typing import Any

import torch

from hsi_xr.checkpoints import measure, registry
from hsi_xr.checkpoints.card import Card, as_json
from hsi_xr.checkpoints.weights import load_model, parameters
from hsi_xr.reconstructors._base import Reconstructor

_log = logging.getLogger(__name__)


def measured(card: Card) -> dict[str, Any]:
    """The card of a system, with its numbers as they are now."""
    model: Any = load_model(card)
    data = {**card.data, "config": asdict(model.config)}
    probe, pictures = (
        measure.Probe(perturb(model), data),
        {"random patches": measure.random_patches()},
    )
    found = (
        measure.reach_by_steps(lambda n: perturb(load_model(card, steps=n)), data, pictures)
        if "step_choices" in data
        else probe.reach(pictures)
    )
    reach = {"note": "measured with random weights", **found}
    reach.pop("tile_sensitivity", None)  # that of random weights says nothing
    return {
        **data,
        "reach": reach,
        "parameters": parameters(model),
        "gmac_per_pixel": round(probe.gmac_per_pixel(), 9),
        "memory_bytes_per_pixel": measure.memory_bytes_per_pixel(data),
    }


def perturb(model: Reconstructor) -> Reconstructor:
    """With a little noise on every weight: layers that begin at zero would hide what they do."""
    numbers = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
            noise = torch.randn(parameter.shape, generator=numbers)
            parameter.add_(noise, alpha=0.05 * max(spread, 0.02))
    return model


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=registry.built_in())
    for name in parser.parse_args().names:
        begun = time.perf_counter()
        card = registry.find(name, untrained=True)
        card.path.write_text(as_json(measured(card)), encoding="utf-8")
        _log.info("%s: %.0f s", name, time.perf_counter() - begun)


if __name__ == "__main__":
    main()
