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

    Prints grid, georeference and bands of FILE; for a scene also which bands `reconstruct` would
    take as red, green and blue, and how it would read their values, and for a cube its other
    variables, such as quantiles, the level of its scene and its provenance. No pixel is read.
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
        "nodata": _nodata(image),
        **_georeference(image),
        "datetime": image.attrs.get("datetime"),
        "bands": _bands(image),
    }
    return {**metadata, **(_product(image) or _meaning(image))}


def _product(image: "xr.DataArray") -> Json:
    """Returns what only products state; nothing for other images."""
    from hsi_xr.io.cube_file import companions_of
    from hsi_xr.level_interval import level_text

    provenance = {
        key.removeprefix("hsi_xr_"): value
        for key, value in image.attrs.items()
        if key.startswith("hsi_xr_")
    }
    if not provenance:
        return {}
    return {
        "variables": [str(image.name), *companions_of(str(image.encoding["source"]))],
        "level": level_text(provenance) or provenance.get("level"),
        "provenance": provenance,
    }


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


def _meaning(image: "xr.DataArray") -> Json:
    """Returns which bands `reconstruct` takes as colours, and how it reads their values.

    If the user has to state something, both are None, and `unclear` says what.
    """
    from hsi_xr.errors import HsiError
    from hsi_xr.pipeline.image import image_of
    from hsi_xr.pipeline.scene import meaning_of

    try:
        meaning = meaning_of(image_of(image))
    except HsiError as error:
        return {"colours": None, "radiometry": None, "unclear": str(error)}
    found = meaning.radiometry
    return {
        "colours": {
            "bands": [band.number for band in meaning.bands],
            "origin": meaning.chosen.rule,
        },
        "radiometry": {
            "kind": found.kind,
            "scale": found.stored_scale,
            "offset": found.stored_offset,
            "origin": found.origin,
        },
    }


def _nodata(image: "xr.DataArray") -> float | list[float | None] | None:
    from hsi_xr.pipeline.array_facts import facts_of

    values = [band.nodata for band in facts_of(image)]
    return values[0] if len({*values}) == 1 else values
