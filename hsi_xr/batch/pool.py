"""Conversion of several images at once, so that reading, computing and writing overlap.

Each device has a pool of threads; the tiles of all its images meet in the device's own queue (see
`hsi_xr.pipeline.devices`). The device of an image depends on its position in the list alone, so
that a resumed conversion makes the same products.
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
"""(image, device, progress) -> name and size of its files."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """An image that was converted or has failed."""

    image: ImageInfo
    seconds: float
    files: Mapping[str, int]
    """Name -> bytes of the files that were written."""
    failure: Failure | None


class WorkerPool:
    """Converts images on the devices that they are assigned to."""

    def __init__(
        self,
        assigned: Sequence[tuple[ImageInfo, str]],
        make: Make,
        *,
        jobs: int,
        progress: "ProgressSum",
    ) -> None:
        self._assigned = assigned
        self._make = make
        self._jobs = jobs
        self._progress = progress
        self._stopped = threading.Event()

    def run(self) -> Generator[Finished, None, None]:
        """Yield images as they finish.

        If the caller closes the generator, or an unexpected error occurs, the images in progress
        stop after their current block. What they have written is kept for a resumed run.
        """
        devices = dict.fromkeys(device for _, device in self._assigned)
        with ExitStack() as stack:
            pools = {
                device: stack.enter_context(
                    ThreadPoolExecutor(self._jobs, thread_name_prefix=f"hsi-xr-{device}")
                )
                for device in devices
            }
            stack.callback(self._stop, pools.values())
            futures = {
                pools[device].submit(self._convert, image, device)
                for image, device in self._assigned
            }
            for future in as_completed(futures):
                yield future.result()

    def _stop(self, pools: Iterable[ThreadPoolExecutor]) -> None:
        self._stopped.set()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def _convert(self, image: ImageInfo, device: str) -> Finished:
        start = monotonic()
        files: Mapping[str, int] = {}
        failure = None

        def report(done: int, total: int) -> None:
            if self._stopped.is_set():
                raise KeyboardInterrupt  # after which `write` keeps its staging files
            self._progress.update(image.id, done)

        try:
            files = self._make(image, device, report)
        except (HsiError, OSError) as error:
            failure = Failure(image.id, str(error))
        finally:
            self._progress.update(image.id, image.pixels)
        return Finished(image=image, seconds=monotonic() - start, files=files, failure=failure)


class ProgressSum:
    """Sums the progress of images that several threads convert."""

    def __init__(self, report: Progress | None, *, total: int, done: int) -> None:
        self._report = report
        self._total = total
        self._sum = done
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def update(self, id: str, done: int) -> None:
        """Set how many pixels of an image are done."""
        with self._lock:
            added = done - self._done.get(id, 0)
            self._sum += added
            self._done[id] = done
            if added and self._report is not None:
                self._report(self._sum, self._total)
