"""Scores as text, for people and for programs."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hsi_xr.evaluation.scores import Column


def average(values: Sequence[float]) -> float:
    """Plain mean of those that are not NaN; NaN where there is none."""
    there = [value for value in values if not math.isnan(value)]
    return math.fsum(there) / len(there) if there else math.nan


def cells(scores: Mapping[str, float], columns: Mapping[str, Column]) -> list[str]:
    """The scores in the order of the columns, with their digits."""
    return [f"{scores[name]:.{column.digits}f}" for name, column in columns.items()]


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """Rows of Markdown that line up as they are, too; all but the first columns to the right."""
    texts = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts)]
    rule = [":".rjust(w, "-") if i >= left else ":".ljust(w, "-") for i, w in enumerate(widths)]
    told = [
        [c.rjust(w) if i >= left else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))]
        for row in texts
    ]
    return [f"| {' | '.join(row)} |" for row in [told[0], rule, *told[1:]]]


def plain(scores: Mapping[str, float]) -> dict[str, Any]:
    """Scores for JSON; what is no finite number are the strings "nan" and "inf": JSON has none."""
    return {name: v if math.isfinite(v) else str(v) for name, v in scores.items()}


def as_json(whole: Mapping[str, Any]) -> str:
    """With paths and other values that JSON does not have as text: options may be such."""
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"
