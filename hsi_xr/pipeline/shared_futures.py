"""Results that one thread computes and several threads wait for."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class RecentlyUsed(Generic[Value]):
    """A thread-safe mapping that keeps the most recently used entries.

    Attributes:
        lock: Reentrant lock for operations that must not be interrupted.
    """

    def __init__(self, limit: int) -> None:
        self.lock = threading.RLock()
        self._limit = limit
        self._values: OrderedDict[str, Value] = OrderedDict()

    def setdefault(self, key: str, create: Callable[[], Value]) -> tuple[Value, bool]:
        """Returns the value of a key, and True if it had to be created."""
        with self.lock:
            is_new = key not in self._values
            if is_new:
                self._values[key] = create()
            self._values.move_to_end(key)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)
            return self._values[key], is_new

    def get(self, key: str) -> Value | None:
        with self.lock:
            return self._values.get(key)

    def values(self) -> list[Value]:
        with self.lock:
            return list(self._values.values())

    def discard(self, key: str) -> None:
        with self.lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        with self.lock:
            self._values.clear()


@contextmanager
def errors_go_to(
    futures: Iterable[Future[Any]], *, cleanup: Callable[[], None] | None = None
) -> Iterator[None]:
    """Sets an exception on all futures that are pending, instead of raising it.

    Args:
        futures: The futures that the block is to complete.
        cleanup: Called first after an exception, so that no other thread starts to wait.
    """
    try:
        yield
    except BaseException as error:  # noqa: BLE001  # raised by `Future.result` in waiting threads
        if cleanup is not None:
            cleanup()
        for future in futures:
            if not future.done():
                future.set_exception(error)
