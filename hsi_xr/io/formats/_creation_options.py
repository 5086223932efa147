"""Creation options as users give them, parsed into typed values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from hsi_xr.errors import UsageError

_SHORT = 12
"""Error messages abbreviate lists of at least this many choices."""

Default = TypeVar("Default")


@dataclass(frozen=True)
class CreationOptions:
    """Creation options of one format; names and values are in upper case, as GDAL compares them."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, options: Mapping[str, object], known: Collection[str], *, format: str) -> Self:
        """Returns the options that a user gave.

        Raises:
            UsageError: An option is not one of those that are `known`.
        """
        values = {name.upper(): str(value).upper() for name, value in options.items()}
        if unknown := [name for name in values if name not in known]:
            raise UsageError(
                f"{format} has no creation option {unknown[0]!r} here; omit it. "
                f"Known options: {', '.join(known)}"
            )
        return cls(values)

    def choice(self, name: str, choices: Sequence[str], default: Default) -> "str | Default":
        """Returns an option that is one of several words.

        Raises:
            UsageError: It is not one of them.
        """
        if name not in self.values:
            return default
        value = self.values[name]
        if value not in choices:
            shown = choices if len(choices) < _SHORT else [*choices[:3], "...", choices[-1]]
            raise UsageError(
                f"creation option {name} must be one of {', '.join(shown)}; got {value!r}"
            )
        return value

    def integer(self, name: str, allowed: range, default: Default) -> "int | Default":
        """Returns an option that is a whole number.

        Raises:
            UsageError: It is not a number in that range.
        """
        if name not in self.values:
            return default
        text = self.values[name]
        if not text.isdecimal() or int(text) not in allowed:
            step = f" in steps of {allowed.step}" if allowed.step > 1 else ""
            raise UsageError(
                f"creation option {name} must be a whole number from {allowed[0]} to "
                f"{allowed[-1]}{step}; got {text!r}"
            )
        return int(text)
