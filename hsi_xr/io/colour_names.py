"""Which colour the name of a band states."""

import re

COLOURS = ("red", "green", "blue")

OTHER = "another colour"
_LETTERS = {"r": "red", "g": "green", "b": "blue"}
_OTHERS = {
    *("nir", "infrared", "swir", "mwir", "lwir", "tir", "thermal", "rededge", "edge", "coastal"),
    *("aerosol", "yellow", "cyan", "magenta", "black", "orange", "violet", "uv", "ultraviolet"),
    *("pan", "panchromatic", "cirrus", "alpha", "mask", "gray", "grey", "luminance", "saturation"),
}
"""Words that name a band which is not red, green or blue."""
_NEUTRAL = {
    *("band", "channel", "ch", "the", "of", "light", "visible", "vis", "nm", "um", "srgb", "rgb"),
    *("surface", "sur", "sr", "refl", "reflectance", "toa", "boa", "rho", "radiance", "mean"),
}
"""Words that say nothing about the colour."""
_NUMBER = re.compile(r"(b|band|ch|channel)?\d+[a-z]?(nm|um)?")


def colour_of(text: str) -> str | None:
    """Returns the colour that a name states: red, green, blue, `another colour`, or None."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)  # RedEdge
    words = [
        word
        for word in re.findall(r"[^\W_]+", spaced.lower())
        if word not in _NEUTRAL and not _NUMBER.fullmatch(word)
    ]
    if len(words) == 1:
        word = _LETTERS.get(words[0], words[0])
        return word if word in COLOURS else OTHER if word in _OTHERS else None
    return OTHER if {*words} & {*COLOURS, *_OTHERS} else None
