"""`hsi-xr models`."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from hsi_xr.cli import _console

if TYPE_CHECKING:
    from hsi_xr.reconstructors._card import Card

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="All that the card says, as JSON.")


@click.group("models", invoke_without_command=True)
@_AS_JSON
@_console.options
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the models that are ready to use, or show one."""
    if ctx.invoked_subcommand is not None:
        return
    import hsi_xr

    cards = hsi_xr.models()
    if as_json:
        click.echo(json.dumps([dict(card.data) for card in cards], indent=2))
        return
    head = ("NAME", "MODEL", "VERSION", "SYSTEM", "BANDS", "STEPS", "PARAMETERS", "LICENCE")
    for line in _table([head, *map(_row, cards)]):
        click.echo(line)


@command.command("show")
@click.argument("name")
@_AS_JSON
@_console.options
def show(name: str, as_json: bool) -> None:
    """Show the card of the model NAME (or of a .safetensors file)."""
    from hsi_xr.reconstructors._registry import find

    data = dict(find(name).data)
    if as_json:
        click.echo(json.dumps(data, indent=2))
        return
    for line in _outline(data):
        click.echo(line)


def _row(card: "Card") -> tuple[str, ...]:
    return (
        card.weights.stem,  # what --model takes
        card.name,
        str(card.data["version"]),
        card.reconstructor,
        _span(card.bands.centres),
        str(card.data["steps"]),
        f"{card.data['parameters']:,}",
        str(card.data["licence"]),
    )


def _span(centres: Sequence[float]) -> str:
    return f"{len(centres)}, {centres[0]:g}-{centres[-1]:g} nm"


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows)


def _outline(value: Any, depth: int = 0) -> Iterable[str]:
    """Nested objects as indented `key: value` lines; long lists of numbers by their ends."""
    indent = "  " * depth
    for key, entry in value.items():
        if isinstance(entry, dict):
            yield f"{indent}{key}:"
            yield from _outline(entry, depth + 1)
        elif isinstance(entry, list) and entry and isinstance(entry[0], dict):
            yield f"{indent}{key}:"
            for part in entry:
                yield from _outline(part, depth + 1)
        else:
            yield f"{indent}{key}: {_short(entry)}"


def _short(entry: Any) -> str:
    if not isinstance(entry, list):
        return (
            f"{entry:,}" if isinstance(entry, int) and not isinstance(entry, bool) else str(entry)
        )
    if len(entry) > 8 and all(isinstance(number, int | float) for number in entry):
        return f"{entry[0]:g}, {entry[1]:g} ... {entry[-1]:g} ({len(entry)})"
    return ", ".join(map(str, entry))
