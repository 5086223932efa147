"""`hsi-xr demo`."""

from pathlib import Path

import click

from hsi_xr.cli import _console
from hsi_xr.cli._progress import progress


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("hsi-xr-demo"),
    show_default=True,
    help="Folder for the files.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier demo.")
@_console.options
def command(out: Path, overwrite: bool) -> None:
    """Show all of it on a rendered scene.

    Renders a drone-like RGB scene whose spectra are known, reconstructs it, writes cube, STAC item
    and preview, and tells how near the estimate comes to the truth.
    """
    from hsi_xr import demo

    with progress("auto") as report:
        result = demo.run(out, overwrite=overwrite, progress=report)
    click.echo(result.text())
