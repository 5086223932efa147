"""Arrays of MATLAB files, v5 as well as v7.3 (which is HDF5), with axes in MATLAB's order."""

import struct
import zlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsi_xr.datasets._base import Array
from hsi_xr.errors import InvalidData, UnreadableFile, UsageError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEADER = 128
"""Bytes before the first variable of a v5 file; the last two tell the byte order."""
_USER_BLOCK = 512
"""Bytes that MATLAB puts before the HDF5 in a v7.3 file."""

_NUMBERS = "fiub"
"""Kinds of numpy's types."""
_CLASSES = {"double", "single", "logical"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""MATLAB's for the same; no struct, cell, char or sparse matrix."""


def shape(path: Path, *keys: str) -> tuple[int, ...]:
    """Of the first variable of these names that the file has; reads headers alone.

    Raises:
        UnreadableFile: Missing, truncated, or no MATLAB file.
        InvalidData: It has no such variable.
        UsageError: The package that reads it is not installed.
    """
    if _is_hdf5(path):
        with _hdf5(path) as file:
            stored: tuple[int, ...] = _variable(path, keys, file).shape
            return stored[::-1]
    return _headers_of_v5(path, keys)[1]


def read(path: Path, *keys: str) -> NDArray[Any]:
    """The first variable of these names that the file has. Errors as of `shape`."""
    if _is_hdf5(path):
        with _hdf5(path) as file:
            variable = _variable(path, keys, file)
            try:
                stored: NDArray[Any] = variable[()]
            except OSError as error:
                raise _damaged(path, error) from error
            return stored.T  # HDF5 counts axes from the slowest, MATLAB from the fastest
    key, _ = _headers_of_v5(path, keys)
    found = np.asarray(_scipy(path, "loadmat", variable_names=[key])[key])
    if found.dtype.kind not in _NUMBERS:  # complex, of which the header says nothing
        raise _no_numbers(path, key)
    return found


def read_cube(path: Path, *keys: str) -> Array:
    """A variable (rows, columns, bands) as (bands, rows, columns). Errors as of `shape`."""
    stored = read(path, *keys)
    if stored.ndim != 3:
        raise InvalidData(f"{str(path)!r} holds no cube: it is {stored.shape}; get it anew")
    return np.ascontiguousarray(np.moveaxis(stored, 2, 0), dtype="float32")


def _is_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(_USER_BLOCK + len(_HDF5))
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read ({error}); check the path") from error
    return start.startswith(_HDF5) or start.endswith(_HDF5)


def _hdf5(path: Path) -> Any:
    try:
        return _package("h5py").File(path, "r")
    except OSError as error:
        raise _damaged(path, error) from error


def _variable(path: Path, keys: tuple[str, ...], file: Any) -> Any:
    """Of a file of HDF5, where structs are groups, and cells and texts are no plain numbers."""
    key = _first(path, keys, file)
    kind = getattr(getattr(file[key], "dtype", None), "kind", "a struct")
    if kind not in _NUMBERS or "char" in str(file[key].attrs.get("MATLAB_class", "")):
        raise _no_numbers(path, key)
    return file[key]


def _headers_of_v5(path: Path, keys: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """Which of these variables it has, and the shape."""
    _check_length(path)
    found = {name: (tuple(sides), kind) for name, sides, kind in _scipy(path, "whosmat")}
    key = _first(path, keys, found)
    shape, kind = found[key]
    if kind not in _CLASSES:
        raise _no_numbers(path, key)
    return key, shape


def _scipy(path: Path, verb: str, **options: Any) -> Any:
    io = _package("scipy.io")
    failures = (OSError, ValueError, TypeError, zlib.error, io.matlab.MatReadError)
    try:
        return getattr(io, verb)(path, **options)
    except failures as error:
        raise _damaged(path, error) from error


def _check_length(path: Path) -> None:
    """A v5 file lists its variables although the end of the last one is missing; lengths tell."""
    size, end = path.stat().st_size, _HEADER
    with path.open("rb") as file:
        file.seek(_HEADER - 2)
        order = {b"IM": "<", b"MI": ">"}.get(file.read(2))
        if order is None:
            raise UnreadableFile(f"{str(path)!r} is no MATLAB file of v5 or v7.3; get it anew")
        while end < size:
            file.seek(end)
            tag = file.read(8)
            end += 8 + (struct.unpack(f"{order}II", tag)[1] if len(tag) == 8 else 0)
    if end != size:
        raise UnreadableFile(
            f"{str(path)!r} is truncated: it has {size} bytes of at least {end}; get it anew"
        )


def _first(path: Path, keys: tuple[str, ...], found: Mapping[str, Any]) -> str:
    for key in keys:
        if key in found:
            return key
    there = ", ".join(key for key in found if key != "#refs#") or "nothing"
    raise InvalidData(f"{str(path)!r} has no {' or '.join(map(repr, keys))}; it has {there}")


def _no_numbers(path: Path, key: str) -> InvalidData:
    return InvalidData(f"{key!r} of {str(path)!r} is no array of numbers; get the file anew")


def _damaged(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(f"{str(path)!r} is truncated or damaged ({error}); get it anew")


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"{name.split('.')[0]} reads this MATLAB file and is not installed; "
            "`pip install hsi-xr[train]`"
        ) from error
