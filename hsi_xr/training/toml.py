"""Reads the settings of a training run from TOML; unknown keys are refused."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from hsi_xr.errors import UsageError
from hsi_xr.suggestions import did_you_mean
from hsi_xr.training.settings import Run


def read(path: Path, changes: Sequence[str] = ()) -> Run:
    """Read the settings of a run.

    Args:
        path: A TOML file.
        changes: Settings that replace those of the file, such as `optimiser.rate=1e-4`.

    Raises:
        UsageError: The file cannot be read, or a key is unknown, is missing, or has the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as TOML ({error})") from error
    for change in changes:
        _set(table, change)
    try:
        return msgspec.convert(table, Run, dec_hook=_as_path)
    except msgspec.ValidationError as error:
        raise UsageError(f"{str(path)!r}: {_explain(str(error), table)}") from error


def _set(table: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise UsageError(f"{change!r} is not key=value, e.g. optimiser.rate=1e-4")
    *parents, last = key.strip().split(".")
    for depth, name in enumerate(parents, 1):
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"{'.'.join(parents[:depth])} is not a table and has no key {last!r}")
    try:
        table[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = text  # strings need no quotes


def _as_path(kind: type, value: Any) -> Any:
    if kind is not Path:
        raise NotImplementedError
    if not isinstance(value, str):
        raise ValueError("Expected `str`")
    return Path(value)


def _explain(message: str, table: Mapping[str, Any]) -> str:
    """Rewrite a message of msgspec with full keys, the value that was found, and suggestions."""
    reason, _, place = message.partition(" - at `$")
    keys = [key for key in place.rstrip("`").lstrip(".").split(".") if key]
    if match := re.fullmatch(r"Object contains unknown field `(.*)`", reason):
        known = sorted(_fields(_kind_at(keys, table)))
        hint = did_you_mean(match[1], known)
        return f"unknown key {'.'.join([*keys, match[1]])!r}; {hint}known: {', '.join(known)}"
    if match := re.fullmatch(r"Object missing required field `(.*)`", reason):
        return f"the key {'.'.join([*keys, match[1]])!r} is missing"
    name = ".".join(keys)
    if reason.startswith("Invalid "):
        options = ", ".join(map(repr, _options(keys, table)))
        return f"{name} must be one of {options}; got {_value_at(keys, table)!r}"
    if reason.startswith("Expected "):
        expected = reason.partition(", got ")[0].removeprefix("Expected ")
        expected = expected.replace("`object`", "a table").replace("`array`", "a list")
        return f"{name} must be {expected}; got {_value_at(keys, table)!r}"
    return f"{name}: {reason}" if name else reason


def _value_at(keys: Sequence[str], table: Any) -> Any:
    for key in keys:
        name, _, index = key.rstrip("]").partition("[")
        table = table[name]
        if index:
            table = table[int(index)]
    return table


def _kind_at(keys: Sequence[str], table: Mapping[str, Any]) -> Any:
    """Returns the type of the setting at a key."""
    kind: Any = Run
    for depth, key in enumerate(keys, 1):
        kind = _without_none(_fields(kind)[key])
        tagged = {each.__struct_config__.tag: each for each in _structs(kind)}
        kind = tagged.get(_value_at([*keys[:depth], "kind"], table)) if len(tagged) > 1 else kind
    return kind


def _options(keys: Sequence[str], table: Mapping[str, Any]) -> list[Any]:
    """Returns the values that a key may have."""
    if keys[-1] == "kind":
        return [each.__struct_config__.tag for each in _structs(_fields(Run)[keys[-2]])]
    kind = _kind_at(keys, table)
    return [*get_args(kind)] if get_origin(kind) is Literal else []


def _fields(kind: type[Struct]) -> dict[str, Any]:
    return {each.name: each.type for each in msgspec.structs.fields(kind)}


def _structs(kind: Any) -> list[type[Struct]]:
    return [each for each in get_args(kind) if isinstance(each, type) and issubclass(each, Struct)]


def _without_none(kind: Any) -> Any:
    options = [each for each in get_args(kind) if each is not type(None)]
    is_optional = get_origin(kind) in (Union, UnionType) and len(options) == 1
    return options[0] if is_optional else kind
