"""Options that several commands share."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from base.trace import JsonLinesSink, Tee, Trace
from lab.steplog import StepLog
from wire.certificates import Certificate
from wire.errors import OperatorError, WireError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from base.trace import Sink

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Laboratory as YAML; the one that ships with ucmsim by default.")
]
StateOption = Annotated[Path, typer.Option("--state", help="Folder that keeps certificates and settings.")]
TraceOption = Annotated[
    Path | None, typer.Option("--trace", help="Write every step to this file, one JSON object a line.")
]
ModelOption = Annotated[str, typer.Option("--model", help="Phone model, such as 8865 or 7841.")]
LanguageOption = Annotated[
    Literal["en", "ja"], typer.Option("--lang", "--language", help="Language of texts for people: en or ja.")
]
AnyPortsOption = Annotated[
    bool, typer.Option("--any-ports", help="Let the system choose the ports instead of UCM's own numbers.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

DEFAULT_STATE = Path("ucmsim-state")
MAX_FILE_SIZE = 1024 * 1024
_HOST_PORT = re.compile(r"(?P<host>[^:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")


@contextlib.contextmanager
def open_trace(path: Path | None) -> Iterator[Trace]:
    """A trace into `path`, and onto stderr with ``--verbose``; into nothing when neither is wanted.

    Raises:
        OperatorError: the file cannot be written.
    """
    sinks: list[Sink] = [StepLog(sys.stderr)] if logging.getLogger("ucmsim").isEnabledFor(logging.INFO) else []
    with contextlib.ExitStack() as stack:
        if path is not None:
            sinks.append(JsonLinesSink(stack.enter_context(_trace_file(path))))
        yield Trace(Tee(*sinks) if sinks else None)


@contextlib.contextmanager
def _trace_file(path: Path) -> Iterator[TextIO]:
    try:
        stream = path.open("w", encoding="utf-8", errors="backslashreplace")  # names on the wire may be no UTF-8
    except OSError as error:
        raise OperatorError(f"cannot write trace {path}: {error.strerror}") from error
    try:
        yield stream
    finally:
        with contextlib.suppress(OSError):  # the sink has said so
            stream.close()


def read_file(path: Path, limit: int = MAX_FILE_SIZE) -> bytes:
    """A file that a person named.

    Raises:
        OperatorError: it cannot be read, or is larger than `limit` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise OperatorError(f"{path} is larger than {limit} bytes")
    return data


def read_certificate(path: Path) -> Certificate:
    """A certificate in PEM or DER.

    Raises:
        OperatorError: unreadable, or no certificate.
    """
    data = read_file(path)
    try:
        return Certificate.from_pem(data) if b"-----BEGIN" in data else Certificate.from_der(data)
    except WireError as error:
        raise OperatorError(f"{path}: {error}") from error


def host_and_port(text: str, default_port: int) -> tuple[str, int]:
    """``HOST`` or ``HOST:PORT``.

    Raises:
        typer.BadParameter: neither.
    """
    match = _HOST_PORT.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else default_port
    if match is None or not 1 <= port <= 65_535 or not _can_be_looked_up(match["host"]):
        raise typer.BadParameter(f"{text!r} is not HOST or HOST:PORT")
    return match["host"].strip("[]"), port


def _can_be_looked_up(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:  # an empty label, or one over 63 characters
        return False
    return host.isprintable() and " " not in host
