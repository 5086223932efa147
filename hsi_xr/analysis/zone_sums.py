"""Sums of an array over polygons, weighted by the areas of pixels within them."""

import threading
from itertools import product
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

SUM, WEIGHT = 0, 1
"""Entries along the first axis of sums."""

_SIDE = 2048
"""Rows and columns of the pieces that an array in memory is summed in."""
_GROUP = 1024
"""Zones per chunk of a result."""
_TOUCHING = 1e-6
"""Width in pixels within which a zone beside a chunk does not need its pixels."""
_BLOCK = 2**20
"""Values that are converted to float64 at once."""

_ONE_AT_A_TIME = threading.Lock()
"""exactextract does not promise that several threads can use it."""

Geometries = NDArray[Any]
"""Polygons of shapely, in columns and rows."""


def zone_sums(values: Any, zones: Geometries) -> Any:
    """Returns weighted sums of the finite values in each zone, and their total weights.

    Args:
        values: (..., rows, columns) of numpy or dask.
        zones: (n,) polygons in columns and rows, perhaps empty or beyond the array.

    Returns:
        (2, ..., n) float64, of dask if `values` are: the sum of values times the area of their
        pixels within a zone, in pixels, and the sum of these areas.
    """
    if isinstance(values, da.Array):
        return _lazy_sums(values, zones)
    chunks = (-1,) * (values.ndim - 2) + (_SIDE, _SIDE)
    return _lazy_sums(da.from_array(values, chunks, name=False), zones).compute()


def _lazy_sums(array: da.Array, zones: Geometries) -> da.Array:
    name = f"hsi-xr-zonal-{tokenize(array.name, zones)}"
    groups = [zones[start : start + _GROUP] for start in range(0, len(zones), _GROUP)]
    *leading, rows, columns = array.chunks
    graph: dict[Any, Any] = {}
    touched = [_chunks_of(group, rows, columns) for group in groups]
    for g, at in product(range(len(groups)), np.ndindex(*map(len, leading))):
        shape = tuple(sizes[i] for sizes, i in zip(leading, at))
        parts, members = [], []
        for (i, j), inside in touched[g].items():
            key = (f"{name}-part", g, *at, i, j)
            corner = (sum(rows[:i]), sum(columns[:j]))
            graph[key] = (_sums, (array.name, *at, i, j), groups[g][inside], corner)
            parts.append(key)
            members.append(inside)
        graph[(name, 0, *at, g)] = (_add, parts, members, (2, *shape, len(groups[g])))
    dependencies: list[Any] = [array]  # dask's types do not match
    layers = HighLevelGraph.from_collections(name, graph, dependencies)
    chunks = ((2,), *leading, tuple(map(len, groups)))
    return da.Array(layers, name, chunks, meta=np.empty((0,) * len(chunks)))


def _chunks_of(
    zones: Geometries, rows: tuple[int, ...], columns: tuple[int, ...]
) -> dict[tuple[int, int], NDArray[np.intp]]:
    """Returns (row, column) of each chunk that zones intersect -> the indices of these zones."""
    import shapely

    tops, lefts = (np.cumsum((0, *sizes)) for sizes in (rows, columns))
    at = list(product(range(len(rows)), range(len(columns))))
    i, j = np.array(at, np.intp).reshape(-1, 2).T
    ends = (lefts[j] + _TOUCHING, tops[i] + _TOUCHING)
    boxes = shapely.box(*ends, lefts[j + 1] - _TOUCHING, tops[i + 1] - _TOUCHING)
    chunk, zone = shapely.STRtree(zones).query(boxes, predicate="intersects")
    order = np.lexsort((zone, chunk))
    chunk, zone = chunk[order], zone[order]
    found, starts = np.unique(chunk, return_index=True)
    return {at[c]: part for c, part in zip(found, np.split(zone, starts[1:]))}


def _sums(block: NDArray[Any], zones: Geometries, corner: tuple[int, int]) -> NDArray[np.float64]:
    """Returns the sums over one chunk, whose first row and column are given."""
    *leading, rows, columns = block.shape
    planes = block.reshape(-1, rows * columns)
    sums = np.zeros((2, len(planes), len(zones)))
    for z, (cells, areas) in enumerate(_areas(zones, corner, (rows, columns))):
        step = max(1, _BLOCK // max(1, len(cells)))
        for first in range(0, len(planes), step):
            part = slice(first, first + step)
            values = planes[part][:, cells].astype(np.float64)
            known = np.isfinite(values)
            values[~known] = 0
            sums[SUM, part, z] = values @ areas
            sums[WEIGHT, part, z] = known @ areas
    return sums.reshape(2, *leading, len(zones))


def _areas(
    zones: Geometries, corner: tuple[int, int], shape: tuple[int, int]
) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Returns the pixels of a chunk in each zone, counted along its rows, and their areas within.

    exactextract has y upwards, so rows are negative.
    """
    import shapely
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    (top, left), (rows, columns) = corner, shape
    # clipped: exactextract 0.3 crashes where a hole of a polygon touches the raster from outside
    clipped = shapely.intersection(zones, shapely.box(left, top, left + columns, top + rows))
    areal = np.array([_areal(zone) for zone in clipped], object)
    touched = np.flatnonzero(~shapely.is_empty(areal))
    none = np.array([], np.intp), np.array([], np.float64)
    result = [none] * len(zones)
    if not touched.size:
        return result
    upward = shapely.transform(areal[touched], lambda at: at * (1, -1))
    features = [{"type": "Feature", "geometry": shapely.geometry.mapping(zone)} for zone in upward]
    extent = (left, -(top + rows), left + columns, -top)
    pixels = NumPyRasterSource(np.broadcast_to(np.uint8(0), shape), *extent)
    with _ONE_AT_A_TIME:
        found = exact_extract(pixels, features, ["cell_id", "coverage"], output="pandas")
    for zone, cells, areas in zip(touched, found["cell_id"], found["coverage"]):
        result[zone] = cells, areas
    return result


def _areal(geometry: Any) -> Any:
    """Returns the polygons of an intersection, which may also touch in points and lines."""
    import shapely

    parts = shapely.get_parts(geometry)
    return shapely.multipolygons(parts[shapely.get_dimensions(parts) == 2])


def _add(
    parts: list[NDArray[np.float64]], members: list[NDArray[np.intp]], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Adds the sums over chunks, each of some of the zones."""
    total = np.zeros(shape)
    for part, zones in zip(parts, members):
        total[..., zones] += part
    return total
