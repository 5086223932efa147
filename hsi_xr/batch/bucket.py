"""A conversion that goes to an object store: put together here, a product at a time, and sent.

Links between items, collection and model are relative, so what is right in a folder is right in a
bucket. Here stay the manifest and the items until all is done; products go as they are finished.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hsi_xr.io.commit import commit
from hsi_xr.io.remote import store_access
from hsi_xr.io.upload import check_writable, upload


@dataclass(frozen=True, eq=False)
class Bucket:
    """The folder of an object store that products go to, and the one here where they are made."""

    there: Path
    here: Path

    def check(self) -> None:
        """Find out now whether objects can be made and removed.

        Raises:
            DestinationUnwritable: They cannot.
        """
        check_writable(self.there, f"{self.here.name}.part")

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Name, from the folder on, and bytes of all objects that were there when first asked.

        Raises:
            DestinationUnwritable: The store does not answer.
        """
        store: Any = self.there
        with store_access(self.there, "look into"):
            found = store.fs.find(store.path, detail=True)
        return {
            name.removeprefix(store.path).lstrip("/"): int(about["size"])
            for name, about in found.items()
        }

    def send(self, files: Sequence[Path]) -> None:
        """Have the store take files under their own names, the last one after all others.

        Raises:
            DestinationUnwritable: It has not; what was there before is there still.
        """
        names = [file.relative_to(self.here).as_posix() for file in files]
        objects = [(file, self.there / name) for file, name in zip(files, names)]
        aside = self.there / f"{names[-1]}.part"
        with store_access(self.there / names[-1], "write"):
            commit(objects, aside, root=None)

    def send_missing(self, files: Iterable[Path]) -> None:
        """Have it take those that it does not have in this size."""
        for file in files:
            name = file.relative_to(self.here).as_posix()
            if self.sizes.get(name) != file.stat().st_size:
                with store_access(self.there / name, "write"):
                    upload(file, self.there / name)

    def fetch(self, name: str) -> None:
        """Bring a small object here, unless it is here, or nowhere."""
        if (self.here / name).exists() or name not in self.sizes:
            return
        with store_access(self.there / name, "read"):
            held = (self.there / name).read_bytes()
        (self.here / name).parent.mkdir(exist_ok=True)
        (self.here / name).write_bytes(held)

    def remove(self, names: Iterable[str]) -> None:
        """Objects that are not wanted any more, if they are there."""
        for name in names:
            if name in self.sizes:
                with store_access(self.there / name, "remove"), suppress(FileNotFoundError):
                    (self.there / name).unlink()
