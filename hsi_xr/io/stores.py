"""Recognises and opens Zarr and NetCDF stores."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import xarray as xr

from hsi_xr.errors import BandMismatch, UnknownName, UnreadableFile, UsageError
from hsi_xr.io.dimensions import DIMS, image_variables, with_standard_dims
from hsi_xr.io.draws import split_draws
from hsi_xr.io.remote import file_of, is_remote, storage_options, store_errors, without_query
from hsi_xr.io.store_reader import StoredArray
from hsi_xr.output_variables import SAMPLE, draw_name

_NETCDF = (".nc", ".nc4")
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ENGINES = {"Zarr": ("zarr", "zarr"), "netCDF": ("h5netcdf", "netcdf")}
"""Driver -> xarray's engine, which is also a package's name, and the extra that installs it."""


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
    """Returns the file of a Zarr store, of version 3 or 2, that changes when it is rewritten."""
    files = [folder / name for name in ("zarr.json", ".zmetadata", ".zgroup")]
    return next((file for file in files if file.exists()), files[0])


def open_store(path: str, driver: str, variable: str | None) -> StoredArray:
    """Opens an array of a store for reading.

    Args:
        path: A Zarr folder or a NetCDF file, local or remote.
        driver: As returned by `store_driver`.
        variable: Name of the array; by default `reflectance`, of joint draws the first, or else the
            image; see `hsi_xr.io.dimensions.image_variables`.

    Raises:
        UsageError: A package that reads such stores, or reaches them, is not installed.
        UnknownName: The store has no such variable.
        UnreadableFile: The store has no array over y and x, or is damaged.
    """
    dataset = _with_draws_apart(with_standard_dims(_open_dataset(path, driver)))
    if driver == "Zarr":  # a group may list its arrays in another order each time it is opened
        dataset = dataset[sorted(dataset.data_vars, key=str)]
    names = [
        str(name) for name, a in dataset.data_vars.items() if {"y", "x"} <= {*a.dims} <= {*DIMS}
    ]
    if variable is not None and variable not in names:
        raise UnknownName(f"{path!r} has no variable {variable!r}; it has {', '.join(names)}")
    if variable is None:
        usual = ("reflectance", draw_name(1))
        variable = next((name for name in usual if name in names), None)
    try:
        chosen = [variable] if variable else [str(name) for name in image_variables(dataset)]
    except BandMismatch as error:
        opened = (
            f"ds = xr.open_dataset({path!r}, engine={_ENGINES[driver][0]!r}, decode_coords='all')"
        )
        raise UnreadableFile(f"{path!r}: {error}, where `{opened}`") from error
    return StoredArray(driver, dataset, chosen)


def _with_draws_apart(dataset: xr.Dataset) -> xr.Dataset:
    """Returns a dataset in which joint draws of reflectance are a variable each."""
    main = dataset.get("reflectance")
    if main is None or SAMPLE not in main.dims:
        return dataset
    return dataset.drop_vars("reflectance").assign(split_draws(main))


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
    if metadata.name != "zarr.json":
        return path, {"consolidated": metadata.name == ".zmetadata"}
    # state whether metadata is consolidated: xarray warns if it has to find out
    root = json.loads(metadata.read_text("utf-8"))
    return path, {"consolidated": root.get("consolidated_metadata") is not None}
