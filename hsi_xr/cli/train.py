"""`hsi-xr train`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import click
from tqdm import tqdm

from hsi_xr.cli import _console


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--resume", is_flag=True, help="Continue an interrupted training run.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a value of CONFIG, e.g. optimiser.rate=1e-4; may be repeated.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Output folder [default: that of CONFIG]."
)
@_console.options
def command(config: Path, resume: bool, changes: tuple[str, ...], out: Path | None) -> None:
    """Train a system as the TOML file CONFIG describes.

    The output folder receives checkpoints, a log (also for TensorBoard, if installed) and finally
    model.safetensors with its card, which `hsi-xr reconstruct --model` runs.
    """
    from hsi_xr.training.data import open_data
    from hsi_xr.training.loop import Training
    from hsi_xr.training.release import release
    from hsi_xr.training.setup import prepare
    from hsi_xr.training.toml import read

    run = read(config, [*changes, *([f"out={json.dumps(str(out))}"] if out else [])])
    task = prepare(run, open_data(run.data))
    training = Training(task, run, resume=resume)
    training.finish(*([_Line()] if training.ranks.first else []))
    if training.ranks.first:
        if _console.Console.current().verbosity >= 0:
            click.echo("measuring halo, cost and memory for the card", err=True)
        click.echo(release(task, training))


class _Line:
    """Progress of a training run: a line that is updated on a terminal, or a line per minute."""

    _FORMAT = "step {n:,} of {total:,}{postfix}, {remaining} left"

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._is_quiet = _console.Console.current().verbosity < 0
        self._start: tuple[float, int] | None = None  # a resumed run starts after step 0
        self._printed = 0.0
        self._score = ""

    def __call__(self, done: int, total: int, values: Mapping[str, float]) -> None:
        now = monotonic()
        start, first = self._start = self._start or (now, done)
        if "validation/mrae" in values:
            self._score = f", validation MRAE {values['validation/mrae']:.4f}"
        interval = 0.2 if self._is_terminal else 60.0
        if self._is_quiet or (now - self._printed < interval and done < total):
            return
        self._printed = now
        text = tqdm.format_meter(
            done,
            total,
            now - start,
            initial=first,
            bar_format=self._FORMAT,
            postfix=f"{_losses(values)}{self._score}",
        )
        clear = "\r\x1b[K" if self._is_terminal else ""
        click.echo(clear + text, err=True, nl=done == total or not self._is_terminal)


def _losses(values: Mapping[str, float]) -> str:
    """Returns the loss that each phase minimises: the first value after its learning rate."""
    losses: dict[str, float] = {}
    for key, value in values.items():
        phase, _, name = key.partition("/")
        if phase != "validation" and name != "rate":
            losses.setdefault(phase, value)
    return ", ".join(f"{phase} {loss:.4g}" for phase, loss in losses.items())
