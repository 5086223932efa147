"""Reconstructors: whole systems, one file each; the file name is the public name.

The json file of the same name is the system's card: what holds with any weights, measured with
random ones.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows

__all__ = ["Noise", "Reconstructor", "SceneStatistics", "SceneWindows"]


def __getattr__(name: str) -> Any:
    """Import a public name, and torch with it, on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("hsi_xr.reconstructors._base"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
