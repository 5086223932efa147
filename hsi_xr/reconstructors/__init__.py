"""Whole systems. A file of this folder is a reconstructor; its name is the public name."""

from hsi_xr.reconstructors._card import Card
from hsi_xr.reconstructors._registry import shipped


def models() -> list[Card]:
    """The models that are ready to use, as cards; none is loaded."""
    return list(shipped().values())
