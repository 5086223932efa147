"""Names of scenes, their splits, and checks of their files."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from hsi_xr.datasets._base import Pair, Splits
from hsi_xr.errors import HsiError, InvalidData, UnreadableFile
from hsi_xr.suggestions import unknown_name

Shape = tuple[int | None, ...]
"""Expected shape of an array; None where any length is valid."""


def check_name(name: str, splits: Splits) -> str:
    """Returns the name of a scene.

    Raises:
        UnknownName: No split contains it.
    """
    names = names_in(splits)
    if name not in names:
        raise unknown_name("scene", name, names)
    return name


def names_in(splits: Splits, *chosen: str) -> set[str]:
    """Returns the scenes of the chosen splits, by default of all splits."""
    return {name for split in chosen or splits for name in splits[split]}


def check_folder(folder: Path) -> Path:
    """Returns the folder of a data set.

    Raises:
        UnreadableFile: It does not exist.
    """
    if not folder.is_dir():
        raise UnreadableFile(
            f"the folder {str(folder)!r} does not exist; unpack the data set there"
        )
    return folder


def read_lists(folder: Path, files: dict[str, str]) -> dict[str, Sequence[str]]:
    """Reads the lists of scene names, one per line, that exist.

    Args:
        folder: Folder of the lists.
        files: Name of the file of each split.

    Raises:
        InvalidData: A list contains a name twice, or is not a text file.
    """
    paths = {split: folder / file for split, file in files.items()}
    return {split: _read_list(path) for split, path in paths.items() if path.is_file()}


def read_splits(folder: Path, names: Iterable[str]) -> Splits:
    """Reads the splits from `train.txt`, `validation.txt` and `test.txt` in a folder.

    If there are none, all scenes are for training.

    Raises:
        InvalidData: A list is invalid, or two splits share a scene.
    """
    files = {split: f"{split}.txt" for split in ("train", "validation", "test")}
    return check_disjoint(read_lists(folder, files)) or {"train": tuple(sorted(names))}


def check_disjoint(splits: Splits) -> Splits:
    """Returns the splits.

    Raises:
        InvalidData: Two splits share a scene.
    """
    for (first, names), (second, others) in combinations(splits.items(), 2):
        if shared := sorted({*names} & {*others}):
            more = f" ({len(shared)} scenes are in both)" if len(shared) > 1 else ""
            raise InvalidData(
                f"{shared[0]!r} is in the splits {first!r} and {second!r}; remove it from one{more}"
            )
    return splits


def _read_list(path: Path) -> tuple[str, ...]:
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise InvalidData(
            f"{str(path)!r} is not a text file ({error}); write one name per line"
        ) from error
    names = tuple(line for line in lines if line)
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InvalidData(f"{str(path)!r} lists {repeated[0]!r} twice; remove one line")
    return names


def require_path(path: Path | None, name: str) -> Path:
    """Returns the path of a scene's file.

    Raises:
        UnreadableFile: The scene has no such file.
    """
    if path is None:
        raise UnreadableFile(f"a file of {name!r} is missing; `problems()` lists what is missing")
    return path


def check_same_size(pair: Pair) -> Pair:
    """Returns the pair.

    Raises:
        InvalidData: Its cube and its image have different sizes.
    """
    if pair.cube.shape[1:] != pair.rgb.shape[1:]:
        raise InvalidData(
            f"the cube of {pair.name!r} has {_text(pair.cube.shape[1:])} pixels, its RGB image "
            f"{_text(pair.rgb.shape[1:])}; download both files again"
        )
    return pair


def name_problems(splits: Splits, folder: Path, stems: Collection[str], *chosen: str) -> list[str]:
    """Reports scenes without a file and, if no split is chosen, files without a scene."""
    missing = sorted(names_in(splits, *chosen) - {*stems})
    extra = [] if chosen else sorted({*stems} - names_in(splits))
    return [f"{str(folder)!r} lacks {name!r}" for name in missing] + [
        f"{name!r} in {str(folder)!r} is extra: no split lists it" for name in extra
    ]


def open_problems(names: Iterable[str], open_scene: Callable[[str], object]) -> Iterator[str]:
    """Reports scenes that cannot be opened."""
    for name in sorted(names):
        try:
            open_scene(name)
        except HsiError as error:
            yield str(error)


def shape_problems(
    path: Path, read_shape: Callable[[Path], tuple[int, ...]], expected: Shape
) -> list[str]:
    """Reports a file that is missing, cannot be opened, or has another shape than expected.

    Args:
        path: The file.
        read_shape: Reads the shape from the header; raises InvalidData.
        expected: Shape that the file should have.
    """
    if not path.exists():
        return [f"{str(path)!r} is missing"]
    try:
        shape = read_shape(path)
    except InvalidData as error:
        return [str(error)]
    if len(shape) == len(expected) and all(e in (None, s) for s, e in zip(shape, expected)):
        return []
    return [f"{str(path)!r} has shape {_text(shape)}; expected {_text(expected)}"]


def extra_files(folder: Path, expected: Iterable[Path], *, pattern: str = "*") -> Iterator[str]:
    """Reports files in a folder that are not expected, except hidden files."""
    known = set(expected)
    for path in sorted(folder.glob(pattern)):
        if path not in known and not path.name.startswith(".") and path.name != "Thumbs.db":
            yield f"{str(path)!r} is extra: no split lists a scene of that name"


def _text(shape: Shape) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)
