"""The command line. Each module is one command: it parses arguments and calls the library.

A command's module imports nothing heavy at its top, because `--help` imports all of them.
"""

import pkgutil
import signal
from dataclasses import replace
from importlib import import_module

import click

from hsi_xr import __version__
from hsi_xr.cli import _console
from hsi_xr.errors import HsiError


class Commands(click.Group):
    """Imports a command when it is invoked, and prints each `HsiError` as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _console.logged_warnings():
                return super().invoke(ctx)
        except HsiError as error:
            _console.Console.current().print_error("error", f"Error: {error}")
            ctx.exit(error.exit_code)
        except KeyboardInterrupt as interrupt:
            words = ["Interrupted.", *dict.fromkeys(getattr(interrupt, "__notes__", ()))]
            _console.Console.current().print_error("interrupted", " ".join(words))
            ctx.exit(128 + signal.SIGINT)


@click.group("hsi", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@_console.options
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of messages on stderr.",
)
@click.version_option(__version__, prog_name="hsi-xr")
@click.pass_context
def cli(ctx: click.Context, log_format: str) -> None:
    """Reconstruct hyperspectral cubes from RGB images.

    Results (paths, tables, JSON) go to stdout; messages and progress go to stderr. Exit status: 0
    success, 1 failure, 2 usage error, 3 invalid data, 130 interrupted.
    """
    replace(_console.Console.current(), as_json=log_format == "json").use(ctx)


def main(prog_name: str = "hsi-xr") -> None:
    """Run the command line. SIGTERM ends it as Ctrl-C does: finished work is kept."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cli(prog_name=prog_name)
