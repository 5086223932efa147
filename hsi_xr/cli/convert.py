"""`hsi-xr convert`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_xr.cli import _console, _options, _progress

if TYPE_CHECKING:
    from hsi_xr.batch.result import ConversionResult

_OF_CONVERSIONS = ("model", "device")
"""Options of a run that a conversion has by itself."""


def _by_type(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> str | dict[str, str] | None:
    """One value, or one for each data type."""
    told = {dtype: value for dtype, _, value in (text.rpartition("=") for text in texts)}
    if len(told) < len(texts) or ("" in told and len(told) > 1):
        raise click.BadParameter("give one value, or one for each data type, as in uint16=VALUE")
    return told.get("", told or None)


def _factors(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> float | dict[str, float] | None:
    told = _by_type(ctx, parameter, texts)
    try:
        if isinstance(told, dict):
            return {dtype: float(factor) for dtype, factor in told.items()}
        return None if told is None else float(told)
    except ValueError as error:
        raise click.BadParameter(f"{error}; give e.g. 1e-4, or uint16=1e-4") from error


@click.command("convert")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.argument("folder", type=_options.Place(), metavar="DST_DIR")
@click.option("--asset", metavar="KEY", help="Of STAC items [default: visual, rgb, or the only].")
@click.option("--as-mosaic", is_flag=True, help="SRC are tiles of one: no seam at their borders.")
@click.option("--vrt", is_flag=True, help="mosaic.vrt over all products, too.")
@click.option(
    "--radiometry",
    multiple=True,
    callback=_by_type,
    metavar="[DTYPE=]KIND",
    help="srgb, linear or reflectance; by data type where that differs. 8-bit pictures are srgb "
    "unless their metadata says more.",
)
@click.option(
    "--input-scale",
    multiple=True,
    callback=_factors,
    metavar="[DTYPE=]FACTOR",
    help="Factor from stored numbers to reflectance or to 0..1; by data type where that differs.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Pictures at once on each device.",
)
@click.option("--licence", metavar="SPDX", help="Of the products, for the collection.")
@click.option("--id", "collection", help="Of the collection [default: DST_DIR's name].")
@click.option("--title", help="Of the collection.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first picture that fails.")
@click.option("--dry-run", is_flag=True, help="Tell which pictures there are, and stop.")
@_options.pictures
@_options.run
@_options.output
@_options.tmp
@_progress.option
@_console.options
def command(
    sources: tuple[str, ...],
    folder: Path,
    pictures: _options.Pictures,
    run: _options.Run,
    output: _options.Output,
    mode: str,
    fail_fast: bool,
    dry_run: bool,
    tmp: Path | None,
    **given: Any,
) -> None:
    """Estimate the hyperspectral cubes of many RGB pictures, with a STAC collection over all.

    SRC are files, folders, patterns ('tiles/**/*.tif'), STAC collections or items, lists of items
    (.json), or lists of these (.txt). DST_DIR, here or as s3://bucket/folder, gets a folder for
    each picture, collection.json, the model, and manifest.jsonl, by which --resume goes on where a
    run has stopped. --device takes several, as in cuda:0,cuda:1.

    Pictures that fail are listed with their reasons while the rest goes on, and the exit status
    is 1.
    """
    import hsi_xr
    from hsi_xr.errors import Incomplete

    shared = asdict(run)
    own = {name: shared.pop(name) for name in _OF_CONVERSIONS}
    how = hsi_xr.Conversion(
        model=own["model"],
        devices=tuple(own["device"].split(",")),
        options={**shared, "allow_ungeoreferenced": pictures.allow_ungeoreferenced},
        rgb=pictures.bands,
        nodata=pictures.src_nodata,
        datetime=output.datetime,
        stac=output.stac is not False,
        storage={
            "dtype": output.dtype,
            "scale": output.scale,
            "format": output.format,
            "creation_options": output.creation_options,
        },
        **given,
    )
    try:
        with _progress.progress(mode) as report:
            outcome = hsi_xr.convert(
                sources,
                str(folder),
                how,
                resume=output.resume,
                overwrite=output.overwrite,
                fail_fast=fail_fast,
                dry_run=dry_run,
                tmp=tmp,
                progress=report,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What is done is kept: --resume goes on from there.") from None
    for path in (outcome.collection, outcome.vrt):
        if path is not None:
            click.echo(path)
    _tell(outcome, on_stdout=dry_run)
    if failed := len(outcome.failures):
        rest = outcome.planned, outcome.done, outcome.before
        raise Incomplete(f"{failed} of {failed + sum(map(len, rest))} failed")


def _tell(outcome: "ConversionResult", *, on_stdout: bool) -> None:
    """The table; a line for each failure where a program reads along."""
    console = _console.Console.current()
    if console.as_json and not on_stdout:
        for each in outcome.failures:
            click.echo(_console.json_line("failure", each.reason, "error", id=each.id), err=True)
        click.echo(_console.json_line("summary", "", "info", **outcome.counts()), err=True)
    elif on_stdout or console.verbosity >= 0 or outcome.failures:
        click.echo(outcome.table(), err=not on_stdout)
