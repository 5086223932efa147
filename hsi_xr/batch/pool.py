"""Many pictures at once: reads, networks and writes of different pictures overlap.

A device has its threads here and one owner in the engine, where the tiles of all threads meet.
Which device a picture runs on depends on its place in the list alone, so that a run that is begun
again makes the same products.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic

from hsi_xr.batch.config import Failure
from hsi_xr.batch.inspect import ImageInfo
from hsi_xr.errors import HsiError
from hsi_xr.io.write import Progress

Make = Callable[[ImageInfo, str, Progress], Mapping[str, int]]
"""Picture, device, report of its pixels -> name and size of its files."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A picture that is done with, for better or worse."""

    tile: ImageInfo
    seconds: float
    files: Mapping[str, int]
    """Name and bytes of all that was made of it."""
    failure: Failure | None


class WorkerPool:
    """The pictures that are still to be made, on their devices."""

    def __init__(
        self, tiles: Sequence[tuple[ImageInfo, str]], make: Make, *, jobs: int, told: "ProgressSum"
    ) -> None:
        self._tiles = tiles
        self._make = make
        self._jobs = jobs
        self._told = told
        self._stopped = threading.Event()

    def finished(self) -> Generator[Finished, None, None]:
        """Pictures as they are finished.

        Where the caller stops, or anything else than a bad picture goes wrong, pictures that run
        stop at their next block, and keep what they have for another run.
        """
        devices = dict.fromkeys(device for _, device in self._tiles)
        with ExitStack() as stack:
            pools = {
                device: stack.enter_context(
                    ThreadPoolExecutor(self._jobs, thread_name_prefix=f"hsi-xr-{device}")
                )
                for device in devices
            }
            stack.callback(self._stop, pools.values())
            futures = {
                pools[device].submit(self._one, tile, device) for tile, device in self._tiles
            }
            for future in as_completed(futures):
                yield future.result()

    def _stop(self, pools: Iterable[ThreadPoolExecutor]) -> None:
        self._stopped.set()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, tile: ImageInfo, device: str) -> Finished:
        began = monotonic()
        files: Mapping[str, int] = {}
        failure = None

        def report(done: int, total: int) -> None:
            if self._stopped.is_set():
                raise KeyboardInterrupt  # which `write` keeps its unfinished files at
            self._told.of(tile.picture.id, done)

        try:
            files = self._make(tile, device, report)
        except (HsiError, OSError) as error:
            failure = Failure(tile.picture.id, str(error))
        finally:
            self._told.of(tile.picture.id, tile.pixels)
        return Finished(tile=tile, seconds=monotonic() - began, files=files, failure=failure)


class ProgressSum:
    """How many pixels of all pictures are done, told by many threads."""

    def __init__(self, report: Progress | None, total: int, done: int) -> None:
        self._report = report
        self._total = total
        self._sum = done
        self._done: dict[str, int] = {}
        self._telling = threading.Lock()

    def of(self, id: str, done: int) -> None:
        """A picture is that far."""
        with self._telling:
            further = done - self._done.get(id, 0)
            self._sum += further
            self._done[id] = done
            if further and self._report is not None:
                self._report(self._sum, self._total)
