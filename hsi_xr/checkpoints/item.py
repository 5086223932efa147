"""The STAC item of a model, with the machine-learning-model extension (MLM 1.5.2).

The item is composed here because the extension's own package writes an older version.
"""

from collections.abc import Mapping
from typing import Any

from hsi_xr.checkpoints.card import Card
from hsi_xr.stac.files import as_multihash, multihash

SCHEMAS = tuple(
    f"https://stac-extensions.github.io/{extension}/schema.json"
    for extension in ("mlm/v1.5.2", "file/v2.1.0", "eo/v2.0.0")
)
_SIZES = {"dim_order": ["batch", "bands", "height", "width"], "data_type": "float32"}
_RGB = ("red", "green", "blue")

_UNLIMITED = {
    "datetime": None,
    "start_datetime": "1900-01-01T00:00:00Z",
    "end_datetime": "9999-12-31T23:59:59Z",
}
"""Times of a model whose date of saving is not recorded: unlimited, as in the examples of MLM."""


def mlm_item(card: Card) -> dict[str, Any]:
    """Returns the STAC item of a model with weights; its links are relative to the weights.

    A model has no location, so the item has no geometry. Its `datetime` is the time at which the
    weights were saved.

    Raises:
        ValueError: The card is of a system without weights.
    """
    if card.weights is None:
        raise ValueError(f"an item describes weights, but {card.name!r} has none")
    bands = [{"name": name, "eo:common_name": name} for name in _RGB] + _spectral(card)
    times = {"datetime": card.saved} if card.saved else _UNLIMITED
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(SCHEMAS),
        "id": card.name,
        "geometry": None,
        "properties": {**times, "bands": bands, **_properties(card)},
        "assets": {
            "weights": {
                "href": f"./{card.weights.name}",
                "type": "application/octet-stream; framework=pytorch",
                "title": "Weights",
                "roles": ["mlm:model", "mlm:weights", "model", "weights", "data"],
                "mlm:artifact_type": "safetensors.torch.save_file",
                "file:size": card.weights.stat().st_size,
                "file:checksum": as_multihash(card.sha256),
                "bands": bands,
            },
            "card": {
                "href": f"./{card.path.name}",
                "type": "application/json",
                "title": "Model card",
                "roles": ["metadata"],
                "file:size": card.path.stat().st_size,
                "file:checksum": multihash(card.path),
            },
        },
        "links": [],
    }


_INPUT = {
    "name": "rgb",
    "bands": list(_RGB),
    "input": {"shape": [-1, 3, -1, -1], **_SIZES},
    "description": "Linear RGB in [0, 1]; `config` in the card gives the encoding that the network "
    "itself reads.",
    "resize_type": None,
    "pre_processing_function": None,
}


def _output(bands: list[str]) -> Mapping[str, Any]:
    return {
        "name": "reflectance",
        "tasks": ["regression"],
        "bands": bands,
        "result": {"shape": [-1, len(bands), -1, -1], **_SIZES},
        "post_processing_function": None,
    }


def _properties(card: Card) -> Mapping[str, Any]:
    names = _names(card)
    return {
        "description": f"Reflectance in {len(names)} bands estimated from RGB. "
        f"{card.data.get('citation', '')}".strip(),
        "license": "other" if card.licence.startswith("unknown") else card.licence,
        "mlm:name": card.name,
        "mlm:architecture": card.data.get("title", card.reconstructor),
        "mlm:tasks": ["regression"],
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": card.parameters,
        "mlm:pretrained": True,
        "mlm:accelerator": None,
        "mlm:input": [_INPUT],
        "mlm:output": [_output(names)],
        "mlm:hyperparameters": {
            **card.config,
            "stride": card.stride,
            "halo": card.halo,
            "steps": card.steps,
        },
    }


def _names(card: Card) -> list[str]:
    return [f"B{number:02d}" for number in range(1, len(card.bands) + 1)]


def _spectral(card: Card) -> list[dict[str, Any]]:
    """Returns the bands of the output, with wavelengths in µm."""
    names = _names(card)
    widths = card.bands.widths or (None,) * len(names)
    return [
        {
            "name": name,
            "eo:center_wavelength": round(centre / 1000, 6),
            **({} if width is None else {"eo:full_width_half_max": round(width / 1000, 6)}),
        }
        for name, centre, width in zip(names, card.bands.centres, widths)
    ]
