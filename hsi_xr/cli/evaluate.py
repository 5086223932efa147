"""`hsi-xr evaluate`."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_xr.cli import _console
from hsi_xr.cli._console import log
from hsi_xr.errors import UsageError

if TYPE_CHECKING:
    from hsi_xr.datasets._base import DataSet
    from hsi_xr.evaluation.evaluate import ScoredImage


def _folders(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, Path]:
    pairs = [text.partition("=")[::2] for text in texts]
    for text, (name, folder) in zip(texts, pairs):
        if not (name and folder):
            raise click.BadParameter(f"{text!r} is not NAME=FOLDER, e.g. ntire2022=data/arad1k")
    _check_once([name for name, _ in pairs])
    return {name: Path(folder) for name, folder in pairs}


def _values(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, Any]:
    if wrong := [text for text in texts if "=" not in text]:
        raise click.BadParameter(f"{wrong[0]!r} is not KEY=VALUE, e.g. coding=linear")
    pairs = [text.partition("=")[::2] for text in texts]
    _check_once([key for key, _ in pairs])
    return {key: _value(text) for key, text in pairs}


def _check_once(names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise click.BadParameter(f"{twice[0]!r} is given twice")


def _value(text: str) -> Any:
    """Numbers, lists and the like as JSON has them; all else is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value


@click.command("evaluate")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    default=["default"],
    show_default=True,
    help="A name of `hsi-xr models`, a .safetensors file, or a model's folder; may be repeated.",
)
@click.option(
    "--data",
    "folders",
    multiple=True,
    required=True,
    metavar="NAME=FOLDER",
    callback=_folders,
    help="A data set and where it lies; may be repeated.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="[NAME.]KEY=VALUE",
    callback=_values,
    help="How the data sets, or the one of that name, are read, such as coding=linear or "
    "cave.rgb=display; may be repeated.",
)
@click.option("--split", default="test", show_default=True, help="train, validation or test.")
@click.option("--crop", default="none", show_default=True, help="What is scored: none or ntire.")
@click.option(
    "--scale",
    default="none",
    show_default=True,
    help="none, or gain: estimates times the one factor per image that suits the truth best.",
)
@click.option(
    "--floor",
    type=float,
    default=0.0,
    show_default=True,
    metavar="REFLECTANCE",
    help="Darker pixels take no part in MRAE and BPMRAE.",
)
@click.option(
    "--camera",
    metavar="NAME|FILE.json",
    help="Score what this camera sees of estimates, too (BPMRAE): one of `hsi-xr cameras`, or a "
    "file as of rawtoaces-data. Pictures are taken by that of --option camera=...",
)
@click.option("--samples", type=int, default=1, show_default=True, help="Draws per estimate.")
@click.option("--seed", default=0, show_default=True, help="Of the noise.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for scores.json, scores.csv, scores.md and pictures.",
)
@click.option("--no-pictures", is_flag=True, help="Draw none.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier evaluation in the folder.")
@_console.options
def command(
    models: tuple[str, ...],
    folders: dict[str, Path],
    options: dict[str, Any],
    out: Path | None,
    no_pictures: bool,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Score models on data sets, image by image, under a protocol that is told.

    The table goes to stdout, with split, crop, scale, seed, samples, device and the models' hashes.
    Files appear in the folder when all is done, or not at all.
    """
    from hsi_xr.evaluation import report_files
    from hsi_xr.evaluation.evaluate import evaluate

    draws = out is not None and not no_pictures
    if draws:
        from hsi_xr.extras import require

        require("matplotlib", ", or do without (--no-pictures)")
    read = _by_data_set(options, folders)
    datasets = _opened(folders, read)
    target = (
        report_files.staging_folder(out, overwrite=overwrite) if out is not None else nullcontext()
    )
    with target as part:
        result = evaluate(
            models,
            datasets,
            options=read,
            on_image=_on_image(part if draws else None),
            **settings,
        )
        if part is not None:
            report_files.write(result, part)
    click.echo(result.markdown(), nl=False)


def _by_data_set(options: Mapping[str, Any], names: Collection[str]) -> dict[str, dict[str, Any]]:
    """NAME.KEY is of that data set alone, and goes before KEY, which is of all."""
    found = {name: {k: v for k, v in options.items() if "." not in k} for name in names}
    for option, value in options.items():
        name, dot, key = option.partition(".")
        if dot and name not in found:
            raise UsageError(
                f"--option {option} is of no data set here; --data has {', '.join(names)}"
            )
        if dot:
            found[name][key] = value
    return found


def _opened(
    folders: Mapping[str, Path], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, "DataSet"]:
    from hsi_xr.datasets import load

    return {name: load(name, folder, **options[name]) for name, folder in folders.items()}


def _on_image(part: Path | None) -> "Callable[[ScoredImage], None]":
    """Tells that an image is scored, and draws it where there is a folder for that."""

    def tell(sight: "ScoredImage") -> None:
        image = sight.image
        log.info("%s %s, %s: MRAE %.4f", image.data, image.name, image.model, image.scores["mrae"])
        if part is not None:
            from hsi_xr.evaluation.panel import draw
            from hsi_xr.evaluation.report_files import figure_path, writing

            with writing(part):
                draw(sight, figure_path(image, part))

    return tell
