"""Errors that the input or the environment can cause.

Every message states what was found and how to fix it, in one line. Each error is also the
builtin exception that it resembles, so that `except FileExistsError` works as expected.
`exit_code` is the exit code of the command line: 2 for a request that cannot be met, 3 for invalid
data, 1 otherwise.
"""


class HsiError(Exception):
    """Base class of all errors that the input or the environment can cause."""

    exit_code = 1


class UsageError(HsiError, ValueError):
    """The request cannot be met as stated."""

    exit_code = 2


class UnknownName(UsageError, LookupError):
    """No model, device, radiometry, variable, ... has that name."""


class MissingWeights(UsageError, LookupError):
    """The system exists, but no weights for it are installed."""


class DestinationExists(UsageError, FileExistsError):
    """The output exists already, and overwriting was not requested."""


class DestinationUnwritable(UsageError, PermissionError):
    """The output cannot be written to the requested path."""


class MissingFact(UsageError):
    """The user did not give something that only they can know, such as the acquisition time."""


class Incomplete(HsiError, OSError):
    """The output could not be completed; an earlier output is unchanged."""


class Diverged(HsiError, FloatingPointError):
    """A loss or a gradient became NaN or infinite."""


class InvalidData(HsiError, ValueError):
    """A file or an array has invalid content."""

    exit_code = 3


class UnreadableFile(InvalidData, OSError):
    """The file is missing, truncated, or not a raster."""


class BandMismatch(InvalidData):
    """The bands are not those that the operation needs, such as red, green and blue."""


class NotGeoreferenced(InvalidData):
    """The scene has no coordinate reference system or no transform."""


class InvalidCheckpoint(InvalidData):
    """A weights file or its card is corrupt, of an unknown format, or inconsistent."""
