"""An evaluation as a folder: table, numbers and pictures, complete or absent."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from hsi_xr.errors import DestinationExists, DestinationUnwritable, HsiError
from hsi_xr.evaluation.result import Image

PICTURES: Final = "pictures"
OWN: Final = ("scores.json", "scores.csv", "scores.md", PICTURES)
"""All that an evaluation writes; what else a folder holds is left alone."""
_PASSING: Final = ".part-"


class Report(Protocol):
    """An evaluation as text."""

    def json(self) -> str: ...

    def csv(self) -> str: ...

    def markdown(self) -> str: ...


@contextmanager
def publishing(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A passing folder to write to; what it holds moves to `folder` when the block ends well.

    Raises:
        DestinationExists: An earlier evaluation is there and `overwrite` was not asked for.
        DestinationUnwritable: The folder cannot be made, or not written to.
    """
    there = [name for name in OWN if os.path.lexists(folder / name)]
    if there and not overwrite:
        raise DestinationExists(
            f"{str(folder)!r} already holds {', '.join(there)}; "
            "give overwrite=True (--overwrite), or another folder"
        )
    made = _made(folder)
    with writing(folder):
        part = Path(tempfile.mkdtemp(prefix=_PASSING, dir=folder))
    try:
        yield part
        with writing(folder):
            _move(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for parent in made:
            if not any(parent.iterdir()):
                parent.rmdir()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tells what fails within in terms of the folder.

    Raises:
        DestinationUnwritable: In place of every OSError that is not told already.
    """
    try:
        yield
    except HsiError:
        raise
    except OSError as error:
        shown = folder.parent if folder.name.startswith(_PASSING) else folder
        raise DestinationUnwritable(
            f"{str(shown)!r} is not a folder that can be written to ({error.strerror or error}); "
            "choose another one"
        ) from error


def write(evaluation: Report, folder: Path) -> None:
    """Scores for programs, spreadsheets and readers.

    Raises:
        DestinationUnwritable: They cannot be written there.
    """
    with writing(folder):
        (folder / "scores.json").write_text(evaluation.json(), "utf-8")
        (folder / "scores.csv").write_text(evaluation.csv(), "utf-8")
        (folder / "scores.md").write_text(evaluation.markdown(), "utf-8")


def picture_of(image: Image, folder: Path) -> Path:
    """Where the picture of an image goes; its folder is made."""
    data, model, name = (_file_name(text) for text in (image.data, image.model, image.name))
    path = folder / PICTURES / data / model / f"{name}.png"
    with writing(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _made(folder: Path) -> list[Path]:
    """Makes the folder; those of its parents and itself that were not there, innermost first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return missing


def _move(part: Path, folder: Path) -> None:
    """Old aside, new in; the scores come last: where they are, the pictures are.

    Where that fails everything goes back. A link is moved as the link that it is.
    """
    aside = Path(tempfile.mkdtemp(prefix=".old-", dir=folder))
    out = [(folder / name, aside / name) for name in OWN]
    moves = [*out, *((part / name, folder / name) for name in reversed(OWN))]
    done: list[tuple[Path, Path]] = []
    try:
        for old, new in moves:
            if os.path.lexists(old):
                done.append((old, new))
                os.replace(old, new)
    except BaseException:
        for old, new in reversed(done):
            if not os.path.lexists(old):
                with suppress(OSError):
                    os.replace(new, old)
        with suppress(OSError):  # what could not go back stays there
            aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _file_name(text: str) -> str:
    """A label without what would make another folder of it."""
    return text.replace("/", "_").replace(os.sep, "_").lstrip(".") or "_"
