"""The table of phone models that comes with the project."""

from __future__ import annotations

from dataclasses import replace

import pytest

from base.modelfile import shipped_table
from base.phonemodels import Ability, PhoneModel, TlsVersion

TABLE = shipped_table()
YES, NO, UNKNOWN = Ability.YES, Ability.NO, Ability.UNKNOWN


def named(attribute: str, ability: Ability) -> set[str]:
    return {name for name, model in TABLE.models.items() if getattr(model, attribute) is ability}


def test_the_models_of_every_generation_are_there() -> None:
    wanted = (
        "7940 7960 7941 7961 7942 7962 7945 7965 7970 7971 7975 7906 7911 7931 7921 7925 7926 7937 3905 6901 6911 6921 "
        "6941 6945 6961 7811 7821 7832 7841 7861 8811 8821 8831 8832 8841 8845 8851 8861 8865 8941 8945 8961 9951 9971 "
        "9841 9851 9861 9871 DX650 DX70 DX80 CIPC CSF"
    )
    assert set(wanted.split()) <= set(TABLE.models)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("7960", 7),  # one of each generation, as other people's tables have them
        ("7945", 435),
        ("7970", 30_006),
        ("6921", 495),
        ("7821", 621),
        ("8861", 685),
        ("8865", 36_225),
        ("9971", 493),
        ("9841", 36_345),
        ("DX650", 647),
        ("CIPC", 30_016),
        ("CSF", 503),
    ],
)
def test_type_numbers_are_those_of_ucm(name: str, number: int) -> None:
    assert TABLE.models[name].type_number == number


def test_only_what_is_said_has_a_source() -> None:
    for model in TABLE.models.values():
        for key, sources in model.sources.items():
            assert sources, (model.name, key)
            assert getattr(model, key) not in {None, UNKNOWN}, (model.name, key)
            assert set(sources) <= set(TABLE.sources)


def test_who_is_said_to_lack_security_by_default() -> None:
    assert named("security_by_default", NO) == {"7940", "7960", "CSF"}
    assert {"7945", "7965", "8865", "7841", "8945"} <= named("security_by_default", YES)
    assert {"7941", "7961", "3905"} <= named("security_by_default", UNKNOWN)


def test_who_is_said_to_know_long_keys() -> None:
    assert named("rsa_4096", YES) == {"7811", "7821", "7841", "7861"}
    seven_nine = {name for name in TABLE.models if name.startswith("79")}
    assert named("rsa_4096", NO) == seven_nine


def test_who_takes_sha_1_signatures_alone() -> None:
    old = {name for name in TABLE.models if name.startswith(("79", "894", "896", "99"))}
    assert named("sha512", NO) == named("sha256", NO) == old


@pytest.mark.parametrize("text", ["8865", "CP-8865", "cp-8865", "Cisco 8865", " cisco 8865 "])
def test_a_model_is_found_by_each_of_its_names(text: str) -> None:
    found = TABLE.find(text)
    assert found is not None
    assert found.name == "8865"


def test_others_are_not_found() -> None:
    assert TABLE.find("Cisco IP Communicator") is TABLE.models["CIPC"]
    assert TABLE.find("") is None
    assert TABLE.find("886") is None


@pytest.mark.parametrize(
    ("lowest", "known", "highest", "spoken"),
    [
        (None, None, None, (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)),
        ("1.0", None, "1.0", (YES, NO, NO, NO)),
        ("1.0", None, None, (YES, UNKNOWN, UNKNOWN, UNKNOWN)),
        (None, None, "1.2", (UNKNOWN, UNKNOWN, YES, NO)),
        (None, "1.2", None, (UNKNOWN, UNKNOWN, YES, UNKNOWN)),
        ("1.1", "1.2", None, (NO, YES, YES, UNKNOWN)),
        ("1.2", None, "1.3", (NO, NO, YES, YES)),
    ],
)
def test_which_versions_of_tls_a_model_speaks(
    lowest: str | None, known: str | None, highest: str | None, spoken: tuple[Ability, ...]
) -> None:
    def version(text: str | None) -> TlsVersion | None:
        return TlsVersion(text) if text else None

    model: PhoneModel = replace(
        TABLE.models["8865"], tls_min=version(lowest), tls_known=version(known), tls_max=version(highest)
    )
    assert tuple(map(model.speaks, TlsVersion)) == spoken
