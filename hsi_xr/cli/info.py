"""`hsi-xr info`."""

import json
from typing import TYPE_CHECKING, Any

import click

from hsi_xr.cli import _console

if TYPE_CHECKING:
    import xarray as xr


@click.command("info")
@click.argument("file")
@_console.options
def command(file: str) -> None:
    """Tell what FILE holds, as JSON.

    Its grid, its place, its bands; of an RGB scene what its numbers would be taken for, and of a
    cube how it came about. No pixel is read.
    """
    import hsi_xr

    click.echo(json.dumps(_facts(hsi_xr.open(file)), indent=2))


def _facts(image: "xr.DataArray") -> dict[str, Any]:
    from hsi_xr.io.raster_source import stored_dtype

    facts: dict[str, Any] = {
        "path": image.encoding.get("source"),
        "content": image.name,
        "width": image.sizes["x"],
        "height": image.sizes["y"],
        "count": image.sizes["band"],
        "dtype": stored_dtype(image),
        **_place(image),
        "datetime": image.attrs.get("datetime"),
        "bands": _bands(image),
    }
    if made := {key: value for key, value in image.attrs.items() if key.startswith("hsi_xr_")}:
        facts["provenance"] = {key.removeprefix("hsi_xr_"): value for key, value in made.items()}
    if image.name == "rgb":
        facts["radiometry"] = _radiometry(image)
    return facts


def _place(image: "xr.DataArray") -> dict[str, Any]:
    from hsi_xr.io.georef import crs_of, transform_of
    from hsi_xr.io.grid import bounds

    crs, transform = crs_of(image), transform_of(image)
    if crs is None or transform is None:
        return {"crs": None, "transform": None, "bounds": None}
    return {
        "crs": ":".join(crs.to_authority() or ()) or crs.to_wkt(),
        "transform": list(transform)[:6],
        "bounds": list(bounds(transform, (image.sizes["y"], image.sizes["x"]))),
    }


def _bands(image: "xr.DataArray") -> list[dict[str, Any]]:
    names = image.attrs.get("long_name")  # one text is about the array, several about its bands
    bands: list[dict[str, Any]] = []
    for index, number in enumerate(image["band"].values):
        band: dict[str, Any] = {"number": int(number)}
        if isinstance(names, tuple | list) and names[index]:
            band["description"] = names[index]
        for coordinate, key in (("wavelength", "wavelength_nm"), ("fwhm", "fwhm_nm")):
            if coordinate in image.coords:
                band[key] = round(float(image[coordinate].values[index]), 6)
        bands.append(band)
    return bands


def _radiometry(image: "xr.DataArray") -> str | None:
    """What `reconstruct` takes the numbers for unless it is told; None where it must be told."""
    from hsi_xr.errors import MissingFact
    from hsi_xr.io.raster_source import stated_radiometry, stored_dtype
    from hsi_xr.pipeline.radiometry import resolve_radiometry

    try:
        return resolve_radiometry(
            stored_dtype(image), radiometry=None, scale=None, stated=stated_radiometry(image)
        ).kind
    except MissingFact:
        return None
