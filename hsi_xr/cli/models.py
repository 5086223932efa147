"""`hsi-xr models`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hsi_xr.cli import _console

if TYPE_CHECKING:
    from hsi_xr.checkpoints.card import Card

Json = Mapping[str, object]

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print complete cards as JSON.")


@click.group(
    "models",
    invoke_without_command=True,
    short_help="List, show, export and import models.",
)
@_AS_JSON
@_console.options
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List models and systems, show or export a model, or import published weights.

    Systems without weights are listed as well: `hsi-xr models import` imports published ones.
    """
    if ctx.invoked_subcommand is not None:
        return
    import hsi_xr
    from hsi_xr.text_table import align

    cards = hsi_xr.models()
    if as_json:
        click.echo(json.dumps([_card_data(card) for card in cards], indent=2))
        return
    for line in align([_HEAD, *map(_row, cards)]):
        click.echo(line)
    click.echo(_NOTE)


@command.command("show", short_help="Show the card of a model.")
@click.argument("name")
@_AS_JSON
@_console.options
def show(name: str, as_json: bool) -> None:
    """Show the card of the model NAME, which may be a .safetensors file or a model folder."""
    from hsi_xr.checkpoints.registry import find
    from hsi_xr.errors import MissingWeights

    try:
        card = find(name)
    except MissingWeights:
        card = find(name, untrained=True)
    data = _card_data(card)
    if as_json:
        click.echo(json.dumps(data, indent=2))
        return
    for line in _outline(data):
        click.echo(line)


@command.command("import", short_help="Import a published checkpoint as a model.")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--title", help="Name of the model [default: NAME and the name of FILE].")
@click.option("--licence", metavar="SPDX", help="Licence of the weights [default: unknown].")
@click.option("--overwrite", is_flag=True, help="Replace an existing folder.")
@_console.options
def import_(
    name: str, file: Path, folder: Path, title: str | None, licence: str | None, overwrite: bool
) -> None:
    """Import the published checkpoint FILE of the system NAME as a model, into FOLDER.

    FOLDER receives the weights as safetensors, their card and a STAC item (MLM); run the model with
    `--model FOLDER`. Measures halo, cost and memory for the card, which takes a minute or two. Only
    plain tensors are read: a pickle that contains anything else is refused.
    """
    from hsi_xr.checkpoints.import_checkpoint import import_published

    card = import_published(name, file, folder, title=title, licence=licence, overwrite=overwrite)
    click.echo(f"{folder}: {card}, {card.parameters:,} parameters, halo {card.halo} px")


@command.command("export", short_help="Copy a model with its STAC item.")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_console.options
def export_(name: str, folder: Path) -> None:
    """Copy the model NAME into FOLDER, with its card and its STAC item (MLM).

    Run it with `--model FOLDER`; the STAC items of its products link its item.
    """
    from hsi_xr.checkpoints.model_folder import export
    from hsi_xr.checkpoints.registry import find

    click.echo(export(find(name), folder))


_HEAD = (
    *("NAME", "SYSTEM", "WEIGHTS", "PARAMETERS", "GMAC/PX", "STEPS"),
    *("HALO", "TILES", "LICENCE", "PAPER"),
)


_NOTE = """
TILES: exact if tiles give the result of the whole scene, blended if they overlap; (survey) if they
share statistics of the whole scene. `hsi-xr models show NAME` prints the whole card. Systems
without weights run with --untrained, or after `hsi-xr models import NAME FILE.pth FOLDER` if
weights were published."""


def _row(card: "Card") -> tuple[str, ...]:
    reach = card.data["reach"]
    tiles = "blended" if card.needs_blending else "exact"
    return (
        card.call,
        card.reconstructor,
        "yes" if card.trained else "no",
        f"{card.parameters:,}",
        f"{card.data['gmac_per_pixel']:.2g}" if "gmac_per_pixel" in card.data else "",
        str(card.steps),
        str(card.halo),
        f"{tiles} (survey)" if reach.get("survey") else tiles,
        card.licence,
        str(card.data.get("paper") or card.data.get("citation", "")),
    )


def _card_data(card: "Card") -> Json:
    """Returns the card, and the name of the weights file or None."""
    return {**card.data, "weights": card.weights.name if card.weights else None}


def _outline(data: Json, depth: int = 0) -> Iterable[str]:
    """Yield nested objects as indented `key: value` lines."""
    indent = "  " * depth
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _outline(value, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{indent}{key}:"
            for entry in value:
                yield from _outline(entry, depth + 1)
        else:
            yield f"{indent}{key}: {_short(value)}"


def _short(value: object) -> str:
    """Returns a value as text; a long list of numbers is shortened to its ends and its length."""
    if isinstance(value, list):
        if len(value) > 8 and all(isinstance(number, int | float) for number in value):
            return f"{value[0]:g}, {value[1]:g} ... {value[-1]:g} ({len(value)})"
        return ", ".join(map(str, value))
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if is_count else str(value)
