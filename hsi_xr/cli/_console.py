"""What a run says on stderr, in words or as one JSON object per line."""

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
from typing import Any, TextIO

import click

KEY = "hsi_xr"
"""Where the console is in `ctx.obj`, which `rio` fills with things of its own."""

log = logging.getLogger("hsi_xr")

Command = Callable[..., Any]


@dataclass(frozen=True)
class Console:
    verbosity: int = 0
    """-1 errors only, 0 warnings, 1 what is done, 2 everything."""
    as_json: bool = False

    @classmethod
    def current(cls) -> "Console":
        ctx = click.get_current_context(silent=True)
        found = ctx.obj.get(KEY) if ctx is not None and isinstance(ctx.obj, dict) else None
        return found if isinstance(found, cls) else cls()

    def use(self, ctx: click.Context) -> None:
        """Show what the package logs from now on."""
        ctx.ensure_object(dict)[KEY] = self
        handler = _ToStderr()
        handler.setFormatter(_Json() if self.as_json else _Text())
        levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
        log.handlers = [handler]
        log.setLevel(levels.get(self.verbosity, logging.DEBUG))
        log.propagate = False

    def end(self, event: str, message: str) -> None:
        """The last line of a run that did not succeed."""
        # the words of a library may be many lines; our own lists begin their lines with a dash
        lines = [" ".join(part.split()) for part in re.split(r"\n(?=- )", message)]
        told = json_line(event, " ".join(lines), "error") if self.as_json else "\n".join(lines)
        click.echo(told, err=True)


def options(command: Command) -> Command:
    """`-v` and `-q`, which the group and every command take: before or after a command's name."""
    verbose = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_turn_up,
        help="Say more; twice: say all.",
    )
    quiet = click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_silence,
        help="Say nothing but errors.",
    )
    return verbose(quiet(command))


def _turn_up(ctx: click.Context, parameter: click.Parameter, count: int) -> None:
    if count:
        replace(Console.current(), verbosity=count).use(ctx)


def _silence(ctx: click.Context, parameter: click.Parameter, quiet: bool) -> None:
    if quiet:
        replace(Console.current(), verbosity=-1).use(ctx)


def echo_paths(*paths: Path | None) -> None:
    """Print the paths that exist, each on a line."""
    for path in paths:
        if path is not None:
            click.echo(path)


@contextmanager
def logged_warnings() -> Iterator[None]:
    """Log warnings of Python, within the block, instead of printing where they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        yield


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """In place of `warnings.showwarning`: the words alone, and of libraries only with -v.

    Libraries have categories of their own; a plain UserWarning is about what the user does.
    """
    log.log(logging.WARNING if category is UserWarning else logging.INFO, "%s", message)


def json_line(event: str, message: str, level: str, **facts: Any) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    said = {"msg": message} if message else {}
    return json.dumps({"ts": now, "level": level, "event": event, **said, **facts})


class _ToStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # a bar may stand there
        click.echo(clear + self.format(record), err=True)


class _Text(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return f"{record.levelname.capitalize()}: {record.message}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json_line("log", super().format(record), record.levelname.lower())
