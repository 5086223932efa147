"""Recognises and opens Zarr and NetCDF stores."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import xarray as xr

from hsi_xr.errors import UnknownName, UnreadableFile, UsageError
from hsi_xr.io.dimensions import repair_of, with_standard_dims
from hsi_xr.io.remote import file_of, is_remote, storage_options, store_errors, without_query
from hsi_xr.io.store_reader import StoredArray

_NETCDF = (".nc", ".nc4")
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ENGINES = {"Zarr": ("zarr", "zarr"), "netCDF": ("h5netcdf", "netcdf")}
"""Driver -> xarray's engine, which is also a package's name, and the extra that installs it."""
_IMAGE_DIMS = ({"band", "y", "x"}, {"y", "x"})


def store_driver(path: str) -> str | None:
    """Returns `Zarr` or `netCDF` if a path is a store that xarray reads, None if GDAL reads it."""
    if is_remote(path):
        name = without_query(path).rstrip("/").lower()
        return "Zarr" if name.endswith(".zarr") else "netCDF" if name.endswith(_NETCDF) else None
    local = Path(path)
    if local.is_dir():
        return "Zarr" if metadata_file(local).exists() else None
    if local.suffix.lower() in _NETCDF and local.is_file():
        with local.open("rb") as file:
            return "netCDF" if file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE else None
    return None


def metadata_file(folder: Path) -> Path:
    """Returns the file of a Zarr store that changes whenever the store is rewritten."""
    return folder / "zarr.json"


def open_store(path: str, driver: str, variable: str | None) -> StoredArray:
    """Opens an array of a store for reading.

    Args:
        path: A Zarr folder or a NetCDF file, local or remote.
        driver: As returned by `store_driver`.
        variable: Name of the array; by default `reflectance`, or else the first over (band, y, x),
            or else all arrays over (y, x) as bands.

    Raises:
        UsageError: A package that reads such stores, or reaches them, is not installed.
        UnknownName: The store has no such variable.
        UnreadableFile: The store has no array over y and x, or is damaged.
    """
    dataset = with_standard_dims(_open_dataset(path, driver))
    images, planes = (
        [str(name) for name, array in dataset.data_vars.items() if {*array.dims} == dims]
        for dims in _IMAGE_DIMS
    )
    if driver == "Zarr":  # a group may list its arrays in another order each time it is opened
        images, planes = sorted(images), sorted(planes)
    names = [*images, *planes]
    if not names:
        raise UnreadableFile(_without_image(path, driver, dataset))
    if variable is not None and variable not in names:
        raise UnknownName(f"{path!r} has no variable {variable!r}; it has {', '.join(names)}")
    if variable is None and "reflectance" in names:
        variable = "reflectance"
    return StoredArray(driver, dataset, [variable] if variable else images[:1] or planes)


def _without_image(path: str, driver: str, dataset: xr.Dataset) -> str:
    """Returns the message for a store without an array that can be read, with its repair."""
    arrays = [array for array in dataset.data_vars.values() if array.ndim > 1]
    if not arrays:
        names = ", ".join(map(str, dataset.data_vars)) or "no arrays"
        return f"{path!r} has no array with dimensions (band, y, x) or (y, x); it has {names}"
    opened = f"xr.open_dataset({path!r}, engine={_ENGINES[driver][0]!r}, decode_coords='all')"
    return (
        f"{path!r} has no array with dimensions (band, y, x) or (y, x); {arrays[0].name!r} has "
        f"{', '.join(map(str, arrays[0].dims))}. Choose or rename its dimensions: "
        f"`{opened}{repair_of(arrays[0])}.hsi.reconstruct()`"
    )


def _open_dataset(path: str, driver: str) -> xr.Dataset:
    engine, extra = _ENGINES[driver]
    if find_spec(engine) is None:
        raise UsageError(
            f"{path!r} is a {driver} store, which needs the package {engine}; install it with "
            f"`pip install 'hsi-xr[{extra}]'`"
        )
    try:
        target, options = _open_arguments(path, driver)
        return xr.open_dataset(
            target,
            engine=engine,
            mask_and_scale=False,
            decode_times=False,
            cache=False,
            **options,
        )
    except store_errors(ValueError, KeyError, RuntimeError) as error:
        name = without_query(path)
        raise UnreadableFile(f"{name!r} cannot be read as {driver} ({error})") from error


def _open_arguments(path: str, driver: str) -> tuple[str | IO[bytes], dict[str, Any]]:
    """Returns the first argument of `xarray.open_dataset` for a path, and its options."""
    if is_remote(path):
        file = file_of(path)
        if driver != "Zarr":
            return file.open("rb"), {}
        return str(file), {"storage_options": storage_options(str(file)) or None}
    metadata = metadata_file(Path(path))
    if driver != "Zarr" or not metadata.is_file():
        return path, {}
    # state whether metadata is consolidated: xarray warns if it has to find out
    root = json.loads(metadata.read_text("utf-8"))
    return path, {"consolidated": root.get("consolidated_metadata") is not None}
