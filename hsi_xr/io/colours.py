"""Which bands of an image are red, green and blue: by what is stated about them, then by position.

Colour interpretation, names and STAC's common names decide, then wavelengths. All of them must
agree. Position decides only for three bands about which nothing else is stated.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hsi_xr.errors import BandMismatch, UnknownName
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.colour_names import COLOURS, OTHER, colour_of

Selection = Sequence[int | str | float]
"""Numbers of bands, counted from 1, or names."""

_RANGES = {"red": (600.0, 700.0), "green": (500.0, 600.0), "blue": (430.0, 520.0)}
"""Wavelengths of a colour in nm, slightly wider than those of STAC's common names."""
_CENTRES = {"red": 655.0, "green": 555.0, "blue": 480.0}
"""Usual centres in nm. Sensors with a coastal band have it near 443 nm, blue is further up."""

_SAYS_NOTHING = {"undefined", "gray", "palette"}
"""Colour interpretations that GDAL also gives to bands about which nothing is known."""


@dataclass(frozen=True)
class Chosen:
    """The bands that are red, green and blue, or channels of a sensor."""

    indices: tuple[int, ...]
    """Counted from 0, among all bands."""
    rule: str
    """How they were found: `as given`, `by name`, ..."""
    channels: tuple[int, ...] = (0, 1, 2)
    """The channels of the camera that they are, counted from 0."""


def choose(facts: Sequence[BandFacts], selection: Selection | None = None) -> Chosen:
    """Returns the bands that are red, green and blue.

    Args:
        facts: Facts of all bands of an image.
        selection: Three bands, see `indices_of`; None finds them by what is stated.

    Raises:
        BandMismatch: There are no three colours, statements contradict each other, or nothing is
            stated about more than three bands.
        UnknownName: There is no band of a given name.
    """
    if selection is not None:
        if isinstance(selection, str) or len(selection) != 3:
            raise BandMismatch(
                f"without a camera that has other channels, exactly three bands must be selected, "
                f"red, green and blue; got {selection!r}. Select three, or name a sensor of "
                "`hsi_xr.sensors()`, e.g. camera='sentinel-2a' (--camera sentinel-2a)"
            )
        red, green, blue = indices_of(facts, selection)
        return Chosen((red, green, blue), "as given")
    candidates = [i for i, fact in enumerate(facts) if not fact.is_alpha]
    if given := _stated(lambda fact: fact.given, facts, candidates):
        return Chosen(given, "as given")
    found = _found(facts, candidates)
    if len({*found.values()}) > 1 or any(_contradicts(facts, each) for each in found.values()):
        raise BandMismatch(_conflict(facts, found))
    if found:
        rule, triple = next(iter(found.items()))
        return Chosen(triple, f"by {rule}")
    if len(candidates) == 3 and _says_nothing([facts[i] for i in candidates]):
        return Chosen((candidates[0], candidates[1], candidates[2]), "by position")
    raise BandMismatch(_undecided(facts, candidates))


def _found(
    facts: Sequence[BandFacts], candidates: Sequence[int]
) -> dict[str, tuple[int, int, int]]:
    """Returns the bands that each kind of statement calls red, green and blue."""
    found = {
        rule: triple
        for rule, statement in _STATEMENTS.items()
        if (triple := _stated(statement, facts, candidates)) is not None
    }
    if not found and (triple := _nearest_bands(facts, candidates)) is not None:
        found["wavelengths"] = triple
    return found


def indices_of(
    facts: Sequence[BandFacts], selection: Selection, *, name: str = "the scene"
) -> tuple[int, ...]:
    """Returns the indices, counted from 0, of bands that are given by number or name.

    Args:
        facts: Facts of all bands of an image.
        selection: Labels of the bands; or numbers counted from 1, if the labels are names; or
            names, in any case: of bands, descriptions, variables, or STAC's common names.
        name: The image, for messages.

    Raises:
        BandMismatch: There is no band of a number, or it is transparency.
        UnknownName: There is no band of a name, or there are several.
    """
    return tuple(_index_of(facts, band, name) for band in selection)


def _index_of(facts: Sequence[BandFacts], band: object, name: str) -> int:
    opaque = [i for i, fact in enumerate(facts) if not fact.is_alpha]
    if isinstance(band, str):
        return _index_of_name(facts, band, opaque, name)
    labels = [fact.label for fact in facts]
    if not all(isinstance(label, int | float) for label in labels):
        labels = [*range(1, len(facts) + 1)]
    for i in opaque:
        if labels[i] == band:
            return i
    raise BandMismatch(
        f"{name} has no band {band}; choose from {', '.join(str(labels[i]) for i in opaque)}"
        + (" (the others are alpha)" if len(opaque) < len(facts) else "")
    )


def _index_of_name(facts: Sequence[BandFacts], band: str, opaque: list[int], name: str) -> int:
    lower = band.strip().lower()
    rules: tuple[Callable[[BandFacts], bool], ...] = (
        lambda fact: band in fact.names,
        lambda fact: lower in map(str.lower, fact.names),
        lambda fact: lower == (fact.common_name or "").lower(),
        lambda fact: lower in COLOURS and lower == _by_name(fact),
        lambda fact: lower in COLOURS and lower == fact.interpretation,
    )
    for matches in rules:
        found = [i for i in opaque if matches(facts[i])]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(i + 1) for i in found)
            raise UnknownName(f"{name} has several bands called {band!r}: {numbers}; pass numbers")
    if band.isdecimal():
        return _index_of(facts, int(band), name)
    raise UnknownName(
        f"{name} has no band called {band!r}; it has the bands {all_described(facts)}"
    )


def _by_interpretation(fact: BandFacts) -> str | None:
    kind = fact.interpretation
    if kind is None or kind in _SAYS_NOTHING:
        return None
    return kind if kind in COLOURS else OTHER


def _by_name(fact: BandFacts) -> str | None:
    return next((colour for name in fact.names if (colour := colour_of(name))), None)


def _by_common_name(fact: BandFacts) -> str | None:
    name = fact.common_name
    return None if name is None else name if name in COLOURS else OTHER


_STATEMENTS: Mapping[str, Callable[[BandFacts], str | None]] = {
    "colour interpretation": _by_interpretation,
    "names": _by_name,
    "STAC common names": _by_common_name,
}
"""Source of a statement -> the colour that a band has by it."""


def _stated(
    statement: Callable[[BandFacts], str | None],
    facts: Sequence[BandFacts],
    candidates: Sequence[int],
) -> tuple[int, int, int] | None:
    """Returns the bands that a statement calls red, green and blue, if each is unique."""
    stated = [statement(facts[i]) for i in candidates]
    if any(stated.count(colour) != 1 for colour in COLOURS):
        return None
    red, green, blue = (candidates[stated.index(colour)] for colour in COLOURS)
    return red, green, blue


def _nearest_bands(
    facts: Sequence[BandFacts], candidates: Sequence[int]
) -> tuple[int, int, int] | None:
    """Returns the bands whose wavelengths are nearest to red, green and blue, if there are any."""
    red, green, blue = (_nearest(colour, facts, candidates) for colour in COLOURS)
    return None if red is None or green is None or blue is None else (red, green, blue)


def _nearest(colour: str, facts: Sequence[BandFacts], candidates: Sequence[int]) -> int | None:
    distances = {
        i: abs(nm - _CENTRES[colour])
        for i in candidates
        if (nm := facts[i].wavelength) is not None
        and _RANGES[colour][0] <= nm <= _RANGES[colour][1]
    }
    return min(distances, key=distances.__getitem__) if distances else None


def _says_nothing(facts: Sequence[BandFacts]) -> bool:
    """True if nothing is stated about three bands but, at most, their numbers: `Band 1`, ..."""
    if not all(fact.is_ordered for fact in facts) or _contradicts(facts, range(3)):
        return False
    names = [fact.names[0] for fact in facts if fact.names]
    if len({*names}) <= 1:
        return len(names) != 1 or _numbered(names[0]) is not None
    stems = {re.sub(r"\d+", "#", name) for name in names}
    numbers = [_numbered(name) for name in names]
    return len(stems) == 1 and numbers in ([0, 1, 2], [1, 2, 3])


def _numbered(name: str) -> int | None:
    """Returns the only number in a name, or None."""
    numbers = re.findall(r"\d+", name)
    return int(numbers[0]) if len(numbers) == 1 else None


def _contradicts(facts: Sequence[BandFacts], triple: Sequence[int]) -> bool:
    """True if any statement about one of three bands contradicts its colour."""
    for colour, index in zip(COLOURS, triple):
        fact, (low, high) = facts[index], _RANGES[colour]
        stated = {statement(fact) for statement in _STATEMENTS.values()}
        if stated - {None, colour}:
            return True
        if fact.wavelength is not None and not low <= fact.wavelength <= high:
            return True
    return False


def _conflict(facts: Sequence[BandFacts], found: Mapping[str, tuple[int, int, int]]) -> str:
    said = "; ".join(
        f"the {rule} say bands {', '.join(str(i + 1) for i in triple)}".replace(
            "interpretation say", "interpretation says"
        )
        for rule, triple in found.items()
    )
    numbers = [str(i + 1) for i in [*found.values()][-1]]
    return (
        f"statements about red, green and blue contradict each other: {said}; the bands are "
        f"{all_described(facts)}. Select them, e.g. rgb=({', '.join(numbers)}) (--bands "
        f"{','.join(numbers)}), or correct the metadata"
    )


def _undecided(facts: Sequence[BandFacts], candidates: Sequence[int]) -> str:
    count = len(candidates)
    if count < 3:
        bands = f"{count} band{'s' if count != 1 else ''}"
        return (
            f"a reconstruction needs red, green and blue; this scene has {bands}. Use a colour "
            "image. For a palette image, pass its path, or expand it with "
            "`gdal_translate -expand rgb in.tif out.tif`"
        )
    if not all(fact.is_ordered for fact in facts):
        return (
            "it is not stated which variables are red, green and blue; the dataset has "
            f"{all_described(facts)}. Select them by name, in this order, e.g. "
            f"rgb=({', '.join(repr(str(fact.label)) for fact in facts[:3])})"
        )
    example = (
        "by number or name, e.g. rgb=(4, 3, 2) (--bands 4,3,2)"
        if count > 4 or any(fact.names for fact in facts)
        else "rgb=(3, 2, 1) (--bands 3,2,1) if the first bands are blue, green, red; rgb=(1, 2, 3) "
        "if they are red, green, blue"
    )
    return (
        f"it is not stated which of the {count} bands are red, green and blue; they are "
        f"{all_described(facts)}. Select red, green and blue, in this order: {example}"
    )


def all_described(facts: Sequence[BandFacts]) -> str:
    """Returns what is stated about all bands, as text."""
    shown = [f"{i + 1}: {_described(fact)}" for i, fact in enumerate(facts[:8])]
    return "; ".join(shown) + ("; ..." if len(facts) > 8 else "")


def _described(fact: BandFacts) -> str:
    """Returns everything that is stated about a band's colour, as text."""
    stated = [repr(name) for name in fact.names]
    if fact.common_name:
        stated.append(f"common name {fact.common_name}")
    if _by_interpretation(fact):
        stated.append(f"interpreted as {fact.interpretation}")
    if fact.wavelength is not None:
        stated.append(f"{fact.wavelength:g} nm")
    return ", ".join(stated) or "nothing stated"
