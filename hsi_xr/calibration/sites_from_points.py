"""Spectra known at points, from Python or from a table."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.calibration.known_spectrum import Spectrum
from hsi_xr.calibration.sites import Box, Site
from hsi_xr.errors import InvalidData, NotGeoreferenced, UnreadableFile, UsageError
from hsi_xr.io import grid
from hsi_xr.io.georef import crs_of, transform_of

_BAND = re.compile(r"(\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?(?:\s*nm)?")
"""`550`, or `559.8/36` for the centre and width of a wide band."""


class Point(NamedTuple):
    """A known spectrum and where it is."""

    x: float
    y: float
    spectrum: xr.DataArray
    """Reflectance in [0, 1] over `wavelength` in nm; with a coordinate `fwhm` if of wide bands."""
    size: float | None = None
    """Side of the square of ground that it is the mean of, in units of the cube's CRS; None for
    the pixel that it lies in."""
    name: str = ""


def read_table(path: Path) -> list[Point]:
    """Points of a CSV file: columns `x`, `y`, perhaps `size` and `name`, others wavelengths in nm.

    A column `559.8/36` is of a band with that centre and full width at half maximum. Empty cells
    are not known; lines that begin with # are comments.

    Raises:
        UnreadableFile: It cannot be read as text.
        InvalidData: It is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row and not row[0].startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"no table can be read from {str(path)!r}: {error}") from error
    names = [name.strip() for name in rows[0]] if rows else []
    if absent := {"x", "y"} - {*names}:
        raise InvalidData(
            f"{str(path)!r} has no column {', '.join(sorted(absent))}; its first line must name "
            "x, y and the wavelengths in nm, e.g. x,y,450,550,650"
        )
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise InvalidData(f"{str(path)!r} has column {twice[0]!r} twice; leave one of them out")
    return [
        _point(dict(zip(names, row)), f"{path.name}, point {number}")
        for number, row in enumerate(rows[1:], start=1)
        if _is_whole(row, names, path, number)
    ]


def read_bands(texts: Sequence[str], source: str) -> dict[str, Any]:
    """Coordinates `wavelength` and, if one is told, `fwhm`, of `550` or `559.8/36`.

    Raises:
        InvalidData: It is neither.
    """
    found = [_BAND.fullmatch(text.strip()) for text in texts]
    if None in found or not found:
        wrong = next((text for text, band in zip(texts, found) if band is None), "")
        raise InvalidData(
            f"{source}: {wrong!r} is no wavelength in nm, e.g. 550, or 559.8/36 for the centre and "
            "width of a band"
        )
    pairs = [(float(band[1]), float(band[2] or np.nan)) for band in found if band]
    return {
        "wavelength": [centre for centre, _ in pairs],
        "fwhm": [width for _, width in pairs],
    }


def sites_of_points(
    points: Sequence[Point], cube: xr.DataArray, *, crs: str | None, scale: float
) -> list[Site]:
    """Those points that lie on a cube.

    Args:
        cube: (band, y, x) with its transform.
        crs: Of the points; that of the cube by default.
        scale: What brings their spectra to [0, 1].

    Raises:
        InvalidData: A point is told twice, or has no spectrum of reflectance.
        UsageError: None lies on the cube.
        NotGeoreferenced: The cube does not tell where it lies.
    """
    transform, shape = transform_of(cube), (cube.sizes["y"], cube.sizes["x"])
    if transform is None:
        raise NotGeoreferenced("the cube has no transform, so no point can be found on it")
    named = [
        point._replace(name=point.name or f"point {number}")
        for number, point in enumerate(points, start=1)
    ]
    _check_once(named)
    places = in_crs_of(cube, np.array([(point.x, point.y) for point in named], float), crs)
    pixels = grid.points(~transform, places)
    steps = grid.pixel_size(transform)
    sites = [
        Site(point.name, x, y, box_about(column, row, point.size, steps), _spectrum(point, scale))
        for point, (x, y), (column, row) in zip(named, places.tolist(), pixels.tolist())
    ]
    inside = [site for site in sites if site.box.within(shape)]
    if not inside:
        spans = [f"{places[:, i].min():.10g} to {places[:, i].max():.10g}" for i in (0, 1)]
        bounds = " ".join(f"{value:.10g}" for value in grid.bounds(transform, shape))
        raise UsageError(
            f"none of {len(sites)} points lies on the cube, whose bounds are {bounds}; theirs are "
            f"x {spans[0]}, y {spans[1]}. Give their CRS if it is another one, e.g. "
            "crs='EPSG:4326' (--known-crs EPSG:4326)"
        )
    return inside


def _is_whole(row: list[str], names: list[str], path: Path, number: int) -> bool:
    if len(row) != len(names):
        raise InvalidData(
            f"{path.name}, point {number} has {len(row)} cells, the first line {len(names)}; "
            "leave cells empty where nothing is known"
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
        raise InvalidData(f"{where}: {text!r} is no number; leave unknown cells empty") from error


def _check_once(points: Sequence[Point]) -> None:
    if not points:
        raise InvalidData("there is not one point; give at least one spectrum that is known")
    place, times = Counter((point.x, point.y) for point in points).most_common(1)[0]
    if times > 1:
        twice = ", ".join(p.name for p in points if (p.x, p.y) == place)
        raise InvalidData(
            f"{twice} are at the same place {place[0]:.10g} {place[1]:.10g}; give their mean as "
            "one point"
        )
    for point in points:
        if not np.isfinite([point.x, point.y]).all() or not (point.size is None or point.size > 0):
            raise InvalidData(
                f"{point.name} is at {point.x:g} {point.y:g}, size {point.size}; give numbers, "
                "and a size that is positive"
            )


def in_crs_of(
    cube: xr.DataArray, places: NDArray[np.float64], crs: str | None
) -> NDArray[np.float64]:
    """(n, 2) of x, y, in the CRS of the cube.

    Raises:
        NotGeoreferenced: The cube has no CRS.
        UsageError: There is no such CRS.
    """
    if crs is None:
        return places
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    told = crs_of(cube)
    if told is None:
        raise NotGeoreferenced(
            f"the cube has no CRS, so points in {crs} cannot be found on it; assign it, e.g. "
            "`cube.rio.write_crs('EPSG:32633')`"
        )
    try:
        moved = Transformer.from_crs(crs, told.to_wkt(), always_xy=True)
    except ProjError as error:
        raise UsageError(f"{crs!r} is no CRS ({error}); give one as 'EPSG:4326'") from error
    return np.stack(moved.transform(places[:, 0], places[:, 1]), axis=1)


def box_about(column: float, row: float, size: float | None, steps: tuple[float, float]) -> Box:
    """The pixel that a place lies in, or a square about it; sizes are in units of the CRS."""
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
    return Spectrum.of(point.spectrum * scale, point.name)
