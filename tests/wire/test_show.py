"""``show ctl`` and ``show itl``, held against the published output of release 10.5."""

from __future__ import annotations

import dataclasses
import json
import locale
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.wire import published
from tests.wire.material import SIGNERS, header_of, nul, plain_header, record_of, tlv, vector
from wire.files import decode_file
from wire.show import Kind, as_json, kind_of, show_file, show_no_file, show_trust_list
from wire.showrows import Ours, time_text
from wire.trustlist import Function, TrustList, TrustRecord, decode_trust_list

MODIFIED = datetime(2015, 3, 6, 21, 56, 7, tzinfo=timezone(timedelta(hours=1), "CET"))

# Literal from the published output, but for the time zone (it prints CET), the checksums and the hash of the
# certificate, whose bytes were not published.
OPENING = """\
Length of CTL file: 4947
The CTL File was last modified on Fri Mar 06 20:56:07 UTC 2015

Parse CTL File
----------------

Version:        1.2
HeaderLength:   336 (BYTES)

BYTEPOS TAG             LENGTH  VALUE
------- ---             ------  -----
3       SIGNERID        2       149
4       SIGNERNAME      62      CN=cucm-1051-a-pub;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL
5       SERIALNUMBER    16      70:CA:F6:4E:09:07:51:B9:DF:22:F4:9F:75:4F:C5:BB
6       CANAME          62      CN=cucm-1051-a-pub;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL
7       SIGNATUREINFO   2       15
8       DIGESTALGORTITHM        1
9       SIGNATUREALGOINFO       2       8
10      SIGNATUREALGORTITHM     1
11      SIGNATUREMODULUS        1
12      SIGNATURE       128
65  ba  26  b4  ba  de  2b  13
b8  18  2  4a  2b  6c  2d  20
"""
AFTER_SIGNATURE = """
14      FILENAME        12
15      TIMESTAMP       4

CTL Record #:1
"""
FIRST_RECORD = """
BYTEPOS TAG             LENGTH  VALUE
------- ---             ------  -----
1       RECORDLENGTH    2       1156
2       DNSNAME         16      cucm-1051-a-pub
3       SUBJECTNAME     62      CN=cucm-1051-a-pub;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL
4       FUNCTION        2       System Administrator Security Token
5       ISSUERNAME      62      CN=cucm-1051-a-pub;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL
6       SERIALNUMBER    16      70:CA:F6:4E:09:07:51:B9:DF:22:F4:9F:75:4F:C5:BB
7       PUBLICKEY       140
8       SIGNATURE       128
9       CERTIFICATE     694     {hash} (SHA1 Hash HEX)
10      IPADDRESS       4
This etoken was used to sign the CTL file.

CTL Record #:2
"""
BLANK_RECORD = """
1       RECORDLENGTH    2       33
2       DNSNAME         13      10.48.47.153
4       FUNCTION        2       CCM+TFTP
10      IPADDRESS       4

CTL Record #:4
"""
SHA1_OF_694_ZEROS = "2D E2 44 AB 66 08 22 61 5A 34 EB 85 C6 21 58 B2 D7 8A 3F 29"


def shown(trust_list: TrustList | None = None, kind: Kind = "CTL", *, verified: bool | None = True) -> str:
    return show_trust_list(trust_list or published.tokenless(), kind, modified=MODIFIED, verified=verified)


def shown_record(record: TrustRecord) -> str:
    """The rows of one record, titles left out."""
    text = shown(published.as_list(published.header(), record))
    return text.partition("CTL Record #:1\n")[2].partition("-----\n")[2].partition("\n\n")[0]


def test_the_published_opening_is_printed_to_the_letter() -> None:
    assert OPENING in shown()
    assert AFTER_SIGNATURE in shown()


def test_the_published_record_is_printed_to_the_letter() -> None:
    assert FIRST_RECORD.format(hash=SHA1_OF_694_ZEROS) in shown()


def test_a_blank_record_is_printed_to_the_letter() -> None:
    assert BLANK_RECORD in shown(published.non_secure())


def test_the_checksums_come_first_and_are_those_of_the_file() -> None:
    trust_list = published.tokenless()
    begin = f"The checksum value of the CTL file:\n{trust_list.md5}(MD5)\n{trust_list.sha1}(SHA1)\n\nLength of CTL"
    assert shown().startswith(begin)


def test_an_element_without_text_ends_at_its_length() -> None:
    """An eToken's record has an empty DNSNAME of length 1."""
    assert '\n2       DNSNAME         1\n3       SUBJECTNAME     56      cn="SAST-ADN008580ef        ";' in shown(
        published.non_secure()
    )
    assert not [line for line in shown(published.non_secure()).splitlines() if line != line.rstrip()]


def test_the_signature_is_dumped_in_rows_of_eight_without_leading_zeros() -> None:
    rows = shown().partition("12      SIGNATURE       128\n")[2].partition("14      FILENAME")[0].splitlines()
    assert len(rows) == 16
    assert {len(row.split("  ")) for row in rows} == {8}
    assert rows[2] == "7  7  7  7  7  7  7  7"


@pytest.mark.parametrize(
    ("verified", "line"),
    [
        (True, "The CTL file was verified successfully."),
        (False, Ours.BAD_SIGNATURE.format(kind="CTL")),
        (None, Ours.NOT_CHECKED.format(kind="CTL")),
    ],
)
def test_the_verdict_on_the_signature_follows_the_last_record(*, verified: bool | None, line: str) -> None:
    before, found, after = shown(verified=verified).partition(f"10      IPADDRESS       4\n\n{line}\n\n")
    assert before.count("CTL Record #:") == 4
    assert found
    assert after.startswith(Ours.REMARKS)


def test_only_sast_records_say_whether_they_signed_the_file() -> None:
    """`used` for the certificate in the header, `not used` for another one."""
    other = dataclasses.replace(published.SAST_1024, serial=b"\x01")
    capf = published.CAPF_1024
    text = shown(published.as_list(published.header(), other, published.SAST_1024, published.CCM_TFTP_1024, capf))
    lines = [line for line in text.splitlines() if "etoken" in line or "Record #" in line]
    assert lines == [
        "CTL Record #:1",
        "This etoken was not used to sign the CTL file.",
        "CTL Record #:2",
        "This etoken was used to sign the CTL file.",
        "CTL Record #:3",
        "CTL Record #:4",
    ]


def test_a_header_whose_signer_cannot_be_parsed_signed_with_nobodys_etoken() -> None:
    text = shown(published.as_list(published.header(issuer="not a name"), published.SAST_1024))
    assert "This etoken was not used to sign the CTL file." in text


def test_an_itl_says_itl_wherever_a_ctl_says_ctl() -> None:
    """Inferred: no output of `show itl` is published."""
    without_remarks = shown(kind="ITL").partition(Ours.REMARKS)[0]
    assert "CTL" not in without_remarks
    assert without_remarks == shown(kind="CTL").partition(Ours.REMARKS)[0].replace("CTL", "ITL")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (Function.SAST, "System Administrator Security Token"),
        (Function.CCM_TFTP, "CCM+TFTP"),
        (Function.CAPF, "CAPF"),
        (Function.CCM, "CCM"),
        (Function.TFTP, "TFTP"),
        (Function.TVS, "TVS"),
        (Function.APP_SERVER, "APP-SERVER"),
        (99, "UNKNOWN (99)"),
    ],
)
def test_functions_have_their_texts(function: int, text: str) -> None:
    row = shown_record(dataclasses.replace(published.blank_record(), function=function)).splitlines()[2]
    assert row == f"4       FUNCTION        2       {text}"


def test_a_missing_ctl_is_told_in_the_published_words() -> None:
    assert show_no_file("CTL") == (
        "Length of CTL file: 0\n"
        "CTL File not found. Please run CTLClient plugin or run the CLI - utils ctl.. to generate the CTL file.\n"
        "Error parsing the CTL File.\n"
    )


def test_a_missing_itl_is_told_in_the_same_form() -> None:
    lines = show_no_file("ITL").splitlines()
    assert lines == ["Length of ITL file: 0", Ours.NO_ITL, "Error parsing the ITL File."]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2015, 3, 6, 20, 56, 7, tzinfo=UTC), "Fri Mar 06 20:56:07 UTC 2015"),
        (MODIFIED, "Fri Mar 06 20:56:07 UTC 2015"),
        (datetime(2024, 2, 29, 0, 0, 0, tzinfo=UTC), "Thu Feb 29 00:00:00 UTC 2024"),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-9))), "Fri Jan 01 08:59:59 UTC 2027"),
    ],
)
def test_dates_are_english_and_utc(moment: datetime, text: str) -> None:
    assert time_text(moment) == text


def test_dates_are_those_of_the_c_locale() -> None:
    """For each month and day of a week, as `strftime` writes them where no locale was set."""
    assert locale.setlocale(locale.LC_TIME) == "C"
    for day in range(366):
        moment = datetime(2024, 1, 1, 3, 4, 5, tzinfo=UTC) + timedelta(days=day)
        assert time_text(moment) == moment.strftime("%a %b %d %H:%M:%S UTC %Y")


# --- what UCM's own files never have ---


def test_elements_are_printed_by_number_whatever_their_order_in_the_file() -> None:
    """The independent builder writes 4, 6, 5 in the header and 3, 5, 6, 4 in records."""
    text = show_file(decode_file(vector("v11/ITLFile.tlv")), modified=MODIFIED, verified=True)
    header, *records = text.split("ITL Record #:")
    assert [
        line.split()[0] for line in header.splitlines() if line[:2].strip().isdecimal() and line[8:9].isupper()
    ] == ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "14", "15", "28"]
    assert len(records) == 7
    for record in records:
        rows = [line.split()[0] for line in record.splitlines() if line[8:9].isupper() and line[0].isdecimal()]
        assert rows == ["1", "3", "4", "5", "6", "7", "8", "9"]


def test_the_signer_version_is_printed_last() -> None:
    text = show_file(decode_file(vector("v11/ITLFile.tlv")), modified=MODIFIED, verified=True)
    assert "\n15      TIMESTAMP       4\n28      SIGNERVERSION   2       1.1\n\nITL Record #:1\n" in text


def test_unknown_elements_are_printed_and_remarked_upon() -> None:
    data = plain_header()
    known = data[10:]
    stranger = tlv(99, bytes(range(20)))
    blank = tlv(2, nul("pub")) + tlv(4, b"\0\2")
    record = record_of(blank, tlv(13, b"\xab\xcd"), tlv(200, b""), tlv(200, b""))
    trust_list = decode_trust_list(header_of(known, stranger) + record)
    text = show_trust_list(trust_list, "ITL", modified=MODIFIED, verified=False)
    assert "\n99      UNKNOWN         20      00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F ...\n" in text
    assert "\n13      UNKNOWN         2       AB CD\n200     UNKNOWN         0\n200     UNKNOWN         0\n" in text
    remarks = text.partition(Ours.REMARKS)[2]
    assert "header: element 99 of 20 bytes is not known" in remarks
    assert "record 1: element 13 of 2 bytes is not known" in remarks
    assert "the signer has no SAST record in the file" in remarks


def test_a_stray_element_with_the_number_of_a_nested_one_is_not_taken_for_it() -> None:
    data = header_of(plain_header()[10:], tlv(5, b"\xff"))
    text = show_trust_list(decode_trust_list(data), "ITL", modified=MODIFIED, verified=False)
    assert text.count("SERIALNUMBER") == 1
    assert "\n5       UNKNOWN         1       FF\n" in text


def test_a_file_without_problems_has_no_remarks() -> None:
    text = show_file(decode_file(vector("ITLFile.tlv")), modified=MODIFIED, verified=True)
    assert text.endswith("\n\nThe ITL file was verified successfully.\n")


def test_hash_elements_of_records_are_printed() -> None:
    record = dataclasses.replace(published.SAST_1024, certificate_hash=bytes(20), hash_algorithm=1, layout=())
    rows = shown_record(record).splitlines()
    assert f"11      CERTIFICATEHASH 20      {' '.join(['00'] * 20)}" in rows
    assert "12      HASHALGORITHM   1       SHA1" in rows
    unknown = dataclasses.replace(published.SAST_1024, hash_algorithm=9, layout=())
    assert "12      HASHALGORITHM   1       9" in shown_record(unknown).splitlines()


@pytest.mark.parametrize("name", ["CN=\x1b]0;owned\x07", "CN=a\nCTL Record #:9", "CN=\u202egpj", "CN=\x9b31m"])
def test_a_file_cannot_write_on_the_terminal_of_whoever_looks_at_it(name: str) -> None:
    record = dataclasses.replace(published.SAST_1024, subject=name, dns_name=name)
    text = shown(published.as_list(published.header(signer=name), record))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert name not in text
    assert name[:3] in text


# --- the other kinds of file ---


def test_a_signed_file_is_printed_with_its_header_in_full_and_its_body_measured() -> None:
    file = decode_file(vector("SEP001122334455.cnf.xml.sgn"))
    text = show_file(file, modified=MODIFIED, verified=None)
    for line in (
        "Length of signed file: 1292",
        "Version:        1.0",
        "HeaderLength:   472 (BYTES)",
        "8       DIGESTALGORTITHM        1       SHA1",
        "11      SIGNATUREMODULUS        1       2048 bits",
        "14      FILENAME        28      SEP001122334455.cnf.xml.sgn",
        "15      TIMESTAMP       4       Tue Nov 24 00:04:33 UTC 2026",
        "Length:         820 (BYTES)",
        "SHA1:           74329f52f4a8645fe8e4d31d01249f73e3025cef",
        "The signature of the signed file was not checked.",
    ):
        assert line in text.splitlines()


def test_an_encrypted_file_is_printed_with_how_it_is_encrypted() -> None:
    file = decode_file(vector("enc/SEP001122334455.cnf.xml.enc.sgn"))
    text = show_file(file, modified=MODIFIED, verified=True)
    for line in (
        "Length of encrypted file: 1688",
        "Version:        2.0",
        "8       DIGESTALGORTITHM        1       SHA512",
        "16      ENCRYPTIONINFO  2       306",
        "17      IVINFO          2       28",
        "20      PADDING         2       12",
        "21      KEYINFO         2       272",
        "23      KEYBITS         2       2048",
        "25      ENCRYPTEDKEY    256",
        "26      FILEDIGESTALGO  1       SHA512",
        "Length:         832 (BYTES)",
        "Plain length:   820 (BYTES)",
        "The encrypted file was verified successfully.",
    ):
        assert line in text.splitlines()


def test_a_signed_file_with_oddities_has_remarks() -> None:
    file = decode_file(header_of(plain_header()[10:], tlv(99, b"x"), version=(1, 0)) + b"body")
    text = show_file(file, modified=MODIFIED, verified=False)
    assert text.endswith("Remarks:\n  header: element 99 of 1 bytes is not known\n")


@pytest.mark.parametrize(
    ("file_name", "kind"),
    [
        ("CTLFile.tlv", "CTL"),
        ("CTLSEP001122334455.tlv", "CTL"),
        ("ctlfile.tlv", "CTL"),
        ("ITLFile.tlv", "ITL"),
        ("ITLSEP001122334455.tlv", "ITL"),
        ("", "ITL"),
    ],
)
def test_a_list_is_called_what_its_file_name_says(file_name: str, kind: str) -> None:
    header = dataclasses.replace(published.header(), file_name=file_name)
    trust_list = published.as_list(header)
    assert kind_of(trust_list) == kind
    assert f"Parse {kind} File" in show_file(trust_list, modified=MODIFIED, verified=None)


# --- JSON ---


@pytest.mark.parametrize("name", SIGNERS)
@pytest.mark.parametrize("verified", [True, False, None])
def test_facts_survive_json(*, name: str, verified: bool | None) -> None:
    facts = as_json(decode_file(vector(name)), verified=verified)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["verified"] is verified
    assert facts["length"] == len(vector(name))
    assert facts["problems"] == []


def test_facts_of_a_trust_list() -> None:
    facts = as_json(decode_file(vector("v11/ITLFile.tlv")), verified=True)
    assert facts["kind"] == "ITL"
    assert facts["version"] == "1.2"
    assert facts["signer_version"] == "1.1"
    assert facts["digest"] == "SHA512"
    assert facts["signature_bits"] == 2048
    assert facts["timestamp"] == "2026-11-24T00:04:32+00:00"
    records = facts["records"]
    assert isinstance(records, list)
    functions = ["SAST", "SAST", "CCM_TFTP", "TFTP", "CAPF", "TVS", "APP_SERVER"]
    assert [record["function_name"] for record in records] == functions
    assert records[3]["certificate"]["key"] == "EC"
    assert records[3]["certificate"]["sha1"] == "aad4f41063fcbcf4bc08931358dec3bfe019d049"


def test_facts_of_a_blank_record_and_of_an_unreadable_certificate() -> None:
    odd = dataclasses.replace(published.blank_record(), function=99, ip_address=bytes((10, 48, 47, 153)))
    records = as_json(published.as_list(published.header(), odd, published.SAST_1024), verified=None)["records"]
    assert isinstance(records, list)
    assert (records[0]["blank"], records[0]["function_name"], records[0]["ip_address"]) == (True, None, "10.48.47.153")
    assert (records[1]["blank"], records[1]["certificate"]) == (False, None)


def test_facts_of_an_encrypted_file() -> None:
    facts = as_json(decode_file(vector("enc/SEP001122334455.cnf.xml.enc.sgn")), verified=None)
    encryption = facts["encryption"]
    assert isinstance(encryption, dict)
    assert (facts["kind"], facts["body_length"]) == ("encrypted", 832)
    assert (encryption["key_bits"], encryption["padding"], encryption["digest"]) == (2048, 12, "SHA512")
