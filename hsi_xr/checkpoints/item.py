"""A model as a STAC item of the machine-learning-model extension (MLM 1.5.2).

Written by hand: what the extension's package writes is of an older version.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hsi_xr.checkpoints.card import Card
from hsi_xr.stac.files import as_multihash, multihash
from hsi_xr.times import utc_text

SCHEMAS = tuple(
    f"https://stac-extensions.github.io/{extension}/schema.json"
    for extension in ("mlm/v1.5.2", "file/v2.1.0", "eo/v2.0.0")
)
_SIZES = {"dim_order": ["batch", "bands", "height", "width"], "data_type": "float32"}
_RGB = ("red", "green", "blue")


def mlm_item(card: Card) -> dict[str, Any]:
    """The item of a model with weights, to lie beside them.

    A model lies nowhere on Earth, so that the item has no geometry; its `datetime` is when the
    weights were saved, since an item must have one: as its card tells, or their file.

    Raises:
        ValueError: The card is of a system without weights.
    """
    if card.weights is None:
        raise ValueError(f"an item describes weights, and {card.name!r} has none")
    file = card.weights.stat()
    bands = [{"name": name, "eo:common_name": name} for name in _RGB] + _spectral(card)
    saved = card.data.get("saved") or utc_text(datetime.fromtimestamp(int(file.st_mtime), UTC))
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(SCHEMAS),
        "id": card.name,
        "geometry": None,
        "properties": {"datetime": saved, "bands": bands, **_properties(card)},
        "assets": {
            "weights": {
                "href": f"./{card.weights.name}",
                "type": "application/octet-stream; framework=pytorch",
                "title": "Weights",
                "roles": ["mlm:model", "mlm:weights", "model", "weights", "data"],
                "mlm:artifact_type": "safetensors.torch.save_file",
                "file:size": file.st_size,
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


def _properties(card: Card) -> Mapping[str, Any]:
    names = _names(card)
    return {
        "description": f"Reflectance in {len(names)} bands estimated from RGB. "
        f"{card.data.get('citation', '')}".strip(),
        "license": "other" if card.data["licence"].startswith("unknown") else card.data["licence"],
        "mlm:name": card.name,
        "mlm:architecture": card.data.get("title", card.reconstructor),
        "mlm:tasks": ["regression"],
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": card.data["parameters"],
        "mlm:pretrained": True,
        "mlm:accelerator": None,
        "mlm:input": [
            {
                "name": "rgb",
                "bands": list(_RGB),
                "input": {"shape": [-1, 3, -1, -1], **_SIZES},
                "description": "Linear RGB in [0, 1]; see `config` of the card for what the "
                "network itself is shown.",
                "resize_type": None,
                "pre_processing_function": None,
            }
        ],
        "mlm:output": [
            {
                "name": "reflectance",
                "tasks": ["regression"],
                "bands": names,
                "result": {"shape": [-1, len(names), -1, -1], **_SIZES},
                "post_processing_function": None,
            }
        ],
        "mlm:hyperparameters": {
            **card.config,
            "stride": card.stride,
            "halo": card.halo,
            "steps": card.data["steps"],
        },
    }


def _names(card: Card) -> list[str]:
    return [f"B{number:02d}" for number in range(1, len(card.bands) + 1)]


def _spectral(card: Card) -> list[dict[str, Any]]:
    """Bands of the answer; wavelengths in um."""
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
