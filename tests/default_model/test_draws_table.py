"""Scores of joint draws: exact draws have the coverage that the table states."""

import torch

from examples.default_model.draws_table import DRAWS, score_draws


def _exact(shared, images=60, bands=3, rows=17, columns=23):
    """Cubes, each with draws of its own distribution, whose pixels have a part in common."""
    rng = torch.Generator().manual_seed(1)
    size = (images, DRAWS + 1, bands)
    common = torch.randn(*size, 1, 1, generator=rng)
    own = torch.randn(*size, rows, columns, generator=rng)
    cubes = 1 + 0.1 * (shared**0.5 * common + (1 - shared) ** 0.5 * own)
    return cubes[:, 0], cubes[:, 1:]


def _score(truth, draws):
    rng = torch.Generator().manual_seed(2)
    rows = [score_draws(each, cube, level_known=True, rng=rng) for cube, each in zip(truth, draws)]
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def test_exact_draws_cover_nine_in_ten_at_every_side_and_have_the_lower_energy_score():
    found = _score(*_exact(0.5))
    assert all(abs(found[side] - 0.9) < 0.06 for side in ("1", "2", "4", "8", "all"))
    assert found["energy"] < 0.97


def test_independent_draws_of_common_errors_cover_pixels_alone():
    truth, _ = _exact(0.5)
    _, draws = _exact(0.0)
    found = _score(truth, draws)
    assert abs(found["1"] - 0.9) < 0.06
    assert found["all"] < 0.3
