"""Models: cards, weights, the registry of names, and import and export."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hsi_xr.checkpoints.card import Card
from hsi_xr.checkpoints.registry import models

if TYPE_CHECKING:
    from hsi_xr.checkpoints.import_checkpoint import import_published
    from hsi_xr.checkpoints.model_folder import export
    from hsi_xr.checkpoints.weights import save_model

_MODULES = {
    "export": "model_folder",
    "import_published": "import_checkpoint",
    "save_model": "weights",
}
__all__ = ["Card", "export", "import_published", "models", "save_model"]


def __getattr__(name: str) -> Any:
    """Imports a public function, and torch if it needs it, on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
