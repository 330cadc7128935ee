"""The command ``ucmsim``: its tree of commands and how errors reach a person.

Exit codes, the same for every command:

- 0  done; the answer is yes
- 1  done; the answer is no: refused, invalid, not as expected
- 2  wrong usage or a mistake in the configuration
- 3  cannot be done here: port in use, no permission, file not readable
- 4  a server could not be reached

Besides, as for any program: 130 after Ctrl-C, 141 when whoever read the output went away.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from lab.commands import (
    admin,
    capf,
    cert,
    demo,
    file,
    fleet,
    parameter,
    phone,
    phones,
    report,
    sftp,
    trunks,
    tvs,
    up,
)
from lab.console import end_without_reader, one_line, write_what_cannot_be_encoded_as_escapes
from phone_sim.clients.errors import DhcpError
from wire.errors import ConfigError, OperatorError, UcmsimError

EXIT_NO, EXIT_USAGE, EXIT_CANNOT, EXIT_UNREACHABLE = 1, 2, 3, 4

app = typer.Typer(
    name="ucmsim",
    help="A Cisco UCM trust lab made of real network services. Independent simulator, not affiliated with Cisco; "
    "for labs only.",
    epilog="Exit codes: 0 yes/done, 1 no/refused, 2 usage or configuration, 3 cannot be done here, 4 unreachable.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("node")(up.node)
app.command("health")(up.health)
app.command("admin")(admin.admin)
app.command("audit")(admin.audit)
app.command("sftp")(sftp.sftp)
app.add_typer(phone.app, name="phone")
app.add_typer(phones.app, name="phones")
app.add_typer(trunks.app, name="trunks")
app.add_typer(fleet.app, name="fleet")
app.add_typer(file.app, name="file")
app.add_typer(tvs.app, name="tvs")
app.add_typer(cert.app, name="cert")
app.add_typer(capf.app, name="capf")
app.add_typer(parameter.app, name="parameter")
app.add_typer(report.app, name="report")


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ucmsim {version('ucmsim')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more of what happens, on stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""
    del version
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


def exit_code(error: UcmsimError) -> int:
    """What a shell sees for an error that reached the top."""
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    if isinstance(error, OperatorError):
        return EXIT_CANNOT
    if isinstance(error, DhcpError):
        return EXIT_UNREACHABLE
    return EXIT_NO


def main() -> None:
    """Entry point: a person's mistake is one sentence on stderr, never a traceback."""
    write_what_cannot_be_encoded_as_escapes()
    try:
        app()
    except ConfigError as error:
        _say(*(str(problem) for problem in error.problems))
        sys.exit(exit_code(error))
    except UcmsimError as error:
        _say(str(error))
        sys.exit(exit_code(error))
    except BrokenPipeError:
        end_without_reader()
    except OSError as error:  # output that cannot be written, most likely
        _say(f"cannot go on: {error.strerror or error}")
        sys.exit(EXIT_CANNOT)


def _say(*sentences: str) -> None:
    for sentence in sentences:
        print(f"ucmsim: {one_line(sentence)}", file=sys.stderr)
