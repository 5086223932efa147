"""What a run tells of itself: `log.csv` always, TensorBoard where it is installed."""

import csv
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from hsi_xr.errors import Incomplete

FILE = "log.csv"
HEAD = ("step", "name", "value")


class Log:
    """Scalars by step and name, one a row.

    Args:
        done: Steps that were taken before; rows of later ones, which are taken again, are dropped.

    Raises:
        Incomplete: The disk is full, here or in `scalars`.
    """

    def __init__(self, folder: Path, *, done: int) -> None:
        self._path = folder / FILE
        kept = [row for row in _rows(self._path) if int(row[0]) <= done] if done else []
        self._file = self._path.open("w", newline="", encoding="utf-8", buffering=1)
        self._write([HEAD, *kept])
        self._board = _board(folder, done)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._write([(step, name, repr(value)) for name, value in values.items()])
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def panel(self, step: int, name: str, image: Tensor) -> None:
        """(3, rows, columns) in [0, 1]."""
        if self._board:
            self._board.add_image(name, image, step)

    def _write(self, rows: Iterable[Sequence[object]]) -> None:
        try:
            csv.writer(self._file).writerows(rows)
        except OSError as error:
            with suppress(OSError):  # what did not fit is still to be written
                self._file.close()
            raise Incomplete(
                f"the log {str(self._path)!r} could not be written ({error}); the last checkpoint "
                "is kept. Make room, and go on with --resume"
            ) from error

    def close(self) -> None:
        self._file.close()
        if self._board:
            self._board.close()


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # the last row may have been cut off by whatever ended the run
        return [row for row in csv.reader(file) if len(row) == len(HEAD) and row[0].isdecimal()]


def _board(folder: Path, done: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder / "tensorboard", purge_step=done + 1)
