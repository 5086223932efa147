"""What all file formats have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from hsi_xr.io.staging import StagingFile
from hsi_xr.io.variables import StoredVariable


@dataclass(frozen=True)
class Format(ABC):
    """A file format; the fields of an instance are the creation options of one file.

    Attributes:
        SUFFIXES: Suffixes of its files. If formats share a suffix, it selects the first by name.
        DRIVER: Name of the driver in rasterio, or as `store_driver` returns it for stores.
        MULTI_VARIABLE: True if one file contains all variables of a cube, False if each variable
            has a file of its own.
    """

    SUFFIXES: ClassVar[tuple[str, ...]]
    DRIVER: ClassVar[str]
    MULTI_VARIABLE: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def parse(cls, variable: StoredVariable, options: Mapping[str, object]) -> Self:
        """Returns the format with the creation options of the file that will contain a variable.

        Args:
            variable: The variable, which determines the defaults.
            options: Creation options as the user gave them; names are case-insensitive.

        Raises:
            UsageError: An option is unknown or invalid, the format cannot store the variable, or
                a package that writes it is not installed.
        """

    @abstractmethod
    def write_file(self, staging_files: Sequence[StagingFile], path: Path) -> None:
        """Write variables (one, unless the format is multi-variable) to a file.

        Raises:
            OSError: The file could not be written.
        """

    @property
    def is_exact(self) -> bool:
        """True if the file returns exactly the stored values, False if only close ones."""
        return True

    def to_dict(self) -> dict[str, object]:
        """Returns the creation options as a journal records them."""
        return asdict(self)

    @classmethod
    def sidecars(cls, path: Path) -> dict[str, Path]:
        """Returns the files without which the one at `path` is incomplete, by their purpose."""
        return {}

    @classmethod
    @abstractmethod
    def media_type(cls, path: Path) -> str | None:
        """Returns the media type of a written file; None if none is registered."""
