"""`hsi-xr evaluate`."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from hsi_xr.cli import _console, _options
from hsi_xr.cli._console import log
from hsi_xr.errors import UsageError

if TYPE_CHECKING:
    from hsi_xr.datasets._base import DataSet
    from hsi_xr.evaluation.evaluate import ScoredImage


class Settings(TypedDict):
    """Arguments of `hsi_xr.evaluation.evaluate.evaluate`."""

    split: str
    crop: str
    scale: str
    floor: float
    camera: str | None
    samples: int
    seed: int
    device: str


def _folders(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, Path]:
    pairs = [text.partition("=")[::2] for text in texts]
    for text, (name, folder) in zip(texts, pairs):
        if not (name and folder):
            raise click.BadParameter(f"{text!r} is not NAME=FOLDER, e.g. ntire2022=data/arad1k")
    _check_unique([name for name, _ in pairs])
    return {name: Path(folder) for name, folder in pairs}


def _values(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, object]:
    if malformed := [text for text in texts if "=" not in text]:
        raise click.BadParameter(f"{malformed[0]!r} is not KEY=VALUE, e.g. coding=linear")
    pairs = [text.partition("=")[::2] for text in texts]
    _check_unique([key for key, _ in pairs])
    return {key: _value(text) for key, text in pairs}


def _check_unique(names: Sequence[str]) -> None:
    if repeated := [name for name in names if names.count(name) > 1]:
        raise click.BadParameter(f"{repeated[0]!r} is given twice")


def _value(text: str) -> object:
    """Parse a number, a list or another JSON value; anything else is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value


_SETTINGS = (
    click.option("--split", default="test", show_default=True, help="train, validation or test."),
    click.option(
        "--crop",
        default="none",
        show_default=True,
        help="Margin that is not scored: none, or ntire (as in the NTIRE challenges).",
    ),
    click.option(
        "--scale",
        default="none",
        show_default=True,
        help="none, or gain: multiply each estimate by the factor that fits the truth best.",
    ),
    click.option(
        "--floor",
        type=float,
        default=0.0,
        show_default=True,
        metavar="REFLECTANCE",
        help="Exclude darker pixels from MRAE and BPMRAE.",
    ),
    click.option(
        "--camera",
        metavar="NAME|FILE.json",
        help="Also score the estimates as this camera would record them (BPMRAE): a name of "
        "`hsi-xr cameras`, or a file in the format of rawtoaces-data. The camera that simulates "
        "the RGB images is --option camera=...",
    ),
    click.option("--samples", type=int, default=1, show_default=True, help="Samples per estimate."),
    click.option("--seed", default=0, show_default=True, help="Seed of the noise."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
)


@click.command("evaluate")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    default=["default"],
    show_default=True,
    help="A name of `hsi-xr models`, a .safetensors file, or a model folder; may be repeated.",
)
@click.option(
    "--data",
    "folders",
    multiple=True,
    required=True,
    metavar="NAME=FOLDER",
    callback=_folders,
    help="A data set and its folder; may be repeated.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="[NAME.]KEY=VALUE",
    callback=_values,
    help="Option of all data sets, or of the one of that name, e.g. coding=linear or "
    "cave.rgb=display; may be repeated.",
)
@_options.collect("settings", _SETTINGS)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for scores.json, scores.csv, scores.md and figures.",
)
@click.option("--no-pictures", is_flag=True, help="Draw no figures.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier evaluation in the folder.")
@_console.options
def command(
    models: tuple[str, ...],
    folders: dict[str, Path],
    options: dict[str, object],
    settings: Settings,
    out: Path | None,
    no_pictures: bool,
    overwrite: bool,
) -> None:
    """Score models on data sets, image by image.

    Prints the table of scores with the protocol: split, crop, scale, seed, samples, device and the
    hashes of the models. Files appear in the folder when everything is scored, or not at all.
    """
    from hsi_xr.evaluation import report_files
    from hsi_xr.evaluation.evaluate import evaluate

    draws = out is not None and not no_pictures
    if draws:
        from hsi_xr.extras import require

        require("matplotlib", ", or draw no figures (--no-pictures)")
    reading = _by_data_set(options, folders)
    datasets = _load(folders, reading)
    target = (
        report_files.staging_folder(out, overwrite=overwrite) if out is not None else nullcontext()
    )
    with target as staging:
        report = _reporter(staging if draws else None)
        result = evaluate(models, datasets, options=reading, on_image=report, **settings)
        if staging is not None:
            report_files.write(result, staging)
    click.echo(result.markdown(), nl=False)


def _by_data_set(
    options: Mapping[str, object], names: Collection[str]
) -> dict[str, dict[str, object]]:
    """Returns the options of each data set: NAME.KEY takes precedence over KEY."""
    shared = {key: value for key, value in options.items() if "." not in key}
    by_name = {name: dict(shared) for name in names}
    for option, value in options.items():
        name, dot, key = option.partition(".")
        if dot and name not in by_name:
            raise UsageError(
                f"--option {option} names a data set that is not given; --data gives "
                f"{', '.join(names)}"
            )
        if dot:
            by_name[name][key] = value
    return by_name


def _load(
    folders: Mapping[str, Path], options: Mapping[str, Mapping[str, object]]
) -> dict[str, "DataSet"]:
    from hsi_xr.datasets import load

    return {name: load(name, folder, **options[name]) for name, folder in folders.items()}


def _reporter(folder: Path | None) -> "Callable[[ScoredImage], None]":
    """Returns a function that logs the score of an image, and draws it into a folder, if any."""

    def report(scored: "ScoredImage") -> None:
        image = scored.image
        log.info("%s %s, %s: MRAE %.4f", image.data, image.name, image.model, image.scores["mrae"])
        if folder is not None:
            from hsi_xr.evaluation.panel import draw
            from hsi_xr.evaluation.report_files import figure_path, writing

            with writing(folder):
                draw(scored, figure_path(image, folder))

    return report
