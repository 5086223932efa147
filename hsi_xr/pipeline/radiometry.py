"""The radiometry of a scene, that is, what its values mean; resolved during planning."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hsi_xr.errors import InvalidData, MissingFact, UnknownName, UsageError
from hsi_xr.io.band_facts import ATTRIBUTES, ITEM, BandFacts, nearly_equal
from hsi_xr.io.known_products import NAMES, KnownProduct
from hsi_xr.pipeline.encodings import product_of
from hsi_xr.suggestions import did_you_mean

Array = NDArray[np.float32]

KINDS = ("srgb", "linear", "reflectance")


@dataclass(frozen=True)
class Radiometry:
    """Converts values to linear RGB, in the same way for every pixel of a scene.

    Attributes:
        kind: `srgb` is display-referred (encoded by IEC 61966-2-1, with an exposure chosen by the
            camera), `linear` is proportional to radiance with unknown exposure, `reflectance` is
            1 for a white reflector.
        scale: Factor from the values to [0, 1].
        offset: Number added after scaling.
        stored_scale, stored_offset: Those of the stored values. If they are stated, `decode` has
            already applied them, and `scale` is 1. As text if they differ from band to band.
        origin: Where they come from.
    """

    kind: str
    scale: float
    offset: float = 0.0
    stored_scale: float | str = field(default=1.0, compare=False)
    stored_offset: float | str = field(default=0.0, compare=False)
    origin: str = field(default="", compare=False)

    @property
    def level_known(self) -> bool:
        """True if brightness is a property of the ground rather than of the camera's exposure."""
        return self.kind == "reflectance"

    @property
    def condition(self) -> str:
        """What a survey of the scene depends on."""
        return f"{self.kind}, scale {self.scale:.9g}, offset {self.offset:.9g}"

    def __str__(self) -> str:
        scale, offset = _text(self.stored_scale), _text(self.stored_offset)
        return f"{self.kind}, scale {scale}, offset {offset} ({self.origin})"

    def linear(self, values: Array) -> Array:
        """Converts values to linear RGB; NaN stays NaN, negative values become 0."""
        scaled = values * np.float32(self.scale)
        if self.offset:
            scaled += np.float32(self.offset)
        return self.linear_of_scaled(scaled)

    def linear_of_scaled(self, scaled: Array) -> Array:
        """Converts values to which scale and offset have been applied to linear RGB."""
        scaled = np.maximum(scaled, np.float32(0))
        return _srgb_decode(scaled) if self.kind == "srgb" else scaled


@dataclass(frozen=True)
class Stated:
    """Scale, offset and kind as stated by the user; None where nothing is stated."""

    radiometry: str | None = None
    scale: float | None = None
    offset: float | None = None

    def check(self) -> None:
        """Raises an error if a value is impossible.

        Raises:
            UnknownName: There is no such radiometry.
            MissingFact: The scale is not positive, or the offset is not finite.
        """
        known = (*KINDS, *NAMES)
        if self.radiometry is not None and self.radiometry not in known:
            raise UnknownName(
                f"no radiometry is called {self.radiometry!r}; "
                f"{did_you_mean(self.radiometry, known)}choose one of {', '.join(known)}"
            )
        if self.scale is not None and not (np.isfinite(self.scale) and self.scale > 0):
            raise MissingFact(f"the scale must be a positive number; got {self.scale!r}")
        if self.offset is not None and not np.isfinite(self.offset):
            raise MissingFact(f"the offset must be a finite number; got {self.offset!r}")


def resolve_radiometry(
    bands: Sequence[BandFacts],
    *,
    radiometry: str | None = None,
    scale: float | None = None,
    offset: float | None = None,
) -> Radiometry:
    """Returns the radiometry of a scene: as the caller states it, otherwise as the file does.

    Scale and offset that the bands state are applied by the reader, see `hsi_xr.io.decoding`; the
    caller may repeat but not contradict them.

    Args:
        bands: Facts of the red, green and blue bands.
        radiometry: One of `KINDS`, the name of a known product, or None.
        scale: Factor from stored values to [0, 1], or None.
        offset: Number added after scaling, or None.

    Raises:
        UnknownName: There is no such radiometry.
        MissingFact: It is neither given, nor stated, nor safe to assume; or the scale is not
            positive.
        UsageError: The bands state another scale or offset.
    """
    stated = Stated(radiometry, scale, offset)
    stated.check()
    if (product := product_of(bands, radiometry, scale, offset)) is not None:
        return _of_product(bands, product)
    dtype, is_scaled = bands[0].dtype, any(band.is_scaled for band in bands)
    implied = "reflectance" if is_scaled or any(band.is_product for band in bands) else None
    kind = radiometry or implied or ("srgb" if dtype == "uint8" else None)
    if kind is None:
        raise MissingFact(
            f"it is not stated what the {dtype} values mean; pass radiometry='srgb', 'linear' or "
            "'reflectance' (--radiometry), and the scale that converts them to [0, 1], e.g. "
            "scale=1e-4 (--input-scale 1e-4); or the name of their product, e.g. "
            "radiometry='landsat-c2-sr'"
        )
    if is_scaled:
        _check_possible(bands)
        _check_repeated(bands, stated)
        return Radiometry(kind, 1.0, 0.0, *_stored(bands), f"stated {bands[0].origin}")
    factor, reason = (scale, "as given") if scale is not None else _usual(dtype, kind, bands)
    factor, shift = float(factor), 0.0 if offset is None else float(offset)
    reason = "as given" if offset is not None else reason
    return Radiometry(kind, factor, shift, factor, shift, reason)


def _of_product(bands: Sequence[BandFacts], product: KnownProduct) -> Radiometry:
    """Returns the radiometry of a known product."""
    origin = f"as in {product.name}"
    if any(band.is_scaled for band in bands):  # the reader has applied them
        return Radiometry("reflectance", 1.0, 0.0, *_stored(bands), origin)
    return Radiometry(
        "reflectance", product.scale, product.offset, product.scale, product.offset, origin
    )


def _check_possible(bands: Sequence[BandFacts]) -> None:
    """Raises an InvalidData error if a scale or an offset that is stated is impossible."""
    for band in bands:
        if not (np.isfinite(band.scale) and band.scale > 0 and np.isfinite(band.offset)):
            raise InvalidData(
                f"scale {band.scale:g} and offset {band.offset:g}, stated {band.origin}, are "
                f"impossible; {_correction(band.origin, 1e-4, 0)}"
            )


def _check_repeated(bands: Sequence[BandFacts], stated: Stated) -> None:
    """Raises a UsageError if the user contradicts what the bands state."""
    for band in bands:
        scale = band.scale if stated.scale is None else stated.scale
        offset = band.offset if stated.offset is None else stated.offset
        if nearly_equal(scale, band.scale) and nearly_equal(offset, band.offset):
            continue
        stored_scale, stored_offset = map(_text, _stored(bands))
        raise UsageError(
            f"scale={scale:g} and offset={offset:g} contradict scale {stored_scale} and offset "
            f"{stored_offset}, which are stated {band.origin}; omit scale= (--input-scale) and "
            f"offset= (--input-offset), or {_correction(band.origin, scale, offset)}"
        )


def _correction(origin: str, scale: float, offset: float) -> str:
    """Returns how to make what is stated equal to what the user states."""
    if origin == ATTRIBUTES:
        return f"correct them: `scene.attrs.update(scale_factor={scale:g}, add_offset={offset:g})`"
    if origin == ITEM:
        return "pass the image itself instead of its item"
    return (
        f"correct the file: `gdal_translate -a_scale {scale:g} -a_offset {offset:g} in.tif out.tif`"
    )


def _stored(bands: Sequence[BandFacts]) -> tuple[float | str, float | str]:
    """Returns scale and offset of all bands; as text if they differ."""
    scales, offsets = ({band.scale for band in bands}, {band.offset for band in bands})
    return (
        scales.pop() if len(scales) == 1 else ", ".join(_text(band.scale) for band in bands),
        offsets.pop() if len(offsets) == 1 else ", ".join(_text(band.offset) for band in bands),
    )


def _text(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.6g}"


def _usual(dtype: str, kind: str, bands: Sequence[BandFacts]) -> tuple[float, str]:
    if any(band.is_product for band in bands):
        return 1.0, "as in a product of hsi_xr"
    if dtype.startswith("float"):
        return 1.0, "as usual for floating-point values"
    if dtype == "uint8" and kind != "reflectance":
        return 1 / 255, "as usual for 8-bit values"
    raise MissingFact(
        f"{kind} values stored as {dtype} need the scale that converts them to [0, 1]; pass e.g. "
        "scale=1e-4 (--input-scale 1e-4) for reflectance times 10,000, or 1/65535 for full-range "
        "16-bit values; an offset is added after scaling: offset=-0.1 (--input-offset -0.1)"
    )


def _srgb_decode(coded: Array) -> Array:
    bright = ((np.maximum(coded, np.float32(0.04045)) + np.float32(0.055)) / np.float32(1.055)) ** (
        np.float32(2.4)
    )
    return np.where(coded <= 0.04045, coded / np.float32(12.92), bright)
