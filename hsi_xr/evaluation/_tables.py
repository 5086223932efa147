"""Formats scores as text, Markdown and JSON."""

import json
import math
from collections.abc import Mapping, Sequence

from hsi_xr.evaluation.scores import Column


def average(values: Sequence[float]) -> float:
    """Returns the mean of the values that are not NaN; NaN if there are none."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def cells(scores: Mapping[str, float], columns: Mapping[str, Column]) -> list[str]:
    """Formats scores in the order and with the digits of the columns."""
    return [f"{scores[name]:.{column.digits}f}" for name, column in columns.items()]


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """Formats rows as a Markdown table that also lines up as plain text.

    Args:
        rows: Cells; the first row is the header.
        left: Number of leading columns that are left-aligned; others are right-aligned.
    """
    texts = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts)]
    rule = [":".rjust(w, "-") if i >= left else ":".ljust(w, "-") for i, w in enumerate(widths)]
    padded = [
        [c.rjust(w) if i >= left else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))]
        for row in texts
    ]
    return [f"| {' | '.join(row)} |" for row in [padded[0], rule, *padded[1:]]]


def plain(scores: Mapping[str, float]) -> dict[str, float | str]:
    """Converts scores for JSON, which has no NaN and infinity: they become "nan" and "inf"."""
    return {name: v if math.isfinite(v) else str(v) for name, v in scores.items()}


def as_json(document: Mapping[str, object]) -> str:
    """Formats a document as JSON; values that JSON lacks, such as paths, become text."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"
