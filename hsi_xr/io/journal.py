"""What a run has written already, kept beside its unfinished files so that it can be resumed."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hsi_xr.errors import UsageError
from hsi_xr.io import atomic
from hsi_xr.io.tags import compact_json

_LONGEST = 60
"""Characters of a value that an error message shows."""


def part_folder(main: Path) -> Path:
    """Where all lies that a run has not finished: `cube.tif` -> the folder `cube.tif.part`."""
    return main.with_name(f"{main.name}.part")


def journal_path(main: Path) -> Path:
    """Where the ledger of an unfinished file lies."""
    return part_folder(main) / "ledger.json"


@dataclass
class Journal:
    """The configuration of a run and the checksums of its finished blocks, in order."""

    path: Path
    config: dict[str, Any]
    done: list[list[int]] = field(default_factory=list)
    """Per finished block, a CRC-32 of the stored numbers of each file."""

    @classmethod
    def load(cls, path: Path) -> "Journal | None":
        """The ledger of an earlier run, or None where there is none that can be read."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, stored["config"], stored["done"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self) -> None:
        """Replace the stored ledger; a crash leaves the old one or the new one."""
        content = {"config": self.config, "done": self.done}
        atomic.write_text(self.path, json.dumps(content, ensure_ascii=False))

    def refuse_other(self, config: dict[str, Any]) -> None:
        """Refuse to go on under another configuration than this run was begun with.

        Raises:
            UsageError: Naming what differs.
        """
        if differing := differences(self.config, config):
            raise UsageError(
                f"cannot resume from {str(self.path)!r}: {'; '.join(differing)}. "
                "Repeat the call as it was, or begin anew without resume"
            )


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, ignore: Collection[str] = ()
) -> list[str]:
    """Describe how two configurations differ, one entry per setting.

    Args:
        before: Plain values by name; the names of nested settings are joined by dots.
        now: The same.
        ignore: Names of settings that may differ.
    """
    old, new = _flatten(before), _flatten(now)
    return [
        f"{name} was {_short(old.get(name))} and is {_short(new.get(name))}"
        for name in sorted({*old, *new} - {*ignore})
        if compact_json(old.get(name)) != compact_json(new.get(name))
    ]


def _flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: Any) -> str:
    text = compact_json(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
