"""Measures systems with random weights, and writes the results into their cards:
`python -m examples.default_model.measure_systems [NAME ...]`.

What is stated in a card is kept; what depends on the code is measured again.
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


def measured_card(card: Card) -> dict[str, Any]:
    """Returns the card of a system with what is measured now."""
    model: Any = load_model(card)
    data = {**card.data, "config": asdict(model.config)}
    probe, images = (
        measure.Probe(perturb(model), data),
        {"random patches": measure.random_patches()},
    )
    reach = (
        measure.reach_by_steps(lambda steps: perturb(load_model(card, steps=steps)), data, images)
        if "step_choices" in data
        else probe.reach(images)
    )
    reach = {"note": "measured with random weights", **reach}
    reach.pop("tile_sensitivity", None)  # meaningless for random weights
    return {
        **data,
        "reach": reach,
        "parameters": parameters(model),
        "gmac_per_pixel": round(probe.gmac_per_pixel(), 9),
        "memory_bytes_per_pixel": measure.memory_bytes_per_pixel(data),
    }


def perturb(model: Reconstructor) -> Reconstructor:
    """Add a little noise to every weight: layers that start at zero would hide their effect."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
            noise = torch.randn(parameter.shape, generator=rng)
            parameter.add_(noise, alpha=0.05 * max(spread, 0.02))
    return model


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=registry.built_in())
    for name in parser.parse_args().names:
        start = time.perf_counter()
        card = registry.find(name, untrained=True)
        card.path.write_text(as_json(measured_card(card)), encoding="utf-8")
        _log.info("%s: %.0f s", name, time.perf_counter() - start)


if __name__ == "__main__":
    main()
