"""`hsi-xr reconstruct`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hsi_xr.cli import _console, _options, _progress

if TYPE_CHECKING:
    from hsi_xr.io.clip import Window
    from hsi_xr.pipeline.arguments import ReconstructOptions
    from hsi_xr.pipeline.plan import Plan


@click.command("reconstruct", short_help="Estimate the spectra of an RGB or multispectral scene.")
@click.argument("src")
@click.argument("dst", type=_options.Destination())
@_options.opening
@click.option(
    "--bounds",
    nargs=4,
    type=float,
    metavar="W S E N",
    help="Write only this part of the scene, in the units of its CRS. Its pixels "
    "equal those of the whole cube.",
)
@_options.model
@_options.scene_options
@_options.output
@click.option("--dry-run", is_flag=True, help="Print the plan (tiles, memory, size) and stop.")
@_progress.option
@_console.options
def command(
    src: str,
    dst: Path,
    opening: _options.Opening,
    bounds: tuple[float, float, float, float] | None,
    model: str,
    options: "ReconstructOptions",
    output: _options.Output,
    dry_run: bool,
    mode: str,
) -> None:
    """Estimate the hyperspectral cube DST of the RGB or multispectral scene SRC.

    DST is a cloud-optimised GeoTIFF with the wavelengths of its bands, or a file of another format
    (--format). If the acquisition time is known, a preview and a STAC item are written next to it.
    Each file is written completely or not at all.
    """
    import hsi_xr
    from hsi_xr.io.clip import window
    from hsi_xr.product.checks import check_product

    image = hsi_xr.open(src, **opening)
    if opening["rgb"] is not None and len(opening["rgb"]) > 3:
        options["bands"] = range(1, len(opening["rgb"]) + 1)  # `image` has no others
    check_product(image, dst, source=src, **_options.check(output))
    part = window(image, bounds) if bounds else None
    if dry_run:
        click.echo(_describe(hsi_xr.plan(image, model, **options), part, output))
        return
    cube = hsi_xr.reconstruct(image, model, **options)
    if part is not None:
        cube = part.crop(cube)
    with _progress.progress(mode) as report:
        product = hsi_xr.write_product(
            cube, dst, source=src, model=model, **output, progress=report
        )
    _console.echo_paths(product.cube, product.item)


def _describe(plan: "Plan", part: "Window | None", output: _options.Output) -> str:
    """Returns the plan of the scene and, if only a part is written, the size of that part."""
    if part is None:
        return str(plan)
    from hsi_xr.product.size import stored_bytes

    rows, columns = part.shape
    size = stored_bytes(plan.job.outputs, part.shape, dtype=output["dtype"], scale=output["scale"])
    return (
        f"{plan}\n{'area':<8} {rows} x {columns} px from row {part.rows.start}, column "
        f"{part.columns.start}; {size:,} bytes as {output['dtype']}, less when compressed"
    )
