"""What a card of ours says of its model holds for the weights that are shipped."""

import pytest
import torch

from examples.default_model.score import cases, reconstruct, table
from hsi_xr.checkpoints import registry
from hsi_xr.checkpoints.weights import load_model
from hsi_xr.reconstructors._base import Estimate
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


def test_the_default_model_scores_as_its_card_says(some):
    card = registry.find("default")
    model = load_model(card)
    for name, row in table(some, lambda shot: reconstruct(model, shot)).items():
        assert row == pytest.approx(card.data["scores"]["model"][name], rel=2e-3)


def test_one_step_is_within_five_per_cent_of_five():
    """What one step costs, by the card that the test above holds the weights to."""
    by_steps = registry.find("default").data["scores"]["pictures_by_steps"]
    for ground in ("plots of known sites", "unseen site and sensor"):
        for measure in ("mrae_levelled", "sam_deg"):
            assert by_steps["1"][ground][measure] <= 1.05 * by_steps["5"][ground][measure]


def test_root_polynomial_scores_as_its_card_says(some):
    card = registry.find("root-polynomial")
    model = load_model(card)

    def take(shot):
        with torch.inference_mode():
            cube = model.network(shot.rgb[None])
        return Estimate(cube, 0 * cube, cube[:, :1])

    known = [case for case in some if "linear" in case.name]
    for name, row in table(known, take).items():
        del row["coverage_90"]
        assert row == pytest.approx(card.data["scores"]["model"][name], rel=1e-3)
