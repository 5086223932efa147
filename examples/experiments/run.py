"""Trains the systems on one budget and scores them on scenes that they were not trained on.

    python examples/experiments/prepare.py DATA PREPARED
    python examples/experiments/run.py PREPARED RUNS

Every system learns by its recipe `examples/recipes/NAME-small.toml`: of one seed all see the very
same patches. What is finished is not done again. RUNS gets a folder for each system and seed of a
trial, and `results.md`. On a GPU, `--device cuda --minutes 25` gives all the same time instead.
"""

import argparse
import json
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from shutil import rmtree
from time import perf_counter, process_time
from typing import Any

RECIPES = Path(__file__).parents[1] / "recipes"

SYSTEMS = (
    "hscnn-plus",
    "awan",
    "sdp-mst-plus-plus",
    "mst-plus-plus",
    "srcgan",
    "ddpm",
    "r2h-diff",
    "root-polynomial",
)
"""The slowest first, so that no process waits for a last one."""

TRIALS = {
    "simulated": ("simulated", ("simulated", "sensor")),
    "osbs-to-mlbs": ("site-osbs", ("site-osbs", "harv")),
    "mlbs-to-osbs": ("site-mlbs", ("site-mlbs", "harv")),
}
"""What is trained on, and what is scored, in the words of `prepare.py`."""

TITLES = {
    ("simulated", "simulated"): "held-out plots",
    ("simulated", "sensor"): "unseen sensor",
    ("osbs-to-mlbs", "site-osbs"): "MLBS, real RGB",
    ("osbs-to-mlbs", "harv"): "HARV, real RGB",
    ("mlbs-to-osbs", "site-mlbs"): "OSBS, real RGB",
    ("mlbs-to-osbs", "harv"): "HARV, real RGB",
}
FLOOR = 0.02
"""Mean reflectance of the darkest pixels that count in MRAE."""
VALIDATIONS = 4
"""In a run."""
TIMED = 12
"""Steps that tell how long one takes."""


@dataclass(frozen=True)
class Job:
    trial: str
    system: str
    seed: int
    steps: int
    seconds: float | None
    rate: float | None
    device: str
    threads: int
    prepared: Path
    out: Path

    @property
    def label(self) -> str:
        rate = "" if self.rate is None else f"-{self.rate:g}"
        return f"{self.system}-seed{self.seed}{rate}"

    @property
    def folder(self) -> Path:
        return self.out / self.trial / self.label


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("prepared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trials", nargs="+", default=[*TRIALS], choices=TRIALS)
    parser.add_argument("--systems", nargs="+", default=[*SYSTEMS], choices=SYSTEMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float, help="for all together; steps as time allows")
    parser.add_argument(
        "--rates", nargs="+", type=float, help="validate these learning rates; nothing is scored"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--threads", type=int, default=1, help="of a process")
    given = parser.parse_args()
    kinds = [
        (trial, system, seed, rate)
        for system in given.systems
        for trial in given.trials
        for seed in given.seeds
        for rate in given.rates or [None]
    ]
    seconds = given.minutes and 60 * given.minutes * given.jobs / len(kinds)
    jobs = [
        Job(
            trial, system, seed, given.steps, seconds, rate,
            given.device, given.threads, given.prepared, given.out,
        )
        for trial, system, seed, rate in kinds
    ]  # fmt: skip
    left = [job for job in jobs if not (job.folder / "results.json").is_file()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.jobs, mp_context=context) as pool:
        for future in as_completed([pool.submit(work, job) for job in left]):
            print(future.result(), flush=True)
    if not given.rates:
        text = "\n".join(tables(given.out))
        (given.out / "results.md").write_text(text)
        print(text)


def work(job: Job) -> str:
    """Trains and scores one system; results appear when all is done."""
    import torch

    from hsi_xr.errors import Diverged
    from hsi_xr.training.data import open_data
    from hsi_xr.training.loop import Training
    from hsi_xr.training.release import release
    from hsi_xr.training.setup import prepare

    torch.set_num_threads(job.threads)
    rmtree(job.folder, ignore_errors=True)
    run = run_of(job, steps_of(job))
    task = prepare(run, open_data(run.data))
    training = Training(task, run)
    wall, cpu = perf_counter(), process_time()
    try:
        training.finish()
    except Diverged as error:
        return f"{job.trial} {job.label}: {error}"
    found: dict[str, Any] = {
        "steps": training.done,
        "patches": training.done * run.data.batch,
        "minutes": (perf_counter() - wall) / 60,
        "core_minutes": (process_time() - cpu) / 60,
        "rate": run.optimiser.rate,
        "validation": training.best,
    }
    if job.rate is None:
        weights = release(task, training, measure=False)
        found["scores"] = dict(scored(job, weights.parent))
    for name in ("last.pt", "best.pt"):  # with optimisers, three times as large as the model
        (job.folder / name).unlink(missing_ok=True)
    about = {key: str(value) for key, value in asdict(job).items()}
    (job.folder / "results.json").write_text(json.dumps({**about, **found}, indent=1))
    return f"{job.trial} {job.label}: {found['core_minutes']:.1f} core minutes, {training.best}"


def steps_of(job: Job) -> int:
    """As told, or as many as fit into the time."""
    from hsi_xr.training.data import open_data
    from hsi_xr.training.loop import Training
    from hsi_xr.training.setup import prepare

    if job.system == "root-polynomial":
        return 1
    if job.seconds is None:
        return job.steps
    run = run_of(job, 1000)
    task = prepare(run, open_data(run.data))
    training = Training(task, run)
    training.done = run.schedule.steps - TIMED  # of stages the last, which trains all, is dearest
    batches = map(task.draw, range(TIMED))
    for batch in islice(batches, 3):
        training.step([batch])
    began = perf_counter()
    for batch in batches:
        training.step([batch])  # the losses that it reports wait for the device
    each = (perf_counter() - began) / (TIMED - 3)
    began = perf_counter()
    if task.validation:
        task.validation(training.averaged, training.device)
    scoring = VALIDATIONS * (perf_counter() - began)
    return max(20, int((0.9 * job.seconds - scoring) / each))


def run_of(job: Job, steps: int) -> Any:
    """The recipe on the data of a trial."""
    from hsi_xr.training.toml import read

    name, folder, options = data_of(job.prepared, TRIALS[job.trial][0])
    # all are shown the same: 8-bit-like values with their level, not spread by picture
    shown = [] if job.system == "r2h-diff" else ['config.level="as-is"']
    if job.system not in ("r2h-diff", "root-polynomial"):
        shown += ['config.coding="srgb"']
    stages = [f"objective.first={steps // 2}", f"objective.latent={steps * 3 // 20}"]
    changes = [
        f"seed={job.seed}",
        f"out={json.dumps(str(job.folder))}",
        f"device={job.device}",
        f"data.name={name}",
        f"data.folder={json.dumps(str(folder))}",
        f"data.options={toml(options)}",
        f"schedule.steps={steps}",
        f"schedule.validate={max(1, steps // VALIDATIONS)}",
        f"schedule.save={steps}",
        *shown,
        *(stages if job.system.startswith("sdp") else []),
        *([f"optimiser.rate={job.rate}"] if job.rate else []),
    ]
    return read(RECIPES / f"{job.system}-small.toml", changes)


def data_of(prepared: Path, what: str) -> tuple[str, Path, dict[str, Any]]:
    """Name, folder and options of a data set."""
    if what in ("simulated", "sensor"):
        camera = str(prepared / "camera.json")
        return "cubes", prepared / what, {"camera": camera, "scale": 1.0}
    return "pairs", prepared / what, {"scale": 1.0}


def toml(options: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in options.items()) + "}"


def scored(job: Job, model: Path) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Means over the images of each test set, as they are and with each image's best gain."""
    from hsi_xr.datasets import load
    from hsi_xr.evaluation.evaluate import evaluate

    for what in TRIALS[job.trial][1]:
        name, folder, options = data_of(job.prepared, what)
        data = load(name, folder, **options)
        yield (
            what,
            {
                scale: dict(
                    evaluate([model], {what: data}, floor=FLOOR, scale=scale, device=job.device)
                    .means[0]
                    .scores
                )
                for scale in ("none", "gain")
            },
        )


def tables(out: Path) -> Iterator[str]:
    """Markdown, one table a trial; a system of several seeds has mean and deviation."""
    for trial, (_, tests) in TRIALS.items():
        rows = by_system(out / trial)
        if not rows:
            continue
        columns = [
            f"{TITLES[trial, test]}: {name}"
            for test in tests
            for name in ("MRAE", "SAM", "PSNR", "MRAE, level adjusted")
        ]
        yield f"\n### {trial}\n"
        yield f"| system | seeds | steps | core minutes | {' | '.join(columns)} |"
        yield "|---" * (4 + len(columns)) + "|"
        for system, found in rows.items():
            cells = [
                of_all([each["scores"][test][scale][score] for each in found], digits)
                for test in tests
                for scale, score, digits in (
                    ("none", "mrae", 3),
                    ("none", "sam", 2),
                    ("none", "psnr", 2),
                    ("gain", "mrae", 3),
                )
            ]
            minutes = of_all([each["core_minutes"] for each in found], 1)
            yield (
                f"| `{system}` | {len(found)} | {found[0]['steps']} | {minutes} "
                f"| {' | '.join(cells)} |"
            )


def by_system(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*/results.json")):
        result = json.loads(path.read_text())
        if "scores" in result:
            found.setdefault(result["system"], []).append(result)
    return {system: found[system] for system in SYSTEMS if system in found}


def of_all(values: Sequence[float], digits: int) -> str:
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    spread = (sum((each - mean) ** 2 for each in values) / (len(values) - 1)) ** 0.5
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


if __name__ == "__main__":
    main()
