"""Means of a scene over polygons, chunk by chunk."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsi_xr.analysis.zone_sums import SUM, WEIGHT, zone_sums
from hsi_xr.analysis.zones import zones_of
from hsi_xr.errors import NotGeoreferenced, UsageError
from hsi_xr.io import grid
from hsi_xr.io.cube import shared_attributes
from hsi_xr.io.georef import transform_of

if TYPE_CHECKING:
    from affine import Affine

    from hsi_xr.analysis.zones import Polygons

_COVERAGE = {
    "long_name": "share of the zone's area that has data",
    "units": "1",
    "comment": "in the band with the most data",
}


def zonal(
    obj: xr.Dataset | xr.DataArray, polygons: "Polygons", *, crs: str | None = None
) -> xr.Dataset:
    """Averages a scene, cube or map over polygons.

    Each pixel is weighted by its area within the polygon, and pixels that are not finite do not
    count. The result is lazy if `obj` is: each polygon reads only the chunks that it intersects,
    one at a time, so neither the scene nor a polygon need fit into memory.

    Args:
        obj: Dataset or DataArray with the dimensions y and x.
        polygons: Polygons and multipolygons: a shapely geometry or a sequence, a GeoSeries, a
            GeoDataFrame, or the path of a file that geopandas reads. They are reprojected to the
            CRS of `obj`; heights are ignored.
        crs: CRS of polygons that state none, such as "EPSG:4326" for longitude and latitude; by
            default, that of `obj`.

    Returns:
        Dataset with the numeric variables of `obj` over `zone` instead of y and x, and `coverage`,
        the share in [0, 1] of each polygon's area that has data. NaN, with a coverage of 0, for
        polygons that are empty or entirely outside the data. The coordinate `zone` is the index of
        the polygons, and `geometry` has them in the CRS of `obj`. Standard deviations and quantiles
        are means over the pixels: exact if the errors of all pixels are fully correlated, too wide
        otherwise. With joint draws, the standard deviation of a zone is that of its means over
        `sample`.

    Raises:
        UsageError: exactextract or geopandas is not installed, or a geometry is not a polygon.
        UnreadableFile: The file of polygons cannot be read.
        InvalidData: A polygon is invalid.
        NotGeoreferenced: `obj` has no transform, or no CRS although the polygons have one.

    Source:
        Areas of pixels within polygons: exactextract, https://github.com/isciences/exactextract.
    """
    zones = zones_of(obj, polygons, crs)
    dataset = obj if isinstance(obj, xr.Dataset) else obj.to_dataset(name=obj.name or "value")
    spatial = [name for name, array in dataset.data_vars.items() if _is_image(array)]
    if not spatial:
        raise UsageError(
            "means over polygons need numbers with the dimensions y and x; there are the "
            f"dimensions {', '.join(map(str, dataset.dims)) or '(none)'}. Rename them, e.g. "
            "`ds.rename(lat='y', lon='x')`"
        )
    transform = transform_of(obj)
    if transform is None:
        raise NotGeoreferenced(
            "the scene has no transform, so polygons cannot be located on it; assign it, e.g. "
            "`scene.rio.write_transform(affine)`"
        )
    pixels = _in_pixels(zones.to_numpy(), transform)
    sums = {name: _sums(dataset[name], pixels) for name in spatial}
    means = {name: _mean(sums[name], dataset[name]) for name in spatial}
    main = "reflectance" if "reflectance" in spatial else spatial[0]
    rest = dataset.drop_dims(["y", "x"])
    labels = {"zone": zones.index.to_numpy(), "geometry": ("zone", zones.to_numpy())}
    result = rest.assign(means).assign_coords(labels).assign_attrs(shared_attributes(obj))
    return result.assign(coverage=_coverage(sums[main], pixels))


def _is_image(array: xr.DataArray) -> bool:
    return {"y", "x"} <= {*array.dims} and array.dtype.kind in "biuf"


def _in_pixels(zones: NDArray[Any], transform: "Affine") -> NDArray[Any]:
    """Returns polygons in columns and rows; rotation and flips of a grid need no special case."""
    import shapely

    present = np.array([shapely.Polygon() if zone is None else zone for zone in zones], object)
    return shapely.transform(present, lambda at: grid.points(~transform, at))


def _sums(array: xr.DataArray, pixels: NDArray[Any]) -> xr.DataArray:
    """Returns the sums and weights of an array over (part, ..., zone)."""
    ordered = array.transpose(..., "y", "x")
    sums = zone_sums(ordered.data, pixels)
    coords = {name: c for name, c in array.coords.items() if not {"y", "x"} & {*c.dims}}
    return xr.DataArray(sums, coords, ("part", *ordered.dims[:-2], "zone"))


def _mean(sums: xr.DataArray, array: xr.DataArray) -> xr.DataArray:
    weight = sums.isel(part=WEIGHT)
    mean = sums.isel(part=SUM) / weight.where(weight > 0)
    encoding = {k: v for k, v in array.encoding.items() if k == "grid_mapping"}
    mean = mean.astype(np.result_type(array.dtype, "float32")).assign_attrs(array.attrs)
    mean.encoding = encoding
    return mean


def _coverage(sums: xr.DataArray, pixels: NDArray[Any]) -> xr.DataArray:
    import shapely

    weight = sums.isel(part=WEIGHT)
    covered = weight.max([dim for dim in weight.dims if dim != "zone"])
    area = shapely.area(pixels)
    share = covered / np.where(area > 0, area, 1)
    return share.clip(0, 1).astype("float32").assign_attrs(_COVERAGE)
