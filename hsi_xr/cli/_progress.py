"""How far a run is, on stderr: a bar for a person, JSON lines for a program."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import click

from hsi_xr.cli._console import Console, json_line

Report = Callable[[int, int], None]
"""(pixels done, pixels in all) -> None."""

MODES = ("auto", "bar", "json", "none")
option = click.option(
    "--progress",
    "mode",
    type=click.Choice(MODES),
    default="auto",
    show_default=True,
    help="auto: a bar on a terminal.",
)
_EVERY = 0.1
"""Seconds between two updates."""
_CLEAR = "\x1b[K"
"""To a terminal: forget the rest of the line."""


@contextmanager
def progress(mode: str) -> Iterator[Report | None]:
    """A report to hand to the work; `auto` draws a bar if there is a person at the terminal."""
    if mode == "auto":
        mode = "bar" if sys.stderr.isatty() and Console.current().verbosity >= 0 else "none"
    if mode == "none":
        yield None
    elif mode == "json":
        yield _tell
    else:
        bar = _Bar()
        try:
            yield bar
        except BaseException:
            bar.clear()
            raise
        bar.close()


def _tell(done: int, total: int) -> None:
    percent = round(100 * done / total, 2) if total else 100.0
    click.echo(json_line("progress", "", "info", done=done, total=total, percent=percent), err=True)


class _Bar:
    """One line that is drawn over and over: share, bar, Mpx/s, time left."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._first: tuple[float, int] | None = None  # a resumed run does not begin with 0 done
        self._drawn = 0.0
        self._total = 0
        self._draw("  0 %  preparing")

    def __call__(self, done: int, total: int) -> None:
        now = monotonic()
        self._first = self._first or (now, done)
        self._total = total
        if now - self._drawn < _EVERY and done < total:
            return
        self._drawn = now
        seconds, pixels = now - self._first[0], done - self._first[1]
        rate = pixels / seconds if seconds > 0 else 0.0
        self._draw(_line(done, total, rate))

    def clear(self) -> None:
        self._draw("")

    def close(self) -> None:
        seconds = monotonic() - self._began
        megapixels = self._total / 1e6
        speed = f"{megapixels:.2f} Mpx in {clock(seconds)}, {_speed(self._total / seconds)}"
        self._draw(f"100 %  {speed}\n" if self._total else "")

    def _draw(self, text: str) -> None:
        """Replace the line by another; one that ends is written from its start all the same."""
        click.echo(f"\r{_CLEAR}{text}", err=True, nl=False, color=True)


def _line(done: int, total: int, rate: float) -> str:
    share = done / total if total else 1.0
    if done >= total:
        ending = "finishing the file"
    elif rate:
        ending = f"{_speed(rate)}  {clock((total - done) / rate)} left"
    else:
        ending = ""
    width = min(40, shutil.get_terminal_size().columns - 40)
    full, empty = "█░" if (sys.stderr.encoding or "").lower().startswith("utf") else "#."
    bar = full * int(share * width) + empty * (max(width, 0) - int(share * width))
    return f"{100 * share:3.0f} %  {bar}  {ending}"


def _speed(rate: float) -> str:
    megapixels = rate / 1e6
    return f"{megapixels:.2f} Mpx/s" if megapixels >= 0.1 else f"{megapixels:.2g} Mpx/s"


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
