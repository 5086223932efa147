"""The model of products as a STAC item beside them, which theirs link."""

from pathlib import Path

from hsi_xr.conversion.how import fit
from hsi_xr.conversion.pictures import MODELS
from hsi_xr.reconstructors._card import Card


def model_item(card: Card, folder: Path) -> Path | None:
    """Copies a model into `models/` of a folder; None where there are no weights to describe.

    Raises:
        DestinationExists: Another model lies there.
        DestinationUnwritable: The folder cannot be written.
    """
    if card.weights is None:
        return None
    from hsi_xr.reconstructors._exporting import export

    return export(card, folder / MODELS / fit(f"{card.name}-{card.sha256[:8]}"))
