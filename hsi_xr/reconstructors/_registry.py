"""Names of systems and models: this folder, then entry points. Imports a system only to run it."""

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from hsi_xr.errors import UnknownName
from hsi_xr.reconstructors._card import Card, read

GROUP = "hsi_xr.reconstructors"
SHIPPED = Path(__file__).parents[1] / "weights"
DEFAULT = "default"


class System(Protocol):
    """A module that makes a reconstructor of a card's config."""

    def build(self, config: Mapping[str, Any]) -> Any: ...


def systems() -> list[str]:
    """Names of all reconstructors, ours and installed ones."""
    return sorted({*_ours(), *_theirs()})


def load(name: str) -> System:
    """Imports a system by name."""
    if module := _ours().get(name):
        return importlib.import_module(module)
    if found := _theirs().get(name):
        return found.load()
    raise UnknownName(f"no reconstructor is called {name!r}{_hint(name, systems())}")


def shipped() -> dict[str, Card]:
    """Models that come with the package: name -> card."""
    return {path.stem: read(path) for path in sorted(SHIPPED.glob("*.safetensors"))}


def find(model: str | Path) -> Card:
    """The card of a shipped model, of a system's shipped weights, or of a weights file.

    Raises:
        UnknownName: Neither a name nor a file.
        InvalidCheckpoint: A file without a fitting card.
    """
    name = str(model)
    if isinstance(model, Path) or name.endswith(".safetensors"):
        return read(Path(model))
    known = shipped()
    by_system = {card.reconstructor: card for card in known.values()}
    if card := known.get(name) or by_system.get(name):
        return card
    raise UnknownName(f"no model is called {name!r}{_hint(name, [*known, *by_system])}")


def _ours() -> dict[str, str]:
    here = Path(__file__).parent
    return {
        info.name.replace("_", "-"): f"{__package__}.{info.name}"
        for info in pkgutil.iter_modules([str(here)])
        if not info.name.startswith("_")
    }


def _theirs() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    asked = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{asked} known: {', '.join(sorted(set(known)))}, or a path to a .safetensors file"
