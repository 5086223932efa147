"""`hsi-xr calibrate`."""

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from hsi_xr.calibration.gains import SMOOTH
from hsi_xr.cli import _console, _options, _progress
from hsi_xr.cli._console import log

if TYPE_CHECKING:
    import xarray as xr


class Fit(TypedDict):
    """Arguments of `hsi_xr.gains`."""

    scale: float
    crs: str | None
    smooth: float


_FIT = (
    click.option(
        "--known-scale",
        type=float,
        default=1.0,
        show_default=True,
        metavar="FACTOR",
        help="Factor from known values to reflectance in 0..1, e.g. 0.01 for percent.",
    ),
    click.option("--known-crs", metavar="CRS", help="CRS of the points [default: that of CUBE]."),
    click.option(
        "--smooth",
        type=float,
        default=SMOOTH,
        show_default=True,
        metavar="NM",
        help="Length in nm over which the gain varies; inf for a single gain for all bands.",
    ),
)


@click.command("calibrate", short_help="Calibrate a cube to known spectra.")
@click.argument("cube")
@click.argument("known")
@click.argument("dst", type=_options.Destination())
@click.option(
    "--known-bands",
    metavar="NM/NM,...",
    help="Centre and width of each band of KNOWN, if it is a raster without them.",
)
@_options.collect("fit", _FIT, {"known_scale": "scale", "known_crs": "crs"})
@_options.output
@click.option(
    "--dry-run", is_flag=True, help="Print the gains and the error at each point, and stop."
)
@_progress.option
@_console.options
def command(
    cube: str,
    known: str,
    dst: Path,
    known_bands: str | None,
    fit: Fit,
    output: _options.Output,
    dry_run: bool,
    mode: str,
) -> None:
    """Calibrate a reconstructed CUBE to KNOWN spectra of the same ground, and write DST.

    KNOWN is a table (.csv) with columns x, y, optionally size and name, and one for each wavelength
    in nm; or a raster of the same ground, e.g. three bands of Sentinel-2. Each band of CUBE, and
    its standard deviation, is multiplied by one gain.
    """
    import hsi_xr
    from hsi_xr.calibration.apply import open_product
    from hsi_xr.io.remote import file_of
    from hsi_xr.product.checks import check_product

    dataset = open_product(file_of(cube))
    check_product(dataset, dst, source=cube, **_options.check(output))
    gains = hsi_xr.gains(dataset, _with_bands(known, known_bands), **fit)
    if dry_run:
        click.echo(gains)
        return
    log.info("%s", gains)
    with _progress.progress(mode) as report:
        product = hsi_xr.write_product(
            hsi_xr.calibrate(dataset, gains), dst, source=cube, **output, progress=report
        )
    _console.echo_paths(product.cube, product.item)


def _with_bands(known: str, bands: str | None) -> "str | xr.DataArray":
    """Returns the known spectra; a raster has the wavelengths of --known-bands, if given."""
    if bands is None:
        return known
    import hsi_xr
    from hsi_xr.calibration.sites_from_points import read_bands
    from hsi_xr.errors import BandMismatch, UsageError

    if known.lower().endswith(".csv"):
        raise UsageError("a table states its own wavelengths; --known-bands is for rasters")
    array = hsi_xr.open(known)
    wavelengths = read_bands(bands.split(","), "--known-bands")
    if len(wavelengths["wavelength"]) != array.sizes["band"]:
        raise BandMismatch(
            f"{known!r} has {array.sizes['band']} bands, but --known-bands lists "
            f"{len(wavelengths['wavelength'])}; list each band, in order"
        )
    return array.assign_coords({name: ("band", values) for name, values in wavelengths.items()})
