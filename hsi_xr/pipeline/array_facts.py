"""What the metadata of an array state about its bands: attributes, coordinates, encoding.

`hsi_xr.open` records the facts of a file in `encoding`; other readers spread them. rioxarray and
xarray leave `scale_factor`, `add_offset` and the nodata value in `attrs` if they have not applied
them, and move them to `encoding` if they have. Arithmetic drops `encoding` and may keep `attrs`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from hsi_xr.errors import HsiError, InvalidData
from hsi_xr.io.band_facts import ATTRIBUTES, BandFacts, State, read_facts, with_item
from hsi_xr.io.item_bands import OFFSET_APPLIED, ItemBand
from hsi_xr.io.known_products import BASELINE, product_of_item
from hsi_xr.io.raster_dataset import masked_bands, open_raster_dataset
from hsi_xr.io.raster_source import BAND_ATTRS, RasterSource, source_of
from hsi_xr.io.store_reader import exact_float, nodata_of
from hsi_xr.io.tags import is_product
from hsi_xr.io.wavelengths import nm_per_unit, unit_of

Labels = tuple[int | float | str, ...]
"""Values of the coordinate `band`."""

UNSCALED = (1.0, 0.0)
_MASKING = ("_FillValue", "missing_value", "scale_factor", "add_offset", "rasterio_dtype")
"""Keys of `encoding` that a reader leaves when it has decoded or masked integers."""
_WAVELENGTHS = ("wavelength", "center_wavelength")
"""Coordinates with wavelengths; the second is that of stackstac, from STAC."""


def facts_of(array: xr.DataArray) -> tuple[BandFacts, ...]:
    """Returns what is known about each band of an array (band, y, x), without reading pixels."""
    labels = _labels(array)
    own = _from_coordinates(array, labels)
    source = source_of(array)
    if source is not None and (found := _of_file(array, labels, source)) is not None:
        return tuple(
            replace(fact, label=label, names=_joined(named.names, fact.names), state="decoded")
            for label, named, fact in zip(labels, own, found)
        )
    bands = _with_numbers(array, labels, own)
    if array.dtype.kind in "iu":
        return with_item(bands, _item_bands(array), "the array")
    return bands


def with_header(
    facts: tuple[BandFacts, ...], array: xr.DataArray, numbers: Sequence[object]
) -> tuple[BandFacts, ...]:
    """Adds what only the header of the file behind an array states: colours, alpha and mask.

    rioxarray names the file in `encoding`, and does not keep these facts itself.

    Args:
        facts: Facts of the bands of the array.
        array: An array of that file.
        numbers: Numbers of the bands in the file; others than numbers say nothing about it.
    """
    path = array.encoding.get("source")
    if not isinstance(path, str) or "rasterio_dtype" not in array.encoding:
        return facts
    try:
        with open_raster_dataset(path) as raster:
            is_cube = is_product(raster.tags(ns="HSI_XR"))
            header = {fact.number: fact for fact in read_facts(raster, is_product=is_cube)}
            has_mask = bool(masked_bands(raster, raster.indexes))
    except HsiError:
        return facts  # the file has been moved; the array is all there is
    completed = tuple(
        replace(
            fact,
            number=number,
            names=fact.names or header[number].names,
            wavelength=fact.wavelength or header[number].wavelength,
            interpretation=header[number].interpretation,
            is_product=header[number].is_product,
            known_product=fact.known_product or header[number].known_product,
        )
        if isinstance(number, int) and number in header
        else fact
        for fact, number in zip(facts, numbers)
    )
    had_alpha = any(fact.is_alpha for fact in header.values())
    lost = has_mask or (had_alpha and not any(fact.is_alpha for fact in completed))
    lost = lost and not _is_masked(array)
    return tuple(replace(fact, has_lost_mask=lost) for fact in completed)


def _of_file(array: xr.DataArray, labels: Labels, source: RasterSource) -> list[BandFacts] | None:
    """Returns the facts of a file that `open` recorded, in the order of the array.

    If other labels have been assigned, they may be in any order: only what is the same for all
    bands is then known.
    """
    facts = source.facts
    is_own = "band" in array.coords and array["band"].attrs == BAND_ATTRS
    if is_own and tuple(array["band"].values.tolist()) == labels:
        return [facts[int(str(label)) - 1] for label in labels]
    neutral = {
        replace(
            fact,
            label=None,
            number=None,
            names=(),
            given=None,
            interpretation=None,
            common_name=None,
            wavelength=None,
        )
        for fact in facts
    }
    return [neutral.pop()] * len(labels) if len(neutral) == 1 else None


def _labels(array: xr.DataArray) -> Labels:
    if "band" not in array.coords or array["band"].dims != ("band",):
        return tuple(range(1, array.sizes["band"] + 1))
    labels = tuple(array["band"].values.tolist())
    is_unique = len({*labels}) == len(labels)
    return labels if is_unique else tuple(range(1, len(labels) + 1))  # as after `xr.concat`


def _per_band(value: Any, labels: Labels) -> list[Any]:
    """Returns an attribute for each band: one value for all, or one for each band of the file.

    Raises:
        InvalidData: It has values for another number of bands.
    """
    if not isinstance(value, tuple | list | np.ndarray) or np.size(value) <= 1:
        return [np.ravel(value)[0] if np.ndim(value) else value] * len(labels)
    if all(isinstance(label, int) and 1 <= label <= len(value) for label in labels):
        return [value[int(str(label)) - 1] for label in labels]
    if len(value) == len(labels):
        return list(value)
    raise InvalidData(
        f"an attribute of the scene has {len(value)} values for {len(labels)} bands: {value!r}; "
        "give one for all bands, or one for each"
    )


def _item_bands(array: xr.DataArray) -> list[ItemBand]:
    """Returns what a STAC item states about bands, which stackstac keeps as a coordinate."""
    applied = array.coords.get(OFFSET_APPLIED)
    offset_applied = applied is not None and bool(np.all(applied.values.astype(bool)))
    properties = {
        name: array[name].item() for name in (BASELINE, "s2:product_type") if _is_one(array, name)
    }
    product = product_of_item(properties, {}, offset_applied=offset_applied)
    fields = _along_band(array, "raster:bands") or [{}] * array.sizes["band"]
    return [
        ItemBand.read(each, offset_applied=offset_applied, product=product)
        for each in fields
        if isinstance(each, dict)
    ]


def _is_one(array: xr.DataArray, name: str) -> bool:
    """True if an array has a coordinate of this name with a single value."""
    return name in array.coords and array[name].size == 1


def _from_coordinates(array: xr.DataArray, labels: Labels) -> list[BandFacts]:
    """Returns names, common names and wavelengths."""
    long_names = array.attrs.get("long_name")
    described = isinstance(long_names, tuple | list) or len(labels) == 1
    descriptions = _per_band(long_names, labels) if described else [None] * len(labels)
    titles, common_names = (_texts(array, name, labels) for name in ("title", "common_name"))
    nm = _nanometres(array, labels) or [None] * len(labels)
    return [
        BandFacts(
            dtype=str(array.dtype),
            label=label,
            origin=ATTRIBUTES,
            names=_joined([label if isinstance(label, str) else None, description, title]),
            common_name=str(common) if common and isinstance(common, str) else None,
            wavelength=wavelength,
        )
        for label, description, title, common, wavelength in zip(
            labels, descriptions, titles, common_names, nm
        )
    ]


def _texts(array: xr.DataArray, name: str, labels: Labels) -> list[Any]:
    """Returns a text for each band: from a coordinate or, for a single band, an attribute."""
    if (texts := _along_band(array, name)) is not None:
        return texts
    return [array.attrs.get(name) if len(labels) == 1 else None] * len(labels)


def _joined(*names: Any) -> tuple[str, ...]:
    each = (name for some in names for name in some)
    return tuple(dict.fromkeys(name for name in each if isinstance(name, str) and name))


def _along_band(array: xr.DataArray, name: str) -> list[Any] | None:
    if name not in array.coords or array[name].dims != ("band",):
        return None
    return list(array[name].values.tolist())


def _nanometres(array: xr.DataArray, labels: Labels) -> list[float | None] | None:
    """Returns the wavelengths in a coordinate or, for a single band, an attribute; or as labels."""
    for name in _WAVELENGTHS:
        values = _along_band(array, name)
        units = str(array[name].attrs.get("units", "")) if values else ""
        if values is None and len(labels) == 1 and name in array.attrs:
            values, units = [array.attrs[name]], str(array.attrs.get(f"{name}_units", ""))
        factor = nm_per_unit(units or unit_of(values)) if values else None
        if values and factor is not None:
            return [_finite(value, factor) for value in values]
    if labels and all(isinstance(label, float) and 350 <= label <= 2500 for label in labels):
        return [_finite(label, 1.0) for label in labels]
    return None


def _finite(value: Any, factor: float) -> float | None:
    known = isinstance(value, int | float) and np.isfinite(value)
    return round(float(value) * factor, 6) if known else None


def _with_numbers(
    array: xr.DataArray, labels: Labels, facts: list[BandFacts]
) -> tuple[BandFacts, ...]:
    """Adds data type, scale, offset and nodata, and what a reader has done with them."""
    attrs, encoding = array.attrs, array.encoding
    integers = _stored_integers(array)
    is_masked = bool(integers) or (nodata_of(attrs) is None and nodata_of(encoding) is not None)
    unscaled: State = "masked" if array.dtype.kind == "f" and is_masked else "stored"
    is_known = array.dtype.kind == "f" and nodata_of(encoding) is not None
    nodata = _nodata(encoding if is_known else attrs, labels)
    pending, applied = _scaling(attrs, labels), _scaling(encoding, labels)
    bands = []
    for fact, own, done, value in zip(facts, pending, applied, nodata):
        state: State | None = unscaled
        scale, offset = own
        if array.dtype.kind == "f" and own != UNSCALED:
            known = done == UNSCALED and (integers or "rasterio_dtype" in encoding)
            state = unscaled if known else None
        elif array.dtype.kind == "f" and done != UNSCALED:
            (scale, offset), state = done, "decoded"
        bands.append(
            replace(
                fact,
                dtype=integers or fact.dtype,
                scale=scale,
                offset=offset,
                nodata=value,
                state=state,
            )
        )
    return tuple(bands)


def _stored_integers(array: xr.DataArray) -> str | None:
    """Returns the type of the integers that a reader has turned into floats, or None.

    `encoding["dtype"]` alone is no sign: it is also how an array asks to be written.
    """
    dtype = str(array.encoding.get("dtype", array.encoding.get("rasterio_dtype", "")))
    if array.dtype.kind != "f" or not dtype or np.dtype(dtype).kind not in "iu":
        return None
    return np.dtype(dtype).name if any(key in array.encoding for key in _MASKING) else None


def _scaling(source: Mapping[Any, Any], labels: Labels) -> list[tuple[float, float]]:
    """Returns scale and offset of each band; rioxarray states different ones as `scales`."""
    scales = _per_band(source.get("scales", source.get("scale_factor", 1)), labels)
    offsets = _per_band(source.get("offsets", source.get("add_offset", 0)), labels)
    return [(exact_float(scale), exact_float(offset)) for scale, offset in zip(scales, offsets)]


def _nodata(source: Mapping[Any, Any], labels: Labels) -> list[float | None]:
    if "nodatavals" in source:  # by the rasterio reader of older versions of xarray
        values = _per_band(source["nodatavals"], labels)
        return [None if value is None else float(value) for value in values]
    return [nodata_of(source)] * len(labels)


def _is_masked(array: xr.DataArray) -> bool:
    """True if rioxarray has replaced masked pixels by NaN, which turns any type into floats."""
    return array.dtype.kind == "f" and "dtype" in array.encoding
