"""What the metadata of an array state about its bands: attributes, coordinates, encoding.

`hsi_xr.open` records the facts of a file in `encoding`; other readers spread them. rioxarray and
xarray leave `scale_factor`, `add_offset` and the nodata value in `attrs` if they have not applied
them, and move them to `encoding` if they have. Arithmetic drops `encoding` and may keep `attrs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from hsi_xr.errors import HsiError
from hsi_xr.io.band_facts import BandFacts, read_facts, with_item
from hsi_xr.io.decoding import State
from hsi_xr.io.item_bands import OFFSET_APPLIED, ItemBand
from hsi_xr.io.raster_dataset import open_raster_dataset
from hsi_xr.io.raster_source import source_of
from hsi_xr.io.store_reader import nodata_of
from hsi_xr.io.wavelengths import nm_per_unit

_MASKING = ("_FillValue", "missing_value", "scale_factor", "add_offset", "rasterio_dtype")
"""Keys of `encoding` that a reader leaves when it has decoded or masked integers."""
_WAVELENGTHS = {"wavelength": "nm", "center_wavelength": "um"}
"""Coordinate -> its unit, unless it states one; the second is that of stackstac, from STAC."""


@dataclass(frozen=True)
class ArrayFacts:
    """What is known about the bands of an array.

    Attributes:
        bands: Facts of each band.
        state: What a reader has done to the values; None if a scale is stated and it is not known
            whether it has been applied.
        labels: Values of the coordinate `band`.
        origin: Where scale and offset are stated, for messages.
        numbers: Numbers of the bands in their file, or their labels.
        is_chosen: True if they were opened as red, green and blue.
        has_lost_mask: True if the file behind the array has a mask that the array does not have.
    """

    bands: tuple[BandFacts, ...]
    state: State | None
    labels: tuple[object, ...]
    origin: str
    numbers: tuple[object, ...]
    is_chosen: bool = False
    has_lost_mask: bool = False


def facts_of(array: xr.DataArray) -> ArrayFacts:
    """Returns what is known about the bands of an array (band, y, x), without reading pixels."""
    labels = _labels(array)
    own = _from_coordinates(array, labels)
    if (source := source_of(array)) is not None:
        indices = _indices(labels, len(source.facts))
        if len(indices) == len(labels):
            return ArrayFacts(
                tuple(
                    replace(source.facts[i], names=_joined(fact.names, source.facts[i].names))
                    for i, fact in zip(indices, own)
                ),
                state="decoded",
                labels=labels,
                origin="by the file",
                numbers=tuple(source.bands[i] for i in indices),
                is_chosen=source.chosen and labels == (1, 2, 3),
            )
    bands, state = _with_numbers(array, labels, own)
    if state == "stored" and array.dtype.kind in "iu":
        bands = with_item(bands, _item_bands(array), "the array")
    facts = ArrayFacts(bands, state, labels, "by the attributes of the array", numbers=labels)
    return _with_header(array, facts)


def _item_bands(array: xr.DataArray) -> list[ItemBand]:
    """Returns what a STAC item states about bands, which stackstac keeps as a coordinate."""
    applied = array.coords.get(OFFSET_APPLIED)
    offset_applied = applied is not None and bool(np.all(applied.values.astype(bool)))
    fields = _along_band(array, "raster:bands") or []
    return [ItemBand.read(f, offset_applied=offset_applied) for f in fields if isinstance(f, dict)]


def _labels(array: xr.DataArray) -> tuple[object, ...]:
    if "band" not in array.coords or array["band"].dims != ("band",):
        return tuple(range(1, array.sizes["band"] + 1))
    return tuple(array["band"].values.tolist())


def _indices(labels: tuple[object, ...], count: int) -> list[int]:
    """Returns the indices of bands in their file, which numeric labels give after a selection."""
    if all(isinstance(label, int) and 1 <= label <= count for label in labels):
        return [int(str(label)) - 1 for label in labels]
    return list(range(count)) if len(labels) == count else []


def _per_band(value: Any, labels: tuple[object, ...]) -> list[Any]:
    """Returns an attribute for each band: one value for all, or one for each band of the file."""
    if not isinstance(value, tuple | list | np.ndarray) or np.ndim(value) == 0:
        return [value] * len(labels)
    indices = _indices(labels, len(value))
    return [value[i] for i in indices] if indices else [None] * len(labels)


def _from_coordinates(array: xr.DataArray, labels: tuple[object, ...]) -> list[BandFacts]:
    """Returns names, common names and wavelengths."""
    long_names = array.attrs.get("long_name")
    described = isinstance(long_names, tuple | list) or len(labels) == 1
    descriptions = _per_band(long_names, labels) if described else [None] * len(labels)
    titles, common_names = (
        _along_band(array, name) or [None] * len(labels) for name in ("title", "common_name")
    )
    nm = _nanometres(array) or [None] * len(labels)
    return [
        BandFacts(
            dtype=str(array.dtype),
            names=_joined([label if isinstance(label, str) else None, description, title]),
            common_name=str(common) if common and isinstance(common, str) else None,
            wavelength=wavelength,
        )
        for label, description, title, common, wavelength in zip(
            labels, descriptions, titles, common_names, nm
        )
    ]


def _joined(*names: Any) -> tuple[str, ...]:
    each = (name for some in names for name in some)
    return tuple(dict.fromkeys(name for name in each if isinstance(name, str) and name))


def _along_band(array: xr.DataArray, name: str) -> list[Any] | None:
    if name not in array.coords or array[name].dims != ("band",):
        return None
    return list(array[name].values.tolist())


def _nanometres(array: xr.DataArray) -> list[float | None] | None:
    for name, usual in _WAVELENGTHS.items():
        values = _along_band(array, name)
        factor = nm_per_unit(str(array[name].attrs.get("units", usual))) if values else None
        if values and factor is not None:
            return [_finite(value, factor) for value in values]
    return None


def _finite(value: Any, factor: float) -> float | None:
    known = isinstance(value, int | float) and np.isfinite(value)
    return round(float(value) * factor, 6) if known else None


def _with_numbers(
    array: xr.DataArray, labels: tuple[object, ...], facts: list[BandFacts]
) -> tuple[tuple[BandFacts, ...], State | None]:
    """Adds data type, scale, offset and nodata, and returns the state of the values."""
    attrs, encoding = array.attrs, array.encoding
    pending, applied = _scaling(attrs, labels), _scaling(encoding, labels)
    stored = _stored_integers(array)
    state: State | None
    if array.dtype.kind != "f":
        state, scaling = "stored", pending
    elif _is_stated(pending):
        known = not _is_stated(applied) and (stored or "rasterio_dtype" in encoding)
        state, scaling = ("masked" if stored else "stored") if known else None, pending
    elif _is_stated(applied):
        state, scaling = "decoded", applied
    else:
        state, scaling = "masked" if stored else "stored", pending
    masked = state in ("masked", "decoded")
    nodata = _nodata(encoding if masked else attrs, labels)
    bands = (
        replace(fact, dtype=stored or fact.dtype, scale=scale, offset=offset, nodata=value)
        for fact, (scale, offset), value in zip(facts, scaling, nodata)
    )
    return tuple(bands), state


def _stored_integers(array: xr.DataArray) -> str | None:
    """Returns the type of the integers that a reader has turned into floats, or None.

    `encoding["dtype"]` alone is no sign: it is also how an array asks to be written.
    """
    dtype = str(array.encoding.get("dtype", array.encoding.get("rasterio_dtype", "")))
    if array.dtype.kind != "f" or not dtype or np.dtype(dtype).kind not in "iu":
        return None
    return np.dtype(dtype).name if any(key in array.encoding for key in _MASKING) else None


def _scaling(source: Mapping[Any, Any], labels: tuple[object, ...]) -> list[tuple[float, float]]:
    """Returns scale and offset of each band; rioxarray states different ones as `scales`."""
    scales = _per_band(source.get("scales", source.get("scale_factor", 1)), labels)
    offsets = _per_band(source.get("offsets", source.get("add_offset", 0)), labels)
    # via text, a float32 of 1e-4 becomes 1e-4
    return [
        (1.0 if scale is None else float(str(scale)), 0.0 if offset is None else float(str(offset)))
        for scale, offset in zip(scales, offsets)
    ]


def _is_stated(scaling: list[tuple[float, float]]) -> bool:
    return any(pair != (1, 0) for pair in scaling)


def _nodata(source: Mapping[Any, Any], labels: tuple[object, ...]) -> list[float | None]:
    if "nodatavals" in source:  # by the rasterio reader of older versions of xarray
        values = _per_band(source["nodatavals"], labels)
        return [None if value is None else float(value) for value in values]
    return [nodata_of(source)] * len(labels)


def _with_header(array: xr.DataArray, facts: ArrayFacts) -> ArrayFacts:
    """Adds what only the header of the file behind an array states: colours, alpha and mask.

    rioxarray names the file in `encoding`, and does not keep these facts itself.
    """
    path = array.encoding.get("source")
    if not isinstance(path, str) or "rasterio_dtype" not in array.encoding:
        return facts
    from rasterio.enums import MaskFlags

    try:
        with open_raster_dataset(path) as raster:
            header = read_facts(raster)
            flags = raster.mask_flag_enums
    except HsiError:
        return facts  # the file has been moved; the array is all there is
    derived = {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}
    masked = any(not derived & {*each} for each in flags)
    facts = replace(facts, has_lost_mask=masked and not _is_masked(array))
    if not all(isinstance(label, int) and 1 <= label <= len(header) for label in facts.labels):
        return facts  # names say what the bands are, and not where they are in the file
    bands = tuple(
        replace(fact, interpretation=header[int(str(label)) - 1].interpretation)
        for fact, label in zip(facts.bands, facts.labels)
    )
    return replace(facts, bands=bands)


def _is_masked(array: xr.DataArray) -> bool:
    """True if rioxarray has replaced masked pixels by NaN, which turns any type into floats."""
    return array.dtype.kind == "f" and "dtype" in array.encoding
