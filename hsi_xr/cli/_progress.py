"""Progress on stderr: a bar on a terminal, or JSON lines for a program."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import click
from tqdm import tqdm

from hsi_xr.cli._console import Console, json_line

Report = Callable[[int, int], None]
"""Called with (pixels done, pixels in total)."""

option = click.option(
    "--progress",
    "mode",
    type=click.Choice(["auto", "bar", "json", "none"]),
    default="auto",
    show_default=True,
    help="How to report progress; auto shows a bar on a terminal.",
)
_PREPARING = "  0 %  preparing"
_RUNNING = "{percentage:3.0f} %  {bar}  {rate_noinv_fmt}, {remaining} left"
_FINISHING = "100 %  {bar}  finishing the file"
_DONE = "100 %  {total:.2f} Mpx in {elapsed}, {rate_noinv_fmt}"


@contextmanager
def progress(mode: str) -> Iterator[Report | None]:
    """Yield a function that displays progress, or None if none is to be displayed."""
    if mode == "auto":
        mode = "bar" if sys.stderr.isatty() and Console.current().verbosity >= 0 else "none"
    if mode == "none":
        yield None
    elif mode == "json":
        yield _print_json
    else:
        with closing(_Bar()) as bar:
            yield bar.report
            bar.finish()


def _print_json(done: int, total: int) -> None:
    percent = round(100 * done / total, 2) if total else 100.0
    click.echo(json_line("progress", "", "info", done=done, total=total, percent=percent), err=True)


class _Bar:
    """A bar with speed and remaining time, replaced by a summary at the end."""

    def __init__(self) -> None:
        self._bar = tqdm(
            bar_format=_PREPARING,
            unit=" Mpx",
            ncols=min(80, shutil.get_terminal_size().columns),
            nrows=20,  # without it, tqdm draws nothing on a terminal that reports no size
            smoothing=0,
            leave=False,
        )
        self._created = self._bar.start_t

    def report(self, done: int, total: int) -> None:
        bar, megapixels = self._bar, done / 1e6
        if bar.total is None:
            bar.reset(total / 1e6)
            bar.initial = bar.n = megapixels  # pixels that an interrupted run has computed
        bar.bar_format = _RUNNING if done < total else _FINISHING
        bar.update(megapixels - bar.n)
        if done >= total:
            bar.refresh()

    def finish(self) -> None:
        bar = self._bar
        if bar.total is not None:
            bar.bar_format, bar.leave = _DONE, True
            bar.start_t, bar.initial = self._created, 0

    def close(self) -> None:
        self._bar.close()
