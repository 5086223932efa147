"""Which bands of an image are red, green and blue: by what is stated about them, then by position.

Colour interpretation, names and STAC's common names decide, then wavelengths. All of them must
agree. Position decides only for three bands about which nothing else is stated.
"""

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

_SAYS_NOTHING = {"undefined", "gray", "palette", "alpha"}
"""Colour interpretations that GDAL also gives to bands about which nothing is known."""


@dataclass(frozen=True)
class Chosen:
    """The bands that are red, green and blue."""

    indices: tuple[int, int, int]
    """Counted from 0, among all bands."""
    rule: str
    """How they were found: `as given`, `by name`, ..."""
    labels: tuple[str, str, str] = ("1", "2", "3")
    """Their numbers or names."""

    def __str__(self) -> str:
        return f"{', '.join(self.labels)} ({self.rule})"


def choose(
    facts: Sequence[BandFacts],
    selection: Selection | None = None,
    *,
    labels: Sequence[object] | None = None,
) -> Chosen:
    """Returns the bands that are red, green and blue.

    Args:
        facts: Facts of all bands of an image.
        selection: Three bands, see `indices_of`; None finds them by what is stated.
        labels: Values of the coordinate along the bands; by default 1, 2, ...

    Raises:
        BandMismatch: There are no three colours, statements contradict each other, or nothing is
            stated about more than three bands.
        UnknownName: There is no band of a given name.
    """
    if selection is not None:
        if isinstance(selection, str) or len(selection) != 3:
            raise BandMismatch(f"rgb must select three bands; got {selection!r}")
        red, green, blue = indices_of(facts, selection, labels=labels)
        return Chosen((red, green, blue), "as given")
    candidates = [i for i, fact in enumerate(facts) if not fact.is_alpha]
    found = {
        rule: triple
        for rule, statement in _STATEMENTS.items()
        if (triple := _stated(statement, facts, candidates)) is not None
    }
    if not found and (triple := _nearest_bands(facts, candidates)) is not None:
        found["by wavelength"] = triple
    if len({*found.values()}) > 1 or any(_contradicts(facts, each) for each in found.values()):
        raise BandMismatch(_conflict(facts, found))
    if found:
        rule, triple = next(iter(found.items()))
        return Chosen(triple, rule)
    if len(candidates) == 3:
        red, green, blue = candidates
        if not _contradicts(facts, (red, green, blue)):
            return Chosen((red, green, blue), "by position")
    raise BandMismatch(_undecided(facts, candidates))


def indices_of(
    facts: Sequence[BandFacts],
    selection: Selection,
    *,
    labels: Sequence[object] | None = None,
    name: str = "the scene",
) -> tuple[int, ...]:
    """Returns the indices, counted from 0, of bands that are given by number or name.

    Args:
        facts: Facts of all bands of an image.
        selection: Values of the coordinate along the bands; or numbers counted from 1, if that
            coordinate has no numbers; or names, in any case: of bands, descriptions, variables,
            or STAC's common names.
        labels: Values of the coordinate along the bands; by default 1, 2, ...
        name: The image, for messages.

    Raises:
        BandMismatch: There is no band of a number, or it is transparency.
        UnknownName: There is no band of a name, or there are several.
    """
    known: list[object] = list(labels if labels is not None else range(1, len(facts) + 1))
    return tuple(_index_of(facts, band, known, name) for band in selection)


def _index_of(facts: Sequence[BandFacts], band: object, labels: list[object], name: str) -> int:
    if isinstance(band, str):
        return _index_of_name(facts, band, labels, name)
    numbers = [label for label in labels if not isinstance(label, str)]
    numbers = numbers if len(numbers) == len(labels) else list(range(1, len(labels) + 1))
    opaque = [i for i, fact in enumerate(facts) if not fact.is_alpha]
    for i in opaque:
        if numbers[i] == band:
            return i
    has_alpha = len(opaque) < len(facts)
    raise BandMismatch(
        f"{name} has no band {band}; choose from {', '.join(str(numbers[i]) for i in opaque)}"
        + (" (the others are alpha)" if has_alpha else "")
    )


def _index_of_name(facts: Sequence[BandFacts], band: str, labels: list[object], name: str) -> int:
    lower = band.strip().lower()
    own = [
        [*(str(label) for label in labels[i : i + 1] if isinstance(label, str)), *fact.names]
        for i, fact in enumerate(facts)
    ]
    rules: tuple[Callable[[int], bool], ...] = (
        lambda i: band in own[i],
        lambda i: lower in map(str.lower, own[i]),
        lambda i: lower == (facts[i].common_name or "").lower(),
        lambda i: lower in COLOURS and lower == _by_name(facts[i]),
        lambda i: lower in COLOURS and lower == facts[i].interpretation,
    )
    for matches in rules:
        found = [i for i in range(len(facts)) if matches(i)]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(i + 1) for i in found)
            raise UnknownName(f"{name} has several bands called {band!r}: {numbers}; give numbers")
    described = "; ".join(f"{i + 1}: {_described(fact)}" for i, fact in enumerate(facts))
    raise UnknownName(f"{name} has no band called {band!r}; it has the bands {described}")


def _by_interpretation(fact: BandFacts) -> str | None:
    kind = fact.interpretation
    if kind is None or kind.lower() in _SAYS_NOTHING:
        return None
    return kind if kind in COLOURS else OTHER


def _by_name(fact: BandFacts) -> str | None:
    return next((colour for name in fact.names if (colour := colour_of(name))), None)


def _by_common_name(fact: BandFacts) -> str | None:
    name = fact.common_name
    return None if name is None else name if name in COLOURS else OTHER


_STATEMENTS: Mapping[str, Callable[[BandFacts], str | None]] = {
    "by colour interpretation": _by_interpretation,
    "by name": _by_name,
    "by STAC common name": _by_common_name,
}
"""Rule -> the colour that a band has by it."""


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


def _contradicts(facts: Sequence[BandFacts], triple: tuple[int, int, int]) -> bool:
    """True if anything that is stated about one of three bands is not its colour."""
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
        f"{rule}, they are bands {', '.join(str(i + 1) for i in triple)}"
        for rule, triple in found.items()
    )
    return (
        f"it is not clear which bands are red, green and blue: {said}; the bands are "
        f"{_all_described(facts)}. {_advice([*found.values()][-1])}"
    )


def _undecided(facts: Sequence[BandFacts], candidates: Sequence[int]) -> str:
    count = len(candidates)
    if count < 3:
        bands = f"{count} band{'s' if count != 1 else ''}"
        return (
            f"a reconstruction needs red, green and blue; this scene has {bands}. Use a colour "
            "image; if it is a palette image, give its path, or expand its colour table, e.g. "
            "`gdal_translate -expand rgb in.tif out.tif`"
        )
    return (
        f"it is not stated which of the {count} bands are red, green and blue: they are "
        f"{_all_described(facts)}. Select them in this order, e.g. rgb=(3, 2, 1) (--bands 3,2,1) "
        "if the first bands are blue, green, red, or rgb=(1, 2, 3) if they are red, green, blue"
    )


def _advice(triple: tuple[int, int, int]) -> str:
    numbers = [str(i + 1) for i in triple]
    return (
        f"Select them, e.g. rgb=({', '.join(numbers)}) (--bands {','.join(numbers)}), or correct "
        "the metadata"
    )


def _all_described(facts: Sequence[BandFacts]) -> str:
    shown = [f"{i + 1}: {_described(fact)}" for i, fact in enumerate(facts[:8])]
    return "; ".join(shown) + ("; ..." if len(facts) > 8 else "")


def _described(fact: BandFacts) -> str:
    """Returns everything that is stated about a band's colour, as text."""
    stated = [repr(name) for name in fact.names]
    if fact.common_name:
        stated.append(f"common name {fact.common_name}")
    if fact.is_alpha or _by_interpretation(fact):
        stated.append(f"interpreted as {fact.interpretation}")
    if fact.wavelength is not None:
        stated.append(f"{fact.wavelength:g} nm")
    return ", ".join(stated) or "nothing stated"
