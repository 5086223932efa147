"""`hsi-xr cameras`."""

import click

from hsi_xr.cli import _console


@click.command("cameras", short_help="List cameras whose response is known.")
@_console.options
def command() -> None:
    """List the cameras with a known spectral response, as --camera takes them.

    The spectral sensitivities are those of rawtoaces-data (Apache-2.0).
    """
    import hsi_xr

    for name in hsi_xr.cameras():
        click.echo(name)
