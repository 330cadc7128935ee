"""``ucmsim report phone-features``: the Unified CM Phone Feature List (R-RPT-1)."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from base.modelfile import shipped_table
from tests.lab.command import clean_environment, run, ucmsim

TABLE = shipped_table()
REPORT = ("report", "phone-features")
LONGEST = "Cisco Unified Client Services Framework"


def row(text: str, name: str) -> list[str]:
    (found,) = [line.split() for line in text.splitlines() if line.split()[:1] == [name]]
    return found[1:]


def section(text: str, heading: str) -> list[str]:
    """The products below a heading."""
    (block,) = [part for part in text.split("\n\n") if part.startswith(heading)]
    return [name.strip() for line in block.splitlines()[1:] for name in line.strip().strip(",").split(",")]


# --- text ---


def test_without_options_it_is_a_matrix_of_all_models_and_features() -> None:
    done = ucmsim(*REPORT)
    assert done.code == 0
    heads = row(done.out, "Model")
    values = dict(zip(heads, row(done.out, "7960"), strict=True))
    assert [values[head] for head in ("SBD", "512", "1.0", "1.2", "ACS")] == ["no", "no", "yes", "no", "?"]
    values = dict(zip(heads, row(done.out, "8865"), strict=True))
    assert [values[head] for head in ("SBD", "512", "1.0", "1.2", "BOOT")] == ["yes", "?", "?", "yes", "yes"]
    for name in TABLE.models:
        assert len(row(done.out, name)) == len(heads)
    for head in heads:  # each is explained
        assert row(done.out, head)


def test_a_feature_lists_who_has_it_who_has_not_and_of_whom_nobody_says() -> None:
    done = ucmsim(*REPORT, "--feature", "Security By Default")
    assert done.code == 0
    assert done.out.startswith("Unified CM Phone Feature List: Security By Default\n")
    assert section(done.out, "no (3)") == ["Cisco 7940", "Cisco 7960", LONGEST]
    listed = section(done.out, "yes (") + section(done.out, "no (") + section(done.out, "unknown (")
    assert sorted(listed) == sorted(model.product for model in TABLE.models.values())
    assert "Cisco 8865" in section(done.out, "yes (")
    assert "Cisco 7941" in section(done.out, "unknown (")


def test_a_product_says_what_is_known_of_it_and_who_says_so() -> None:
    done = ucmsim(*REPORT, "--product", "cisco 7945")
    assert done.code == 0
    lines = [line.split("  ") for line in done.out.splitlines()]
    facts = {line[0]: [cell.strip() for cell in line[1:] if cell.strip()] for line in lines}
    assert facts["Security By Default"] == ["yes", "T118893"]
    assert facts["3072/4096 RSA"] == ["no", "ours"]
    assert facts["Authenticated Contact Search"] == ["unknown"]
    assert facts["TLS 1.2"] == ["no", "UNZ"]
    assert facts["Type number"] == ["435", "RIS, CAP"]
    assert facts["Highest TLS version"] == ["1.0", "UNZ"]
    assert facts["Largest trust list, in bytes"] == ["65536", "SEC14"]
    assert facts["Status messages kept"] == ["unknown"]
    assert facts["T118893"] == ["Cisco technote 118893, tokenless CTL"]
    assert "LSCFAQ" not in done.out, "only the sources of this product are explained"


@pytest.mark.parametrize(
    ("product", "feature", "code", "line"),
    [
        ("8865", "Security By Default", 0, "Cisco 8865, Security By Default: yes (Said by: T118893)\n"),
        ("7960", "sbd", 1, "Cisco 7960, Security By Default: no (Said by: T118893)\n"),
        ("8865", "sha-512", 1, "Cisco 8865, SHA-512 Signatures: unknown\n"),
        ("CP-7841", "rsa_4096", 0, "Cisco 7841, 3072/4096 RSA: yes (Said by: LSCFAQ)\n"),
        ("Cisco IP Communicator", "tls 1.3", 1, "Cisco IP Communicator, TLS 1.3: unknown\n"),
        ("7841", "TLS 1.3", 1, "Cisco 7841, TLS 1.3: unknown\n"),
        ("CSF", "security", 1, f"{LONGEST}, Security By Default: no (Said by: T118893)\n"),
    ],
)
def test_a_product_and_a_feature_are_one_answer(product: str, feature: str, code: int, line: str) -> None:
    done = ucmsim(*REPORT, "--product", product, "--feature", feature)
    assert (done.code, done.out) == (code, line)


CHOICES = [
    (),
    ("--feature", "EC"),
    ("--product", "8865"),
    ("--product", "CSF"),
    ("--product", "7832", "--feature", "EC"),
]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("choice", CHOICES)
def test_it_fits_80_columns_and_no_line_ends_in_blanks(choice: tuple[str, ...], language: str) -> None:
    lines = ucmsim(*REPORT, *choice, "--lang", language).out.splitlines()
    assert lines
    assert [line for line in lines if cell_len(line) > 80 or line != line.rstrip()] == []


def test_columns_stand_below_each_other_in_japanese() -> None:
    lines = ucmsim(*REPORT, "--lang", "ja").out.splitlines()
    head, line = (next(item for item in lines if item.startswith(start)) for start in ("機種", "8865 "))
    assert cell_len(head[: head.index("SIGN")]) == cell_len(line[: line.rindex("有 ")]) - len("SIGN 1.0 ")
    assert "？: 出典なし" in "".join(lines)


def test_in_japanese_the_headings_are_japanese_and_features_keep_ucms_names() -> None:
    text = ucmsim(*REPORT, "--product", "8865", "--language", "ja").out
    assert row(text, "機能") == ["対応", "出典"]
    assert row(text, "Security") == ["By", "Default", "有", "T118893"]
    assert "TLS 最低バージョン" in text
    assert section(ucmsim(*REPORT, "--feature", "EC", "--lang", "ja").out, "無 (")[0] == "Cisco 7906"


def test_it_needs_no_state_and_is_the_same_in_a_pipe() -> None:
    done = run(*REPORT, env=clean_environment(COLUMNS="40"))
    assert (done.code, done.out, done.err) == (0, ucmsim(*REPORT).out, "")


# --- JSON ---


def test_as_json_the_matrix_has_every_feature_of_every_product() -> None:
    found = ucmsim(*REPORT, "--json").json
    assert len(found["products"]) == len(TABLE.models)
    for product in found["products"]:
        assert list(product["features"]) == found["features"]
        assert set(product["features"].values()) <= {"yes", "no", "unknown"}
    (one,) = [item for item in found["products"] if item["model"] == "7960"]
    assert (one["product"], one["type_number"], one["features"]["Security By Default"]) == ("Cisco 7960", 7, "no")


def test_as_json_a_feature_has_three_lists() -> None:
    found = ucmsim(*REPORT, "--feature", "SHA-512", "--json").json
    assert (found["feature"], found["yes"]) == ("SHA-512 Signatures", [])
    assert "Cisco 7945" in found["no"]
    assert "Cisco 8865" in found["unknown"]


def test_as_json_a_product_has_its_sources() -> None:
    found = ucmsim(*REPORT, "--product", "DX80", "--json").json
    facts = {item["feature"]: (item["supported"], item["sources"]) for item in found["features"]}
    assert facts["Security By Default"] == ("yes", ["T118893"])
    assert facts["TLS 1.2"] == ("unknown", [])
    assert found["particulars"]["status_messages"] == {"value": 50, "sources": ["PHDX"]}
    assert found["particulars"]["tls_max"] == {"value": None, "sources": []}
    assert set(found["sources"]) == {"RIS", "T118893", "PHDX", "SEC14", "UNZ"}


def test_as_json_one_answer_is_one_object() -> None:
    done = ucmsim(*REPORT, "--product", "7945", "--feature", "TLS 1.2", "--json")
    assert done.code == 1
    assert done.json == {
        "product": "Cisco 7945",
        "feature": "TLS 1.2",
        "supported": "no",
        "sources": {"UNZ": "usecallmanager.nz"},
    }


# --- mistakes ---


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--feature", "Telepathy"), "feature 'Telepathy' is not in the list; features are Security By Default, "),
        (("--feature", ""), "feature '' is not in the list; features are "),
        (("--feature", "/"), "feature '/' is not in the list; features are "),
        (("--feature", "TLS"), "feature 'TLS' could be TLS 1.0, TLS 1.2, TLS 1.3; features are "),
        (("--product", "9999"), "product '9999' is not in the list; products are 7906, "),
        (("--product", ""), "product '' is not in the list; products are 7906, "),
        (("--product", "8865", "--feature", "x"), "feature 'x' is not in the list"),
    ],
)
def test_what_is_not_in_the_list_is_answered_by_what_is(arguments: tuple[str, ...], sentence: str) -> None:
    done = ucmsim(*REPORT, *arguments)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_help_says_what_it_is() -> None:
    assert "phone-features" in ucmsim("report", "--help").out
    assert "Unified CM Phone Feature List" in ucmsim(*REPORT, "--help").out
