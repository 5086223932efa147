"""The log of a run: `log.csv`, and TensorBoard files where tensorboard is installed."""

import csv
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from hsi_xr.errors import Incomplete

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILE = "log.csv"
HEADER = ("step", "name", "value")


class Log:
    """Writes scalars and images by step and name.

    Args:
        folder: Folder of the run.
        done: Steps already taken. Rows of later steps, which will be taken again, are removed.

    Raises:
        Incomplete: The disk is full; raised by `scalars`, too.
    """

    def __init__(self, folder: Path, *, done: int) -> None:
        self._path = folder / FILE
        kept = [row for row in _rows(self._path) if int(row[0]) <= done] if done else []
        self._file = self._path.open("w", newline="", encoding="utf-8", buffering=1)
        self._write([HEADER, *kept])
        self._board = _board(folder, done)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._write([(step, name, repr(value)) for name, value in values.items()])
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def image(self, step: int, name: str, image: Tensor) -> None:
        """Log an image, (3, rows, columns) in [0, 1], to TensorBoard only."""
        if self._board:
            self._board.add_image(name, image, step)

    def close(self) -> None:
        self._file.close()
        if self._board:
            self._board.close()

    def _write(self, rows: Iterable[Sequence[object]]) -> None:
        try:
            csv.writer(self._file).writerows(rows)
        except OSError as error:
            with suppress(OSError):  # closing writes what is still in the buffer
                self._file.close()
            raise Incomplete(
                f"the log {str(self._path)!r} could not be written ({error}); the last checkpoint "
                "is kept. Free some disk space and continue with --resume"
            ) from error


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # the last row may be incomplete if the run was killed
        return [row for row in csv.reader(file) if len(row) == len(HEADER) and row[0].isdecimal()]


def _board(folder: Path, done: int) -> "SummaryWriter | None":
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder / "tensorboard", purge_step=done + 1)
