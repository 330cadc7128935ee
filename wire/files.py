"""Any of the three kinds of file, told apart by the version in the header."""

from __future__ import annotations

from wire import encryptedfile, signedfile
from wire.encryptedfile import EncryptedFile, decode_encrypted_file
from wire.fileheader import decode_header
from wire.signedfile import SignedFile, decode_signed_file
from wire.trustlist import TrustList, decode_trust_list

PhoneFile = TrustList | SignedFile | EncryptedFile


def decode_file(data: bytes) -> PhoneFile:
    """Reads a trust list, a signed file or an encrypted file.

    Raises:
        WireError: it is none of them.
    """
    version = decode_header(data).version
    if version == signedfile.VERSION:
        return decode_signed_file(data)
    if version == encryptedfile.VERSION:
        return decode_encrypted_file(data)
    return decode_trust_list(data)
