"""`hsi-xr calibrate`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hsi_xr.cli import _console, _options, _progress
from hsi_xr.cli._console import log

if TYPE_CHECKING:
    import xarray as xr


@click.command("calibrate")
@click.argument("cube")
@click.argument("known")
@click.argument("dst", type=_options.Place())
@_options.ground
@_options.output
@_options.tmp
@click.option("--dry-run", is_flag=True, help="Tell the gains and the error of each point, stop.")
@_progress.option
@_console.options
def command(
    cube: str,
    known: str,
    dst: Path,
    ground: _options.Ground,
    output: _options.Output,
    tmp: Path | None,
    dry_run: bool,
    mode: str,
) -> None:
    """Bring a reconstructed CUBE to spectra that are KNOWN on its ground, as DST.

    KNOWN is a table (.csv) with columns x, y, perhaps size and name, and wavelengths in nm; or a
    raster of the same ground, such as three bands of Sentinel-2. Every band of CUBE is multiplied
    by one gain; a deviation beside it as well.
    """
    import hsi_xr
    from hsi_xr.calibration.apply import open_product
    from hsi_xr.io.remote import file_of
    from hsi_xr.product.checks import check_product

    dataset = open_product(file_of(cube))
    check_product(dataset, dst, source=cube, **output.checked)
    gains = hsi_xr.gains(
        dataset,
        _with_bands(known, ground.known_bands),
        crs=ground.known_crs,
        scale=ground.known_scale,
        smooth=ground.smooth,
    )
    if dry_run:
        click.echo(gains)
        return
    log.info("%s", gains)
    calibrated = hsi_xr.calibrate(dataset, gains)
    with _progress.progress(mode) as report:
        product = hsi_xr.write_product(
            calibrated, dst, source=cube, **asdict(output), tmp=tmp, progress=report
        )
    _console.echo_paths(product.cube, product.item)


def _with_bands(known: str, bands: str | None) -> "str | xr.DataArray":
    """What is known, with the wavelengths that were said."""
    if bands is None:
        return known
    import hsi_xr
    from hsi_xr.calibration.sites_from_points import read_bands
    from hsi_xr.errors import BandMismatch, UsageError

    if known.lower().endswith(".csv"):
        raise UsageError("a table tells its own wavelengths; --known-bands is for rasters")
    array = hsi_xr.open(known)
    told = read_bands(bands.split(","), "--known-bands")
    if len(told["wavelength"]) != array.sizes["band"]:
        raise BandMismatch(
            f"{known!r} has {array.sizes['band']} bands, and --known-bands tells of "
            f"{len(told['wavelength'])}; tell of each, in order"
        )
    return array.assign_coords({name: ("band", values) for name, values in told.items()})
