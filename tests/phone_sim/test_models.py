"""The table of phone models."""

from __future__ import annotations

import ssl

import pytest

from phone_sim.models import Ability, Family, all_models, model, parse_models
from wire.errors import ConfigError, OperatorError

GOOD = (
    '"8865": {type_number: 36225, load: x, family: "8800", security_by_default: true, http: true, '
    "tls_min: unknown, tls_max: unknown, sha512: unknown, ec: unknown, "
    "rsa_4096: unknown}"
)


def test_the_shipped_table_has_the_models_of_the_lab() -> None:
    names = "7811 7821 7832 7841 7861 7940 7945 7960 7965 8811 8832 8841 8845 8851 8861 8865"
    assert sorted(all_models()) == names.split()


def test_type_numbers_are_those_of_the_default_configuration() -> None:
    assert (model("8865").type_number, model("7841").type_number, model("7960").type_number) == (
        36225,
        622,
        7,
    )


def test_7940_and_7960_have_no_security_by_default() -> None:
    without = {name for name, found in all_models().items() if found.security_by_default is Ability.NO}
    assert without == {"7940", "7960"}


def test_the_7900_series_speaks_tls_1_0_and_sha_1_only() -> None:
    old = model("7965")
    assert old.tls_versions == (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)
    assert old.sha512 is Ability.NO
    assert old.family is Family.P7900


def test_what_nobody_says_is_unknown_and_assumed_to_be_there() -> None:
    assert model("8865").ec is Ability.UNKNOWN
    assert model("8865").ec.assumed
    assert model("8865").tls_versions == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    assert model("8865").tls_ciphers is None


def test_a_model_without_elliptic_curves_offers_no_ecdsa() -> None:
    text = "models:\n  " + GOOD.replace("ec: unknown", "ec: false")
    assert parse_models(text, "x")["8865"].tls_ciphers == "DEFAULT:!aECDSA"


def test_device_name_for_tvs() -> None:
    assert model("CP-8865").device_name("001122334455") == "CP-8865-SEP001122334455"


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(OperatorError, match=r"'9999' is not known; known are 7811, "):
        model("9999")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [", "not YAML"),
        ("phones: {}", "mapping named models is missing"),
        ("models:\n  " + GOOD.replace("sha512: unknown", "sha512: perhaps"), "sha512 is 'perhaps'"),
        ("models:\n  " + GOOD.replace("http: true", "http: 1"), "http is 1"),
        ("models:\n  " + GOOD.replace(", ec: unknown", ""), "'ec'"),
        ("models:\n  " + GOOD.replace("ec: unknown", "ec: unknown, wifi: true"), "'wifi'"),
        ('models:\n  "8865": 5', "model 8865"),
    ],
)
def test_a_mistake_in_the_table_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_models(text, "phone_models.yaml")
