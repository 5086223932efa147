"""Which bands of an image are the channels of a sensor: by names, common names and wavelengths."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hsi_xr.band_grid import Bands
from hsi_xr.errors import BandMismatch
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.colours import Chosen, Selection, all_described, indices_of

_COMMON = {
    "coastal": (400.0, 450.0, 443.0),
    "blue": (450.0, 515.0, 480.0),
    "green": (500.0, 600.0, 558.0),
    "yellow": (580.0, 625.0, 610.0),
    "red": (620.0, 690.0, 655.0),
    "rededge": (690.0, 760.0, 717.0),
    "rededge071": (690.0, 720.0, 705.0),
    "rededge075": (720.0, 760.0, 740.0),
    "rededge078": (765.0, 795.0, 783.0),
    "nir": (760.0, 900.0, 840.0),
    "nir08": (845.0, 885.0, 865.0),
    "nir09": (930.0, 960.0, 945.0),
}
"""Common names of STAC: lowest, highest and usual centre in nm.

Source: the extension `eo`, v1.1 and v2.0 (github.com/stac-extensions/eo), and the sensors of
`hsi_xr.sensors()`.
"""
_SYNONYMS = {
    **{"r": "red", "g": "green", "b": "blue", "n": "nir", "infrared": "nir"},
    **{"nearinfrared": "nir", "coastalblue": "coastal", "coastalaerosol": "coastal"},
}
_NUMBERED = re.compile(r"(?:^|[^a-z0-9])b0*(\d+a?)(?![a-z0-9])")
"""A number as in B04, B8A, SR_B4 and S2_B02; `Band 4` may be a position and is ignored."""


@dataclass(frozen=True)
class Channels:
    """The channels of a sensor.

    Attributes:
        sensor: Name of the sensor.
        names: Names of its channels.
        nominal: Their centres and widths; None if only their order is known.
        usable: Indices of the channels that a model covers.
    """

    sensor: str
    names: tuple[str, ...]
    nominal: Bands | None
    usable: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.sensor} with the channels {', '.join(self.names[k] for k in self.usable)}"


def choose_channels(
    facts: Sequence[BandFacts], channels: Channels, selection: Selection | None = None
) -> Chosen:
    """Returns the bands of an image that are usable channels of a sensor.

    Args:
        facts: Facts of all bands of the image.
        channels: The channels.
        selection: Bands, see `indices_of`; None finds them by what is stated, or takes all bands,
            in their order, if nothing is stated and there are as many as channels.

    Raises:
        BandMismatch: Fewer than three bands are channels of the sensor, two bands are the same
            channel, or a selected band is not a channel.
        UnknownName: There is no band of a given name.
    """
    given = selection is not None
    found = (
        list(indices_of(facts, selection))
        if selection is not None
        else [i for i, fact in enumerate(facts) if not fact.is_alpha]
    )
    matched = {i: k for i in found if (k := _channel_of(facts[i], channels)) is not None}
    _refuse_twice(facts, channels, matched)
    rule = "as given" if given else f"channels of {channels.sensor}, as stated"
    if not given or len(matched) < len(found):
        for order in _orders(channels, given=given):
            is_possible = len(order) == len(found) and (given or not matched)
            if is_possible and all(matched.get(i, k) == k for i, k in zip(found, order)):
                matched = dict(zip(found, order))
                rule = "as given" if given else "by position"
    used = {i: channels.usable.index(k) for i, k in matched.items() if k in channels.usable}
    rgb = [channels.usable.index(k) for k in red_green_blue(channels) if k in channels.usable]
    if not given and sorted(used.values()) == sorted(rgb):
        used = dict(sorted(used.items(), key=lambda item: rgb.index(item[1])))
    if len(used) < 3 or (given and len(used) < len(found)):
        raise BandMismatch(_mismatch(facts, channels, found, matched, given=given))
    return Chosen(tuple(used), rule, tuple(used.values()))


def _orders(channels: Channels, *, given: bool) -> list[list[int]]:
    """Returns the orders in which bands may be channels if nothing is stated about them."""
    orders = [[*channels.usable], [*range(len(channels.names))]]
    return [red_green_blue(channels), *orders] if given else orders


def _channel_of(fact: BandFacts, channels: Channels) -> int | None:
    """Returns the channel that a band is by its metadata, or None.

    A wavelength decides between the channels that its name allows.
    """
    if channels.nominal is None:
        return None
    names = [_plain(name) for name in channels.names]
    stated = [key for name in fact.names for key in _keys(name)]
    for key in stated:
        if key in names and _agrees(fact, channels, k := names.index(key)):
            return k
    colour = fact.interpretation if fact.interpretation in _COMMON else None
    for each in (fact.common_name, fact.given, *stated, colour):
        common = _SYNONYMS.get(each or "", each or "")
        if common not in _COMMON:
            continue
        if (found := _by_common_name(fact, channels, common)) is not None:
            return found
    return _by_wavelength(fact, channels)


def _keys(name: str) -> list[str]:
    """Returns the forms in which a name is looked up: `SR_B04` as it is, and as `b4`."""
    numbered = _NUMBERED.search(name.lower())
    return [_plain(name), *([f"b{numbered[1]}"] if numbered else [])]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _agrees(fact: BandFacts, channels: Channels, channel: int) -> bool:
    """True if the wavelength of a band, if it is stated, lies within a channel."""
    if channels.nominal is None or fact.wavelength is None:
        return True
    width = (channels.nominal.widths or ())[channel]
    return abs(fact.wavelength - channels.nominal.centres[channel]) <= width / 2


def _by_common_name(fact: BandFacts, channels: Channels, common: str) -> int | None:
    low, high, usual = _COMMON[common]
    centres = channels.nominal.centres if channels.nominal else ()
    among = [k for k, nm in enumerate(centres) if low <= nm <= high and _agrees(fact, channels, k)]
    target = usual if fact.wavelength is None else fact.wavelength
    return min(among, key=lambda k: abs(centres[k] - target), default=None)


def _by_wavelength(fact: BandFacts, channels: Channels) -> int | None:
    nm = fact.wavelength
    if nm is None or channels.nominal is None:
        return None
    k = channels.nominal.nearest(nm)
    return k if _agrees(fact, channels, k) else None


def red_green_blue(channels: Channels) -> list[int]:
    """Returns the channels that are red, green and blue; empty unless there are all three."""
    nothing = BandFacts(dtype="")
    found = [_by_common_name(nothing, channels, colour) for colour in ("red", "green", "blue")]
    return [k for k in found if k is not None] if None not in found else []


def _refuse_twice(
    facts: Sequence[BandFacts], channels: Channels, matched: Mapping[int, int]
) -> None:
    for channel in {*matched.values()}:
        if len(same := [i for i, k in matched.items() if k == channel]) > 1:
            bands = " and ".join(str(i + 1) for i in same)
            raise BandMismatch(
                f"bands {bands} are both {channels.names[channel]} of {channels.sensor}; they are "
                f"{all_described(facts)}. Select one of them and the others, bands=(...) (--bands)"
            )


def _mismatch(
    facts: Sequence[BandFacts],
    channels: Channels,
    found: Sequence[int],
    matched: Mapping[int, int],
    *,
    given: bool,
) -> str:
    known = [f"{i + 1} is {channels.names[k]}" for i, k in matched.items()]
    selected = "selected bands" if given else "bands of the image"
    return (
        f"the camera is {channels}, and of the {len(found)} {selected} "
        f"{', '.join(known) or 'none'} by what is stated; they are {all_described(facts)}. Select "
        f"{len(channels.usable)} bands in the order of the channels, bands=(...) (--bands), or "
        "red, green and blue, or name another camera"
    )
