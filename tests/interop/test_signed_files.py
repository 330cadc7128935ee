"""curl fetches the files that phones fetch, and openssl alone verifies their signatures (R-DL-1, R-SBD-2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cluster.purposes import Purpose
from tests.interop.outside import Ran, tool
from tests.shared_lab import PUB, SUB, SharedLab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.interop

NAMES = (
    "Ringlist.xml",
    "DistinctiveRingList.xml",
    "United_States/g3-tones.xml",
    "English_United_States/8865-sip.jar",
    "SEP001122334455.cnf.xml",
)
_HEADER_LENGTH, _SIGNATURE, _PADDING, _FILE_NAME = 2, 12, 13, 14


@dataclass(frozen=True)
class Apart:
    """A signed file taken apart without the project's own reader."""

    name: str
    signed: bytes
    signature: bytes
    body: bytes


def apart(data: bytes) -> Apart:
    """Walks the elements of the header: tag, length of two bytes, value; padding is a lone byte."""
    place, found, length, cut = 0, dict[int, bytes](), len(data), (0, 0)
    while place < length:
        tag = data[place]
        if tag == _PADDING:
            place += 1
            continue
        size = struct.unpack_from("!H", data, place + 1)[0]
        found[tag] = data[place + 3 : place + 3 + size]
        if tag == _SIGNATURE:
            cut = (place, place + 3 + size)
        if tag == _HEADER_LENGTH:
            length = struct.unpack("!H", found[tag])[0]
        place += 3 + size
    without = data[: cut[0]] + data[cut[1] :]
    return Apart(found[_FILE_NAME].rstrip(b"\0").decode(), without, found[_SIGNATURE], data[length:])


def curl(lab: SharedLab, name: str, node: str = PUB) -> Ran:
    return tool("curl", "--silent", "--fail", "--max-time", 20, f"http://127.0.0.1:{lab.ports(node).http}/{name}")


def verified(folder: Path, certificate: Path, file: Apart) -> Ran:
    key = folder / "key.pem"
    key.write_bytes(tool("openssl", "x509", "-in", certificate, "-noout", "-pubkey").out)
    (folder / "signature").write_bytes(file.signature)
    signature = ("-signature", folder / "signature")
    return tool("openssl", "dgst", "-sha1", "-verify", key, *signature, data=file.signed)


@pytest.mark.parametrize("node", [PUB, SUB])
@pytest.mark.parametrize("name", NAMES)
def test_openssl_verifies_what_curl_fetched(
    outside_lab: SharedLab, exported: Callable[..., Path], tmp_path: Path, name: str, node: str
) -> None:
    file = apart(curl(outside_lab, f"{name}.sgn", node).out)
    assert file.name == f"{name}.sgn"
    assert file.body == curl(outside_lab, name, node).out
    ran = verified(tmp_path, exported(Purpose.CALLMANAGER, node), file)
    assert (ran.code, ran.text.strip()) == (0, "Verified OK")
    changed = Apart(file.name, file.signed[:-1] + b"?", file.signature, file.body)
    assert verified(tmp_path, exported(Purpose.CALLMANAGER, node), changed).code != 0


def test_busybox_unpacks_the_user_locale(outside_lab: SharedLab, tmp_path: Path) -> None:
    archive = tmp_path / "locale.jar"
    archive.write_bytes(curl(outside_lab, "English_United_States/8865-sip.jar").out)
    unpacked = tool("busybox", "unzip", "-p", archive)
    assert (unpacked.code, unpacked.err) == (0, "")
    assert '<phrase  key="NewCall">New Call</phrase>' in unpacked.text
