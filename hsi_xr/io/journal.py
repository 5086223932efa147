"""The journal of a run: its configuration and finished blocks, so that it can be resumed."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hsi_xr.errors import UsageError
from hsi_xr.io import atomic
from hsi_xr.io.tags import compact_json

_LONGEST = 60
"""Error messages abbreviate values with more characters."""


def part_folder(main: Path) -> Path:
    """Returns the folder of all unfinished files of a run: `cube.tif` -> `cube.tif.part`."""
    return main.with_name(f"{main.name}.part")


def journal_path(main: Path) -> Path:
    """Returns the path of the journal of an unfinished run."""
    return part_folder(main) / "journal.json"


@dataclass
class Journal:
    """The configuration of a run and the checksums of its finished blocks, in order."""

    path: Path
    config: Mapping[str, object]
    done: list[list[int]] = field(default_factory=list)
    """For each finished block, the CRC-32 of the stored values of each variable."""

    @classmethod
    def load(cls, path: Path) -> "Journal | None":
        """Returns the journal of an earlier run; None if there is none, or it is damaged."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, stored["config"], stored["done"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self) -> None:
        """Replace the stored journal; after a crash it is the old one or the new one."""
        content = {"config": self.config, "done": self.done}
        atomic.write_text(self.path, json.dumps(content, ensure_ascii=False))

    def refuse_other(self, config: Mapping[str, object]) -> None:
        """Refuse to resume the run with another configuration.

        Raises:
            UsageError: The configurations differ; the message states how.
        """
        if differing := differences(self.config, config):
            raise UsageError(
                f"cannot resume from {str(self.path)!r}: {'; '.join(differing)}. "
                "Repeat the original call, or start over without resume"
            )


def differences(
    before: Mapping[str, object], now: Mapping[str, object], *, ignore: Collection[str] = ()
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


def _flatten(config: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: object) -> str:
    text = compact_json(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
