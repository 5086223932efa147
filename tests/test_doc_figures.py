"""Scores in the documentation are those in the cards of the models."""

import json
from collections.abc import Iterator

import pytest

from tests.doc_pages import ROOT

KINDS = {
    "reflectance, camera known": "simulated linear, camera known",
    "reflectance, camera unknown": "simulated linear, unseen camera unknown",
    "reflectance": "simulated linear, camera known",
    "8-bit, camera unknown": "simulated 8-bit, unseen camera unknown",
    "8-bit, developed and exposed for display": (
        "simulated 8-bit, unseen camera unknown, colours and exposure for display"
    ),
    "real RGB": "real RGB",
}
SETS = {
    "MLBS": "held-out plots MLBS",
    "OSBS": "held-out plots OSBS",
    "HARV": "unseen site HARV",
    "AVIRIS": "unseen sensor AVIRIS",
}


def _rows(heading: str) -> Iterator[tuple[str, list[float]]]:
    """Returns, for each row of a table on the accuracy page, its case (as in cards) and numbers."""
    page = (ROOT / "docs/accuracy.md").read_text("utf-8")
    kind = ""
    for line in page.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines():
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if first.startswith("*") and first.split("*")[1] in KINDS:
            kind = KINDS[first.split("*")[1]]
        elif first in SETS:
            yield f"{SETS[first]}, {kind}", [float(cell.rstrip(" %°")) for cell in cells]


def _scores(model: str, of: str, names: str) -> dict[str, list[float]]:
    """Returns case -> scores of a card, rounded as on the page."""
    card = json.loads((ROOT / f"hsi_xr/weights/{model}.json").read_text("utf-8"))
    digits = {"sam_deg": 1, "coverage_90": 2}
    return {
        case: [round(scores[name], digits.get(name, 3)) for name in names.split()]
        for case, scores in card["scores"][of].items()
        if all(name in scores for name in names.split())
    }


def test_scores_on_the_accuracy_page_equal_those_in_the_cards():
    default = _scores("default", "model", "mrae mrae_levelled sam_deg coverage_90")
    rows = [*_rows("Default model")]
    assert len(rows) == 19
    for case, (*scores, percent) in rows:
        assert [*scores, percent / 100] == pytest.approx(default[case]), case
    regression = _scores("default", "root_polynomial_alone", "mrae_levelled sam_deg")
    images = _scores("r2h-diff-pictures", "model", "mrae mrae_levelled sam_deg")
    rows = [*_rows("Other models")]
    assert len(rows) == 15
    for case, scores in rows:
        assert scores == pytest.approx(regression[case] + images[case]), case


def test_levels_on_the_accuracy_page_equal_those_in_the_card():
    card = json.loads((ROOT / "hsi_xr/weights/default.json").read_text("utf-8"))["scores"]["level"]
    page = (ROOT / "docs/accuracy.md").read_text("utf-8")
    section = page.split("\n## Level of images for display\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| ")
    ][1:]
    assert [name for name, *_ in rows] == [*card]
    for name, images, *errors, coverage in rows:
        scores = card[name]
        assert int(images) == scores["images"]
        stated = [scores[key] for key in ("median", "nine_in_ten", "largest", "bias")]
        assert [float(error) for error in errors] == [round(each, 2) for each in stated]
        assert float(coverage.rstrip(" %")) == round(100 * scores["coverage_90"])
