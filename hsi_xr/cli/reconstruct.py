"""`hsi-xr reconstruct`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_xr.cli import _console, _options
from hsi_xr.cli._console import log
from hsi_xr.cli._progress import MODES, progress

if TYPE_CHECKING:
    import xarray as xr

    from hsi_xr.raster.clip import Window


@click.command("reconstruct")
@click.argument("src")
@click.argument("dst", type=click.Path(dir_okay=False, path_type=Path))
@_options.scene
@_options.run
@_options.output
@click.option("--dry-run", is_flag=True, help="Tell the plan (tiles, memory, bytes) and stop.")
@click.option(
    "--progress",
    "mode",
    type=click.Choice(MODES),
    default="auto",
    show_default=True,
    help="auto: a bar on a terminal.",
)
@_console.options
def command(
    src: str,
    dst: Path,
    scene: _options.Scene,
    run: _options.Run,
    output: _options.Output,
    dry_run: bool,
    mode: str,
) -> None:
    """Estimate the hyperspectral cube DST of the RGB scene SRC.

    DST is a GeoTIFF with the wavelengths of its bands; its STAC item is written beside it where
    the time of acquisition is known. Both appear when they are complete, or not at all.
    """
    import hsi_xr
    from hsi_xr.raster import clip

    image = hsi_xr.open(src, rgb=scene.bands, nodata=scene.src_nodata)
    acquired = _acquired(src, dst, output, image.attrs.get("datetime"))
    part = clip.window(image, scene.bounds) if scene.bounds else None
    how = _how(scene, run)
    with _naming_options():
        if dry_run:
            click.echo(_plan(image, part, how, output))
            return
        cube = hsi_xr.reconstruct(image, **how)
    if part is not None:
        cube = part.of(cube)
    if acquired is not None:
        cube.attrs["datetime"] = acquired
    _warn_of_items(src, dst, output, acquired)
    _write(cube, dst, output, mode)
    click.echo(dst)
    if acquired is not None and output.stac is not False:
        click.echo(_describe(dst, src, acquired))


@contextmanager
def _naming_options() -> Iterator[None]:
    """The library asks for its arguments; here they have other names."""
    from hsi_xr.errors import MissingFact

    try:
        yield
    except MissingFact as error:  # what the numbers mean, and of whom: all else is asked before
        options = "--camera NAME, --radiometry KIND and --input-scale FACTOR"
        raise MissingFact(f"{error} (on the command line: {options})") from error


def _plan(
    image: "xr.DataArray", part: "Window | None", how: dict[str, Any], output: _options.Output
) -> str:
    """The plan of the whole scene, and what of it is written where that is a part."""
    import numpy as np

    import hsi_xr
    from hsi_xr.raster.image import Storage

    dtype = Storage.of("reflectance", output.dtype, output.scale).dtype
    plan = hsi_xr.plan(image, **how)
    if part is None:
        return str(plan)
    (rows, columns), pixels = part.shape, image.sizes["y"] * image.sizes["x"]
    float32, size = (np.dtype(name).itemsize for name in ("float32", dtype))
    others = int(how["residual"])  # numbers of a pixel that are float32 in any case
    bands = plan.output_bytes // (float32 * pixels) - others
    stored = rows * columns * (bands * size + others * float32)
    return (
        f"{plan}\n{'area':<8} {rows} x {columns} px from row {part.rows.start}, column "
        f"{part.columns.start}; {stored:,} bytes as {dtype}, "
        "less when compressed"
    )


def _how(scene: _options.Scene, run: _options.Run) -> dict[str, Any]:
    return {
        **asdict(run),
        "radiometry": scene.radiometry,
        "scale": scene.input_scale,
        "allow_ungeoreferenced": scene.allow_ungeoreferenced,
    }


def _acquired(src: str, dst: Path, output: _options.Output, known: str | None) -> str | None:
    """Time of acquisition in ISO 8601; all that can be said against the item, before any work."""
    from hsi_xr.errors import DestinationExists, MissingFact, UsageError
    from hsi_xr.raster.labels import instant

    item = _item_path(dst)
    given = output.datetime or known
    acquired = instant(given).isoformat() if given else None
    if dst.exists() and Path(src).exists() and dst.samefile(src):
        raise UsageError(f"{str(dst)!r} is the scene itself; give the cube another name")
    if output.stac and acquired is None:
        raise MissingFact(
            f"{src!r} does not tell when it was acquired, and a STAC item must; give --datetime, "
            "e.g. --datetime 2026-01-02T10:30:00Z"
        )
    expected = acquired is not None and output.stac is not False
    if expected and item.exists() and not (output.overwrite or output.resume):
        raise DestinationExists(
            f"{str(item)!r} exists; give --overwrite, another DST, or --no-stac"
        )
    return acquired


def _warn_of_items(src: str, dst: Path, output: _options.Output, acquired: str | None) -> None:
    """Say now, and not after hours, that no item will be there, or one that is not of this run."""
    if acquired is not None and output.stac is not False:
        return
    if output.stac is None:
        log.warning(
            "no STAC item will be written, since %s does not tell when it was acquired; give "
            "--datetime, e.g. --datetime 2026-01-02T10:30:00Z, or --no-stac",
            Path(src).name,
        )
    if _item_path(dst).exists():
        log.warning("%s is not touched; it is not about this %s", _item_path(dst), dst.name)


def _write(cube: "xr.Dataset", dst: Path, output: _options.Output, mode: str) -> None:
    import hsi_xr
    from hsi_xr.raster.ledger import ledger_of

    try:
        with progress(mode) as report:
            hsi_xr.write(
                cube,
                dst,
                dtype=output.dtype,
                scale=output.scale,
                cog=output.cog,
                overwrite=output.overwrite,
                resume=output.resume,
                creation_options=output.creation_options,
                progress=report,
            )
    except KeyboardInterrupt:
        if ledger_of(dst).exists():
            raise KeyboardInterrupt("What is done is kept: --resume goes on from there.") from None
        raise


def _describe(dst: Path, src: str, acquired: str) -> Path:
    """Write the item beside the cube, complete or not at all."""
    import json

    import hsi_xr
    from hsi_xr.errors import HsiError

    path = _item_path(dst)
    part = path.with_name(f"{path.name}.part")
    try:
        item = hsi_xr.describe(dst, datetime=acquired, derived_from=src)
        part.write_text(json.dumps(item.to_dict(include_self_link=False), indent=2) + "\n")
        part.replace(path)
    except (HsiError, OSError) as error:
        part.unlink(missing_ok=True)
        raise HsiError(
            f"{str(dst)!r} is complete, but its STAC item could not be written: {error}"
        ) from error
    return path


def _item_path(dst: Path) -> Path:
    return dst.with_suffix(".json")
