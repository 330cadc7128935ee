"""Which file names reach a source at all."""

from __future__ import annotations

import pytest

from services.tftp.source import check_name
from wire.errors import Refusal


@pytest.mark.parametrize(
    "name",
    [
        "SEP001122334455.cnf.xml.sgn",
        "Desktops/320x212x16/List.xml",
        "with blank",
        "..hidden",
        "dots...in.name",
        "Ansagen_für_Gäste.xml",
        "a" * 255,
    ],
)
def test_ordinary_names_pass(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "//etc/passwd",
        "..",
        "../etc/passwd",
        "Desktops/../../etc/passwd",
        "Desktops/..",
        ".",
        "./ITLFile.tlv",
        "Desktops//List.xml",
        "Desktops/",
        "..\\etc\\passwd",
        "C:\\boot.ini",
        "ITLFile.tlv\0.xml",
        "\0",
        "line\nbreak",
        "tab\t",
        "delete\x7f",
        "zero\u200bwidth",
        "right-to-left\u202e",
        "half\ud800surrogate",
        "a" * 256,
        "ä" * 128,
    ],
)
def test_names_that_lead_out_of_the_tree_or_cannot_be_names_are_refused(name: str) -> None:
    with pytest.raises(Refusal, match="Access violation") as refused:
        check_name(name)
    assert refused.value.code == 2
