"""Names of systems and models: this folder, then entry points. Imports a system only to run it."""

import importlib.util
import os
import pkgutil
import warnings
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from hsi_xr.checkpoints.card import WEIGHTS, Card, read, read_untrained
from hsi_xr.errors import InvalidCheckpoint, MissingWeights, UnknownName
from hsi_xr.suggestions import did_you_mean, unknown_name

GROUP = "hsi_xr.reconstructors"
SHIPPED = Path(__file__).parents[1] / "weights"
DEFAULT = "default"
CHECKPOINTS = (".pth", ".pt", ".ckpt")


class System(Protocol):
    """A module that makes a reconstructor of a card's config."""

    Config: Any
    """Of our own systems: the dataclass of their configuration."""

    def build(self, config: Mapping[str, Any]) -> Any: ...


def systems() -> list[str]:
    """Names of all reconstructors, ours and installed ones."""
    return sorted({*_ours(), *_theirs()})


def ours() -> list[str]:
    """Names of the reconstructors of this package."""
    return sorted(_ours())


def load(name: str) -> System:
    """Imports a system by name."""
    if module := _ours().get(name):
        return importlib.import_module(module)
    if found := _theirs().get(name):
        return found.load()
    raise unknown_name("reconstructor", name, systems())


def shipped() -> dict[str, Card]:
    """Models that come with the package: name -> card."""
    return {path.stem: read(path) for path in sorted(SHIPPED.glob("*.safetensors"))}


def card_of(system: str) -> Path:
    """Where the card of a system lies: the json beside its module, which is not imported.

    Raises:
        UnknownName: No system of that name, or none that has a card.
    """
    known = _bare()
    if system not in known:
        raise unknown_name("system", system, known)
    return known[system]


def models() -> list[Card]:
    """The models that come with the package, then the systems that have none of their own."""
    ready = list(shipped().values())
    done = {card.reconstructor for card in ready}
    return ready + [card for card in systems_as_built() if card.reconstructor not in done]


def systems_as_built() -> list[Card]:
    """The systems that have a card, without weights; a card of others that is broken is told of."""
    cards = [read_untrained(path) for name, path in sorted(_bare().items()) if name in _ours()]
    for name in sorted(_bare().keys() - _ours().keys()):
        try:
            cards.append(read_untrained(_bare()[name]))
        except InvalidCheckpoint as error:
            warnings.warn(f"the installed system {name!r} is left out: {error}", stacklevel=2)
    return cards


def find(model: str | os.PathLike[str], *, untrained: bool = False) -> Card:
    """The card of a shipped model, of a system's shipped weights, or of a weights file.

    Args:
        model: Name of a model or system; or the path of a weights file or of a model's folder,
            which as text ends in .safetensors or has a separator in it.
        untrained: Take the system of that name as it is built, whatever weights there are.

    Raises:
        UnknownName: Neither a name nor a file.
        MissingWeights: The system has none, and is not to run untrained.
        InvalidCheckpoint: A file without a fitting card.
    """
    name = os.fspath(model)
    if untrained:
        return read_untrained(card_of(name))
    if not isinstance(model, str) or _is_path(name):
        return read(Path(name))
    known = shipped()
    by_system = {card.reconstructor: card for card in known.values()}
    if card := known.get(name) or by_system.get(name):
        return card
    if name in (bare := _bare()):
        raise MissingWeights(_no_weights(read_untrained(bare[name])))
    if Path(name).suffix in CHECKPOINTS:
        raise UnknownName(
            f"{name!r} is a checkpoint of torch; make a model of it with `hsi-xr models import`"
        )
    names = [*known, *by_system, *bare]
    raise UnknownName(
        f"no model is called {name!r}; {did_you_mean(name, names)}known: "
        f"{', '.join(sorted({*names}))}; the path of a .safetensors file or of its folder is "
        "accepted, too"
    )


def _is_path(name: str) -> bool:
    separated = any(mark in name for mark in (os.sep, os.altsep or os.sep))
    return name.endswith(".safetensors") or (
        Path(name).is_dir() and (separated or (Path(name) / WEIGHTS).is_file())
    )


def _no_weights(card: Card) -> str:
    name = card.reconstructor
    found = f"there are no weights of {name!r}; {card.data['weights_from']}"
    if card.data.get("published"):
        found += f", and import them with `hsi-xr models import {name} FILE.pth FOLDER`"
    return f"{found}. `--untrained` (untrained=True) runs it on random ones, to try its cost"


def _ours() -> dict[str, str]:
    here = Path(__file__).parents[1] / "reconstructors"
    return {
        info.name.replace("_", "-"): f"{GROUP}.{info.name}"
        for info in pkgutil.iter_modules([str(here)])
        if not info.name.startswith("_")
    }


def _bare() -> dict[str, Path]:
    """Systems by name -> their cards, of those that have one."""
    modules = {name: point.module for name, point in _theirs().items()} | _ours()
    beside = {name: _card_beside(module) for name, module in modules.items()}
    return {name: path for name, path in beside.items() if path and path.is_file()}


def _card_beside(module: str) -> Path | None:
    """Where a module's json would lie. Nothing of a package is imported to find it."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        home = Path(next(iter(spec.submodule_search_locations)))
        return home.joinpath(*rest or [top]).with_suffix(".json")
    return Path(spec.origin).with_suffix(".json") if spec.origin else None


def _theirs() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
