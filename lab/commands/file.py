"""``ucmsim file``: what is inside a trust list, a signed or an encrypted file, and whether its signature holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lab.console import err, out, print_json, say
from lab.options import JsonOption, read_certificate, read_file
from wire.errors import OperatorError, WireError
from wire.files import PhoneFile, decode_file
from wire.show import as_json as file_as_json
from wire.show import show_file
from wire.signing import verify_file
from wire.trustlist import TrustList

app = typer.Typer(help="Read and verify .tlv, .sgn and .enc.sgn files.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A .tlv, .sgn or .enc.sgn file.")]
SignerOption = Annotated[
    Path | None, typer.Option("--signer", help="Certificate (PEM or DER) that should have signed it.")
]


@app.command("show")
def show(path: FileArgument, signer: SignerOption = None, *, as_json: JsonOption = False) -> None:
    """Print a file in the layout of 'show itl', with the verdict on its signature.

    A trust list is checked with the signer's record inside it (which proves that the file is whole, not that it is to
    be trusted); other files need --signer for a verdict. Exit 0 unless the signature is wrong.
    """
    file = _decode(path)
    verified = _verify(file, signer)
    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if as_json:
        print_json(file_as_json(file, verified=verified))
    else:
        out.print(show_file(file, modified=modified, verified=verified), soft_wrap=True, end="")
    raise typer.Exit(1 if verified is False else 0)


@app.command("verify")
def verify(
    path: FileArgument,
    signer: Annotated[Path, typer.Option("--signer", help="Certificate (PEM or DER) that should have signed it.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Check a file's signature with a certificate: exit 0 when it holds, 1 when it does not."""
    file = _decode(path)
    certificate = read_certificate(signer)
    named = file.header.signer.matches(certificate)
    holds = verify_file(file.data, certificate.public_key)
    reason = (
        "the signature holds"
        if holds
        else "the file was changed, or another key signed it"
        if named
        else f"another signer is named: {file.header.signer.name}, serial {file.header.signer.serial.hex().upper()}"
    )
    if as_json:
        print_json({"file": str(path), "valid": holds, "signer_named": named, "reason": reason})
    elif holds:
        say(f"valid: {path} is signed by {certificate.subject}")
    else:
        err.print(f"invalid: {path}: {reason}")
    raise typer.Exit(0 if holds else 1)


def _decode(path: Path) -> PhoneFile:
    data = read_file(path)
    try:
        return decode_file(data)
    except WireError as error:
        raise OperatorError(f"{path}: {error}") from error


def _verify(file: PhoneFile, signer: Path | None) -> bool | None:
    """None when nothing here can tell."""
    if signer is not None:
        return verify_file(file.data, read_certificate(signer).public_key)
    if isinstance(file, TrustList):
        record = file.signer_record
        certificate = record.x509 if record is not None else None
        return certificate is not None and verify_file(file.data, certificate.public_key)
    return None
