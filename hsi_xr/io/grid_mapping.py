"""Grid mappings: what a variable or the attributes of an array state about CRS and transform.

They are found as rioxarray finds them: in the coordinate that `grid_mapping` names (in attributes
or encoding, of the array or of any variable of a Dataset), else in `spatial_ref` or the only other
variable with a CRS, else in the attributes `crs` and `transform` of the array itself, which
stackstac writes.
"""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine

from hsi_xr.errors import InvalidData

if TYPE_CHECKING:
    from rasterio.crs import CRS

_DEFAULT = "spatial_ref"
_STATEMENTS = {"crs_wkt", "spatial_ref", "grid_mapping_name", "GeoTransform", "gcps"}
"""Attributes that only grid mappings have."""
_OWN = ("crs", "transform")
"""Attributes of arrays that state a georeference without a grid mapping."""
_NEGLIGIBLE = 1e-11
"""Share of a pixel. A rotation of this size moves no pixel of a scene by a visible amount."""


@dataclass(frozen=True)
class GridMapping:
    """What is stated about the georeference of an array."""

    name: Hashable | None = None
    """The variable that states it; None if there is none."""
    attrs: Mapping[Hashable, Any] = field(default_factory=dict)
    """Attributes of that variable."""
    own: Mapping[Hashable, Any] = field(default_factory=dict)
    """The attributes `crs` and `transform` of the array itself."""

    @property
    def crs(self) -> "CRS | None":
        """The CRS, or None.

        Raises:
            InvalidData: It cannot be parsed.
        """
        text = self.attrs.get("spatial_ref") or self.attrs.get("crs_wkt")
        if text:
            return _parse_crs(text, f"{self.name!r}")
        if "grid_mapping_name" in self.attrs:
            return _parse_crs(self.attrs, f"{self.name!r}")
        return _parse_crs(self.own["crs"], "attrs['crs']") if self.own.get("crs") else None

    @property
    def transform(self) -> Affine | None:
        """The affine transform from (column, row) to the CRS, or None.

        Raises:
            InvalidData: It is malformed.
        """
        stated = self.attrs.get("GeoTransform")
        if stated is not None:
            values = stated.split() if isinstance(stated, str) else stated
            return _parse_transform(values, stated, "GeoTransform", gdal=True)
        stated = self.own.get("transform")
        return None if stated is None else _parse_transform(stated, stated, "transform", gdal=False)

    @property
    def ground_control_points(self) -> int:
        """Number of the control points that rioxarray keeps of a file."""
        points = self.attrs.get("gcps")
        return len(json.loads(points)["features"]) if isinstance(points, str) else 0


def grid_mapping_of(obj: xr.Dataset | xr.DataArray) -> GridMapping:
    """Returns the grid mapping of an array, or of all variables of a Dataset.

    Raises:
        InvalidData: Variables of a Dataset differ in CRS or transform.
    """
    found = list(_grid_mappings(obj))
    for other in found[1:]:
        first = found[0]
        if other.crs != first.crs or other.transform != first.transform:
            raise InvalidData(
                f"the variables have several georeferences, {_text(first)} and {_text(other)}; "
                "select variables that share one, e.g. `scene[['red', 'green', 'blue']]`"
            )
    return found[0] if found else GridMapping()


def with_georeference(
    array: xr.DataArray, dataset: xr.Dataset, names: Sequence[Hashable]
) -> xr.DataArray:
    """Returns an array made of variables of a Dataset, with their georeference.

    xarray drops the name of the grid mapping when variables are stacked, and the grid mapping
    itself when a single variable is taken from a Dataset that has it as a data variable.

    Args:
        array: An array on the grid of the Dataset.
        dataset: Its origin.
        names: The variables that it is made of.

    Raises:
        InvalidData: The variables differ in CRS or transform.
    """
    others = [name for name in dataset.data_vars if dataset[name].ndim > 1 and name not in names]
    mapping = grid_mapping_of(dataset.drop_vars(others))
    array = array.assign_attrs(mapping.own)
    if mapping.name is not None:
        array = array.assign_coords({mapping.name: dataset[mapping.name].variable})
        array.encoding = {**array.encoding, "grid_mapping": mapping.name}
    return array


def crs_name(crs: "CRS | None") -> str | None:
    """Returns the code of a CRS, such as `EPSG:32633`, or its name if it has none."""
    if crs is None:
        return None
    from pyproj import CRS

    return ":".join(crs.to_authority() or ()) or CRS.from_wkt(crs.to_wkt()).name


def clean_transform(transform: Affine) -> Affine:
    """Returns a transform without rounding errors in place of zeros, and without negative zeros."""
    a, b, x, d, e, y = tuple(transform)[:6]
    least = _NEGLIGIBLE * max(map(abs, (a, b, d, e)))
    a, b, d, e = (value if abs(value) > least else 0.0 for value in (a, b, d, e))
    return Affine(a, b, x + 0.0, d, e, y + 0.0)


def _grid_mappings(obj: xr.Dataset | xr.DataArray) -> Iterator[GridMapping]:
    """Yields every statement that is found; usually there is one."""
    arrays: list[xr.Dataset | xr.DataArray] = [obj]
    variables: Mapping[Hashable, Any] = obj.coords
    if isinstance(obj, xr.Dataset):
        arrays += [array for array in obj.data_vars.values() if array.ndim > 1]
        variables = obj.variables
    own = [{key: array.attrs[key] for key in _OWN if key in array.attrs} for array in arrays]
    all_own = {key: value for attrs in reversed(own) for key, value in attrs.items()}
    different = {str(all_own | attrs): all_own | attrs for attrs in own}.values()
    named = dict.fromkeys(
        name for array in arrays for name in _named_by(array) if name in variables
    )
    names = list(named) or _unnamed(variables)
    if names or all_own:
        for name, attrs in product(names or [None], different):
            yield GridMapping(name, {} if name is None else variables[name].attrs, attrs)


def _named_by(array: xr.Dataset | xr.DataArray) -> list[str]:
    """Returns the names in `grid_mapping`, which CF also allows as `name: x y`."""
    stated = array.encoding.get("grid_mapping", array.attrs.get("grid_mapping"))
    words = str(stated or "").split()
    return [word[:-1] for word in words if word.endswith(":")] or words


def _unnamed(variables: Mapping[Hashable, Any]) -> list[Hashable]:
    """Returns the variables that are grid mappings, though no array names them."""
    if _DEFAULT in variables:
        return [_DEFAULT]
    return [name for name, variable in variables.items() if _STATEMENTS & {*variable.attrs}]


def _parse_crs(stated: Any, where: str) -> "CRS":
    """Returns a CRS from WKT, a code, or the attributes of a CF grid mapping."""
    import pyproj
    from pyproj.exceptions import CRSError as PyprojError
    from rasterio.crs import CRS
    from rasterio.errors import CRSError
    from rioxarray.crs import crs_from_user_input

    try:
        if isinstance(stated, str) and "[" in stated:
            return CRS.from_wkt(stated)
        if isinstance(stated, Mapping) and "grid_mapping_name" in stated:
            stated = pyproj.CRS.from_cf(dict(stated)).to_wkt()
        return crs_from_user_input(stated)
    except (CRSError, PyprojError, KeyError, TypeError, ValueError) as error:
        raise InvalidData(
            f"the CRS in {where} cannot be parsed ({error}); "
            "replace it, e.g. `scene.rio.write_crs('EPSG:32633')`"
        ) from error


def _parse_transform(values: Any, stated: object, name: str, *, gdal: bool) -> Affine:
    try:
        numbers = [float(value) for value in values]
        numbers = numbers if gdal else numbers[:6]
        transform = Affine.from_gdal(*numbers) if gdal else Affine(*numbers)
        usable = len(numbers) == 6 and np.isfinite(numbers).all() and transform.determinant != 0
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise InvalidData(
            f"{name!r} needs six numbers that span an area; got {stated!r}. "
            "Replace it, e.g. `scene.rio.write_transform(affine)`"
        )
    return clean_transform(transform)


def _text(mapping: GridMapping) -> str:
    crs = mapping.crs
    name = crs_name(crs) or "no CRS"
    where = "attributes" if mapping.name is None else repr(mapping.name)
    transform = mapping.transform
    numbers = "" if transform is None else f", transform {tuple(transform)[:6]}"
    return f"{name}{numbers} (in {where})"
