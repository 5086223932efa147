"""Everything that can go wrong by the input; each error is also the builtin that it resembles.

`exit_code` is what the command line answers with: 2 for a wrong request, 3 for invalid data.
"""


class HsiError(Exception):
    """What was found and how to repair it, in one line."""

    exit_code = 1


class UsageError(HsiError, ValueError):
    """The request cannot be met as stated."""

    exit_code = 2


class UnknownName(UsageError, LookupError):
    """No model, device, radiometry or variable of that name."""


class MissingWeights(UsageError, LookupError):
    """The system is known, but no weights of it are here."""


class DestinationExists(UsageError, FileExistsError):
    """The output is there already and overwriting was not asked for."""


class DestinationUnwritable(UsageError, PermissionError):
    """The output cannot be written where it was asked for."""


class MissingFact(UsageError):
    """A fact that only the user can know (radiometry, acquisition time, ...) was not given."""


class Incomplete(HsiError, OSError):
    """The output could not be completed; what was there before is there still."""


class Diverged(HsiError, FloatingPointError):
    """A loss or a gradient is no number any more."""


class InvalidData(HsiError, ValueError):
    """The file or array is not what it must be."""

    exit_code = 3


class UnreadableFile(InvalidData, OSError):
    """Missing, truncated, or no raster."""


class BandMismatch(InvalidData):
    """The bands are not the red, green and blue that reconstruction reads."""


class NotGeoreferenced(InvalidData):
    """The scene has no coordinate reference system."""


class InvalidCheckpoint(InvalidData):
    """A weights file or its card is corrupt, foreign, or contradicts itself."""
