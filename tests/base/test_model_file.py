"""Reading the table of phone models: what it takes, and how its mistakes are named."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.modelfile import read_table
from base.phonemodels import Ability, Family, TlsVersion
from wire.errors import ConfigError

HEAD = """\
sources:
  GUIDE: a guide
  TRACE: a capture
every_model:
  security_by_default: yes GUIDE
  contact_search: unknown
  rsa_4096: unknown
  ec: unknown
  sha256: unknown
  sha512: no GUIDE
  http: unknown
  https_config: unknown
  encrypted_config: unknown
  lsc: unknown
  secure_boot: unknown
  image_signing: unknown
  tls_min: unknown
  tls_max: unknown
  tls_known: unknown
  max_list_size: 65536 GUIDE TRACE
  sast_records: unknown
  status_messages: unknown
  load: unknown
series:
  old: {about: Old phones, screen: "7900", tls_max: 1.0 GUIDE}
  new: {about: New phones, screen: "8800", sha512: yes TRACE}
models:
"""
OLD, NEW = '  "7945": {series: old, type_number: 435 GUIDE}\n', "  DX650: {series: new, type_number: unknown}\n"
GOOD = HEAD + OLD + NEW


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_table(text, "models.yaml")
    return str(caught.value)


def test_the_more_particular_fact_counts_and_keeps_its_sources() -> None:
    table = read_table(GOOD, "models.yaml")
    old, new = table.models["7945"], table.models["DX650"]
    assert (old.sha512, new.sha512) == (Ability.NO, Ability.YES)
    assert (old.sources["sha512"], new.sources["sha512"]) == (("GUIDE",), ("TRACE",))
    assert (old.tls_max, new.tls_max) == (TlsVersion.V1_0, None)
    assert (old.type_number, new.type_number) == (435, None)
    assert (old.max_list_size, old.sources["max_list_size"]) == (65_536, ("GUIDE", "TRACE"))
    assert (old.series, old.family, old.product, old.has_mac) == ("Old phones", Family.P7900, "Cisco 7945", True)
    assert table.sources == {"GUIDE": "a guide", "TRACE": "a capture"}


def test_what_nobody_says_has_no_source_and_can_overrule_what_is_said_of_a_series() -> None:
    known = NEW.replace("}", ", sha512: unknown, security_by_default: unknown}")
    model = read_table(HEAD + OLD + known, "models.yaml").models["DX650"]
    assert (model.sha512, model.security_by_default) == (Ability.UNKNOWN, Ability.UNKNOWN)
    assert not {"sha512", "security_by_default", "type_number"} & set(model.sources)


def test_a_client_may_have_another_product_name_and_no_mac_address() -> None:
    text = HEAD + OLD + NEW.replace("}", ", product: Soft Client, named_by: user}")
    model = read_table(text, "models.yaml").models["DX650"]
    assert (model.product, model.has_mac) == ("Soft Client", False)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("models:\n", "models: [", "models.yaml: not YAML: "),
        (OLD, OLD + OLD, "a key is repeated in this mapping"),
        ("435 GUIDE}", "435 GUIDE, type_number: 436 GUIDE}", "a key is repeated in this mapping"),
        (GOOD, "", "the file: a mapping is missing here"),
        (GOOD, "- a", "the file: a mapping is missing here"),
        ("sources:\n", "phones: {}\nsources:\n", "the file: phones is not known here"),
        ("  load: unknown\n", "", "every_model: load is missing; what nobody says is unknown"),
        ("  ec: unknown", "  wifi: unknown", "every_model: ec is missing"),
        ("  ec: unknown", "  ec: unknown\n  wifi: yes GUIDE", "every_model: wifi is not known here"),
        ("  ec: unknown", "  ec: unknown\n  type_number: 5 GUIDE", "every_model: type_number is not known here"),
        ("  ec: unknown", "  ec: perhaps GUIDE", "every_model: ec: 'perhaps' is not one of yes, no, unknown"),
        ("  ec: unknown", "  ec: YES GUIDE", "every_model: ec: 'YES' is not one of"),
        ("  ec: unknown", "  ec: yes", "every_model: ec: no source is named"),
        ("  ec: unknown", "  ec:", "every_model: ec: '' is not one of"),
        ("  ec: unknown", "  ec: [yes]", "every_model: ec: '' is not one of"),
        ("  ec: unknown", "  ec: unknown GUIDE", "every_model: ec: what is unknown has no source"),
        ("  ec: unknown", "  ec: yes GUIDE HEARSAY", "every_model: ec: HEARSAY is not among the sources"),
        ("tls_max: 1.0 GUIDE", "tls_max: 1.5 GUIDE", "series old: tls_max: '1.5' is not one of 1.0, 1.1, 1.2, 1.3"),
        (
            "tls_max: 1.0 GUIDE",
            "tls_max: 1.0 GUIDE, tls_known: 1.2 GUIDE",
            "model 7945: tls_min, tls_known and tls_max",
        ),
        ("tls_max: 1.0 GUIDE", "tls_max: 1.0 GUIDE, tls_min: 1.1 GUIDE", "model 7945: tls_min, tls_known and tls_max"),
        ("about: Old phones, ", "", "series old: about is missing"),
        ('"7900"', '"7800s"', "series old: screen: '7800s' is not one of 7800, 7900, 8800, DX"),
        ('screen: "7900", ', "", "series old: screen is missing"),
        ("old: {about: Old phones", "old: 5 #", "series old: a mapping is missing here"),
        ("{series: old, type_number: 435 GUIDE}", "5", "model 7945: a mapping is missing here"),
        ("series: old, ", "", "model 7945: series is none of old, new"),
        ("series: old, ", "series: older, ", "model 7945: series is none of old, new"),
        (", type_number: 435 GUIDE", "", "model 7945: type_number is missing; what nobody says is unknown"),
        ("435 GUIDE", "4x5 GUIDE", "model 7945: type_number: '4x5' is no number"),
        ("435 GUIDE", "0 GUIDE", "model 7945: type_number: '0' is no number"),
        ("435 GUIDE", "-5 GUIDE", "model 7945: type_number: '-5' is no number"),
        ("435 GUIDE", "4294967296 GUIDE", "model 7945: type_number: '4294967296' is no number"),
        ("435 GUIDE", "4" * 5000 + " GUIDE", "model 7945: type_number: '4444"),
        ("435 GUIDE", "٤ GUIDE", "model 7945: type_number: '٤' is no number"),
        (
            "435 GUIDE",
            f"435 GUIDE, load: {'x' * 65} GUIDE",
            "model 7945: load: a firmware name has at most 64 characters",
        ),
        ("435 GUIDE", "435 GUIDE, named_by: hand", "model 7945: named_by: 'hand' is not one of mac, user"),
        ("435 GUIDE", "435 GUIDE, named_by: [mac]", "model 7945: named_by is no text"),
        ("435 GUIDE", "435 GUIDE, product: [x]", "model 7945: product is no text"),
        ("type_number: unknown", "type_number: 435 GUIDE", "model DX650: 435 is that of model 7945, too"),
        ("type_number: unknown", "type_number: unknown, product: cisco 7945", "model DX650: CISCO 7945 is that of"),
        ("  TRACE: a capture\n", "  TRACE: a capture\n  IDLE: x\n", "sources: nothing is said by IDLE"),
        ("GUIDE: a guide", "GUIDE: [a]", "sources: GUIDE is no text"),
    ],
)
def test_a_mistake_is_named_with_file_model_and_key(old: str, new: str, problem: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    found = problems(text)
    assert problem in found
    assert found.startswith("models.yaml: ")
    assert len(found.splitlines()[0]) < 200


def test_all_mistakes_are_named_at_once() -> None:
    text = GOOD.replace("ec: unknown", "ec: perhaps GUIDE").replace("435 GUIDE", "none GUIDE")
    assert len(problems(text).splitlines()) == 2


def test_an_empty_table_says_what_is_missing() -> None:
    found = problems("{}")
    assert all(f"{part}: a mapping is missing here" in found for part in ("sources", "every_model", "series", "models"))


def test_a_deep_or_looping_file_is_refused_in_a_sentence() -> None:
    assert "not YAML" in problems("[" * 5000)
    assert "not YAML" in problems("&a {sources: *a, every_model: *a, series: *a, models: *a}")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD)), st.text(max_size=5))
def test_a_cut_or_dirty_file_is_read_or_refused_and_nothing_else(end: int, dirt: str) -> None:
    for text in (GOOD[:end], GOOD[:end] + dirt + GOOD[end:]):
        with contextlib.suppress(ConfigError):
            assert read_table(text, "models.yaml").sources
