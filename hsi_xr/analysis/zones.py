"""Polygons that a scene is averaged over: read, checked, and brought to its CRS."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hsi_xr.errors import InvalidData, NotGeoreferenced, UnreadableFile, UsageError
from hsi_xr.extras import require
from hsi_xr.io.georef import crs_of
from hsi_xr.io.grid_mapping import crs_name

if TYPE_CHECKING:
    import geopandas as gpd
    import shapely
    import xarray as xr

    Polygons: TypeAlias = (
        str
        | os.PathLike[str]
        | gpd.GeoDataFrame
        | gpd.GeoSeries
        | shapely.Geometry
        | Sequence[shapely.Geometry]
    )

_EDGES = 64
"""Edges per side of a polygon that is reprojected, since straight edges become curves."""
_AREAS = ("Polygon", "MultiPolygon")


def zones_of(
    obj: "xr.Dataset | xr.DataArray", polygons: "Polygons", crs: str | None
) -> "gpd.GeoSeries":
    """Returns polygons in the CRS of a scene.

    Args:
        obj: The scene.
        polygons: See `zonal`.
        crs: CRS of polygons that state none.

    Raises:
        UnreadableFile: The file of polygons cannot be read.
        UsageError: There are no polygons, or something else, or `crs` is none or not theirs.
        InvalidData: A polygon is invalid, or has no coordinates in the CRS of the scene.
        NotGeoreferenced: The polygons have a CRS and the scene has none.
    """
    require("exactextract")
    require("geopandas")
    zones = _stated_in(_geometries(polygons), crs)
    _check(zones)
    return _projected(zones.force_2d(), obj)


def _geometries(polygons: Any) -> "gpd.GeoSeries":
    import geopandas as gpd
    import shapely

    if isinstance(polygons, str | os.PathLike):
        try:
            return gpd.read_file(polygons).geometry
        except (OSError, RuntimeError, ValueError, AttributeError) as error:
            raise UnreadableFile(
                f"cannot read polygons from {os.fspath(polygons)!r}: {error}; give a file with "
                "geometries that GDAL reads, such as a GeoPackage"
            ) from error
    if isinstance(polygons, gpd.GeoDataFrame | gpd.GeoSeries):
        return polygons.geometry
    given = [polygons] if isinstance(polygons, shapely.Geometry) else polygons
    try:
        return gpd.GeoSeries(list(given))
    except TypeError as error:
        raise UsageError(
            f"polygons must be shapely geometries, a GeoSeries, a GeoDataFrame or the path of a "
            f"file; got a {type(polygons).__name__} that is none of these. Convert GeoJSON, e.g. "
            "`gpd.GeoDataFrame.from_features(geojson, crs='EPSG:4326')`"
        ) from error


def _stated_in(zones: "gpd.GeoSeries", crs: str | None) -> "gpd.GeoSeries":
    """Returns polygons with the CRS of an argument, which may only repeat their own."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if crs is None:
        return zones
    try:
        given = CRS.from_user_input(crs)
    except CRSError as error:
        raise UsageError(f"{crs!r} is not a CRS ({error}); give one, e.g. 'EPSG:4326'") from error
    if zones.crs is not None and not zones.crs.equals(given, ignore_axis_order=True):
        raise UsageError(
            f"the polygons state the CRS {zones.crs.to_string()}, but crs={crs!r}; leave out crs, "
            f"or correct theirs, e.g. `polygons.set_crs({crs!r}, allow_override=True)`"
        )
    return zones if zones.crs is not None else zones.set_crs(given)


def _check(zones: "gpd.GeoSeries") -> None:
    """Rejects what has no area; missing and empty polygons are zones without data."""
    if not len(zones):
        raise UsageError("no polygon was given; give at least one")
    if zones.index.nlevels > 1:
        raise UsageError(
            f"the index of the polygons has the levels {', '.join(map(str, zones.index.names))}; "
            "make it one level, e.g. `polygons.reset_index()`"
        )
    known = zones[~(zones.isna() | zones.is_empty)]
    others = known[~known.geom_type.isin(_AREAS)]
    if len(others):
        raise UsageError(
            f"zone {others.index[0]!r} is a {others.iloc[0].geom_type}, which has no area; use "
            "`spectrum` for locations, or give polygons, e.g. `lines.buffer(2.0)`"
        )
    invalid = known[~known.is_valid]
    if len(invalid):
        raise InvalidData(
            f"zone {invalid.index[0]!r} is not a valid polygon ({invalid.is_valid_reason().iloc[0]}"
            "); repair it, e.g. `polygons.make_valid()`"
        )


def _projected(zones: "gpd.GeoSeries", obj: "xr.Dataset | xr.DataArray") -> "gpd.GeoSeries":
    target = crs_of(obj)
    if target is None and zones.crs is not None:
        raise NotGeoreferenced(
            f"the scene has no CRS, so polygons in {zones.crs.to_string()} cannot be located on "
            "it; assign one, e.g. `scene.rio.write_crs('EPSG:32633')`"
        )
    if target is None:
        return zones
    wkt = target.to_wkt()
    if zones.crs is None:
        return zones.set_crs(wkt)
    extent = zones.bounds.to_numpy()
    side = np.nan_to_num((extent[:, 2:] - extent[:, :2]).max(1), nan=1.0)
    projected = zones.segmentize(side / _EDGES).to_crs(wkt)
    finite = np.isfinite(projected.bounds).all(axis=1)
    usable = projected.isna() | projected.is_empty | finite & projected.where(finite).is_valid
    if not usable.all():
        raise InvalidData(
            f"zone {zones.index[~usable][0]!r} is not a valid polygon in the CRS of the scene, "
            f"{crs_name(target)}; clip it to the surroundings of the scene, e.g. "
            "`polygons.clip((west, south, east, north))`"
        )
    return projected
