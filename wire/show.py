"""Files as UCM's command line prints them: ``show ctl``, ``show itl``, and a layout of our own for the other kinds.

Known from a published ``show ctl`` of release 10.5: titles, names of elements, columns that fall on stops of eight, the
dump of the signature in rows of eight without leading zeros, the sentences about the eToken and about a good signature.
Inferred: where lines end, and that ``show itl`` says ITL wherever ``show ctl`` says CTL, for no output of ``show itl``
has been published. What nobody has published at all is ours and stands in `wire.showrows.Ours`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from wire.encryptedfile import EncryptedFile
from wire.errors import WireError
from wire.filefacts import as_json, kind_of
from wire.showrows import Ours, dotted, header_rows, label, printable, record_rows, time_text
from wire.trustlist import TrustList
from wire.trustproblems import problems_of_header
from wire.trustrecord import Function, TrustRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from wire.fileheader import FileHeader
    from wire.files import PhoneFile
    from wire.signedfile import SignedFile

__all__ = ["Kind", "as_json", "kind_of", "show_file", "show_no_file", "show_trust_list"]

Kind = Literal["CTL", "ITL"]
"""Which of the two trust lists a text speaks of."""

_NO_CTL = "CTL File not found. Please run CTLClient plugin or run the CLI - utils ctl.. to generate the CTL file."
_RULE = "----------------"


def show_file(file: PhoneFile, *, modified: datetime, verified: bool | None) -> str:
    """Any of the three kinds of file.

    Args:
        file: a trust list is taken for a CTL when its own file name begins so, else for an ITL.
        modified: when the file was last changed; aware.
        verified: whether the signature holds; None when nobody checked.

    Raises:
        WireError: a value does not fit its element; never for a decoded file.
    """
    if isinstance(file, TrustList):
        return show_trust_list(file, kind_of(file), modified=modified, verified=verified)
    kind = Ours.ENCRYPTED_FILE if isinstance(file, EncryptedFile) else Ours.SIGNED_FILE
    return _joined(
        _checksums(kind, file.data),
        _length(kind, file.data, modified),
        _title(f"Parse {kind} File"),
        _versions(file.header),
        header_rows(file.header, in_full=True),
        _body(file),
        _verdict(kind, verified=verified),
        _remarks(problems_of_header(file.header)),
    )


def show_trust_list(trust_list: TrustList, kind: Kind, *, modified: datetime, verified: bool | None) -> str:
    """What ``show ctl`` or ``show itl`` prints, and the list's problems below it.

    Args:
        trust_list: what to print.
        kind: what to call it.
        modified: when the file was last changed; aware.
        verified: whether the signature holds; None when nobody checked.

    Raises:
        WireError: a value does not fit its element; never for a decoded list.
    """
    signers = _signers(trust_list)
    return _joined(
        _checksums(kind, trust_list.data),
        _length(kind, trust_list.data, modified),
        _title(f"Parse {kind} File"),
        _versions(trust_list.header),
        header_rows(trust_list.header, in_full=False),
        *(
            _record(record, number, kind, signed=record in signers)
            for number, record in enumerate(trust_list.records, start=1)
        ),
        _verdict(kind, verified=verified),
        _remarks(trust_list.problems),
    )


def show_no_file(kind: Kind) -> str:
    """What ``show ctl`` or ``show itl`` prints when there is no such file."""
    missing = _NO_CTL if kind == "CTL" else Ours.NO_ITL
    return f"Length of {kind} file: 0\n{missing}\nError parsing the {kind} File.\n"


def _joined(*sections: Iterable[str]) -> str:
    """Sections of lines with an empty line between them; a section without lines is left out."""
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _checksums(kind: str, data: bytes) -> Iterator[str]:
    yield f"The checksum value of the {kind} file:"
    yield f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}(MD5)"
    yield f"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}(SHA1)"


def _length(kind: str, data: bytes, modified: datetime) -> Iterator[str]:
    yield f"Length of {kind} file: {len(data)}"
    yield f"The {kind} File was last modified on {time_text(modified)}"


def _title(text: str) -> Iterator[str]:
    yield text
    yield _RULE


def _versions(header: FileHeader) -> Iterator[str]:
    yield label("Version", dotted(bytes(header.version)))
    yield label("HeaderLength", f"{header.header_length} (BYTES)")


def _record(record: TrustRecord, number: int, kind: Kind, *, signed: bool) -> Iterator[str]:
    yield f"{kind} Record #:{number}"
    yield Ours.RECORD_LINE
    yield from record_rows(record)
    if record.function == Function.SAST:
        yield f"This etoken was {'used' if signed else 'not used'} to sign the {kind} file."


def _body(file: SignedFile | EncryptedFile) -> Iterator[str]:
    yield from _title(Ours.BODY)
    if isinstance(file, EncryptedFile):
        yield label("Length", f"{len(file.ciphertext)} (BYTES)")
        yield label("Encryption", "AES-128-CBC, key encrypted by RSA PKCS#1 v1.5")
        yield label("Plain length", f"{len(file.ciphertext) - file.encryption.padding} (BYTES)")
    else:
        yield label("Length", f"{len(file.body)} (BYTES)")
        yield label("SHA1", hashlib.sha1(file.body, usedforsecurity=False).hexdigest())


def _verdict(kind: str, *, verified: bool | None) -> Iterator[str]:
    if verified is None:
        yield Ours.NOT_CHECKED.format(kind=kind)
    elif verified:
        yield f"The {kind} file was verified successfully."
    else:
        yield Ours.BAD_SIGNATURE.format(kind=kind)


def _remarks(problems: Iterable[str]) -> Iterator[str]:
    for number, problem in enumerate(problems):
        if number == 0:
            yield Ours.REMARKS
        yield f"  {printable(problem)}"


def _signers(trust_list: TrustList) -> tuple[TrustRecord, ...]:
    """Records of the certificate that signed the list."""
    signer = trust_list.header.signer
    try:
        return trust_list.find(signer.issuer_dn, signer.serial_number)
    except WireError:
        return ()
