"""`hsi-xr models`."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_xr.cli import _console

if TYPE_CHECKING:
    from hsi_xr.checkpoints.card import Card

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="All that the card says, as JSON.")


@click.group("models", invoke_without_command=True)
@_AS_JSON
@_console.options
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List models and systems, show one, or import published weights.

    A system without weights is listed by its name, too: `import` makes a model of published ones.
    """
    if ctx.invoked_subcommand is not None:
        return
    import hsi_xr

    cards = hsi_xr.models()
    if as_json:
        click.echo(json.dumps([_whole(card) for card in cards], indent=2))
        return
    for line in _table([_HEAD, *map(_row, cards)]):
        click.echo(line)
    click.echo(_BELOW)


@command.command("show")
@click.argument("name")
@_AS_JSON
@_console.options
def show(name: str, as_json: bool) -> None:
    """Show the card of the model NAME (or of a .safetensors file)."""
    from hsi_xr.checkpoints.registry import find
    from hsi_xr.errors import MissingWeights

    try:
        card = find(name)
    except MissingWeights:
        card = find(name, untrained=True)
    data = _whole(card)
    if as_json:
        click.echo(json.dumps(data, indent=2))
        return
    for line in _outline(data):
        click.echo(line)


@command.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--title", help="Name of the model [default: NAME and FILE's name].")
@click.option("--licence", help="Licence of the weights, as SPDX; unknown unless told.")
@click.option("--overwrite", is_flag=True, help="Replace the folder.")
@_console.options
def import_(
    name: str, file: Path, folder: Path, title: str | None, licence: str | None, overwrite: bool
) -> None:
    """Make the model FOLDER of the system NAME from the published checkpoint FILE.

    It holds the weights as safetensors, their card and a STAC item (MLM); `--model FOLDER` runs it.
    Its halo, cost and memory are measured now: a minute or two. Nothing but plain tensors is read
    from FILE, and a pickle of more is refused.
    """
    from hsi_xr.checkpoints.import_checkpoint import import_published

    card = import_published(name, file, folder, title=title, licence=licence, overwrite=overwrite)
    click.echo(f"{folder}: {card}, {card.data['parameters']:,} parameters, halo {card.halo} px")


@command.command("export")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_console.options
def export_(name: str, folder: Path) -> None:
    """Copy the model NAME into FOLDER, with its card and its STAC item (MLM).

    `--model FOLDER` runs it, and items of what it makes are linked to its item.
    """
    from hsi_xr.checkpoints.export_model import export
    from hsi_xr.checkpoints.registry import find

    click.echo(export(find(name), folder))


_HEAD = (
    *("NAME", "SYSTEM", "WEIGHTS", "PARAMETERS", "GMAC/PX", "STEPS"),
    *("HALO", "TILES", "LICENCE", "PAPER"),
)


_BELOW = """
TILES are as the scene in one piece (exact), or overlap and are blended; with the whole scene's
statistics (survey). `hsi-xr models show NAME` tells all of a model. Systems without weights run
with --untrained, or after `hsi-xr models import NAME FILE.pth FOLDER` where some were published."""


def _row(card: "Card") -> tuple[str, ...]:
    reach = card.data["reach"]
    tiles = "blended" if card.needs_blending else "exact"
    return (
        card.call,
        card.reconstructor,
        "yes" if card.trained else "no",
        f"{card.data['parameters']:,}",
        f"{card.data['gmac_per_pixel']:.2g}" if "gmac_per_pixel" in card.data else "",
        str(card.data["steps"]),
        str(card.halo),
        f"{tiles} (survey)" if reach.get("survey") else tiles,
        str(card.data["licence"]),
        str(card.data.get("paper") or card.data.get("citation", "")),
    )


def _whole(card: "Card") -> dict[str, Any]:
    """All that the card says, and whether there are weights."""
    return {**card.data, "weights": card.weights.name if card.weights else None}


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
