"""Checks of bands and their wavelengths, as files and STAC assets state them."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from hsi_xr.io.cube_file import CubeFile
from hsi_xr.io.raster_dataset import RasterDataset
from hsi_xr.io.wavelengths import envi_wavelengths
from hsi_xr.stac.document import Json, bands_of
from hsi_xr.stac.validate.findings import Fault, short

RESTORE = "restore the original file, which another tool has modified"
_SUNLIGHT = (300.0, 3000.0)
"""Range of sunlight that the ground reflects, nm; beyond it, the ground is dark or emits."""
_WIDEST = 500.0
"""nm, full width at half maximum."""
_SAME = 1e-3
"""Largest difference, in nm, between two copies of the same wavelength."""
_CENTRE, _WIDTH = "eo:center_wavelength", "eo:full_width_half_max"
_FIX_ASSET = "give wavelengths in um, in the order of the file's bands"

Wavelengths = Sequence[float | None]
"""nm, one per band."""


def raster_band_faults(src: RasterDataset, product: CubeFile) -> Iterator[Fault]:
    """Yields what is wrong with the wavelengths in a file, which has up to three copies of them."""
    centres = [_nm(centre) for centre in product.centres]
    for fault in implausible(centres, [_nm(width) for width in product.widths]):
        yield Fault(fault, RESTORE)
    for band in src.indexes:
        text = src.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
        if text is not None and _number(text) is None:
            yield Fault(
                f"band {band} has the wavelength {text!r} (domain IMAGERY), which is not a number",
                RESTORE,
            )
    copies = {
        "ENVI": [centre for centre, _ in envi_wavelengths(src.tags(ns="ENVI"), src.count)],
        "EnMAP-Box": [_number(src.tags(band).get("wavelength")) for band in src.indexes],
    }
    for tool, copy in copies.items():
        pairs = [(a, b) for a, b in zip(centres, copy) if a is not None and b is not None]
        if any(abs(a - b) > _SAME for a, b in pairs):
            yield Fault(
                f"its wavelengths for {tool} differ from those for GDAL (domain IMAGERY)", RESTORE
            )


def asset_band_faults(what: str, asset: Json, *, named_only: bool) -> Iterator[Fault]:
    """Yields what is wrong with the bands of an asset.

    Args:
        what: Subject of the faults.
        asset: Its fields.
        named_only: True for a model, whose bands include inputs without a wavelength.
    """
    bands = bands_of(asset)
    names = [str(band.get("name")) for band in bands]
    if len({*names}) < len(names):
        yield Fault(f"{what} has several bands with the same name", "number them, e.g. B01, B02")
    centres, widths = ([band.get(key) for band in bands] for key in (_CENTRE, _WIDTH))
    texts = [value for value in [*centres, *widths] if not isinstance(value, int | float | None)]
    if texts:
        yield Fault(f"{what} has the wavelength {short(texts[0])}", "give numbers, in um")
    elif not named_only and any(centre is not None for centre in centres):
        for fault in implausible([_nm(value) for value in centres], [_nm(v) for v in widths]):
            yield Fault(f"{what}: {fault}", _FIX_ASSET)


def implausible(centres: Wavelengths, widths: Wavelengths) -> list[str]:
    """Returns what cannot be true of the wavelengths of a reflectance product, in nm."""
    known = [centre for centre in centres if centre is not None]
    if not known:
        return ["no band has a wavelength"]
    faults = []
    if missing := [number for number, centre in enumerate(centres, 1) if centre is None]:
        faults.append(f"{_bands(missing)} no wavelength")
    low, high = _SUNLIGHT
    odd = [nm for nm in known if not low <= nm <= high]  # including NaN
    if odd:
        faults.append(
            f"wavelengths are outside the range of reflected sunlight ({low:g} to {high:g} nm), "
            f"perhaps in another unit: {_first(odd)} nm"
        )
    if swapped := [(a, b) for a, b in pairwise(known) if not a < b]:
        faults.append(
            f"wavelengths are not ascending: {swapped[0][1]:g} nm follows {swapped[0][0]:g} nm"
        )
    wide = [nm for nm in widths if nm is not None and not 0 < nm <= _WIDEST]
    if wide:
        faults.append(f"a band is {wide[0]:g} nm wide, which is not between 0 and {_WIDEST:g} nm")
    return faults


def _bands(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"band {numbers[0]} has"
    return f"bands {_first(numbers)} have"


def _first(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values[:5]) + ", ..." * (len(values) > 5)


def _nm(micrometres: object) -> float | None:
    """Converts to nm, rounded since 0.41 * 1000 is not 410; None if not a number."""
    if not isinstance(micrometres, int | float) or math.isnan(micrometres):
        return None
    return round(1000 * micrometres, 6)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
