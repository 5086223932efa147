"""The model of products as a STAC item beside them, which theirs link."""

import re
from pathlib import Path

from hsi_xr.checkpoints.card import ITEM, Card
from hsi_xr.checkpoints.registry import SHIPPED

MODELS = "models"
"""Folder beside products that holds copies of their models."""


def model_item(card: Card, folder: Path) -> Path | None:
    """Copies a model into `models/` of a folder; None where there are no weights to describe.

    Raises:
        DestinationExists: Another model lies there.
        DestinationUnwritable: The folder cannot be written.
    """
    if card.weights is None:
        return None
    from hsi_xr.checkpoints.export_model import export

    return export(card, folder / MODELS / file_name(f"{card.name}-{card.sha256[:8]}"))


def linked_item(card: Card, folder: Path) -> Path | None:
    """Returns the STAC item that a product in `folder` links for its model.

    A model that ships with the package is copied into the folder with its item. Other weights can
    be large and are not copied: their item is the one next to them, if it exists.
    """
    if card.weights is None:
        return None
    if card.weights.parent == SHIPPED:
        return model_item(card, folder)
    item = card.weights.with_name(ITEM)
    return item if item.exists() else None


def file_name(name: str) -> str:
    """Returns a name that every file system accepts."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".") or "_"
