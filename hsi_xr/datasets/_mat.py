"""Arrays of MATLAB files of version 5 and version 7.3 (HDF5), with axes in MATLAB's order."""

import struct
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsi_xr.datasets._base import Array
from hsi_xr.errors import InvalidData, UnreadableFile
from hsi_xr.extras import require

if TYPE_CHECKING:
    import h5py

Stored = NDArray[np.generic]
"""Values with the data type of the file."""

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512
"""Bytes that MATLAB writes before the HDF5 data of a v7.3 file."""
_V5_HEADER = 128
"""Bytes before the first variable of a v5 file; the last two state the byte order."""

_NUMERIC_KINDS = "fiub"
"""Kinds of numpy's data types."""
_NUMERIC_CLASSES = {"double", "single", "logical"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""The same as MATLAB classes; struct, cell, char and sparse arrays are not among them."""


def shape(path: Path, *keys: str) -> tuple[int, ...]:
    """Returns the shape of the first of these variables that a file has, from headers alone.

    Raises:
        UnreadableFile: The file is missing, truncated or not a MATLAB file.
        InvalidData: The file has none of the variables, or the variable is not numeric.
        UsageError: The package that reads the file is not installed.
    """
    if _is_hdf5(path):
        with _open_hdf5(path) as file:
            stored: tuple[int, ...] = _hdf5_variable(path, keys, file).shape
            return stored[::-1]
    return _v5_header(path, keys)[1]


def read(path: Path, *keys: str) -> Stored:
    """Reads the first of these variables that a file has. Raises the errors of `shape`."""
    return _read_hdf5(path, keys) if _is_hdf5(path) else _read_v5(path, keys)


def read_cube(path: Path, *keys: str) -> Array:
    """Reads a (rows, columns, bands) variable as (bands, rows, columns).

    Raises:
        InvalidData: The variable does not have three dimensions.

    It also raises the errors of `shape`.
    """
    stored = read(path, *keys)
    if stored.ndim != 3:
        raise InvalidData(
            f"{str(path)!r} does not contain a cube: its shape is {stored.shape}; download it again"
        )
    return np.ascontiguousarray(np.moveaxis(stored, 2, 0), dtype="float32")


def _is_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(_USER_BLOCK + len(_HDF5_SIGNATURE))
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read ({error}); check the path") from error
    return start.startswith(_HDF5_SIGNATURE) or start.endswith(_HDF5_SIGNATURE)


def _read_hdf5(path: Path, keys: tuple[str, ...]) -> Stored:
    with _open_hdf5(path) as file:
        variable = _hdf5_variable(path, keys, file)
        try:
            stored: Stored = variable[()]
        except OSError as error:
            raise _damaged(path, error) from error
    return stored.T  # HDF5 lists the slowest axis first, MATLAB the fastest


def _open_hdf5(path: Path) -> "h5py.File":
    require("h5py")
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise _damaged(path, error) from error


def _hdf5_variable(path: Path, keys: tuple[str, ...], file: "h5py.File") -> "h5py.Dataset":
    """Returns a numeric variable; structs are stored as groups, text as marked integers."""
    key = _first_present(path, keys, file)
    dtype = getattr(file[key], "dtype", None)
    is_text = "char" in str(file[key].attrs.get("MATLAB_class", ""))
    if dtype is None or dtype.kind not in _NUMERIC_KINDS or is_text:
        raise _not_numeric(path, key)
    return file[key]


def _read_v5(path: Path, keys: tuple[str, ...]) -> Stored:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    key, _ = _v5_header(path, keys)
    try:
        stored = np.asarray(loadmat(path, variable_names=[key])[key])
    except (OSError, ValueError, TypeError, zlib.error, MatReadError) as error:
        raise _damaged(path, error) from error
    if stored.dtype.kind not in _NUMERIC_KINDS:  # complex values, which the header does not state
        raise _not_numeric(path, key)
    return stored


def _v5_header(path: Path, keys: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """Returns the name and the shape of the first of these variables that a file has."""
    require("scipy")
    from scipy.io import whosmat
    from scipy.io.matlab import MatReadError

    _check_v5_length(path)
    try:
        variables = {name: (tuple(sides), kind) for name, sides, kind in whosmat(path)}
    except (OSError, ValueError, TypeError, zlib.error, MatReadError) as error:
        raise _damaged(path, error) from error
    key = _first_present(path, keys, variables)
    shape, kind = variables[key]
    if kind not in _NUMERIC_CLASSES:
        raise _not_numeric(path, key)
    return key, shape


def _check_v5_length(path: Path) -> None:
    """Compares the size of a v5 file with the lengths that it states for its variables.

    scipy lists the variables of a file even where the last one is cut off.
    """
    size, end = path.stat().st_size, _V5_HEADER
    with path.open("rb") as file:
        file.seek(_V5_HEADER - 2)
        byte_order = {b"IM": "<", b"MI": ">"}.get(file.read(2))
        if byte_order is None:
            raise UnreadableFile(
                f"{str(path)!r} is not a MATLAB file of version 5 or 7.3; download it again"
            )
        while end < size:
            file.seek(end)
            tag = file.read(8)
            end += 8 + (struct.unpack(f"{byte_order}II", tag)[1] if len(tag) == 8 else 0)
    if end != size:
        raise UnreadableFile(
            f"{str(path)!r} is truncated: it has {size} of at least {end} bytes; download it again"
        )


def _first_present(path: Path, keys: tuple[str, ...], variables: Collection[str]) -> str:
    for key in keys:
        if key in variables:
            return key
    present = [name for name in variables if name != "#refs#"]
    raise InvalidData(
        f"{str(path)!r} has no variable {' or '.join(map(repr, keys))}; "
        f"it has {', '.join(present) or 'none'}"
    )


def _not_numeric(path: Path, key: str) -> InvalidData:
    return InvalidData(
        f"variable {key!r} of {str(path)!r} is not a numeric array; download the file again"
    )


def _damaged(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(f"{str(path)!r} is truncated or damaged ({error}); download it again")
