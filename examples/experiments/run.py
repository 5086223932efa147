"""Trains the systems on one budget, and scores them on scenes that they were not trained on.

    python examples/experiments/prepare.py DATA PREPARED
    python examples/experiments/run.py PREPARED RUNS

Every system is trained by its recipe `examples/recipes/NAME-small.toml`; with the same seed, all of
them get the same patches. Finished runs are not repeated. RUNS gets a folder for each system and
seed of a trial, and `results.md`. `--device cuda --minutes 25` gives all systems the same time on a
GPU instead.
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
"""The slowest first, so that no process waits for the last one."""

TRIALS = {
    "simulated": ("simulated", ("simulated", "sensor")),
    "osbs-to-mlbs": ("site-osbs", ("site-osbs", "harv")),
    "mlbs-to-osbs": ("site-mlbs", ("site-mlbs", "harv")),
}
"""Trial -> the data set to train on, and those to score on, as `prepare.py` names them."""

TITLES = {
    ("simulated", "simulated"): "held-out plots",
    ("simulated", "sensor"): "unseen sensor",
    ("osbs-to-mlbs", "site-osbs"): "MLBS, real RGB",
    ("osbs-to-mlbs", "harv"): "HARV, real RGB",
    ("mlbs-to-osbs", "site-mlbs"): "OSBS, real RGB",
    ("mlbs-to-osbs", "harv"): "HARV, real RGB",
}
FLOOR = 0.02
"""Lowest mean reflectance of pixels that count in MRAE."""
VALIDATIONS = 4
"""Validations in a run."""
TIMED = 12
"""Steps that are timed to find how many fit into a budget."""


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
    options = arguments()
    remaining = [job for job in jobs(options) if not (job.folder / "results.json").is_file()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for future in as_completed([pool.submit(work, job) for job in remaining]):
            print(future.result(), flush=True)
    if not options.rates:
        text = "\n".join(tables(options.out))
        (options.out / "results.md").write_text(text)
        print(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("prepared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trials", nargs="+", default=[*TRIALS], choices=TRIALS)
    parser.add_argument("--systems", nargs="+", default=[*SYSTEMS], choices=SYSTEMS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument(
        "--minutes", type=float, help="for all systems together, in place of --steps"
    )
    parser.add_argument(
        "--rates", nargs="+", type=float, help="validate these learning rates instead of scoring"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    parser.add_argument("--threads", type=int, default=1, help="threads of a process")
    return parser.parse_args()


def jobs(options: argparse.Namespace) -> list[Job]:
    """Returns a job for each system, trial, seed and learning rate."""
    kinds = [
        (trial, system, seed, rate)
        for system in options.systems
        for trial in options.trials
        for seed in options.seeds
        for rate in options.rates or [None]
    ]
    seconds = options.minutes and 60 * options.minutes * options.jobs / len(kinds)
    return [
        Job(
            trial, system, seed, options.steps, seconds, rate,
            options.device, options.threads, options.prepared, options.out,
        )
        for trial, system, seed, rate in kinds
    ]  # fmt: skip


def work(job: Job) -> str:
    """Train and score a system, and write its results at the end."""
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
    results: dict[str, Any] = {
        "steps": training.done,
        "patches": training.done * run.data.batch,
        "minutes": (perf_counter() - wall) / 60,
        "core_minutes": (process_time() - cpu) / 60,
        "rate": run.optimiser.rate,
        "validation": training.best,
    }
    if job.rate is None:
        weights = release(task, training, measure=False)
        results["scores"] = dict(scores_of(job, weights.parent))
    for name in ("last.pt", "best.pt"):  # three times as large as the model
        (job.folder / name).unlink(missing_ok=True)
    about = {key: str(value) for key, value in asdict(job).items()}
    (job.folder / "results.json").write_text(json.dumps({**about, **results}, indent=1))
    return f"{job.trial} {job.label}: {results['core_minutes']:.1f} core minutes, {training.best}"


def steps_of(job: Job) -> int:
    """Returns the steps of a job: those stated, or as many as fit into its time."""
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
    training.done = run.schedule.steps - TIMED  # the last stage trains everything and takes longest
    batches = map(task.draw, range(TIMED))
    for batch in islice(batches, 3):
        training.step([batch])
    start = perf_counter()
    for batch in batches:
        training.step([batch])  # reading the losses waits for the device
    seconds = (perf_counter() - start) / (TIMED - 3)
    start = perf_counter()
    if task.validation:
        task.validation(training.averaged, training.device)
    scoring = VALIDATIONS * (perf_counter() - start)
    return max(20, int((0.9 * job.seconds - scoring) / seconds))


def run_of(job: Job, steps: int) -> Any:
    """Returns the recipe of a system, on the data of a trial."""
    from hsi_xr.training.toml import read

    name, folder, options = data_of(job.prepared, TRIALS[job.trial][0])
    # all get the same input: sRGB values with their level, not stretched for each image
    encoding = [] if job.system == "r2h-diff" else ['config.level="as-is"']
    if job.system not in ("r2h-diff", "root-polynomial"):
        encoding += ['config.coding="srgb"']
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
        *encoding,
        *(stages if job.system.startswith("sdp") else []),
        *([f"optimiser.rate={job.rate}"] if job.rate else []),
    ]
    return read(RECIPES / f"{job.system}-small.toml", changes)


def data_of(prepared: Path, name: str) -> tuple[str, Path, dict[str, Any]]:
    """Returns the name, folder and options of a data set."""
    if name in ("simulated", "sensor"):
        camera = str(prepared / "camera.json")
        return "cubes", prepared / name, {"camera": camera, "scale": 1.0}
    return "pairs", prepared / name, {"scale": 1.0}


def toml(options: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in options.items()) + "}"


def scores_of(job: Job, model: Path) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Yields mean scores of each test set, as they are and with the best gain of each image."""
    from hsi_xr.datasets import load
    from hsi_xr.evaluation.evaluate import evaluate

    for test in TRIALS[job.trial][1]:
        name, folder, options = data_of(job.prepared, test)
        data = load(name, folder, **options)
        yield (
            test,
            {
                scale: dict(
                    evaluate([model], {test: data}, floor=FLOOR, scale=scale, device=job.device)
                    .means[0]
                    .scores
                )
                for scale in ("none", "gain")
            },
        )


def tables(out: Path) -> Iterator[str]:
    """Yields Markdown, a table for each trial, with mean and standard deviation over seeds."""
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
        for system, runs in rows.items():
            cells = [
                mean_of([run["scores"][test][scale][score] for run in runs], digits)
                for test in tests
                for scale, score, digits in (
                    ("none", "mrae", 3),
                    ("none", "sam", 2),
                    ("none", "psnr", 2),
                    ("gain", "mrae", 3),
                )
            ]
            minutes = mean_of([run["core_minutes"] for run in runs], 1)
            yield (
                f"| `{system}` | {len(runs)} | {runs[0]['steps']} | {minutes} "
                f"| {' | '.join(cells)} |"
            )


def by_system(folder: Path) -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*/results.json")):
        result = json.loads(path.read_text())
        if "scores" in result:
            results.setdefault(result["system"], []).append(result)
    return {system: results[system] for system in SYSTEMS if system in results}


def mean_of(values: Sequence[float], digits: int) -> str:
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


if __name__ == "__main__":
    main()
