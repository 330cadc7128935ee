"""Every error that ucmsim raises on purpose.

::

    UcmsimError
    ├── WireError           bytes that are not what their format says: truncated, oversized, looping, of the wrong type
    ├── ProtocolViolation   well-formed bytes at the wrong time or out of bounds (too slow, too many)
    ├── Refusal             policy says no; ``code`` is what the protocol answers (a TFTP error code, an HTTP status)
    ├── ConfigError         a configuration with one or more problems, each with file and line
    └── OperatorError       what a person asked for cannot be done here: port in use, no permission, wrong file

Codecs raise ``WireError`` and nothing else. Daemons translate errors to an answer in one place each. The command
line prints any ``UcmsimError`` as one sentence, never as a traceback.
"""

from __future__ import annotations

from dataclasses import dataclass


class UcmsimError(Exception):
    """Root of the tree above."""


class WireError(UcmsimError):
    """Bytes do not follow their format. The message says what was read, where, and what was expected."""


class ProtocolViolation(UcmsimError):  # noqa: N818 - the field's word for it
    """A peer sent something valid that it may not send now."""


class Refusal(UcmsimError):  # noqa: N818 - an answer, not a failure
    """A request that policy refuses.

    Attributes:
        code: what the protocol answers: a TFTP error code (RFC 1350) or an HTTP status.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class OperatorError(UcmsimError):
    """What a person asked for cannot be done; the message says what, where, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file."""

    where: str
    """``file:line``"""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigError(UcmsimError):
    """All problems of a configuration at once.

    Attributes:
        problems: in file order, at least one.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
