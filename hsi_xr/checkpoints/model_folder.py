"""Writes model folders (weights, card and STAC item), also as copies next to products."""

import filecmp
import os
import re
import shutil
from pathlib import Path

from hsi_xr.checkpoints.card import CARD, ITEM, WEIGHTS, Card, as_json, read
from hsi_xr.checkpoints.item import mlm_item
from hsi_xr.checkpoints.registry import SHIPPED
from hsi_xr.errors import DestinationExists, DestinationUnwritable, UsageError
from hsi_xr.io import atomic

MODELS = "models"
"""Folder next to products that contains copies of their models."""


def export(card: Card, folder: str | os.PathLike[str]) -> Path:
    """Copies a model into a folder, with a STAC item; `model=` accepts the folder.

    Files that are already identical are kept.

    Args:
        card: Card of a model with weights; see `hsi_xr.models`.
        folder: Receives `model.safetensors`, `card.json` and `mlm-item.json`.

    Returns:
        The path of the item.

    Raises:
        UsageError: The card is of a system without weights.
        DestinationExists: The folder contains another model.
        DestinationUnwritable: The folder cannot be written.
    """
    if card.weights is None:
        raise UsageError(f"{card.name!r} is a system without weights, so it cannot be exported")
    folder = Path(folder)
    sources = {WEIGHTS: card.weights, CARD: card.path}
    for name, source in sources.items():
        path = folder / name
        if path.exists() and not filecmp.cmp(path, source, shallow=False):
            raise DestinationExists(
                f"{str(path)!r} does not belong to model {card.name!r}; give another folder"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in sources.items():
            if not (folder / name).exists():
                with atomic.replacing(folder / name) as part:
                    shutil.copyfile(source, part)
        atomic.write_text(folder / ITEM, as_json(mlm_item(read(folder))))
    except OSError as error:
        raise DestinationUnwritable(f"cannot write {str(folder)!r} ({error.strerror})") from error
    return folder / ITEM


def model_item(card: Card, folder: Path) -> Path | None:
    """Copies a model into the `models` folder of products.

    Args:
        card: Card of the model.
        folder: Folder of the products.

    Returns:
        The path of the model's STAC item; None for a system without weights.

    Raises:
        DestinationExists: The folder contains another model of that name.
        DestinationUnwritable: The folder cannot be written.
    """
    if card.weights is None:
        return None
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
