"""`hsi-xr info`."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from hsi_xr.cli import _console

if TYPE_CHECKING:
    import xarray as xr

Json = Mapping[str, object]


@click.command("info")
@click.argument("file")
@_console.options
def command(file: str) -> None:
    """Print the metadata of a scene or a cube as JSON.

    Prints grid, georeference and bands of FILE; for an RGB scene also the radiometry that
    `reconstruct` would assume, and for a cube its provenance. No pixel is read.
    """
    import hsi_xr

    click.echo(json.dumps(_metadata(hsi_xr.open(file)), indent=2))


def _metadata(image: "xr.DataArray") -> Json:
    from hsi_xr.io.raster_source import stored_dtype

    metadata: dict[str, object] = {
        "path": image.encoding.get("source"),
        "content": image.name,
        "width": image.sizes["x"],
        "height": image.sizes["y"],
        "count": image.sizes["band"],
        "dtype": stored_dtype(image),
        **_georeference(image),
        "datetime": image.attrs.get("datetime"),
        "bands": _bands(image),
    }
    provenance = {key: value for key, value in image.attrs.items() if key.startswith("hsi_xr_")}
    if provenance:
        metadata["provenance"] = {
            key.removeprefix("hsi_xr_"): value for key, value in provenance.items()
        }
    if image.name == "rgb":
        metadata["radiometry"] = _radiometry(image)
    return metadata


def _georeference(image: "xr.DataArray") -> Json:
    from hsi_xr.io.grid import bounds
    from hsi_xr.io.location import location_of

    location = location_of(image)
    crs, transform = location.crs, location.transform
    if crs is None or transform is None:
        return {"crs": None, "transform": None, "bounds": None}
    return {
        "crs": ":".join(crs.to_authority() or ()) or crs.to_wkt(),
        "transform": list(transform)[:6],
        "bounds": list(bounds(transform, (image.sizes["y"], image.sizes["x"]))),
    }


def _bands(image: "xr.DataArray") -> list[Json]:
    names = image.attrs.get("long_name")  # one text describes the array, a tuple its bands
    bands: list[Json] = []
    for index, number in enumerate(image["band"].values):
        band: dict[str, object] = {"number": int(number)}
        if isinstance(names, tuple | list) and names[index]:
            band["description"] = names[index]
        for coordinate, key in (("wavelength", "wavelength_nm"), ("fwhm", "fwhm_nm")):
            if coordinate in image.coords:
                band[key] = round(float(image[coordinate].values[index]), 6)
        bands.append(band)
    return bands


def _radiometry(image: "xr.DataArray") -> str | None:
    """Returns the radiometry that `reconstruct` assumes; None if the user must state it."""
    from hsi_xr.errors import MissingFact
    from hsi_xr.io.raster_source import stated_radiometry, stored_dtype
    from hsi_xr.pipeline.radiometry import resolve_radiometry

    dtype, stated = stored_dtype(image), stated_radiometry(image)
    try:
        return resolve_radiometry(dtype, radiometry=None, scale=None, stated=stated).kind
    except MissingFact:
        return None
