"""What can go wrong, one class per kind, each with its exit code.

A message says where, what and what next, and never holds a row's value.
"""

from __future__ import annotations


class UttagError(Exception):
    """A mistake that a person can mend; shown as one line, never as a traceback.

    `where` names a file, stage or setting; `what` the fault; `next_step` what the reader can do about it;
    `others` what else was found in the same breath, where this one speaks for several.
    """

    exit_code = 10
    others: tuple[UttagError, ...] = ()

    def __init__(self, where: object, what: str, next_step: str) -> None:
        super().__init__(f"{where}: {what}; {next_step}")
        self.where, self.what, self.next_step = str(where), what, next_step

    def __reduce__(self) -> tuple[type[UttagError], tuple[str, str, str]]:
        return type(self), (self.where, self.what, self.next_step)


class SettingsError(UttagError):
    """A site, contract, definition or table specification that does not read or contradicts itself."""

    exit_code = 10


class StageError(UttagError):
    """A stage of a workflow failed; words and exit code are those of the stage."""

    def __init__(self, text: str, exit_code: int) -> None:
        Exception.__init__(self, text)
        self.exit_code = exit_code


class SilentError(StageError):
    """A stage that ended without a word, as one does that is killed or has no memory left."""

    exit_code = 19

    def __init__(self, text: str) -> None:
        super().__init__(text, self.exit_code)


class ContractError(UttagError):
    """A delivery that breaks its data contract: it is stopped whole, the others go on."""

    exit_code = 11


class PermitError(UttagError):
    """A permit that is missing, unsigned, expired or does not cover what is asked."""

    exit_code = 12


class KeyFileError(UttagError):
    """A key that is missing, open to others, or not the one that the data were sealed with."""

    exit_code = 13


class DataError(UttagError):
    """A stored file that is truncated, altered or not of its schema."""

    exit_code = 14


class DisclosureError(UttagError):
    """A table that could not be certified safe. Nothing of it leaves."""

    exit_code = 15


class VerificationError(UttagError):
    """A bundle, log or certificate that does not hold."""

    exit_code = 16


class LockedError(UttagError):
    """Another run of the same site is under way."""

    exit_code = 17


class SpaceError(UttagError):
    """No room to write; whatever was begun has been removed."""

    exit_code = 18


class ClusterError(UttagError):
    """The scheduler or its workers are not there or do not answer."""

    exit_code = 19


class AccessError(UttagError):
    """A file or folder that this user may not read or write, or that lies on a read-only file system."""

    exit_code = 20
