"""Which paths are Zarr or NetCDF stores, and opening them."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import xarray as xr

from hsi_xr.errors import UnknownName, UnreadableFile, UsageError
from hsi_xr.io.remote import file_of, is_remote, storage_options, store_errors, without_query
from hsi_xr.io.store_reader import StoredArray

_NETCDF = (".nc", ".nc4")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ENGINES = {"Zarr": ("zarr", "zarr"), "netCDF": ("h5netcdf", "netcdf")}
"""Driver -> engine of xarray, which is a package's name as well, and our extra that has it."""
_AXES = ({"y", "x"}, {"band", "y", "x"})


def store_driver(path: str) -> str | None:
    """`Zarr` or `netCDF` where a path is of a store; None where it is GDAL's to say."""
    if is_remote(path):
        name = without_query(path).rstrip("/").lower()
        return "Zarr" if name.endswith(".zarr") else "netCDF" if name.endswith(_NETCDF) else None
    local = Path(path)
    if local.is_dir():
        return "Zarr" if metadata_file(local).exists() else None
    if local.suffix.lower() in _NETCDF and local.is_file():
        with local.open("rb") as file:
            return "netCDF" if file.read(len(_HDF5)) == _HDF5 else None
    return None


def metadata_file(folder: Path) -> Path:
    """The file that changes whenever a Zarr store is written anew."""
    return folder / "zarr.json"


def open_store(path: str, driver: str, variable: str | None) -> StoredArray:
    """An array of a store to read from.

    Raises:
        UsageError: A package that reads such stores, or reaches them, is not installed.
        UnknownName: It has no such variable.
        UnreadableFile: It has no array over y and x, or is damaged.
    """
    engine, extra = _ENGINES[driver]
    if find_spec(engine) is None:
        raise UsageError(
            f"{path!r} is a {driver} store, which the package {engine} reads; run "
            f"`pip install 'hsi-xr[{extra}]'`"
        )
    try:
        place, how = _how_to_open(path, driver)
        found = xr.open_dataset(
            place,
            engine=engine,
            mask_and_scale=False,
            decode_times=False,
            cache=False,
            **how,
        )
    except _wrong() as error:
        name = without_query(path)
        raise UnreadableFile(f"{name!r} cannot be read as {driver} ({error})") from error
    names = [str(name) for name, array in found.data_vars.items() if {*array.dims} in _AXES]
    if not names:
        raise UnreadableFile(
            f"{path!r} has no array over y and x, perhaps with bands; it has "
            f"{', '.join(map(str, found.data_vars)) or 'none'}. Rename its axes to band, y, x"
        )
    first = "reflectance" if "reflectance" in names else names[0]
    if (variable or first) not in names:
        raise UnknownName(f"{path!r} has no variable {variable!r}; it has {', '.join(names)}")
    return StoredArray(driver, found, variable or first)


def _wrong() -> tuple[type[Exception], ...]:
    """What xarray and its engines raise of a store that is damaged, absent or out of reach."""
    return (*store_errors(), ValueError, KeyError, RuntimeError)


def _how_to_open(path: str, driver: str) -> tuple[Any, dict[str, Any]]:
    """What xarray takes for a path, and with which options."""
    if is_remote(path):
        there = file_of(path)
        if driver != "Zarr":
            return there.open("rb"), {}
        return str(there), {"storage_options": storage_options(str(there)) or None}
    metadata = metadata_file(Path(path))
    if driver != "Zarr" or not metadata.is_file():
        return path, {}
    # whether metadata is in one file, where that can be looked up; xarray warns if it must try
    root = json.loads(metadata.read_text("utf-8"))
    return path, {"consolidated": root.get("consolidated_metadata") is not None}
