"""`hsi-xr cameras`."""

import click

from hsi_xr.cli import _console


@click.command("cameras", short_help="List cameras whose response is known.")
@_console.options
def command() -> None:
    """List the cameras and sensors with a known spectral response, as --camera takes them.

    The spectral sensitivities of cameras are those of rawtoaces-data (Apache-2.0). Sensors are
    listed with their channels and the origin of the responses: measured curves of pyrsr
    (Apache-2.0) and hs_process (MIT), or Gaussians with published centres and widths.
    """
    import hsi_xr
    from hsi_xr.camera.bandpass import published

    for name in hsi_xr.cameras():
        click.echo(name)
    for name, sensor in sorted(published().items()):
        click.echo(f"{name}  {', '.join(sensor.names)}  ({sensor.source})")
