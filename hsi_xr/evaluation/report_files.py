"""Writes an evaluation to a folder: tables and figures, all or none of them."""

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
"""Everything that an evaluation writes; other files in the folder are not touched."""
_STAGING: Final = ".part-"
"""Prefix of the staging folder."""


class Report(Protocol):
    """An evaluation as text."""

    def json(self) -> str: ...

    def csv(self) -> str: ...

    def markdown(self) -> str: ...


@contextmanager
def staging_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yields a staging folder; its content moves to `folder` if the block succeeds.

    Raises:
        DestinationExists: `folder` contains an earlier evaluation and `overwrite` is False.
        DestinationUnwritable: `folder` cannot be created or written to.
    """
    existing = [name for name in OWN if os.path.lexists(folder / name)]
    if existing and not overwrite:
        raise DestinationExists(
            f"{str(folder)!r} already contains {', '.join(existing)}; "
            "give overwrite=True (--overwrite), or another folder"
        )
    created = _create(folder)
    with writing(folder):
        part = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
    try:
        yield part
        with writing(folder):
            _move(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for parent in created:
            if not any(parent.iterdir()):
                parent.rmdir()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Reports any OSError in the block as a failure to write to the folder.

    Raises:
        DestinationUnwritable: The block raised an OSError that is not an HsiError.
    """
    try:
        yield
    except HsiError:
        raise
    except OSError as error:
        target = folder.parent if folder.name.startswith(_STAGING) else folder
        raise DestinationUnwritable(
            f"cannot write to folder {str(target)!r} ({error.strerror or error}); give another one"
        ) from error


def write(evaluation: Report, folder: Path) -> None:
    """Writes the scores as JSON, CSV and Markdown.

    Raises:
        DestinationUnwritable: The folder cannot be written to.
    """
    with writing(folder):
        (folder / "scores.json").write_text(evaluation.json(), "utf-8")
        (folder / "scores.csv").write_text(evaluation.csv(), "utf-8")
        (folder / "scores.md").write_text(evaluation.markdown(), "utf-8")


def figure_path(image: Image, folder: Path) -> Path:
    """Returns the path of an image's figure, and creates its folder."""
    data, model, name = (_file_name(text) for text in (image.data, image.model, image.name))
    path = folder / PICTURES / data / model / f"{name}.png"
    with writing(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _create(folder: Path) -> list[Path]:
    """Creates the folder; returns the folders that did not exist, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return missing


def _move(part: Path, folder: Path) -> None:
    """Moves old files aside and new files in, scores last, so that scores imply figures.

    If a move fails, all are undone. Links are moved, not followed.
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
        with suppress(OSError):  # not empty if a file could not be moved back
            aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _file_name(text: str) -> str:
    """Returns a label without path separators and leading dots."""
    return text.replace("/", "_").replace(os.sep, "_").lstrip(".") or "_"
