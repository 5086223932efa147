"""Every objective learns, and moves the parameters that it states."""

from typing import get_args

import pytest
import torch
from msgspec.structs import replace
from torch import Generator

from hsi_xr.errors import InvalidData, UnreadableFile, UsageError
from hsi_xr.networks import root_polynomial
from hsi_xr.training import losses
from hsi_xr.training.objectives import (
    Adversarial,
    AnyObjective,
    ClosedForm,
    Denoising,
    Regression,
    TwoStage,
)
from hsi_xr.training.objectives.denoising import clean_and_noise
from hsi_xr.training.optimiser import Optimiser
from hsi_xr.training.settings import Schedule
from tests.training.small import SYSTEMS, Slopes, run_of, training_of, write_camera


def measured(training, name: str) -> dict[str, float]:
    """The losses of an update on one batch, with the same noise every time."""
    update = next(each for each in training.task.objective.updates if each.name == name)
    batch = training.task.draw(0)
    with torch.no_grad():
        found = update.loss(batch, torch.Generator().manual_seed(0))
    return {key: float(value) for key, value in found.items()}


@pytest.mark.parametrize(
    ("kind", "update", "loss"),
    [
        ("regression", "regression", "mrae"),
        ("regression, RMSE", "regression", "rmse"),
        ("epsilon", "denoising", "epsilon"),
        ("x0", "denoising", "loss"),
        ("adversarial", "generator", "l1"),
        ("two stages", "together", "mrae"),
        ("two stages, literal", "together", "mrae"),
    ],
)
def test_a_few_steps_lower_the_loss(kind, update, loss, tmp_path):
    run = run_of(
        kind, tmp_path, optimiser=Optimiser(rate=5e-3), schedule=Schedule(steps=20, validate=0)
    )
    training = training_of(run, Slopes())
    before = measured(training, update)[loss]
    training.finish()
    assert measured(training, update)[loss] < 0.95 * before


def test_generator_and_critic_update_only_their_own_parameters(tmp_path):
    training = training_of(run_of("adversarial", tmp_path), Slopes())
    critic, generator = training.task.objective.updates
    batches = [training.task.draw(0)]
    for index, (update, other) in enumerate([(critic, generator), (generator, critic)]):
        mine, theirs = ([each.clone() for each in t.parameters] for t in (update, other))
        training._update(update, index, batches)
        assert all(a.equal(b) for a, b in zip(theirs, other.parameters))
        assert any(not a.equal(b) for a, b in zip(mine, update.parameters))
        assert all(each.grad is None for each in generator.parameters) == (update is critic)


def test_a_critic_may_have_its_own_learning_rate(tmp_path):
    """Four times the generator's, at the start and after the cosine has fallen."""
    optimiser, schedule = Optimiser(rate=1e-4, floor=1e-5), Schedule(steps=10, validate=0)
    objective = Adversarial(width=4, critic_rate=4e-4)
    run = run_of("adversarial", tmp_path, objective=objective)
    training = training_of(replace(run, optimiser=optimiser, schedule=schedule), Slopes())
    found = []
    for done in (0, 7):
        training.done = done
        values = training.step([training.task.draw(0)])
        found.append((values["critic/rate"], values["generator/rate"]))
    assert found[0] == pytest.approx((4e-4, 1e-4))
    assert found[1][0] == pytest.approx(4 * found[1][1]) and found[1][1] < 5e-5


def test_a_checkpoint_contains_the_critic(tmp_path):
    training = training_of(run_of("adversarial", tmp_path), Slopes())
    assert any(key.startswith("critic.") for key in training.state()["auxiliary"])


def test_a_stage_moves_only_what_it_trains(tmp_path):
    """The teacher learns in the first stage only; in the second one the host waits."""
    training = training_of(run_of("two stages", tmp_path), Slopes())
    teacher, host = training.auxiliary["teacher"], training.model.network
    moved = []
    for update in training.task.objective.updates:
        training.done = update.steps.start
        before = [[e.clone() for e in part.parameters()] for part in (teacher, host)]
        training.step([training.task.draw(0), training.task.draw(1)])
        training.step([training.task.draw(2), training.task.draw(3)])
        after = [[*part.parameters()] for part in (teacher, host)]
        moved.append([any(not a.equal(b) for a, b in zip(x, y)) for x, y in zip(before, after)])
    assert moved == [[True, True], [False, False], [False, True]]


def test_with_a_prior_of_zero_a_trained_host_is_the_host_alone(tmp_path):
    training = training_of(run_of("two stages", tmp_path), Slopes())
    training.finish()
    rgb = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    host, inject = training.model.network, training.model.prior.inject
    assert any(each.any() for each in inject.parameters())
    with torch.no_grad():
        assert host(rgb, prior=inject(torch.zeros(1, 16))).equal(host(rgb))
        assert not host(rgb, prior=inject(torch.ones(1, 16))).equal(host(rgb))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["regression, RMSE", "x0", "adversarial"])
def test_losses_in_a_reduced_precision_are_nearly_the_same(kind, precision, tmp_path):
    """Only networks run in reduced precision; chains, coefficients and losses do not."""
    found = []
    for reduced in ("float32", precision):
        training = training_of(run_of(kind, tmp_path / reduced, precision=reduced), Slopes())
        values = training.step([training.task.draw(0), training.task.draw(1)])
        found.append(values)
    assert found[1] == pytest.approx(found[0], rel=0.05)


@pytest.mark.parametrize("predicts", ["epsilon", "x0"])
def test_a_perfect_network_has_no_loss_in_either_quantity(predicts, tmp_path):
    """Clean chain and noise are two views of one estimate."""
    numbers = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(4, 3, 5, 6, generator=numbers, dtype=torch.float64) for _ in "ab")
    share = torch.tensor([0.9, 0.5, 0.1, 1e-3], dtype=torch.float64)[:, None, None, None]
    noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
    found = clean_and_noise(noise if predicts == "epsilon" else clean, noisy, share, predicts)
    torch.testing.assert_close(found, (clean, noise))


def test_relative_errors_are_those_of_the_evaluation():
    from hsi_xr.evaluation.metrics import mrae

    numbers = torch.Generator().manual_seed(0)
    truth, found = (torch.rand(1, 4, 9, 7, generator=numbers) for _ in range(2))
    truth[0, 2, 3, 4] = 0.0
    known = torch.ones_like(truth, dtype=torch.bool)
    assert float(losses.mrae(found, truth, known)) == pytest.approx(mrae(found[0], truth[0]))


def test_metamers_have_no_loss_of_colours():
    """What is added to them is in the null space of the camera."""
    numbers = Generator().manual_seed(0)
    response = torch.rand(3, 7, generator=numbers)
    truth = 0.3 + 0.4 * torch.rand(2, 7, 5, 6, generator=numbers)
    known = torch.ones_like(truth, dtype=torch.bool)
    unseen = torch.linalg.svd(response)[2][3:]
    amounts = 0.2 * torch.rand(2, 4, 5, 6, generator=numbers)
    metamer = truth + torch.einsum("kb,nkhw->nbhw", unseen, amounts)
    assert float(losses.colours(metamer, truth, known, response)) < 1e-6
    assert float(losses.colours(0.9 * truth, truth, known, response)) > 0.03


def test_colours_are_relative_to_white_and_have_a_gradient():
    """An error of a tenth of white is a tenth; rounded colours would have no gradient."""
    response = torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 5.0], [1.0, 1.0, 1.0]])
    truth = torch.full((1, 3, 4, 4), 0.5)
    found = torch.full_like(truth, 0.6).requires_grad_()
    loss = losses.colours(found, truth, torch.ones_like(truth, dtype=torch.bool), response)
    assert loss.item() == pytest.approx(0.1)
    loss.backward()
    assert (found.grad > 0).all()


def test_a_pixel_with_an_unknown_band_has_no_colour():
    truth = torch.full((1, 3, 4, 4), 0.5)
    known = torch.ones_like(truth, dtype=torch.bool)
    known[0, 1, 2] = False
    found = torch.where(known[:, 1:2], truth, 0.9)
    assert losses.colours(found, truth * known, known, torch.ones(3, 3)) == 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_camera_adds_weighted_colours_to_the_loss(precision, tmp_path):
    camera = write_camera(tmp_path / "camera.json")
    objective = Regression(camera=camera, camera_weight=10.0)
    run = run_of("regression", tmp_path / "run", objective=objective, precision=precision)
    training = training_of(run, Slopes(holes=True))
    values = training.step([training.task.draw(0), training.task.draw(1)])
    loss, mrae, colours = (values[f"regression/{name}"] for name in ("loss", "mrae", "camera"))
    assert colours > 0 and loss == pytest.approx(mrae + 10 * colours)


def test_a_camera_that_does_not_cover_all_bands_is_refused(tmp_path):
    camera = write_camera(tmp_path / "camera.json", last=680)
    objective = Regression(camera=camera, camera_weight=10.0)
    with pytest.raises(InvalidData, match="the bands need 400 to 700 nm"):
        training_of(run_of("regression", tmp_path / "run", objective=objective), Slopes())
    objective = Regression(camera=tmp_path / "none.json", camera_weight=10.0)
    with pytest.raises(UnreadableFile, match="check the path"):
        training_of(run_of("regression", tmp_path / "run", objective=objective), Slopes())


@pytest.mark.parametrize(
    ("kind", "objective", "what"),
    [
        ("epsilon", Regression(), "denoising"),
        ("two stages", Regression(), "two-stage"),
        ("regression", Denoising(), "diffusion"),
        ("regression", Adversarial(), "generator"),
        ("regression", TwoStage(first=1, latent=1), "prior"),
        ("two stages", TwoStage(first=5, latent=4), "leaves none"),
    ],
)
def test_an_objective_that_does_not_fit_its_system_is_refused(kind, objective, what, tmp_path):
    with pytest.raises(UsageError, match=what):
        training_of(run_of(kind, tmp_path, objective=objective), Slopes())


@pytest.mark.parametrize("level", ["gain", "min-max", "as-is"])
def test_a_closed_form_is_fitted_on_what_it_is_given_later(level, tmp_path):
    """On the colours that it was fitted on, nothing linear in its terms is better."""
    run = run_of(
        "regression",
        tmp_path,
        system="root-polynomial",
        config={"level": level, "coding": "linear"},
        objective=ClosedForm(),
        schedule=Schedule(steps=1, validate=0),
    )
    training = training_of(run, Slopes())
    training.finish()
    batch = training.task.draw(0)
    model = training.averaged
    rgb = model.adapter(batch.rgb, batch.statistics)
    own = root_polynomial.fit(*(each.movedim(1, -1).flatten(0, 2) for each in (rgb, batch.cube)))
    found = model.network(rgb)
    best = root_polynomial.predict(rgb, own)
    error, least = ((each - batch.cube).square().mean() for each in (found, best))
    assert error < 1.2 * least < 0.2 * batch.cube.square().mean()


@pytest.mark.parametrize(
    ("system", "objective", "steps", "what"),
    [
        ("root-polynomial", Regression(), 1, "closed-form"),
        ("root-polynomial", ClosedForm(), 2, "is one step"),
        ("mst-plus-plus", ClosedForm(), 1, "without trainable parameters"),
    ],
)
def test_a_closed_form_requires_a_system_that_has_one(system, objective, steps, what, tmp_path):
    fields = {"system": system, "config": {}, "schedule": Schedule(steps=steps, validate=0)}
    with pytest.raises(UsageError, match=what):
        training_of(run_of("regression", tmp_path, objective=objective, **fields), Slopes())


def test_every_objective_is_tested():
    tried = {type(objective) for _, _, objective in SYSTEMS.values()} | {ClosedForm}
    assert tried == {*get_args(AnyObjective)}
