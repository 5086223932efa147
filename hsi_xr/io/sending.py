"""The finished files of a run as objects of a store."""

from pathlib import Path

from hsi_xr.errors import Incomplete
from hsi_xr.io.commit import commit
from hsi_xr.io.remote import store_errors
from hsi_xr.io.stores import metadata_file
from hsi_xr.io.write_plan import Run


def send(run: Run, finished: Path) -> None:
    """Have an object store take all finished files, the main one last.

    Raises:
        Incomplete: It has not taken them.
    """
    assert run.remote is not None
    files = [] if run.style is None else [finished / run.style.name]
    for file in reversed(run.files):
        whole = finished / file.path.name
        files += [*run.format.sidecars(whole).values(), *_parts(whole)]
    main = run.final(run.images[0].path)
    objects = [(file, run.remote / _key(file, finished)) for file in files]
    root = main if files[-1].parent != finished else None  # of a store
    try:
        run.sending.touch()
        commit(objects, run.remote / run.folder.name, root=root)
    except store_errors() as error:
        raise Incomplete(
            f"{str(main)!r} could not be sent ({error}); all that was computed is kept in "
            f"{str(run.folder)!r}, and the same call with resume (--resume) goes on from there"
        ) from error


def _parts(whole: Path) -> list[Path]:
    """A file, or all files of a store, with what opens it last."""
    if whole.is_file():
        return [whole]
    root = metadata_file(whole)
    others = sorted(path for path in whole.rglob("*") if path.is_file() and path != root)
    return [*others, root]


def _key(file: Path, finished: Path) -> str:
    """The name of an object, within the folder that all go to."""
    is_finished = file.is_relative_to(finished)
    return file.relative_to(finished).as_posix() if is_finished else file.name
