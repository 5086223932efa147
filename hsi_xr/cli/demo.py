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
    """Run the whole workflow on a rendered scene.

    Renders an RGB image, like that of a drone, whose spectra are known; reconstructs it; writes the
    cube, a preview and a STAC item; and reports how close the estimate is to the true spectra.
    """
    from hsi_xr import demo

    with progress("auto") as report:
        result = demo.run(out, overwrite=overwrite, progress=report)
    click.echo(result.text())
