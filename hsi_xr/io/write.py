"""Write a lazy cube to files: block by block, completely or not at all, and resumable.

A run goes through these modules in order:

1. `variables` and `write_plan`: which variables go into which files, in which blocks.
2. `write_checks`: check that the destination can be written, before any work.
3. `resume`: create empty staging files (`staging`), or find those of an interrupted run.
4. `write_blocks`: compute blocks ahead (`blocks`), write them to the staging files, and record them
   in the `journal`.
5. `finalize`: write each file in its format (`formats`) from the staging files, read it back,
   make the QGIS style (`preview`), and rename all of them.
6. `commit` (with `upload`): instead of renaming, upload them to object storage.

Until step 5 or 6 everything is in the folder `<name>.part`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from hsi_xr.errors import Incomplete, UsageError
from hsi_xr.io import formats
from hsi_xr.io.disk import lock_folder
from hsi_xr.io.finalize import finalize
from hsi_xr.io.preview import Overview
from hsi_xr.io.remote import file_of, is_remote
from hsi_xr.io.resume import discard_run, resume_run, start_run
from hsi_xr.io.staging import limited_gdal_cache
from hsi_xr.io.upload import staging_folder
from hsi_xr.io.variables import DEFAULT_DTYPE, DEFAULT_SCALE, stored_variables
from hsi_xr.io.write_blocks import Progress, fill_staging_files
from hsi_xr.io.write_checks import check_destination
from hsi_xr.io.write_plan import WritePlan, plan_write
from hsi_xr.level_interval import LEVEL_FACTOR, LEVEL_VARIABLES

__all__ = ["Progress", "WriteOptions", "WrittenFiles", "write", "write_files"]


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """The keyword arguments of `write`."""

    dtype: str = DEFAULT_DTYPE
    scale: float = DEFAULT_SCALE
    format: str | None = None
    overwrite: bool = False
    resume: bool = False
    creation_options: Mapping[str, object] = field(default_factory=dict)
    progress: Progress | None = None
    tmp: str | os.PathLike[str] | None = None


@dataclass(frozen=True)
class WrittenFiles:
    """The result of `write_files`."""

    path: Path | str
    """Path or URL of the main file."""
    overview: Overview | None
    """Overview of the main file in natural colour; None if it has no style."""


def write(
    obj: xr.Dataset | xr.DataArray,
    path: str | os.PathLike[str],
    *,
    dtype: str = DEFAULT_DTYPE,
    scale: float = DEFAULT_SCALE,
    format: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    creation_options: Mapping[str, object] | None = None,
    progress: Progress | None = None,
    tmp: str | os.PathLike[str] | None = None,
) -> Path | str:
    """Compute a cube and write it, by default as a cloud-optimised GeoTIFF.

    The variables `reflectance_std`, `rgb_residual`, `out_of_domain` and quantiles
    (`reflectance_q05`), if the dataset has them, are computed and written together with
    `reflectance`. Zarr and NetCDF store all of them in one file. The other formats store them in
    the files `<stem>_std`, `<stem>_residual`, `<stem>_domain` and `<stem>_q05`, next to a QGIS
    style, `<stem>.qml`, if the cube has red, green and blue bands. The scalars `level_gain`,
    `level_factor_low` and `level_factor_high` become attributes with the prefix `hsi_xr_`.

    Files appear only when all of them are complete. Memory is bounded by a few blocks of whole
    chunks, each computed once, and does not grow with the scene. Blocks are computed in this
    process, by threads, even if a distributed client is active. Until the end the folder
    `<name>.part` contains the computed blocks, uncompressed, from which any format can be resumed.

    Args:
        obj: Reflectance (band, y, x), lazy or not, in any chunks: an array, or a dataset with the
            variable `reflectance`. NaN marks nodata.
        path: A path with the suffix .tif, .tiff, .zarr, .img (ENVI), .nc or .nc4, or an
            object-storage URL with such a suffix, e.g. `s3://bucket/cube.tif`. A product for object
            storage is completed locally and then uploaded; the main file, or the root of a store,
            goes last.
        dtype: `int16` stores reflectance in steps of `scale`; `float32` stores values unchanged,
            as it always does for `rgb_residual` and `out_of_domain`.
        scale: Reflectance of one stored step.
        format: `cog`, `geotiff` (tiled, no overviews), `zarr` (version 3, sharded), `envi` or
            `netcdf` (NetCDF-4, CF-1.12). None infers it from the path; `.tif` is a `cog`.
        overwrite: Replace existing files, once the new ones are complete. Companion files and a
            style that the new cube does not have are removed.
        resume: Continue an interrupted run of the same configuration.
        creation_options: For GeoTIFF, options of GDAL's driver that change neither pixels nor
            metadata, e.g. `{"COMPRESS": "DEFLATE"}`, and MAX_Z_ERROR, which bounds the error of
            values; for Zarr `CHUNK` and `SHARD` (pixels); for NetCDF `CHUNK` and `ZLEVEL`; for
            ENVI `INTERLEAVE`.
        progress: Called with (pixels written, pixels in total) after each block.
        tmp: Folder for the unfinished files of a product for object storage; by default the
            system's folder for temporary files. It needs space for the uncompressed values and
            for the finished files.

    Returns:
        The path of the main file, or its URL.

    Raises:
        DestinationExists: A file exists and `overwrite` is not set, or a .tif or .img of the same
            stem exists, which QGIS would display in the style of this cube.
        DestinationUnwritable: The folder is missing or read-only, or the disk is full; the bucket
            does not exist, or objects cannot be written and deleted there.
        Incomplete: The product could not be uploaded after several retries; the computed blocks
            are kept for `resume`.
        UsageError: An argument is invalid, the format needs a package that is not installed or
            cannot store the cube, or the run to resume had another configuration.
        MissingFact: The attribute `datetime` is a day without a time.
        InvalidData: The cube has no pixels or contradicts itself.
    """
    options = WriteOptions(
        dtype=dtype,
        scale=scale,
        format=format,
        overwrite=overwrite,
        resume=resume,
        creation_options=creation_options or {},
        progress=progress,
        tmp=tmp,
    )
    return write_files(obj, path, options).path


def write_files(
    obj: xr.Dataset | xr.DataArray, path: str | os.PathLike[str], options: WriteOptions
) -> WrittenFiles:
    """Write a cube as `write` does, and also return the overview that a thumbnail needs."""
    name = formats.resolve(path, options.format)
    with _local_path(path, options.tmp) as (local, remote):
        variables = stored_variables(
            obj,
            local,
            dtype=options.dtype,
            scale=options.scale,
            in_one_file=formats.by_name(name).MULTI_VARIABLE,
        )
        plan = plan_write(name, variables, options.creation_options, remote, level=_level(obj))
        check_destination(plan, overwrite=options.overwrite, resume=options.resume)
        final = plan.destination_of(plan.main.path)
        refusal = f"another run is writing {str(final)!r}; wait for it, or choose another name"
        with lock_folder(plan.folder, refusal):
            overview = _run(plan, options)
    return WrittenFiles(final if remote is None else str(final), overview)


def _level(obj: xr.Dataset | xr.DataArray) -> dict[str, xr.DataArray]:
    """Returns the variables of a dataset that state the level of its scene, if it has them."""
    known = {*LEVEL_VARIABLES, LEVEL_FACTOR}
    names = known & obj.keys() if isinstance(obj, xr.Dataset) else ()
    return {name: obj[name] for name in names}


def _run(plan: WritePlan, options: WriteOptions) -> Overview | None:
    journal = resume_run(plan) if options.resume else start_run(plan)
    try:
        with limited_gdal_cache():
            fill_staging_files(plan, journal, options.progress)
            return finalize(plan, journal, overwrite=options.overwrite)
    except (KeyboardInterrupt, Incomplete):
        raise  # finished blocks are kept, so that the run can be resumed
    except BaseException:
        discard_run(plan)
        raise


@contextmanager
def _local_path(
    path: str | os.PathLike[str], tmp: str | os.PathLike[str] | None
) -> Iterator[tuple[Path, Path | None]]:
    """Yield the local path of the main file, and the folder of object storage it is uploaded to."""
    destination = file_of(path)
    if not is_remote(str(destination)):
        if tmp is not None:
            raise UsageError(
                f"tmp (--tmp) is for object storage only; {str(destination)!r} is a local path, "
                "and unfinished files are kept next to it. Omit tmp"
            )
        yield destination, None
        return
    folder = staging_folder(str(destination), None if tmp is None else Path(tmp))
    try:
        yield folder / destination.name, destination.parent
    finally:
        with suppress(OSError):  # it is not empty if the run can be resumed
            folder.rmdir()
