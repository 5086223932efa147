"""`hsi-xr reconstruct`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_xr.cli import _console, _options, _progress

if TYPE_CHECKING:
    import xarray as xr

    from hsi_xr.io.clip import Window


@click.command("reconstruct")
@click.argument("src")
@click.argument("dst", type=_options.Place())
@_options.scene
@_options.run
@_options.output
@_options.tmp
@click.option("--dry-run", is_flag=True, help="Tell the plan (tiles, memory, bytes) and stop.")
@_progress.option
@_console.options
def command(
    src: str,
    dst: Path,
    scene: _options.Scene,
    run: _options.Run,
    output: _options.Output,
    tmp: Path | None,
    dry_run: bool,
    mode: str,
) -> None:
    """Estimate the hyperspectral cube DST of the RGB scene SRC.

    DST is a GeoTIFF with the wavelengths of its bands, or a file of another format (--format).
    A preview and a STAC item are written next to it if the acquisition time is known. Each file
    appears when it is complete, or not at all.
    """
    import hsi_xr
    from hsi_xr.io import clip
    from hsi_xr.product.checks import check_product

    image = hsi_xr.open(src, rgb=scene.bands, nodata=scene.src_nodata)
    check_product(image, dst, source=src, **output.checked)
    part = clip.window(image, scene.bounds) if scene.bounds else None
    how = _how(scene, run)
    with _naming_options():
        if dry_run:
            click.echo(_plan(image, part, how, output))
            return
        cube = hsi_xr.reconstruct(image, **how)
    if part is not None:
        cube = part.crop(cube)
    with _progress.progress(mode) as report:
        product = hsi_xr.write_product(
            cube, dst, source=src, model=run.model, **asdict(output), tmp=tmp, progress=report
        )
    _console.echo_paths(product.cube, product.item)


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
    from hsi_xr.io.variables import Storage

    plan = hsi_xr.plan(image, **how)
    outputs, dtype = plan.job.outputs, output.dtype
    bytes_per_pixel = sum(
        variable.values_per_pixel(outputs.bands)
        * np.dtype(Storage.of(variable.name, dtype, output.scale).dtype).itemsize
        for variable in outputs.variables
    )
    if part is None:
        return str(plan)
    rows, columns = part.shape
    stored = rows * columns * bytes_per_pixel
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
