"""A lazy cube into files: block by block, in order, complete or absent, resumable."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.errors import Incomplete, UsageError
from hsi_xr.io import formats
from hsi_xr.io import staging as draft
from hsi_xr.io.blocks import Block, compute_ahead
from hsi_xr.io.disk import lock_folder, sync, writing
from hsi_xr.io.finalize import finalize
from hsi_xr.io.journal import Journal
from hsi_xr.io.preview import Overview
from hsi_xr.io.raster_dataset import rasterio_open
from hsi_xr.io.remote import file_of, is_remote
from hsi_xr.io.staging import StagingFile
from hsi_xr.io.upload import staging_folder
from hsi_xr.io.variables import DEFAULT_DTYPE, DEFAULT_SCALE, StoredVariable, stored_variables
from hsi_xr.io.write_plan import Run, begun, check_destination, discard, earlier, planned

Progress = Callable[[int, int], None]
"""Is told how many pixels are written, and of how many."""


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """Keyword arguments of `write`, with their defaults."""

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
    """A cube that has been written."""

    path: Path | str
    """Path or URL of the main file."""
    overview: Overview | None
    """Overview of the main file; None if it has no style."""


@dataclass(frozen=True, eq=False)
class _Stored:
    """One block of one image as a file will hold it."""

    numbers: NDArray[Any]
    checksum: int
    is_cut: bool
    """Whether some values were beyond what the numbers can hold."""


def write(
    obj: xr.Dataset | xr.DataArray,
    path: str | os.PathLike[str],
    *,
    dtype: str = DEFAULT_DTYPE,
    scale: float = DEFAULT_SCALE,
    format: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    creation_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    tmp: str | os.PathLike[str] | None = None,
) -> Path | str:
    """Compute a cube and write it, by default as a cloud-optimised GeoTIFF, complete or not at all.

    `reflectance_std`, `rgb_residual` and `out_of_domain`, where the dataset has them, are computed
    with it in one pass. Zarr and NetCDF hold them as variables; of the others they are files of
    their own, `<stem>_std`, `<stem>_residual` and `<stem>_domain`, and `<stem>.qml` has QGIS show
    natural colours, if the cube has them. All files appear together. Memory is bounded by the
    blocks in flight (of whole chunks, each computed once), whatever the size of the scene. They are
    computed in this process, by threads, also where a distributed client is active. What is
    computed waits, uncompressed, in the folder `<name>.part`, from which any format can be resumed.

    Args:
        obj: Reflectance (band, y, x), lazy or not, in any chunks; as a dataset's variable
            `reflectance`, or as an array. NaN is no pixel.
        path: Ends in .tif or .tiff, .zarr, .img (ENVI), .nc or .nc4; or a URL of object storage
            that does, e.g. `s3://bucket/cube.tif`. The product is then put together here, and sent
            in the end: the main object, or a store's root, after all others.
        dtype: `int16` stores steps of `scale`, `float32` the numbers as they are, as it always does
            of `rgb_residual` and `out_of_domain`.
        scale: Size of a step.
        format: `cog`, `geotiff` (tiled, without overviews), `zarr` (version 3, sharded), `envi`
            or `netcdf` (NetCDF-4, CF-1.12); None goes by the path, `.tif` being a `cog`.
        overwrite: Replace what is there, once the new one is complete; what the old one had
            beside it and the new one has not (deviation, residual, style) is removed.
        resume: Go on where a killed or interrupted run of the same configuration stopped.
        creation_options: Of GeoTIFFs those of GDAL's driver that change neither pixels nor labels,
            e.g. `{"COMPRESS": "DEFLATE"}`, and MAX_Z_ERROR, which does so by at most as much; of
            Zarr `CHUNK` and `SHARD` (pixels), of NetCDF `CHUNK` and `ZLEVEL`, of ENVI `INTERLEAVE`.
        progress: Called after each block.
        tmp: Folder where what goes to object storage is put together, and waits to be resumed; by
            default the system's for temporary files. It takes the numbers uncompressed, and once
            more as the format has them.

    Returns:
        The path of the main file, or its URL.

    Raises:
        DestinationExists: Something is there and `overwrite` is not set; or another .tif or .img of
            the same name is, which QGIS would show in the style of this one.
        DestinationUnwritable: The folder is missing or read-only, or the disk is full; there is no
            such bucket, or no right to write and delete there.
        Incomplete: Object storage has not taken the product, after several tries; what was
            computed is kept for `resume`.
        UsageError: The request cannot be met, the format needs a package that is not installed or
            cannot hold the cube, or the run to resume was configured otherwise.
        MissingFact: Attribute `datetime` is a day without a time.
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
    """Write a cube as `write` does, and return what its preview needs as well."""
    name = formats.resolve(path, options.format)
    together = formats.by_name(name).MULTI_VARIABLE
    with _place(path, options.tmp) as (local, remote):
        images = stored_variables(obj, local, options.dtype, options.scale, together=together)
        run = planned(name, images, options.creation_options, remote)
        check_destination(run, overwrite=options.overwrite, resume=options.resume)
        final = run.final(images[0].path)
        refusal = f"another run is writing {str(final)!r}; wait for it, or choose another name"
        with lock_folder(run.folder, refusal):
            ledger = earlier(run) if options.resume else begun(run)
            try:
                with draft.bounded_cache():
                    _fill(run, ledger, options.progress)
                    overview = finalize(run, ledger, overwrite=options.overwrite)
            except (KeyboardInterrupt, Incomplete):
                raise  # what is done stays here, to be resumed
            except BaseException:
                discard(run)
                raise
    return WrittenFiles(images[0].path if remote is None else str(final), overview)


@contextmanager
def _place(
    path: str | os.PathLike[str], tmp: str | os.PathLike[str] | None
) -> Iterator[tuple[Path, Path | None]]:
    """Where the main file is put together, and the folder of a store that it is sent to."""
    destination = file_of(path)
    if not is_remote(str(destination)):
        if tmp is not None:
            raise UsageError(
                f"tmp (--tmp) is for object storage; what becomes {str(destination)!r} is put "
                "together beside it"
            )
        yield destination, None
        return
    folder = staging_folder(str(destination), None if tmp is None else Path(tmp))
    try:
        yield folder / destination.name, destination.parent
    finally:
        with suppress(OSError):  # what can be resumed is in it
            folder.rmdir()


def _fill(run: Run, ledger: Journal, progress: Progress | None) -> None:
    """Compute and write the blocks that are missing; at each row's end all is on disk."""
    total = sum(block.pixels for block in run.blocks)
    todo = run.blocks[len(ledger.done) :]
    written = total - sum(block.pixels for block in todo)
    values = max((block.pixels for block in todo), default=0) * sum(i.count for i in run.images)
    block_bytes = values * np.dtype(np.float32).itemsize
    cut: set[str] = set()
    with closing(compute_ahead(partial(_computed, run), todo, block_bytes)) as computed:
        for _, row in groupby(computed, key=lambda item: item[0].index[0]):
            with _checkpoint(run, ledger) as files:
                for block, stored in row:
                    for each, file, one in zip(run.drafts, files, stored):
                        _put(each, file, block, one.numbers)
                        if one.is_cut and each.image.name not in cut:
                            cut.add(each.image.name)
                            _warn_of_cut(each.image)
                    ledger.done.append([one.checksum for one in stored])
                    written += block.pixels
                    if progress is not None:
                        progress(written, total)


def _computed(run: Run, block: Block) -> list[_Stored]:
    """One block of all images, as it is to be stored; made by many threads at once."""
    encoded = (image.storage.encode(values) for image, values in zip(run.images, run.read(block)))
    return [_Stored(numbers, draft.checksum(numbers), cut) for numbers, cut in encoded]


@contextmanager
def _checkpoint(run: Run, ledger: Journal) -> Iterator[list[Any]]:
    """The unfinished files, open; closed again, what is in them is safe, then noted as done."""
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(rasterio_open(str(each.path), "r+")) for each in run.drafts]
    except KeyboardInterrupt:
        _note(run, ledger)
        raise
    _note(run, ledger)


def _note(run: Run, ledger: Journal) -> None:
    with writing(run.images[0].path):
        for each in run.drafts:
            sync(each.path)
        ledger.save()


def _put(target: StagingFile, file: Any, block: Block, numbers: NDArray[Any]) -> None:
    with writing(target.image.path):
        draft.put(file, block, numbers)


def _warn_of_cut(image: StoredVariable) -> None:
    most = image.storage.limits[1] * image.storage.scale
    warnings.warn(
        f"{image.name!r} of {image.path.name!r} has values that {image.storage.dtype} in steps of "
        f"{image.storage.scale:g} cannot hold; they are cut to {most:g} at most. "
        "Write with dtype='float32' (--dtype float32) to keep them",
        stacklevel=4,
    )
