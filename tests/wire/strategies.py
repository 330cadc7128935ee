"""What hypothesis makes for tests of codecs."""

from __future__ import annotations

import dataclasses
import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from wire.digests import DigestAlgorithm
from wire.encryptioninfo import EncryptionInfo
from wire.fileheader import FileHeader, SignerId, Tag
from wire.tlv import Element
from wire.trustrecord import RecordTag, TrustRecord

moderately = settings(max_examples=80, deadline=None)
thoroughly = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def raw_bytes(most: int, least: int = 0) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=least, max_size=most)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
"""Whatever a text element can hold."""

_HEADER_TAGS = {*Tag} - {4, 5, 6, 8, 9, 10, 11}
strangers_in_header = st.builds(Element, st.sampled_from(sorted({*range(256)} - _HEADER_TAGS)), raw_bytes(12))
strangers_in_record = st.builds(Element, st.sampled_from(sorted({*range(256)} - {*RecordTag})), raw_bytes(12))


@st.composite
def encryption_infos(draw: st.DrawFn) -> EncryptionInfo:
    digest = draw(st.sampled_from(DigestAlgorithm))
    key_bits = draw(st.integers(1, 4096))
    size = (key_bits + 7) // 8
    return EncryptionInfo(
        iv=draw(raw_bytes(16, 16)),
        padding=draw(st.integers(1, 16)),
        key_bits=key_bits,
        wrapped_key=random.Random(draw(st.integers(0, 99))).randbytes(size),
        digest_algorithm=digest,
        digest=draw(raw_bytes(digest.size, digest.size)),
    )


@st.composite
def headers(draw: st.DrawFn, version: tuple[int, int] | None = None, *, encrypted: bool | None = None) -> FileHeader:
    """Any header that can be written: elements in any order, strangers and padding among them."""
    bytes_ = st.integers(0, 255)
    if encrypted is None:
        encrypted = draw(st.booleans())
    modulus = draw(st.sampled_from([64, 128, 256, 512]))
    header = FileHeader(
        version=version or (draw(bytes_), draw(bytes_)),
        signer=SignerId(
            draw(texts), draw(texts), draw(raw_bytes(20, 1)), layout=tuple(draw(st.permutations([4, 5, 6])))
        ),
        digest=draw(st.sampled_from(DigestAlgorithm)),
        signature=random.Random(draw(st.integers(0, 99))).randbytes(modulus),
        file_name=draw(texts),
        timestamp=draw(st.integers(0, 0xFFFF_FFFF)),
        signer_version=draw(st.none() | st.tuples(bytes_, bytes_)),
        encryption=draw(encryption_infos()) if encrypted else None,
    )
    strangers = draw(st.lists(strangers_in_header, max_size=3))
    padding = [Tag.PADDING] * draw(st.integers(0, 3))
    layout = draw(st.permutations([*header.layout, *strangers, *padding]))
    return dataclasses.replace(header, layout=tuple(layout))


@st.composite
def records(draw: st.DrawFn) -> TrustRecord:
    """Any record that can be written: blank or not, elements in any order, strangers among them."""
    blank = draw(st.booleans())
    content = raw_bytes(40, 1)
    record = TrustRecord(
        dns_name=draw(texts),
        function=draw(st.integers(0, 0xFFFF)),
        subject="" if blank else draw(texts.filter(bool)),
        issuer="" if blank else draw(texts.filter(bool)),
        serial=b"" if blank else draw(content),
        public_key=b"" if blank else draw(content),
        signature=None if blank else draw(st.none() | content),
        certificate=None if blank else draw(st.none() | content),
        ip_address=draw(st.none() | raw_bytes(4, 4)),
        certificate_hash=draw(st.none() | content),
        hash_algorithm=draw(st.none() | st.integers(0, 255)),
    )
    strangers = draw(st.lists(strangers_in_record, max_size=3))
    layout = draw(st.permutations([*record.layout, *strangers]))
    return dataclasses.replace(record, layout=tuple(layout))


@st.composite
def mutations(draw: st.DrawFn, data: bytes, first: int = 0) -> bytes:
    """Bytes with some changed, left out, put in, repeated or cut off; most often near `first`."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        near = st.integers(first, min(first + 60, len(changed) - 1)) if len(changed) > first else st.just(0)
        position = draw(near | st.integers(0, max(0, len(changed) - 1)))
        match draw(st.integers(0, 5)):
            case 0 | 1:
                changed[position : position + 1] = bytes((draw(st.integers(0, 255)),))
            case 2:
                del changed[position : position + draw(st.integers(1, 8))]
            case 3:
                changed[position:position] = draw(raw_bytes(8, 1))
            case 4:
                changed[position:position] = changed[position : position + draw(st.integers(1, 400))]
            case _:
                del changed[max(position, 1) :]
    return bytes(changed)
