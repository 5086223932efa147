"""Whole systems. A file of this folder is a reconstructor; its name is the public name.

Beside it lies its card: what holds of the system with any weights, measured with random ones.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hsi_xr.reconstructors._card import Card
from hsi_xr.reconstructors._registry import models

if TYPE_CHECKING:
    from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneFacts, SceneWindows
    from hsi_xr.reconstructors._exporting import export
    from hsi_xr.reconstructors._importing import import_published
    from hsi_xr.reconstructors._weights import save_model

_HOMES = {
    **dict.fromkeys(("Noise", "Reconstructor", "SceneFacts", "SceneWindows"), "_base"),
    **{"export": "_exporting", "import_published": "_importing", "save_model": "_weights"},
}
__all__ = [
    "Card",
    "Noise",
    "Reconstructor",
    "SceneFacts",
    "SceneWindows",
    "export",
    "import_published",
    "models",
    "save_model",
]


def __getattr__(name: str) -> Any:
    """What a package needs for a reconstructor of its own; loads torch only then (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
