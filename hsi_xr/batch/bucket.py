"""Conversion into object storage: products are staged in a local folder and uploaded one by one.

Links between items, collection and model are relative, so they hold in the folder and in the
bucket. The manifest and the items stay in the folder until the conversion is finished.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hsi_xr.io.commit import commit
from hsi_xr.io.remote import store_access
from hsi_xr.io.upload import check_writable, store_and_key, upload


@dataclass(frozen=True, eq=False)
class Bucket:
    """A folder of object storage, and the local folder in which its files are staged."""

    folder: Path
    staging: Path

    def check_writable(self) -> None:
        """Check that objects can be created and removed.

        Raises:
            DestinationUnwritable: They cannot.
        """
        check_writable(self.folder, f"{self.staging.name}.part")

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of each object by its name relative to the folder, listed on first access.

        Raises:
            DestinationUnwritable: The store does not respond.
        """
        store, root = store_and_key(self.folder)
        with store_access(self.folder, "list"):
            objects = store.find(root, detail=True)
        return {
            name.removeprefix(root).lstrip("/"): int(details["size"])
            for name, details in objects.items()
        }

    def name_of(self, file: Path) -> str:
        """Returns the name of a staged file, relative to the folder."""
        return file.relative_to(self.staging).as_posix()

    def upload(self, files: Sequence[Path]) -> None:
        """Upload staged files that belong together; the last one becomes visible last.

        Raises:
            DestinationUnwritable: The upload failed; objects that existed are unchanged.
        """
        objects = [(file, self.folder / self.name_of(file)) for file in files]
        last = self.name_of(files[-1])
        with store_access(self.folder / last, "write"):
            commit(objects, self.folder / f"{last}.part", root=None)

    def upload_missing(self, files: Iterable[Path]) -> None:
        """Upload the staged files that are missing in the folder, or have another size there."""
        for file in files:
            name = self.name_of(file)
            if self.sizes.get(name) != file.stat().st_size:
                with store_access(self.folder / name, "write"):
                    upload(file, self.folder / name)

    def download(self, name: str) -> None:
        """Download a small object if it exists and is not staged."""
        file = self.staging / name
        if file.exists() or name not in self.sizes:
            return
        with store_access(self.folder / name, "read"):
            content = (self.folder / name).read_bytes()
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that do not exist are ignored."""
        for name in names:
            if name in self.sizes:
                with store_access(self.folder / name, "remove"), suppress(FileNotFoundError):
                    (self.folder / name).unlink()
