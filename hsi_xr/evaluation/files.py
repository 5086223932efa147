"""An evaluation as a folder: table, numbers and pictures, complete or absent."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hsi_xr.errors import DestinationExists, DestinationUnwritable
from hsi_xr.evaluation.result import Evaluation, Image

PICTURES: Final = "pictures"
OWN: Final = ("scores.json", "scores.csv", "scores.md", PICTURES)
"""All that an evaluation writes; what else a folder holds is left alone."""


@contextmanager
def publishing(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A passing folder to write to; what it holds moves to `folder` when the block ends well.

    Raises:
        DestinationExists: An earlier evaluation is there and `overwrite` was not asked for.
        DestinationUnwritable: The folder cannot be made, or not written to.
    """
    there = [name for name in OWN if (folder / name).exists()]
    if there and not overwrite:
        raise DestinationExists(
            f"{str(folder)!r} already holds {', '.join(there)}; "
            "give overwrite=True (--overwrite), or another folder"
        )
    made = _made(folder)
    try:
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield part
        _move(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for parent in made:
            if not any(parent.iterdir()):
                parent.rmdir()


def write(evaluation: Evaluation, folder: Path) -> None:
    """Scores for programs, spreadsheets and readers."""
    (folder / "scores.json").write_text(evaluation.json(), "utf-8")
    (folder / "scores.csv").write_text(evaluation.csv(), "utf-8")
    (folder / "scores.md").write_text(evaluation.markdown(), "utf-8")


def picture_of(image: Image, folder: Path) -> Path:
    """Where the picture of an image goes; its folder is made."""
    data, model, name = (_file_name(text) for text in (image.data, image.model, image.name))
    path = folder / PICTURES / data / model / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _made(folder: Path) -> list[Path]:
    """Makes the folder; those of its parents and itself that were not there, innermost first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return missing


def _move(part: Path, folder: Path) -> None:
    """The scores come last: where they are, the pictures are."""
    for name in reversed(OWN):
        new, old = part / name, folder / name
        if old.is_dir():
            shutil.rmtree(old)
        if new.exists():
            os.replace(new, old)
        else:
            old.unlink(missing_ok=True)


def _unwritable(folder: Path, error: OSError) -> DestinationUnwritable:
    return DestinationUnwritable(
        f"{str(folder)!r} is not a folder that can be written to ({error.strerror}); "
        "choose another one"
    )


def _file_name(text: str) -> str:
    """A label without what would make another folder of it."""
    return text.replace("/", "_").replace(os.sep, "_").lstrip(".") or "_"
