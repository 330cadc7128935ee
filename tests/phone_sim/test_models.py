"""How a simulated phone of a model behaves."""

from __future__ import annotations

import ssl
from dataclasses import replace

import pytest

from base.phonemodels import TlsVersion
from phone_sim.models import Ability, Family, all_models, model
from wire.errors import OperatorError

LATEST = ssl.TLSVersion.MAXIMUM_SUPPORTED
V1_0, V1_1, V1_2 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


@pytest.mark.parametrize(
    ("lowest", "known", "highest", "offered"),
    [
        (None, None, None, (V1_2, LATEST)),
        (None, "1.2", None, (V1_2, LATEST)),
        (None, "1.0", None, (V1_0, LATEST)),
        ("1.0", None, "1.0", (V1_0, V1_0)),
        ("1.0", None, None, (V1_0, LATEST)),
        (None, None, "1.1", (V1_1, V1_1)),
        (None, "1.2", "1.3", (V1_2, ssl.TLSVersion.TLSv1_3)),
    ],
)
def test_what_is_known_of_tls_is_what_its_clients_offer(
    lowest: str | None, known: str | None, highest: str | None, offered: tuple[ssl.TLSVersion, ssl.TLSVersion]
) -> None:
    def version(text: str | None) -> TlsVersion | None:
        return TlsVersion(text) if text else None

    kind = replace(model("8865"), tls_min=version(lowest), tls_known=version(known), tls_max=version(highest))
    assert kind.tls_versions == offered
    context = kind.tls_context(None)
    assert (context.minimum_version, context.maximum_version) == offered


def test_the_7900_series_speaks_tls_1_0_and_sha_1_only() -> None:
    old = model("7965")
    assert old.tls_versions == (V1_0, V1_0)
    assert (old.sha256.assumed, old.sha512.assumed) == (False, False)
    assert old.family is Family.P7900


def test_what_nobody_says_is_unknown_and_assumed_to_be_there() -> None:
    assert model("8865").ec is Ability.UNKNOWN
    assert model("8865").ec.assumed
    assert model("8865").tls_ciphers is None


def test_limits_that_nobody_gives_are_those_of_phones_in_general() -> None:
    nothing_said = replace(model("8865"), max_list_size=None, sast_records=None, status_messages=None)
    assert (nothing_said.list_limit, nothing_said.sast_limit, nothing_said.message_limit) == (65_536, 2, 30)
    said = replace(model("8865"), max_list_size=1000, sast_records=3, status_messages=7)
    assert (said.list_limit, said.sast_limit, said.message_limit) == (1000, 3, 7)


def test_a_model_without_elliptic_curves_offers_no_ecdsa_nor_tls_1_3_where_suites_do_not_say_it() -> None:
    kind = replace(model("8865"), ec=Ability.NO)
    assert kind.tls_versions == (V1_2, V1_2)
    assert replace(kind, tls_max=TlsVersion.V1_3).tls_versions == (V1_2, V1_2)
    assert replace(kind, tls_min=TlsVersion.V1_0, tls_max=TlsVersion.V1_1).tls_versions == (V1_0, V1_1)
    without = kind.tls_context(None)
    assert not [cipher["name"] for cipher in without.get_ciphers() if "ECDSA" in cipher["name"]]
    assert [cipher["name"] for cipher in model("8865").tls_context(None).get_ciphers() if "ECDSA" in cipher["name"]]


def test_device_name_for_tvs() -> None:
    assert model("CP-8865").device_name("001122334455") == "CP-8865-SEP001122334455"


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(OperatorError, match=r"'9999' is not known; known are 3905, "):
        model("9999")


def test_a_client_without_a_mac_address_is_listed_but_not_simulated() -> None:
    assert "CSF" not in all_models()
    with pytest.raises(OperatorError, match="'csf' is not simulated: its device has no MAC address"):
        model("csf")
