"""Models of every system at a small size, with random weights."""

from pathlib import Path

from examples.default_model.measure_systems import perturb
from hsi_xr.checkpoints import measure, registry
from hsi_xr.checkpoints.weights import parameters, save_model

SMALL = {
    "awan": {"width": 32, "blocks": 1},
    "ddpm": {"width": 16, "steps": 3},
    "hscnn-plus": {"blocks": 3},
    "mst-plus-plus": {"stages": 1},
    "sdp-mst-plus-plus": {"stages": 1, "extractor": 16, "extractor_blocks": 1},
    "srcgan": {"width": 8},
}
"""Smaller configurations; other systems keep their size."""


def model_of(name: str, folder: Path, **changes: object) -> Path:
    """Write a small model of a system with a measured card; return the path of its weights."""
    system = registry.find(name, untrained=True)
    config = {**system.config, **SMALL.get(name, {}), **changes}
    model = perturb(registry.load(name).build(config).eval())
    card = {**system.data, "name": f"small {name}", "version": "0", "config": config}
    card |= {"parameters": parameters(model), "steps": config.get("steps", card["steps"])}
    reach = measure.Probe(model, card).reach({"random patches": measure.random_patches()})
    weights = folder / f"{name}.safetensors"
    save_model(model, weights, {**card, "reach": reach})
    return weights
