"""Whether wavelengths can be those of a reflectance product."""

import math
from collections.abc import Sequence
from itertools import pairwise

SUNLIGHT = (300.0, 3000.0)
"""nm: the ground reflects the sun there; beyond, it is dark or glows by itself."""
WIDEST = 500.0
"""nm of full width at half maximum."""

Lengths = Sequence[float | None]
"""nm, one per band."""


def implausible(centres: Lengths, widths: Lengths) -> list[str]:
    """What cannot be right with centres and widths of bands in nm."""
    told = [centre for centre in centres if centre is not None]
    if not told:
        return ["no band has a wavelength"]
    found = []
    if absent := [number for number, centre in enumerate(centres, 1) if centre is None]:
        found.append(f"{_bands(absent)} without a wavelength")
    low, high = SUNLIGHT
    odd = [nm for nm in told if not low <= nm <= high]  # NaN is odd, too
    if odd:
        found.append(
            f"wavelengths of {min(odd):g} to {max(odd):g} nm are none at which sunlight is "
            f"reflected ({low:g} to {high:g} nm), but perhaps in another unit"
        )
    if turned := [(a, b) for a, b in pairwise(told) if not a < b]:
        found.append(f"wavelengths do not ascend: {turned[0][1]:g} nm follows {turned[0][0]:g} nm")
    wide = [nm for nm in widths if nm is not None and not 0 < nm <= WIDEST]
    if wide:
        found.append(f"a band cannot be {wide[0]:g} nm wide (more than 0, up to {WIDEST:g} nm)")
    return found


def _bands(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    return f"band{'s' if len(numbers) > 1 else ''} {shown} {'are' if len(numbers) > 1 else 'is'}"


def nm(micrometres: float | None) -> float | None:
    """Rounded: 0.41 * 1000 is not 410."""
    return None if micrometres is None or math.isnan(micrometres) else round(1000 * micrometres, 6)
