"""The accessor `.hsi` on Dataset and DataArray: functions of hsi_xr as methods."""

import functools
import html
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import xarray as xr

import hsi_xr
from hsi_xr.errors import InvalidData
from hsi_xr.level_interval import LEVEL_VARIABLES, level_text
from hsi_xr.output_variables import companion_names, companions_among, probability_of

if TYPE_CHECKING:
    from hsi_xr.analysis.plots import Plots

P = ParamSpec("P")
R = TypeVar("R")

_SCENE, _IMAGE, _MAP, _CUBE = "RGB scene", "multiband image", "map", "hyperspectral cube"
_FOR_SCENES = ("reconstruct", "plan", "survey")
_METHODS = {_SCENE: _FOR_SCENES, _IMAGE: _FOR_SCENES, _MAP: ("plot", "write", "zonal")}
"""The methods for each kind of object; a cube has all others."""


class Method(Generic[P, R]):
    """A function of hsi_xr as a method of the accessor.

    The function receives the object behind the accessor as its first argument; the method has the
    signature and the docstring of the function without it. The function is looked up on first use,
    so that importing hsi_xr imports neither torch nor GDAL.
    """

    def __init__(self, look_up: Callable[[], Callable[Concatenate[Any, P], R]]) -> None:
        self._look_up = look_up

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(
        self, accessor: None, owner: type
    ) -> Callable[Concatenate["HsiAccessor", P], R]: ...
    @overload
    def __get__(self, accessor: "HsiAccessor", owner: type) -> Callable[P, R]: ...
    def __get__(self, accessor: "HsiAccessor | None", owner: type) -> Callable[..., R]:
        return self._method.__get__(accessor, owner)

    @functools.cached_property
    def _method(self) -> Any:
        function, name = self._look_up(), self._name

        def method(self: "HsiAccessor", *args: P.args, **kwargs: P.kwargs) -> R:
            return function(_image_in(self._obj, name), *args, **kwargs)

        signature = inspect.signature(function)
        first, *rest = signature.parameters.values()
        own = first.replace(name="self", annotation=inspect.Parameter.empty)
        method.__signature__ = signature.replace(parameters=[own, *rest])  # type: ignore[attr-defined]
        method.__doc__ = _without_argument(inspect.getdoc(function) or "", first.name)
        method.__name__, method.__module__ = name, __name__
        method.__qualname__ = f"{HsiAccessor.__name__}.{name}"
        return method


@xr.register_dataset_accessor("hsi")
@xr.register_dataarray_accessor("hsi")
class HsiAccessor:
    """Methods for RGB scenes and hyperspectral cubes, as `.hsi` on Dataset and DataArray.

    The accessor has no state, and every method returns a new object.
    """

    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None:
        self._obj = obj  # xarray caches the accessor: derived state would be stale if obj changes

    reconstruct = Method(lambda: hsi_xr.reconstruct)
    plan = Method(lambda: hsi_xr.plan)
    survey = Method(lambda: hsi_xr.survey)
    write = Method(lambda: hsi_xr.write)
    to_product = Method(lambda: hsi_xr.write_product)
    to_stac_item = Method(lambda: hsi_xr.describe)
    gains = Method(lambda: hsi_xr.gains)
    calibrate = Method(lambda: hsi_xr.calibrate)
    spectrum = Method(lambda: hsi_xr.spectrum)
    bands = Method(lambda: hsi_xr.bands)
    nearest_band = Method(lambda: hsi_xr.nearest_band)
    sam = Method(lambda: hsi_xr.sam)
    to_sensor = Method(lambda: hsi_xr.to_sensor)
    indices = Method(lambda: hsi_xr.indices)
    zonal = Method(lambda: hsi_xr.zonal)
    to_hypercoast = Method(lambda: hsi_xr.to_hypercoast)
    to_spectral = Method(lambda: hsi_xr.to_spectral)

    def rgb(self, *, wavelengths: tuple[float, float, float] = (650, 550, 450)) -> xr.DataArray:
        """Returns the bands of a cube nearest to three wavelengths, as an image.

        Args:
            wavelengths: The wavelengths of red, green and blue in nm.

        Returns:
            (band, y, x) with three bands and unchanged values, lazy if the cube is. Show it with
            `.plot.imshow(robust=True)`.

        Raises:
            BandMismatch: The cube has no wavelengths.
        """
        from hsi_xr.analysis.select import three_bands

        return three_bands(_image_in(self._obj, "rgb"), wavelengths)

    @property
    def plot(self) -> "Plots":
        """Plots with matplotlib: `plot.spectrum(x, y)`, `plot.rgb()` and `plot.map()`."""
        from hsi_xr.analysis.plots import Plots

        return Plots(_image_in(self._obj, "plot"))

    def __dir__(self) -> list[str]:
        return [name for name in vars(type(self)) if not name.startswith("_")]

    def __repr__(self) -> str:
        title, facts = _summary(self)
        lines = [_wrapped(f"{label}: {text}") for label, text in facts.items()]
        return "\n".join([f"<hsi_xr: {title}>", *lines])

    def _repr_html_(self) -> str:
        title, facts = _summary(self)
        left = "style='text-align: left; vertical-align: top'"
        rows = [
            f"<tr><th {left}>{label}</th><td {left}>{html.escape(text)}</td></tr>"
            for label, text in facts.items()
        ]
        return f"<div><b>hsi_xr: {html.escape(title)}</b><table>{''.join(rows)}</table></div>"


def _image_in(obj: xr.Dataset | xr.DataArray, method: str) -> xr.Dataset | xr.DataArray:
    """Returns an object with the dimensions band, y and x, by whatever name it has them.

    Raises:
        InvalidData: No array of the object has the dimensions y and x.
    """
    from hsi_xr.io.dimensions import with_standard_dims

    standard = with_standard_dims(obj)
    if _image(standard) is not None:
        return standard
    dims = ", ".join(map(str, obj.dims)) or "no dimensions"
    raise InvalidData(
        f"`.hsi.{method}` needs an image with dimensions y and x; this {type(obj).__name__} has "
        f"{dims}. Rename them, e.g. `obj.rename(a='y', b='x')`, or use `.hsi` on the scene or the "
        "cube, e.g. `hsi_xr.open('scene.tif').hsi`"
    )


def _image(obj: xr.Dataset | xr.DataArray) -> xr.DataArray | None:
    """Returns the first array with dimensions y and x, `reflectance` if there is one."""
    if isinstance(obj, xr.DataArray):
        arrays = [obj]
    else:
        arrays = sorted(obj.data_vars.values(), key=lambda array: array.name != "reflectance")
    return next((array for array in arrays if {"y", "x"} <= {*array.dims}), None)


def _summary(accessor: HsiAccessor) -> tuple[str, dict[str, str]]:
    """Returns the kind of an object, and the facts to show about it by label."""
    from hsi_xr.io.dimensions import with_standard_dims

    obj = with_standard_dims(accessor._obj)
    image = _image(obj)
    if image is None:
        dims = ", ".join(map(str, obj.dims)) or "none"
        return "no image", {"needs": f"dimensions y and x; found {dims}"}
    kind = _kind(obj, image)
    size = f"{image.sizes['y']} rows x {image.sizes['x']} columns"
    facts = {"size": f"{size} x {image.sizes['band']} bands" if "band" in image.dims else size}
    if kind == _CUBE:
        nm = image["wavelength"]
        facts["wavelengths"] = (
            f"{nm.values.min():g} to {nm.values.max():g} {nm.attrs.get('units', 'nm')}"
        )
    facts |= _stated(obj)
    facts["CRS"] = _crs(obj)
    others = [name for name in accessor.__dir__() if name not in _FOR_SCENES]
    facts["methods"] = ", ".join(_METHODS.get(kind, others))
    return kind, facts


def _stated(obj: xr.Dataset | xr.DataArray) -> dict[str, str]:
    """Returns the level of a cube and the names of its other variables, without computing them."""
    provenance = {str(key).removeprefix("hsi_xr_"): value for key, value in obj.attrs.items()}
    names = [name for name in companion_names(provenance) if probability_of(name) is not None]
    if isinstance(obj, xr.Dataset):
        names = companions_among(obj.data_vars)
        provenance |= {name: obj[name] for name in LEVEL_VARIABLES if name in obj}
    if any(
        isinstance(value, xr.DataArray) and value.chunks is not None
        for value in provenance.values()
    ):
        level = "estimated from the colours of the image when the cube is computed"
    else:
        level = level_text(provenance)
    facts = {"level": level, "other variables": ", ".join(names)}
    return {label: text for label, text in facts.items() if text}


def _kind(obj: xr.Dataset | xr.DataArray, image: xr.DataArray) -> str:
    if "wavelength" in image.coords:
        return _CUBE
    variables = {str(name).lower() for name in obj} if isinstance(obj, xr.Dataset) else set()
    if image.sizes.get("band") == 3 or {"red", "green", "blue"} <= variables:
        return _SCENE
    return _IMAGE if "band" in image.dims else _MAP


def _crs(obj: xr.Dataset | xr.DataArray) -> str:
    from hsi_xr.io.georef import crs_of
    from hsi_xr.io.grid_mapping import crs_name

    try:
        crs = crs_of(obj)
    except InvalidData:
        return "cannot be read"
    return crs_name(crs) or "none"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 88, initial_indent=" " * 4, subsequent_indent=" " * 8)


def _without_argument(docstring: str, name: str) -> str:
    """Drops an entry of `Args:`, and the section if it was the only one."""
    entry = rf"^    {name}:.*\n(?: {{5,}}.*\n)*"
    rest = re.sub(entry, "", f"{docstring}\n", count=1, flags=re.MULTILINE)
    return re.sub(r"^Args:\n(?=\n|\Z)\n?", "", rest, flags=re.MULTILINE).rstrip()
