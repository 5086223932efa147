"""A model as a folder of its own: weights, card and STAC item, to lie beside what it made."""

import filecmp
import os
import shutil
from pathlib import Path

from hsi_xr.checkpoints.card import CARD, ITEM, WEIGHTS, Card, as_json, read
from hsi_xr.checkpoints.item import mlm_item
from hsi_xr.errors import DestinationExists, DestinationUnwritable, UsageError
from hsi_xr.io import atomic


def export(card: Card, folder: str | os.PathLike[str]) -> Path:
    """Copies a model into a folder and describes it there; `model=` takes the folder.

    Files that are the same already stay as they are.

    Args:
        card: Of a model with weights; see `hsi_xr.models`.
        folder: For `model.safetensors`, `card.json` and `mlm-item.json`.

    Returns:
        The path of the item.

    Raises:
        UsageError: The card is of a system without weights.
        DestinationExists: The folder has another model in it.
        DestinationUnwritable: It cannot be written.
    """
    if card.weights is None:
        raise UsageError(f"{card.name!r} has no weights to copy; it is a system as it is built")
    folder = Path(folder)
    pairs = {WEIGHTS: card.weights, CARD: card.path}
    for name, source in pairs.items():
        there = folder / name
        if there.exists() and not filecmp.cmp(there, source, shallow=False):
            raise DestinationExists(
                f"{str(there)!r} is of another model than {card.name!r}; give another folder"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in pairs.items():
            if not (folder / name).exists():
                with atomic.replacing(folder / name) as part:
                    shutil.copy2(source, part)  # with its time, which the item states
        atomic.write_text(folder / ITEM, as_json(mlm_item(read(folder))))
    except OSError as error:
        raise DestinationUnwritable(f"cannot write {str(folder)!r} ({error.strerror})") from error
    return folder / ITEM
