"""Messages of a command on stderr: as text, or as one JSON object per line."""

import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

KEY = "hsi_xr"
"""Key of the console in `ctx.obj`, where `rio` keeps its own objects."""

log = logging.getLogger("hsi_xr")

Command = Callable[..., object]


@dataclass(frozen=True)
class Console:
    verbosity: int = 0
    """-1 errors, 0 warnings, 1 information, 2 debugging."""
    as_json: bool = False

    @classmethod
    def current(cls) -> "Console":
        ctx = click.get_current_context(silent=True)
        console = ctx.obj.get(KEY) if ctx is not None and isinstance(ctx.obj, dict) else None
        return console if isinstance(console, cls) else cls()

    def use(self, ctx: click.Context) -> None:
        """Print what the package logs, from now on."""
        ctx.ensure_object(dict)[KEY] = self
        handler = _StderrHandler()
        handler.setFormatter(_JsonFormatter() if self.as_json else _TextFormatter())
        levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
        log.handlers = [handler]
        log.setLevel(levels.get(self.verbosity, logging.DEBUG))
        log.propagate = False

    def print_error(self, event: str, message: str) -> None:
        """Print the last message of a command that did not succeed."""
        # a library's message may span lines; in ours, a line break only precedes a list item
        lines = [" ".join(part.split()) for part in re.split(r"\n(?=- )", message)]
        text = json_line(event, " ".join(lines), "error") if self.as_json else "\n".join(lines)
        click.echo(text, err=True)


def options(command: Command) -> Command:
    """Add `-v` and `-q`. They may precede or follow the name of a command."""
    verbose = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_set_verbose,
        help="Print more; give it twice to print everything.",
    )
    quiet = click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_set_quiet,
        help="Print errors only.",
    )
    return verbose(quiet(command))


def _set_verbose(ctx: click.Context, parameter: click.Parameter, count: int) -> None:
    if count:
        replace(Console.current(), verbosity=count).use(ctx)


def _set_quiet(ctx: click.Context, parameter: click.Parameter, quiet: bool) -> None:
    if quiet:
        replace(Console.current(), verbosity=-1).use(ctx)


def echo_paths(*paths: Path | None) -> None:
    """Print the paths that are not None to stdout, one per line."""
    for path in paths:
        if path is not None:
            click.echo(path)


@contextmanager
def logged_warnings() -> Iterator[None]:
    """Within the block, log warnings instead of printing them with a line of source code."""
    with warnings.catch_warnings():
        warnings.showwarning = _log_warning
        yield


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log a UserWarning as a warning, and those of libraries as information (-v)."""
    log.log(logging.WARNING if category is UserWarning else logging.INFO, "%s", message)


def json_line(event: str, message: str, level: str, **fields: object) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    text = {"msg": message} if message else {}
    return json.dumps({"ts": now, "level": level, "event": event, **text, **fields})


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # a progress bar may be on that line
        click.echo(clear + self.format(record), err=True)


class _TextFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return f"{record.levelname.capitalize()}: {record.message}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json_line("log", super().format(record), record.levelname.lower())
