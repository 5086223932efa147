"""The settings of a run in a TOML file, and what is refused."""

from pathlib import Path

import pytest

from hsi_xr.checkpoints import registry
from hsi_xr.errors import UsageError
from hsi_xr.training.objectives import Adversarial, Regression
from hsi_xr.training.toml import read

RUN = """
system = "mst-plus-plus"
out = "runs/one"
[config]
stages = 1
[data]
name = "pairs"
folder = "scenes"
[objective]
kind = "regression"
[optimiser]
rate = 1
betas = [0.5, 0.9]
[schedule]
steps = 10
"""

RECIPES = sorted(Path(__file__).parents[2].glob("examples/recipes/*.toml"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RUN)
    return path


def test_a_file_states_a_run(file):
    run = read(file)
    assert run.config == {"stages": 1} and run.data.folder == Path("scenes")
    assert run.objective == Regression()
    assert run.optimiser.rate == 1.0 and run.optimiser.betas == (0.5, 0.9)
    assert run.data.scenes is None


def test_changes_replace_what_the_file_states(file):
    run = read(file, ["optimiser.rate=2e-3", "out=elsewhere", "config.stages=2", "data.scenes=4"])
    assert (run.optimiser.rate, run.out, run.data.scenes) == (2e-3, Path("elsewhere"), 4)
    assert run.config == {"stages": 2}
    run = read(file, ["objective.kind=adversarial", "objective.l1=10"])
    assert run.objective == Adversarial(l1=10.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimiser.rat=1", "unknown key 'optimiser.rat'; did you mean 'rate'? known: accumulate"),
        ("sytem=1", "unknown key 'sytem'; did you mean 'system'?"),
        (
            "objective.gradient=1",
            "unknown key 'objective.gradient'; known: camera, camera_weight, dark, loss",
        ),
        ("objective.kind=magic", "objective.kind must be one of 'regression', 'denoising'"),
        ("objective.loss=l3", "objective.loss must be one of 'mrae', 'l1', 'rmse'; got 'l3'"),
        ("schedule.steps=ten", "schedule.steps must be `int`; got 'ten'"),
        ("schedule.steps=true", "schedule.steps must be `int`; got True"),
        ("schedule.steps=0", "schedule.steps must be `int` >= 1; got 0"),
        ("optimiser.betas=[1]", "optimiser.betas must be a list of length 2; got .1."),
        ("optimiser.schedule=linear", "must be one of 'cosine', 'poly', 'step', 'constant'"),
        (
            "optimiser.schedule=poly",
            "optimiser: of power, every, factor, schedule = 'poly' takes power; got none",
        ),
        ("optimiser.schedule=step", "schedule = 'step' takes every, factor; got none"),
        ("optimiser.power=1.5", "schedule = 'cosine' takes none; got power"),
        ("objective.camera=eye.json", "camera and .* go together; camera_weight is missing"),
        ("objective.camera_weight=10", "camera and .* go together; camera is missing"),
        ("data=3", "data must be a table; got 3"),
        ("ema=1", r"ema must be `float` < 1.0; got 1"),
        ("seed=-1", "seed must be `int` >= 0; got -1"),
        ("data.validation=test", "the 'test' split is used neither to train nor to select"),
        ("data.scenes=0", "data.scenes must be `int` >= 1; got 0"),
        ("data.crop=-8", "data.crop must be `int` >= 0; got -8"),
        ("data.workers=-1", "data.workers must be `int` >= 0; got -1"),
        ("objective.dark=-1", "objective.dark must be `float` >= 0.0; got -1"),
        ("optimiser.warm_up=-3", "optimiser.warm_up must be `int` >= 0; got -3"),
        ("optimiser.floor=-1", "optimiser.floor must be `float` >= 0.0; got -1"),
        ("optimiser.clip=-1", "optimiser.clip must be `float` > 0.0; got -1"),
        ("optimiser.clip=0", "optimiser.clip must be `float` > 0.0; got 0"),
        ("optimiser.rate=nan", "optimiser.rate must be `float` > 0.0; got nan"),
        ("optimiser.betas=[0.9, inf]", r"optimiser.betas\[1\] must be `float` < 1.0; got inf"),
        ("optimiser.betas=[0.9, 1]", r"optimiser.betas\[1\] must be `float` < 1.0; got 1"),
        ("schedule.validate=-1", "schedule.validate must be `int` >= 0; got -1"),
        ("data.folder.here=1", "data.folder is not a table and has no key 'here'"),
        ("rate", "'rate' is not key=value"),
    ],
)
def test_settings_that_are_wrong_are_named(file, change, message):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        read(file, [change])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"schedule": "poly", "power": 0}, "power must be `float` > 0.0; got 0"),
        ({"schedule": "poly", "power": 1.5, "every": 4}, "takes power; got power, every"),
        ({"schedule": "step", "every": 0, "factor": 0.5}, "every must be `int` >= 1; got 0"),
        ({"schedule": "step", "every": 4, "factor": 2}, "factor must be `float` < 1.0; got 2"),
        ({"schedule": "constant", "factor": 0.5}, "takes none; got factor"),
    ],
)
def test_a_schedule_has_keys_of_its_own_that_reduce_the_rate(file, keys, message):
    changes = [f"optimiser.{key}={value}" for key, value in keys.items()]
    with pytest.raises(UsageError, match=message):
        read(file, changes)


def test_a_critic_has_a_positive_rate(file):
    changes = ["objective.kind=adversarial", "objective.critic_rate=0"]
    with pytest.raises(UsageError, match=r"objective\.critic_rate must be `float` > 0\.0; got 0"):
        read(file, changes)


def test_settings_that_are_missing_are_named(tmp_path):
    (tmp_path / "run.toml").write_text('system = "mst-plus-plus"')
    with pytest.raises(UsageError, match="the key 'schedule' is missing"):
        read(tmp_path / "run.toml")
    with pytest.raises(UsageError, match="cannot be read as TOML"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_settings_of_runs(path):
    run = read(path)
    registry.load(run.system).build({"bands": 31, **run.config})
    assert run.system in path.stem


def test_every_system_has_a_recipe():
    """Except the default one, which is fitted to spectra, not to images."""
    own = {"guided-posterior"}
    assert {read(path).system for path in RECIPES} == set(registry.built_in()) - own
