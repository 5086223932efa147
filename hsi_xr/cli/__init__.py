"""Words in, calls out: one command, one file, and the folder is the list of commands.

A command's file imports nothing heavy at its top, so that `--help` can ask all of them for theirs.
"""

import pkgutil
import signal
from dataclasses import replace
from importlib import import_module
from typing import Any

import click

from hsi_xr import __version__
from hsi_xr.cli import _console
from hsi_xr.errors import HsiError


class Commands(click.Group):
    """Imports a command when it is called, and tells every `HsiError` in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _console.logged_warnings():
                return super().invoke(ctx)
        except HsiError as error:
            _console.Console.current().end("error", f"Error: {error}")
            ctx.exit(error.exit_code)
        except KeyboardInterrupt as interrupt:
            words = ["Interrupted.", *getattr(interrupt, "__notes__", ())]
            _console.Console.current().end("interrupted", " ".join(words))
            ctx.exit(128 + signal.SIGINT)


@click.group("hsi", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@_console.options
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How notes and errors are written on stderr.",
)
@click.version_option(__version__, prog_name="hsi-xr")
@click.pass_context
def cli(ctx: click.Context, log_format: str) -> None:
    """Hyperspectral scenes from RGB.

    Results (paths, JSON) go to stdout; notes, errors and progress to stderr.
    Exit status: 0 done, 1 failed, 2 wrong request, 3 invalid data, 130 interrupted.
    """
    replace(_console.Console.current(), as_json=log_format == "json").use(ctx)


def main(prog_name: str = "hsi-xr") -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is done is kept, and told of
    cli(prog_name=prog_name)
