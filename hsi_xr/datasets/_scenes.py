"""Scenes by name, and what is wrong with their files."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from hsi_xr.datasets._base import Pair, Splits
from hsi_xr.errors import InvalidData, UnreadableFile
from hsi_xr.suggestions import unknown_name

Shape = tuple[int | None, ...]
"""What a header must say; None where any length will do."""


def known(name: str, splits: Splits) -> str:
    """The name, if some split has it.

    Raises:
        UnknownName: None has.
    """
    scenes = every(splits)
    if name not in scenes:
        raise unknown_name("scene", name, scenes)
    return name


def every(splits: Splits, *chosen: str) -> set[str]:
    """Scenes of the chosen splits; of all where none is chosen."""
    return {name for split in chosen or splits for name in splits[split]}


def existing(folder: Path) -> Path:
    """The folder.

    Raises:
        UnreadableFile: There is none.
    """
    if not folder.is_dir():
        raise UnreadableFile(f"there is no folder {str(folder)!r}; unpack the data set there")
    return folder


def lists(folder: Path, files: dict[str, str]) -> dict[str, Sequence[str]]:
    """Splits from lists of one name a line: split -> file; those that are there.

    Raises:
        InvalidData: A list has a name twice, or is no text.
    """
    paths = {split: folder / file for split, file in files.items()}
    return {split: _listed(path) for split, path in paths.items() if path.is_file()}


def own_lists(folder: Path, names: Iterable[str]) -> Splits:
    """Splits by `train.txt`, `validation.txt`, `test.txt` of a folder; without, all train.

    Raises:
        InvalidData: As of `lists` and `apart`.
    """
    files = {split: f"{split}.txt" for split in ("train", "validation", "test")}
    return apart(lists(folder, files)) or {"train": tuple(sorted(names))}


def apart(splits: Splits) -> Splits:
    """The splits.

    Raises:
        InvalidData: Two share a scene.
    """
    for (one, scenes), (other, more) in combinations(splits.items(), 2):
        if both := sorted({*scenes} & {*more}):
            raise InvalidData(
                f"{both[0]!r} is in the splits {one!r} and {other!r}; leave one"
                + (f" ({len(both)} scenes are in both)" if len(both) > 1 else "")
            )
    return splits


def _listed(path: Path) -> tuple[str, ...]:
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise InvalidData(f"{str(path)!r} is no text ({error}); write a name a line") from error
    names = tuple(line for line in lines if line)
    if twice := [name for name in names if names.count(name) > 1]:
        raise InvalidData(f"{str(path)!r} lists {twice[0]!r} twice; leave one")
    return names


def there(path: Path | None, name: str) -> Path:
    """The path.

    Raises:
        UnreadableFile: There is no file of that scene.
    """
    if path is None:
        raise UnreadableFile(f"a file of {name!r} is missing; see `problems()`")
    return path


def unlisted(splits: Splits, folder: Path, found: Collection[str], *chosen: str) -> list[str]:
    """A line for each scene without a file in a folder; where no split is chosen also for each
    file without a scene.
    """
    missing = sorted(every(splits, *chosen) - {*found})
    missing = [f"{str(folder)!r} lacks {name!r}" for name in missing]
    odd = [] if chosen else sorted({*found} - every(splits))
    return missing + [f"{name!r} in {str(folder)!r} is extra: no split has it" for name in odd]


def on_one_grid(pair: Pair) -> Pair:
    """The pair.

    Raises:
        InvalidData: Cube and picture are of different sizes.
    """
    if pair.cube.shape[1:] != pair.rgb.shape[1:]:
        raise InvalidData(
            f"the cube of {pair.name!r} has {_text(pair.cube.shape[1:])} pixels, its picture "
            f"{_text(pair.rgb.shape[1:])}; get both files anew"
        )
    return pair


def wrong(path: Path, shape_of: Callable[[Path], tuple[int, ...]], expected: Shape) -> list[str]:
    """A line if a file is missing, cannot be opened, or has another shape; else none.

    Args:
        path: Of the file.
        shape_of: Reads the shape from its header; raises InvalidData.
        expected: That shape.
    """
    if not path.exists():
        return [f"{str(path)!r} is missing"]
    try:
        found = shape_of(path)
    except InvalidData as error:
        return [str(error)]
    fits = len(found) == len(expected) and all(e in (None, f) for f, e in zip(found, expected))
    return [] if fits else [f"{str(path)!r} holds {_text(found)}, and not {_text(expected)}"]


def extra(folder: Path, expected: Iterable[Path], *, pattern: str = "*") -> Iterator[str]:
    """A line for each file of a folder that is none of the expected ones; hidden ones aside."""
    wanted = set(expected)
    for path in sorted(folder.glob(pattern)):
        if path not in wanted and not path.name.startswith(".") and path.name != "Thumbs.db":
            yield f"{str(path)!r} is extra: no split has a scene of that name"


def _text(shape: Shape) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)
