"""Red, green and blue are found by what is stated about bands, and never against it."""

from dataclasses import replace
from itertools import permutations

import pytest

from hsi_xr.errors import BandMismatch, UnknownName
from hsi_xr.io.band_facts import BandFacts
from hsi_xr.io.colour_names import OTHER, colour_of
from hsi_xr.io.colours import choose, indices_of


def labelled(facts, labels=None):
    labels = labels or range(1, len(facts) + 1)
    return [replace(fact, label=label) for fact, label in zip(facts, labels)]


def named(*names):
    return labelled([BandFacts("uint8", names=(name,) if name else ()) for name in names])


def interpreted(*kinds):
    return labelled([BandFacts("uint8", interpretation=kind) for kind in kinds])


def at(*wavelengths):
    return labelled([BandFacts("uint16", wavelength=nm) for nm in wavelengths])


@pytest.mark.parametrize(
    ("colour", "texts"),
    [
        ("red", ["red", "Red", "R", "B04 (Red)", "Band 4 Red", "sur_refl_red", "red 665 nm"]),
        ("red", ["Ortho Red", "S2 Red", "Red median", "red1"]),
        ("green", ["green", "G", "band_2_green", "SurfaceReflectanceGreen"]),
        ("blue", ["blue", "B", "B2 - Blue", "SR blue"]),
        (OTHER, ["nir", "Near Infrared", "red edge", "RedEdge", "rededge", "coastal_blue"]),
        (OTHER, ["green_i", "yellow", "Coastal Aerosol", "SWIR 1", "alpha"]),
        (OTHER, ["nir08", "swir16", "rededge1", "red_std", "red minus nir", "Red/Blue"]),
        (None, ["", "B4", "band_3", "image", "sr", "2", "665 nm", "ortho mosaic"]),
    ],
)
def test_names_state_colours(colour, texts):
    assert {text: colour_of(text) for text in texts} == dict.fromkeys(texts, colour)


@pytest.mark.parametrize("order", list(permutations(("red", "green", "blue"))))
@pytest.mark.parametrize("facts_of", [named, interpreted])
@pytest.mark.parametrize("last", [(), ("nir",)])
def test_every_order_is_found(facts_of, order, last):
    chosen = choose(facts_of(*order, *last))
    assert [order[i] for i in chosen.indices] == ["red", "green", "blue"]


def test_alpha_is_no_colour_wherever_it_is():
    assert choose(interpreted("alpha", "blue", "green", "red")).indices == (3, 2, 1)
    assert choose(interpreted("undefined", "alpha", "gray", "undefined")).indices == (0, 2, 3)


@pytest.mark.parametrize(
    ("centres", "indices"),
    [
        ((490, 560, 665, 842), (2, 1, 0)),  # PlanetScope
        ((443, 490, 560, 665, 705, 740, 783, 842, 865), (3, 2, 1)),  # Sentinel-2
        ((443, 482, 561.5, 654.5, 865, 1608.5), (3, 2, 1)),  # Landsat 8
        (tuple(range(400, 701, 10)), (25, 15, 8)),
    ],
)
def test_wavelengths_decide_if_nothing_else_does(centres, indices):
    chosen = choose(at(*centres))
    assert (chosen.indices, chosen.rule) == (indices, "by wavelengths")


def test_position_decides_only_for_three_bands_that_say_nothing():
    chosen = choose(named(None, "Band 2", None))
    assert (chosen.indices, chosen.rule) == ((0, 1, 2), "by position")
    with pytest.raises(BandMismatch, match=r"which of the 4 bands.*rgb=\(3, 2, 1\)"):
        choose(named(None, None, None, None))


@pytest.mark.parametrize(
    "names",
    [("Band 1", "Band 2", "Band 3"), ("b0", "b1", "b2"), ("ortho", "ortho", "ortho"), (None,) * 3],
)
def test_numbers_in_names_are_positions(names):
    assert choose(named(*names)).rule == "by position"


@pytest.mark.parametrize(
    "facts",
    [
        named("B02", "B03", "B04"),
        named("L", "a", "b"),
        named("VV", "VH", "ratio"),
        named("nir", "red", "green"),
        named("blue", None, None),
        named(None, None, "red edge"),
        at(842, 665, 560),
        interpreted("nir", "undefined", "undefined"),
    ],
)
def test_position_never_contradicts_what_is_stated(facts):
    with pytest.raises(BandMismatch, match="not stated which"):
        choose(facts)


def test_contradictions_are_refused_with_what_each_statement_says():
    facts = [
        BandFacts("uint8", names=(name,), interpretation=kind)
        for name, kind in zip(("blue", "green", "red"), ("red", "green", "blue"))
    ]
    with pytest.raises(BandMismatch) as refused:
        choose(facts)
    for words in (
        "the colour interpretation says bands 1, 2, 3",
        "the names say bands 3, 2, 1",
        "'blue', interpreted as red",
        "--bands",
    ):
        assert words in str(refused.value)
    assert choose(facts, (1, 2, 3)).indices == (0, 1, 2)  # the user decides


def test_a_wavelength_outside_the_range_of_its_colour_is_a_contradiction():
    facts = [
        BandFacts("uint8", names=(name,), wavelength=nm)
        for name, nm in (("red", 480.0), ("green", 560.0), ("blue", 650.0))
    ]
    with pytest.raises(BandMismatch, match="480 nm"):
        choose(facts)


def test_bands_are_selected_by_label_number_or_name():
    facts = labelled(
        [
            BandFacts("uint8", names=("B02 (Blue)",)),
            BandFacts("uint8", names=("B03",), common_name="green"),
            BandFacts("uint8", names=("B04",), interpretation="red"),
        ]
    )
    assert indices_of(facts, ("red", "Green", "blue")) == (2, 1, 0)
    assert indices_of(facts, ("b04", "B03", "b02 (blue)")) == (2, 1, 0)
    assert indices_of(facts, (3, "B03", 1)) == (2, 1, 0)
    assert indices_of(labelled(facts, (10, 20, 30)), (30, 20)) == (2, 1)
    assert indices_of(labelled(facts, ("a", "b", "c")), (3, 2)) == (2, 1)


def test_variables_have_no_order():
    facts = [replace(fact, is_ordered=False) for fact in named("a", "b", "c")]
    with pytest.raises(BandMismatch, match="which variables are red, green and blue"):
        choose(facts)
    facts = [replace(fact, is_ordered=False) for fact in named("blue", "red", "green")]
    assert choose(facts).indices == (1, 2, 0)


def test_absent_and_ambiguous_bands_are_named():
    facts = labelled([*named("red", "red", None), *interpreted("alpha")])
    with pytest.raises(UnknownName, match=r"several bands called 'red': 1, 2"):
        indices_of(facts, ("red",))
    with pytest.raises(UnknownName, match=r"no band called 'pink'.*1: 'red'.*3: nothing stated"):
        indices_of(facts, ("pink",))
    with pytest.raises(BandMismatch, match=r"no band 4; choose from 1, 2, 3 \(the others"):
        indices_of(facts, (4,))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_bands_are_refused_with_the_repair_of_palettes(count):
    with pytest.raises(BandMismatch, match=r"palette.*gdal_translate -expand rgb"):
        choose(named(*[None] * count))
