"""`hsi-xr convert`."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from hsi_xr.cli import _console, _options, _progress

if TYPE_CHECKING:
    from hsi_xr.batch.result import ConversionResult
    from hsi_xr.pipeline.arguments import ReconstructOptions


class Settings(TypedDict):
    """Arguments of `hsi_xr.Conversion` that only this command has."""

    asset: str | None
    as_mosaic: bool
    vrt: bool
    radiometry: str | Mapping[str, str] | None
    input_scale: float | Mapping[str, float] | None
    input_offset: float | Mapping[str, float] | None
    jobs: int
    licence: str | None
    collection: str | None
    title: str | None


def _by_dtype(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> str | dict[str, str] | None:
    """Parse one value for all images, or one per data type."""
    values = {dtype: value for dtype, _, value in (text.rpartition("=") for text in texts)}
    if len(values) < len(texts) or ("" in values and len(values) > 1):
        raise click.BadParameter("give one value, or one for each data type, e.g. uint16=VALUE")
    return values.get("", values or None)


def _numbers(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> float | dict[str, float] | None:
    numbers = _by_dtype(ctx, parameter, texts)
    try:
        if isinstance(numbers, dict):
            return {dtype: float(Fraction(number)) for dtype, number in numbers.items()}
        return None if numbers is None else float(Fraction(numbers))
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{error}; give e.g. 1e-4, or uint16=1e-4") from error


_SETTINGS = (
    click.option(
        "--asset",
        metavar="KEY",
        help="Asset of STAC items that is the image [default: visual, rgb, or the only image].",
    ),
    click.option(
        "--as-mosaic",
        is_flag=True,
        help="Treat SRC as tiles of one image, so that no seams appear.",
    ),
    click.option(
        "--vrt", is_flag=True, help="Also write mosaic.vrt, a virtual raster of all products."
    ),
    click.option(
        "--radiometry",
        multiple=True,
        callback=_by_dtype,
        metavar="[DTYPE=]KIND",
        help="srgb, linear or reflectance, or a product (see `hsi-xr reconstruct`), for all "
        "images or per data type [default: as stated in the file; srgb for 8-bit files].",
    ),
    click.option(
        "--input-scale",
        multiple=True,
        callback=_numbers,
        metavar="[DTYPE=]FACTOR",
        help="Factor from stored values to the range 0..1, for all images or per data type "
        "[default: as stated in the file or its STAC item].",
    ),
    click.option(
        "--input-offset",
        multiple=True,
        callback=_numbers,
        metavar="[DTYPE=]NUMBER",
        help="Number added after --input-scale, for all images or per data type.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=2,
        show_default=True,
        help="Images processed at once on each device.",
    ),
    click.option("--licence", metavar="SPDX", help="Licence of the products, for the collection."),
    click.option("--id", "collection", help="Id of the collection [default: the name of DST_DIR]."),
    click.option("--title", help="Title of the collection."),
)


@click.command("convert", short_help="Estimate the spectra of many images.")
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@click.argument("folder", type=_options.Destination(), metavar="DST_DIR")
@_options.collect("settings", _SETTINGS)
@click.option("--fail-fast", is_flag=True, help="Stop at the first image that fails.")
@click.option("--dry-run", is_flag=True, help="Print what would be converted, and stop.")
@_options.opening
@_options.model
@_options.batch_options
@_options.output
@_progress.option
@_console.options
def command(
    sources: tuple[str, ...],
    folder: Path,
    settings: Settings,
    fail_fast: bool,
    dry_run: bool,
    opening: _options.Opening,
    model: str,
    options: "ReconstructOptions",
    output: _options.Output,
    mode: str,
) -> None:
    """Estimate the hyperspectral cubes of many RGB or multispectral images.

    Each SRC is a file, a folder, a pattern ('tiles/**/*.tif'), a STAC collection or item, a list of
    items (.json), or a text file that lists any of these (.txt). DST_DIR is a folder, or a URL such
    as s3://bucket/folder. It receives a folder for each image, collection.json, the model, and
    manifest.jsonl, from which --resume continues an interrupted run. --device takes several
    devices, e.g. cuda:0,cuda:1.

    Images that fail are listed with the reason once all others are converted, and the exit status
    is 1.
    """
    import hsi_xr
    from hsi_xr.errors import Incomplete

    devices = str(options.pop("device")).split(",")
    bands = opening["rgb"]
    config = hsi_xr.Conversion(
        model=model,
        devices=tuple(devices),
        options=options,
        rgb=bands if bands is None or len(bands) == 3 else None,
        bands=bands if bands is not None and len(bands) > 3 else None,
        nodata=opening["nodata"],
        **settings,
        datetime=output["datetime"],
        stac=output["stac"] is not False,
        storage={
            "dtype": output["dtype"],
            "scale": output["scale"],
            "format": output["format"],
            "creation_options": output["creation_options"],
        },
    )
    with _progress.progress(mode) as report:
        result = hsi_xr.convert(
            sources,
            str(folder),
            config,
            resume=output["resume"],
            overwrite=output["overwrite"],
            tmp=output["tmp"],
            fail_fast=fail_fast,
            dry_run=dry_run,
            progress=report,
        )
    _console.echo_paths(result.collection, result.vrt)
    _print_result(result, on_stdout=dry_run)
    if result.failures:
        raise Incomplete(f"{len(result.failures)} of {sum(result.counts().values())} images failed")


def _print_result(result: "ConversionResult", *, on_stdout: bool) -> None:
    """Print the table; or JSON, one line per failure, if messages are JSON."""
    console = _console.Console.current()
    if console.as_json and not on_stdout:
        for failure in result.failures:
            line = _console.json_line("failure", failure.reason, "error", id=failure.id)
            click.echo(line, err=True)
        click.echo(_console.json_line("summary", "", "info", **result.counts()), err=True)
    elif on_stdout or console.verbosity >= 0 or result.failures:
        click.echo(result.table(), err=not on_stdout)
