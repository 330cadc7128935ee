"""Trust lists of the sizes that published outputs of ``show ctl`` print (releases 10.0 and 10.5).

The outputs give names, serial numbers and lengths, not bytes: keys, signatures and certificates are zeros of the right
length. Where an output does not print the length of a certificate it follows from the RECORDLENGTH.
"""

from __future__ import annotations

from wire.fileheader import DigestAlgorithm, FileHeader, SignerId
from wire.trustlist import Function, TrustList, TrustRecord, decode_trust_list, encode_trust_list

PUBLISHER = "CN=cucm-1051-a-pub;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL"
SUBSCRIBER = "CN=cucm-1051-a-sub1;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL"
CAPF = "CN=CAPF-e41e7d87;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL"
TOKEN = 'cn="SAST-ADN008580ef        ";ou=IPCBU;o="Cisco Systems'
TOKEN_ISSUER = "cn=Cisco Manufacturing CA;o=Cisco Systems"
SERIAL = bytes.fromhex("70CAF64E090751B9DF22F49F754FC5BB")
MODIFIED = 1_425_675_367
"""Fri Mar 06 21:56:07 CET 2015."""
SIGNATURE_BEGINS = bytes.fromhex("65ba26b4bade2b13b818024a2b6c2d20")


def header(signer: str = PUBLISHER, issuer: str = PUBLISHER, serial: bytes = SERIAL, modulus: int = 128) -> FileHeader:
    signature = SIGNATURE_BEGINS.ljust(modulus, b"\x07")
    signer_id = SignerId(signer, issuer, serial)
    return FileHeader((1, 2), signer_id, DigestAlgorithm.SHA1, signature, "CTLFile.tlv", MODIFIED).padded()


def record(
    function: Function, subject: str, *, dns_name: str = "cucm-1051-a-pub", certificate: int, bits: int = 1024
) -> TrustRecord:
    """A record of a server's certificate: self-signed, with a serial number of 16 bytes."""
    return TrustRecord(
        dns_name=dns_name,
        function=function,
        subject=subject,
        issuer=subject,
        serial=SERIAL,
        public_key=bytes({1024: 140, 2048: 270}[bits]),
        signature=bytes(bits // 8),
        certificate=bytes(certificate),
        ip_address=bytes(4),
    )


def token_record() -> TrustRecord:
    return TrustRecord(
        dns_name="",
        function=Function.SAST,
        subject=TOKEN,
        issuer=TOKEN_ISSUER,
        serial=bytes(range(10)),
        public_key=bytes(140),
        certificate=bytes(902),
        ip_address=bytes(4),
    )


def capf_record_without_signature() -> TrustRecord:
    return TrustRecord(
        dns_name="10.48.47.153",
        function=Function.CAPF,
        subject=CAPF,
        issuer=CAPF,
        serial=SERIAL,
        public_key=bytes(140),
        certificate=bytes(680),
        ip_address=bytes(4),
    )


def blank_record() -> TrustRecord:
    return TrustRecord.blank("10.48.47.153", Function.CCM_TFTP)


SAST_1024 = record(Function.SAST, PUBLISHER, certificate=694)
CCM_TFTP_1024 = record(Function.CCM_TFTP, PUBLISHER, certificate=694)
SAST_2048 = record(Function.SAST, PUBLISHER, certificate=955, bits=2048)
CCM_TFTP_2048 = record(Function.CCM_TFTP, PUBLISHER, certificate=955, bits=2048)
CAPF_1024 = record(Function.CAPF, CAPF, certificate=680)
SUBSCRIBER_1024 = record(Function.CCM_TFTP, SUBSCRIBER, dns_name="cucm-1051-a-sub1", certificate=696)


def as_list(header: FileHeader, *records: TrustRecord) -> TrustList:
    return decode_trust_list(encode_trust_list(TrustList(header, records, b"")))


def tokenless() -> TrustList:
    """The list of 4,947 bytes: publisher twice, CAPF, subscriber."""
    return as_list(header(), SAST_1024, CCM_TFTP_1024, CAPF_1024, SUBSCRIBER_1024)


def regenerated() -> TrustList:
    """The list of 6,113 bytes: the same after the publisher's key became one of 2048 bits."""
    return as_list(header(modulus=256), SAST_2048, CCM_TFTP_2048, CAPF_1024, SUBSCRIBER_1024)


def non_secure() -> TrustList:
    """The list of 3,746 bytes, signed with an eToken: two tokens, two blank CCM+TFTP records, CAPF."""
    signed = header(TOKEN, TOKEN_ISSUER, bytes(range(10)))
    token, blank = token_record(), blank_record()
    return as_list(signed, token, token, blank, blank, capf_record_without_signature())
