"""Reads a training run from TOML; a key that is not known is refused."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from hsi_xr.errors import UsageError
from hsi_xr.suggestions import did_you_mean
from hsi_xr.training.config import KINDS, Objective, Run


def read(path: Path, changes: Sequence[str] = ()) -> Run:
    """A run as a file says, with changes such as `optimiser.rate=1e-4`.

    Raises:
        UsageError: No such file, no TOML, or a key that is unknown, missing or of another type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as TOML ({error})") from error
    for change in changes:
        _set(table, change)
    return cast(Run, _made(Run, table, ""))


def _set(table: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise UsageError(f"{change!r} is not key=value, e.g. optimiser.rate=1e-4")
    *above, last = key.strip().split(".")
    for place, name in enumerate(above, 1):
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"{'.'.join(above[:place])} is no table, and has no key {last!r}")
    try:
        table[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = text  # words need no quotes


def _made(kind: Any, table: Any, where: str) -> Any:
    """A frozen value of a TOML table."""
    if not isinstance(table, Mapping):
        raise UsageError(f"{where or 'a run'} must be a table; got {table!r}")
    known = {each.name: each for each in fields(kind)}
    for key in table:
        if key not in known:
            raise UsageError(
                f"no key {_at(where, key)!r}; {did_you_mean(key, known)}known: "
                f"{', '.join(sorted(known))}"
            )
    for name, each in known.items():
        if each.default is each.default_factory is MISSING and name not in table:
            raise UsageError(f"the key {_at(where, name)!r} is missing")
    hints = get_type_hints(kind)
    return kind(
        **{key: _fitted(hints[key], value, _at(where, key)) for key, value in table.items()}
    )


def _fitted(kind: Any, value: Any, where: str) -> Any:
    """A TOML value as a field's type."""
    if kind == Objective:
        return _tagged(value, where)
    if is_dataclass(kind):
        return _made(kind, value, where)
    origin, options = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _one_of(options, value, where)
    if origin in (Union, UnionType):  # the only ones are with None, which TOML has no word for
        return _fitted(options[0], value, where)
    if origin is tuple:
        return _pair(options, value, where)
    return _plain(origin or kind, value, where)


def _tagged(table: Any, where: str) -> Any:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} must be a table; got {table!r}")
    kind = KINDS[_one_of(tuple(KINDS), table.get("kind"), f"{where}.kind")]
    return _made(kind, {key: value for key, value in table.items() if key != "kind"}, where)


def _one_of(options: tuple[Any, ...], value: Any, where: str) -> Any:
    known = [each for each in options if each is not None]
    if value not in known:
        raise UsageError(f"{where} must be one of {', '.join(map(repr, known))}; got {value!r}")
    return value


def _pair(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or len(value) != len(kinds):
        raise UsageError(f"{where} must be {len(kinds)} values; got {value!r}")
    return tuple(_fitted(kind, each, where) for kind, each in zip(kinds, value))


def _plain(kind: Any, value: Any, where: str) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where} must be finite; got {value}")
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"{where} must be of type {kind.__name__}; got {value!r}")
    return value


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
