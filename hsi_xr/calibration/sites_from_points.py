"""Known spectra at points, from Python or from a CSV file."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.calibration.known_spectrum import Spectrum
from hsi_xr.calibration.sites import Box, Site
from hsi_xr.errors import InvalidData, NotGeoreferenced, UnreadableFile, UsageError
from hsi_xr.io import grid
from hsi_xr.io.georef import crs_of, transform_of

_BAND = re.compile(r"(\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?(?:\s*nm)?")
"""Matches `550`, or `559.8/36` for the centre and width of a wide band."""


class Point(NamedTuple):
    """A known spectrum and its location."""

    x: float
    y: float
    spectrum: xr.DataArray
    """Reflectance in [0, 1] over `wavelength` in nm, with `fwhm` if bands are wide."""
    size: float | None = None
    """Side of the square of ground that the spectrum averages, in units of the cube's CRS; None for
    the pixel that contains the point."""
    name: str = ""


def read_table(path: Path) -> list[Point]:
    """Reads points from a CSV file.

    The columns are `x`, `y`, optionally `size` and `name`, and wavelengths in nm. A column
    `559.8/36` is a band with that centre and full width at half maximum. Empty cells are unknown;
    lines that start with # are comments.

    Raises:
        UnreadableFile: The file cannot be read as text.
        InvalidData: The file is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row and not row[0].startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"cannot read a table from {str(path)!r}: {error}") from error
    names = [name.strip() for name in rows[0]] if rows else []
    if missing := {"x", "y"} - {*names}:
        raise InvalidData(
            f"{str(path)!r} has no column {', '.join(sorted(missing))}; its first line must name "
            "x, y and the wavelengths in nm, e.g. x,y,450,550,650"
        )
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidData(f"{str(path)!r} has column {repeated[0]!r} twice; remove one")
    return [
        _point(dict(zip(names, row)), f"{path.name}, point {number}")
        for number, row in enumerate(rows[1:], start=1)
        if _is_complete(row, names, path, number)
    ]


def read_bands(texts: Sequence[str], source: str) -> dict[str, list[float]]:
    """Parses bands written as `550` or `559.8/36` into the coordinates `wavelength` and `fwhm`.

    Args:
        texts: One text per band.
        source: Name of the source in messages.

    Returns:
        Lists of nm; `fwhm` is NaN where it is not given.

    Raises:
        InvalidData: A text does not have this form.
    """
    if not texts:
        raise InvalidData(f"{source}: there is no wavelength; give at least one in nm, e.g. 550")
    matches = [_BAND.fullmatch(text.strip()) for text in texts]
    if None in matches:
        wrong = texts[matches.index(None)]
        raise InvalidData(
            f"{source}: {wrong!r} is not a wavelength in nm; give e.g. 550, or 559.8/36 for the "
            "centre and width of a band"
        )
    pairs = [(float(match[1]), float(match[2] or np.nan)) for match in matches if match]
    return {
        "wavelength": [centre for centre, _ in pairs],
        "fwhm": [width for _, width in pairs],
    }


def sites_from_points(
    points: Sequence[Point], cube: xr.DataArray, *, crs: str | None, scale: float
) -> list[Site]:
    """Returns the points that are on a cube, as sites.

    Args:
        points: Known spectra.
        cube: (band, y, x) with its transform.
        crs: CRS of the points; None for the CRS of the cube.
        scale: Factor from known values to reflectance in [0, 1].

    Raises:
        InvalidData: A point occurs twice, or its spectrum is not reflectance.
        UsageError: No point is on the cube.
        NotGeoreferenced: The cube has no transform, or no CRS although `crs` is given.
    """
    transform, shape = transform_of(cube), (cube.sizes["y"], cube.sizes["x"])
    if transform is None:
        raise NotGeoreferenced(
            "the cube has no transform, so points cannot be located on it; assign it, e.g. "
            "`cube.rio.write_transform(affine)`"
        )
    named = [
        point._replace(name=point.name or f"point {number}")
        for number, point in enumerate(points, start=1)
    ]
    _check_points(named)
    locations = to_crs_of(cube, np.array([(point.x, point.y) for point in named], float), crs)
    pixels = grid.points(~transform, locations)
    steps = grid.pixel_size(transform)
    sites = [
        Site(point.name, x, y, box_around(column, row, point.size, steps), _spectrum(point, scale))
        for point, (x, y), (column, row) in zip(named, locations.tolist(), pixels.tolist())
    ]
    inside = [site for site in sites if site.box.within(shape)]
    if not inside:
        spans = [f"{axis.min():.10g} to {axis.max():.10g}" for axis in locations.T]
        bounds = " ".join(f"{value:.10g}" for value in grid.bounds(transform, shape))
        raise UsageError(
            f"none of the {len(sites)} points is on the cube: its bounds are {bounds}, the points "
            f"are at x {spans[0]}, y {spans[1]}. If they are in another CRS, give it, e.g. "
            "crs='EPSG:4326' (--known-crs EPSG:4326)"
        )
    return inside


def _is_complete(row: list[str], names: list[str], path: Path, number: int) -> bool:
    if len(row) != len(names):
        raise InvalidData(
            f"{path.name}, point {number} has {len(row)} cells, but the first line has "
            f"{len(names)}; leave unknown cells empty"
        )
    return True


def _point(cells: dict[str, str], where: str) -> Point:
    texts = [name for name in cells if name not in Point._fields]
    coords = {name: ("wavelength", values) for name, values in read_bands(texts, where).items()}
    values = [_number(cells[text], where) for text in texts]
    spectrum = xr.DataArray(values, coords, "wavelength")
    size = cells.get("size", "").strip()
    return Point(
        _number(cells["x"], where),
        _number(cells["y"], where),
        spectrum,
        _number(size, where) if size else None,
        cells.get("name", "").strip() or where,
    )


def _number(text: str, where: str) -> float:
    try:
        return float(text) if text.strip() else float("nan")
    except ValueError as error:
        raise InvalidData(
            f"{where}: {text!r} is not a number; leave unknown cells empty"
        ) from error


def _check_points(points: Sequence[Point]) -> None:
    if not points:
        raise InvalidData("there are no points; give at least one known spectrum")
    location, count = Counter((point.x, point.y) for point in points).most_common(1)[0]
    if count > 1:
        same = ", ".join(p.name for p in points if (p.x, p.y) == location)
        raise InvalidData(
            f"{same} are at the same location {location[0]:.10g} {location[1]:.10g}; give their "
            "mean as one point"
        )
    for point in points:
        if not np.isfinite([point.x, point.y]).all() or not (point.size is None or point.size > 0):
            raise InvalidData(
                f"{point.name} is at {point.x:g} {point.y:g} with size {point.size}; give finite "
                "coordinates and a positive size"
            )


def to_crs_of(
    cube: xr.DataArray, locations: NDArray[np.float64], crs: str | None
) -> NDArray[np.float64]:
    """Transforms locations, (n, 2) of x and y, to the CRS of a cube; `crs=None` changes nothing.

    Raises:
        NotGeoreferenced: The cube has no CRS.
        UsageError: `crs` is not a CRS.
    """
    if crs is None:
        return locations
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    target = crs_of(cube)
    if target is None:
        raise NotGeoreferenced(
            f"the cube has no CRS, so points in {crs} cannot be located on it; assign one, e.g. "
            "`cube.rio.write_crs('EPSG:32633')`"
        )
    try:
        transformer = Transformer.from_crs(crs, target.to_wkt(), always_xy=True)
    except ProjError as error:
        raise UsageError(f"{crs!r} is not a CRS ({error}); give one, e.g. 'EPSG:4326'") from error
    return np.stack(transformer.transform(locations[:, 0], locations[:, 1]), axis=1)


def box_around(column: float, row: float, size: float | None, steps: tuple[float, float]) -> Box:
    """Returns the pixel that contains a location, or a square around it.

    Args:
        column, row: Location in pixels from the outer corner of the first pixel.
        size: Side of the square in units of the CRS; None for the pixel.
        steps: Height and width of a pixel in units of the CRS.
    """
    if size is None:
        return Box(float(np.floor(row)), float(np.floor(column)), 1, 1)
    rows, columns = size / steps[0], size / steps[1]
    return Box(row - rows / 2, column - columns / 2, rows, columns)


def _spectrum(point: Point, scale: float) -> Spectrum:
    if not isinstance(point.spectrum, xr.DataArray):
        raise InvalidData(
            f"the spectrum of {point.name} is a {type(point.spectrum).__name__}; give an array "
            "over `wavelength`, e.g. xr.DataArray(values, {'wavelength': nm}, 'wavelength')"
        )
    return Spectrum.parse(point.spectrum * scale, point.name)
