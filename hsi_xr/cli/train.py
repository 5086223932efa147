"""`hsi-xr train`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import click

from hsi_xr.cli import _console
from hsi_xr.cli._progress import clock


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--resume", is_flag=True, help="Go on where an interrupted training stopped.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of CONFIG, e.g. optimiser.rate=1e-4; may be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder, in place of CONFIG's.")
@_console.options
def command(config: Path, resume: bool, changes: tuple[str, ...], out: Path | None) -> None:
    """Train a system as the file CONFIG says.

    The folder gets checkpoints and a log, and at last model.safetensors with its card, which
    `hsi-xr reconstruct --model` runs. Where tensorboard is installed it gets its files, too.
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
    """How far a training is: a line drawn over and over for a person, one a minute for a file."""

    def __init__(self) -> None:
        self._person = sys.stderr.isatty()
        self._quiet = _console.Console.current().verbosity < 0
        self._first: tuple[float, int] | None = None  # a resumed run does not begin with 0 done
        self._drawn = 0.0
        self._score = ""

    def __call__(self, done: int, total: int, values: Mapping[str, float]) -> None:
        now = monotonic()
        self._first = self._first or (now, done)
        if "validation/mrae" in values:
            self._score = f"  validation MRAE {values['validation/mrae']:.4f}"
        every = 0.2 if self._person else 60.0
        if self._quiet or (now - self._drawn < every and done < total):
            return
        self._drawn = now
        left = self._left(now, done, total)
        text = f"step {done:,} of {total:,}{_losses(values)}{self._score}{left}"
        if self._person:
            text = f"\r\x1b[K{text}"
        click.echo(text, err=True, nl=done == total or not self._person)

    def _left(self, now: float, done: int, total: int) -> str:
        began, first = self._first or (now, done)
        if done in (first, total):
            return ""
        return f"  {clock((total - done) * (now - began) / (done - first))} left"


def _losses(values: Mapping[str, float]) -> str:
    """What is minimised: of each turn the first after its rate."""
    first: dict[str, float] = {}
    for key, value in values.items():
        turn, _, name = key.partition("/")
        if turn != "validation" and name != "rate":
            first.setdefault(turn, value)
    return "".join(f"  {turn} {value:.4g}" for turn, value in first.items())
