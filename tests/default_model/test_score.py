"""Scores in the cards of shipped models are those of their weights."""

import pytest

from examples.default_model import root_polynomial
from examples.default_model.score import cases, mean_scores, reconstruct
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from tests.scenes import DATA

CASES = (
    "held-out plots MLBS, simulated linear, camera known",
    "unseen site HARV, simulated linear, unseen camera unknown",
    "unseen site HARV, real RGB",
)

pytestmark = pytest.mark.skipif(
    not (DATA / "cubes/neon_idtrees").is_dir(), reason="the plots of ../shared/data are not here"
)


@pytest.fixture(scope="module")
def some():
    return [case for case in cases(DATA) if case.name in CASES]


def test_the_default_model_has_the_scores_of_its_card(some):
    card = registry.find("default")
    model = load_model(card)
    for name, row in mean_scores(some, lambda image: reconstruct(model, image)).items():
        assert row == pytest.approx(card.data["scores"]["model"][name], rel=2e-3)


def test_one_step_is_within_five_per_cent_of_five():
    """According to the card, which the test above compares with the weights."""
    by_steps = registry.find("default").data["scores"]["pictures_by_steps"]
    for ground in ("plots of known sites", "unseen site and sensor"):
        for measure in ("mrae_levelled", "sam_deg"):
            assert by_steps["1"][ground][measure] <= 1.05 * by_steps["5"][ground][measure]


def test_root_polynomial_has_the_scores_of_its_card(some):
    card = registry.find("root-polynomial")
    model = load_model(card)
    known = [case for case in some if "linear" in case.name]
    scores = mean_scores(known, lambda image: root_polynomial.reconstruct(model, image))
    for name, row in root_polynomial.without_coverage(scores).items():
        assert row == pytest.approx(card.data["scores"]["model"][name], rel=1e-3)
