"""The registry of systems and models, by name.

Systems are the modules of `hsi_xr.reconstructors`, then the entry points of installed packages.
They are imported only when they run.
"""

import importlib.util
import os
import pkgutil
import warnings
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from hsi_xr.checkpoints.card import WEIGHTS, Card, read, read_untrained
from hsi_xr.errors import InvalidCheckpoint, MissingWeights, UnknownName
from hsi_xr.suggestions import did_you_mean, unknown_name

if TYPE_CHECKING:
    from hsi_xr.reconstructors import Reconstructor

GROUP = "hsi_xr.reconstructors"
"""Package of the built-in systems, and group of the entry points of installed ones."""

SHIPPED = Path(__file__).parents[1] / "weights"
"""Folder of the models that are part of this package."""

DEFAULT = "default"

_TORCH_CHECKPOINTS = (".pth", ".pt", ".ckpt")


class System(Protocol):
    """A module that builds a reconstructor."""

    def build(self, config: Mapping[str, Any]) -> "Reconstructor":
        """Builds the reconstructor from the `config` of a card.

        Raises:
            TypeError, ValueError: The configuration is not valid for the system.
        """


def systems() -> list[str]:
    """Returns the names of all systems, built-in and installed."""
    return sorted({*_built_in(), *_installed()})


def built_in() -> list[str]:
    """Returns the names of the systems of this package."""
    return sorted(_built_in())


def load(name: str) -> System:
    """Imports a system by name.

    Raises:
        UnknownName: No system has this name.
    """
    if module := _built_in().get(name):
        return cast(System, importlib.import_module(module))
    if entry_point := _installed().get(name):
        return cast(System, entry_point.load())
    raise unknown_name("reconstructor", name, systems())


def shipped() -> dict[str, Card]:
    """Returns the cards of the models that come with the package, by name."""
    return {path.stem: read(path) for path in sorted(SHIPPED.glob("*.safetensors"))}


def models() -> list[Card]:
    """Lists the available models.

    Returns:
        The cards of the models that come with the package, then those of systems without weights.
    """
    ready = list(shipped().values())
    with_weights = {card.reconstructor for card in ready}
    return ready + [card for card in untrained() if card.reconstructor not in with_weights]


def untrained() -> list[Card]:
    """Returns the cards of all systems, without weights.

    Installed systems with an invalid card are left out with a warning.
    """
    cards, ours, installed = _cards(), _built_in(), []
    for name in sorted(cards.keys() - ours.keys()):
        try:
            installed.append(read_untrained(cards[name]))
        except InvalidCheckpoint as error:
            warnings.warn(f"the installed system {name!r} is left out: {error}", stacklevel=2)
    return [read_untrained(cards[name]) for name in sorted(cards.keys() & ours.keys())] + installed


def find(model: str | os.PathLike[str], *, untrained: bool = False) -> Card:
    """Returns the card of a model.

    Args:
        model: Name of a model, or of a system whose weights come with the package; or the path of
            a weights file or of a model's folder. Text is taken as a path if it ends in
            .safetensors or contains a separator.
        untrained: Return the card of the system of this name, without weights.

    Raises:
        UnknownName: There is no such name or file.
        MissingWeights: The system has no weights, and `untrained` is false.
        InvalidCheckpoint: The file has no valid card.
    """
    name = os.fspath(model)
    if untrained:
        return read_untrained(_card_of(name))
    if not isinstance(model, str) or _is_path(name):
        return read(Path(name))
    by_name = shipped()
    # the default model comes first
    by_system = {card.reconstructor: card for card in reversed(by_name.values())}
    if card := by_name.get(name) or by_system.get(name):
        return card
    cards = _cards()
    if name in cards:
        raise MissingWeights(_no_weights(read_untrained(cards[name])))
    if Path(name).suffix in _TORCH_CHECKPOINTS:
        raise UnknownName(
            f"{name!r} is a torch checkpoint; convert it to a model with `hsi-xr models import`"
        )
    known = sorted({*by_name, *by_system, *cards})
    raise UnknownName(
        f"no model is called {name!r}; {did_you_mean(name, known)}known: {', '.join(known)}; the "
        "path of a .safetensors file or of its folder is accepted, too"
    )


def _card_of(system: str) -> Path:
    cards = _cards()
    if system not in cards:
        raise unknown_name("system", system, cards)
    return cards[system]


def _is_path(name: str) -> bool:
    separated = any(mark in name for mark in (os.sep, os.altsep or os.sep))
    return name.endswith(".safetensors") or (
        Path(name).is_dir() and (separated or (Path(name) / WEIGHTS).is_file())
    )


def _no_weights(card: Card) -> str:
    name = card.reconstructor
    message = f"there are no weights for {name!r}"
    if source := card.data.get("weights_from"):
        message += f"; {source}"
    if card.published:
        message += f", and import them with `hsi-xr models import {name} FILE.pth FOLDER`"
    run = "`--untrained` (untrained=True) runs it with random weights, to measure its cost"
    return f"{message}. {run}"


def _built_in() -> dict[str, str]:
    """Returns the modules of the systems of this package, by name."""
    folder = Path(__file__).parents[1] / "reconstructors"
    return {
        info.name.replace("_", "-"): f"{GROUP}.{info.name}"
        for info in pkgutil.iter_modules([str(folder)])
        if not info.name.startswith("_")
    }


def _installed() -> dict[str, EntryPoint]:
    """Returns the entry points of systems in other packages, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _cards() -> dict[str, Path]:
    """Returns the cards of the systems that have one, by name."""
    modules = {name: point.module for name, point in _installed().items()} | _built_in()
    paths = {name: _json_of(module) for name, module in modules.items()}
    return {name: path for name, path in paths.items() if path and path.is_file()}


def _json_of(module: str) -> Path | None:
    """Returns the JSON file that a module has next to it, without importing the module."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations)))
        return folder.joinpath(*rest or [top]).with_suffix(".json")
    return Path(spec.origin).with_suffix(".json") if spec.origin else None
