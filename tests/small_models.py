"""Every system at a small size, with weights that are all random: models in folders."""

from pathlib import Path

import torch

from hsi_xr.reconstructors import _measure, _registry
from hsi_xr.reconstructors._card import read_untrained
from hsi_xr.reconstructors._weights import parameters, save_model

SMALL = {
    "awan": {"width": 32, "blocks": 1},
    "ddpm": {"width": 16, "steps": 3},
    "hscnn-plus": {"blocks": 3},
    "mst-plus-plus": {"stages": 1},
    "sdp-mst-plus-plus": {"stages": 1, "extractor": 16, "extractor_blocks": 1},
    "srcgan": {"width": 8},
}
"""What is made smaller; the others are at their own size."""


def model_of(name: str, folder: Path, **changes: object) -> Path:
    """A model of a system, its card measured as of any other; the path of its weights."""
    system = read_untrained(_registry.card_of(name))
    config = {**system.config, **SMALL.get(name, {}), **changes}
    model = _registry.load(name).build(config).eval()
    _shake(model)
    card = {**system.data, "name": f"small {name}", "version": "0", "config": config}
    card |= {"parameters": parameters(model), "steps": config.get("steps", card["steps"])}
    reach = _measure.Probe(model, card).reach({"quilt": _measure.quilt()})
    weights = folder / f"{name}.safetensors"
    save_model(model, weights, {**card, "reach": reach}, dtype=torch.float32)
    return weights


def _shake(model: torch.nn.Module) -> None:
    """Layers that begin at zero would hide what they do."""
    numbers = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
            parameter += 0.05 * max(spread, 0.02) * torch.randn(parameter.shape, generator=numbers)
