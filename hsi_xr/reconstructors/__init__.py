"""Reconstructors: complete systems from linear RGB to reflectance, one module each.

The name of a module, with hyphens, is the public name of its system. The JSON file of the same name
is the card of the system: everything that applies to any weights, measured with random ones.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hsi_xr.reconstructors._base import Noise, Reconstructor, SceneStatistics, SceneWindows
    from hsi_xr.reconstructors._level import Level

__all__ = ["Level", "Noise", "Reconstructor", "SceneStatistics", "SceneWindows"]


def __getattr__(name: str) -> Any:
    """Imports a public name, and with it torch, on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("hsi_xr.reconstructors._base"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
