"""Suggestions for misspelt names in error messages."""

import difflib
from collections.abc import Collection

from hsi_xr.errors import UnknownName

_LISTED = 16
"""Known names that an error message lists at most."""


def unknown_name(kind: str, name: str, known: Collection[str], *, closest: int = 1) -> UnknownName:
    """Returns the error for a name that is not known, with suggestions and the known names.

    Args:
        kind: What has such names, e.g. `model`.
        name: The name that was given.
        known: The names that exist.
        closest: How many similar names the message suggests at most.
    """
    names = sorted(set(known))
    listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
    hint = did_you_mean(name, names, closest=closest)
    return UnknownName(f"no {kind} is called {name!r}; {hint}known: {listed}")


def did_you_mean(name: str, known: Collection[str], *, closest: int = 1) -> str:
    """Returns "did you mean 'this'? " with a trailing space, or "" if no known name is similar.

    Case, and the choice between spaces, hyphens and underscores, make no difference.
    """
    by_plain_name = {_plain(each): each for each in known}
    similar = difflib.get_close_matches(_plain(name), by_plain_name, n=closest)
    if not similar:
        return ""
    return f"did you mean {' or '.join(repr(by_plain_name[each]) for each in similar)}? "


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")
