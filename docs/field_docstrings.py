"""Extension of griffe: lists the fields of a dataclass, with their docstrings, on the API page.

Signatures are read at run time, where the string below a field is not visible; its source is.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from itertools import pairwise
from textwrap import dedent, indent
from typing import Any

import griffe


class FieldDocstrings(griffe.Extension):
    """Appends a section `Attributes:` to the docstrings of dataclasses that have none."""

    def on_class_instance(self, *, node: Any, cls: griffe.Class, **kwargs: Any) -> None:
        runtime = getattr(node, "obj", None)
        if (
            cls.docstring is None
            or not is_dataclass(runtime)
            or "Attributes:" in cls.docstring.value
        ):
            return
        if fields := [*_fields(runtime)]:
            listed = "\n".join(indent(field, "    ") for field in fields)
            cls.docstring.value += f"\n\nAttributes:\n{listed}"


def _fields(runtime: Any) -> Iterator[str]:
    (definition,) = ast.parse(dedent(inspect.getsource(runtime))).body
    assert isinstance(definition, ast.ClassDef)
    for field, below in pairwise(definition.body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            text = inspect.cleandoc(str(below.value.value)).replace("\n", "\n    ")
            yield f"{field.target.id} ({ast.unparse(field.annotation)}): {text}"
