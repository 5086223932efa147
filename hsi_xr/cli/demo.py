"""`hsi-xr demo`."""

from pathlib import Path

import click

from hsi_xr.cli import _console
from hsi_xr.cli._progress import progress
from hsi_xr.demo.seasons import SEASONS


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("hsi-xr-demo"),
    show_default=True,
    help="Folder for the files.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the textures, plants and noise of the scene.",
)
@click.option(
    "--season",
    type=click.Choice([*SEASONS]),
    default="summer",
    show_default=True,
    help="Season, which determines what grows in the scene.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier demo.")
@_console.options
def command(out: Path, seed: int, season: str, overwrite: bool) -> None:
    """Run the whole workflow on a rendered scene.

    Renders an RGB image, like that of a drone, whose spectra are known; reconstructs it from the
    image alone and with a grey panel; writes the cubes, a preview and a STAC item; and reports how
    close the estimates are to the true spectra.
    """
    from hsi_xr import demo

    with progress("auto") as report:
        result = demo.run(out, overwrite=overwrite, progress=report, seed=seed, season=season)
    click.echo(result.text())
