"""What a card of ours says of its model holds for the weights that are shipped."""

import pytest
import torch

from hsi_xr.physics import Camera
from hsi_xr.reconstructors import _registry
from hsi_xr.reconstructors._weights import load_model
from hsi_xr.training import sources
from hsi_xr.training.batches import as_tensor
from hsi_xr.training.default import BANDS, HELD_OUT_CAMERAS, held_out
from hsi_xr.training.score import reconstruct, score
from tests.scenes import DATA

CASE = "held-out plots MLBS, simulated linear, level known"

pytestmark = pytest.mark.skipif(
    not (DATA / "cubes/neon_idtrees").is_dir(), reason="the plots of ../shared/data are not here"
)


@pytest.fixture(scope="module")
def pictures():
    camera = Camera(as_tensor(sources.cameras(DATA, BANDS)[HELD_OUT_CAMERAS[0]]))
    plots = [p for p in sources.paired_plots(DATA, BANDS) if p.name[0] == "M" and held_out(p.name)]
    cubes = [as_tensor(plot.cube)[None] for plot in plots]
    return [(camera.project(cube), cube) for cube in cubes]


@pytest.mark.parametrize(
    ("of", "base_only"), [("model", False), ("root_polynomial_on_the_same_gain", True)]
)
def test_the_default_model_scores_as_its_card_says(of, base_only, pictures):
    card = _registry.find("default")
    model = load_model(card)
    found = [
        score(reconstruct(model, rgb, known_gain=True, base_only=base_only), truth)
        for rgb, truth in pictures
    ]
    for name, told in card.data["scores"][of][CASE].items():
        mean = sum(each[name] for each in found) / len(found)
        assert mean == pytest.approx(told, rel=1e-3)


def test_root_polynomial_scores_as_its_card_says(pictures):
    card = _registry.find("root-polynomial")
    model = load_model(card)
    with torch.inference_mode():
        found = [score(model.network(rgb), truth) for rgb, truth in pictures]
    for name, told in card.data["scores"]["model"][CASE].items():
        assert sum(each[name] for each in found) / len(found) == pytest.approx(told, rel=1e-3)
