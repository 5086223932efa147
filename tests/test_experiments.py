"""The two commands of the experiments, with a budget of two steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hsi_xr.datasets import load, verify
from tests.scenes import DATA

ROOT = Path(__file__).parents[1]
COMMANDS = ROOT / "examples/experiments"

pytestmark = pytest.mark.skipif(
    not (DATA / "cubes/neon_idtrees").is_dir(),
    reason="the plots in ../shared/data are not available",
)


def _run(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, COMMANDS / script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    _run("prepare.py", DATA, folder)
    return folder


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("simulated", {"name": "cubes", "camera": "camera.json"}),
        ("sensor", {"name": "cubes", "camera": "camera.json"}),
        ("site-osbs", {"name": "pairs"}),
        ("site-mlbs", {"name": "pairs"}),
        ("harv", {"name": "pairs"}),
    ],
)
def test_no_plot_is_used_for_both_training_and_testing(prepared, what, options):
    camera = {"camera": prepared / "camera.json"} if "camera" in options else {}
    data = verify(load(options["name"], prepared / what, scale=1.0, **camera))
    plots = {
        split: {f"{name.split('-')[0]} {plot}" for name in names for plot in name.split("-")[1:]}
        for split, names in data.splits.items()
    }
    assert data.splits["test"]
    for split in ("train", "validation"):
        assert plots.get(split, set()).isdisjoint(plots["test"])
    assert plots.get("train", set()).isdisjoint(plots.get("validation", set()))


def test_a_budget_of_two_steps_writes_a_table_once(prepared, tmp_path):
    arguments = (prepared, tmp_path, "--trials", "simulated", "--steps", "2", "--systems")
    systems = ("root-polynomial", "mst-plus-plus")
    output = _run("run.py", *arguments, *systems)
    table = (tmp_path / "results.md").read_text()
    assert all(f"| `{system}` | 1 |" in table for system in systems) and table in output
    (path,) = tmp_path.glob("simulated/mst*/results.json")
    results = json.loads(path.read_text())
    assert (results["steps"], results["patches"]) == (2, 8)
    before = path.stat().st_mtime_ns
    assert "core minutes," not in _run("run.py", *arguments, *systems)
    assert path.stat().st_mtime_ns == before
