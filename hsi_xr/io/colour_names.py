"""Which colour the name of a band states."""

import re

COLOURS = ("red", "green", "blue")

OTHER = "another colour"
_LETTERS = {"r": "red", "g": "green", "b": "blue"}
_OTHERS = {
    *("nir", "infrared", "swir", "mwir", "lwir", "tir", "thermal", "rededge", "edge", "coastal"),
    *("aerosol", "yellow", "cyan", "magenta", "black", "orange", "violet", "uv", "ultraviolet"),
    *("std", "stddev", "uncertainty", "error", "qa", "quality", "count", "index", "class"),
    *("pan", "panchromatic", "cirrus", "alpha", "mask", "gray", "grey", "luminance", "saturation"),
}
"""Words that name a band which is not red, green or blue."""
_NEUTRAL = {
    *("band", "channel", "ch", "the", "of", "light", "visible", "vis", "nm", "um", "srgb", "rgb"),
    *("surface", "sur", "sr", "refl", "reflectance", "toa", "boa", "rho", "radiance", "mean"),
}
"""Words that say nothing about the colour."""
_BAND_NUMBER = re.compile(r"(b|band|ch|channel)?\d+[a-z]?(nm|um)?")
_WORD = re.compile(r"[^\W_]+")


def colour_of(text: str) -> str | None:
    """Returns the colour that a name states: red, green, blue, `another colour`, or None.

    `red`, `R`, `Band 4 (Red)` and `Ortho Red` are red; `red edge` and `green_i`, which is another
    green than the one called `green`, are other colours.
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)  # RedEdge
    words = [
        _without_number(word)
        for word in _WORD.findall(spaced.lower())
        if word not in _NEUTRAL and not _BAND_NUMBER.fullmatch(word)
    ]
    words = [word for word in words if word]
    if len(words) == 1:
        words = [_LETTERS.get(words[0], words[0])]
    colours = [word for word in words if word in COLOURS]
    if not colours and not {*words} & _OTHERS:
        return None
    is_variant = any(len(word) == 1 for word in words)
    is_plain = len(colours) == 1 and not is_variant and not {*words} & _OTHERS
    return colours[0] if is_plain else OTHER


def _without_number(word: str) -> str:
    """Returns a word without the number at its end; "" if it is then no word, as `s2`."""
    plain = word.rstrip("0123456789")  # nir08
    return plain if plain == word or plain in {*COLOURS, *_OTHERS} else ""
