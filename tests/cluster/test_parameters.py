"""Enterprise parameters: typed, with defaults by release; unknown ones and unfit values are refused with what fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.parameters import CATALOGUE, ROLLBACK, TVS_TTL, URL_ELEMENTS, URL_PATHS, check_parameter
from cluster.releases import RELEASES
from wire.errors import Refusal

if TYPE_CHECKING:
    from cluster.store import ClusterStore

LONGEST = "http://" + "a" * 248


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        (ROLLBACK, "True", "True"),
        (ROLLBACK, "tRUE", "True"),
        (ROLLBACK, "false", "False"),
        (TVS_TTL, "1", "1"),
        (TVS_TTL, "0060", "60"),
        (TVS_TTL, "604800", "604800"),
        ("Auto-registration", "FALSE", "False"),
        ("Endpoint Advanced Encryption Algorithms Support", "true", "True"),
        ("TFTP File Signature Algorithm", "SHA-1", "SHA-1"),
        ("TFTP File Signature Algorithm", "SHA-512", "SHA-512"),
        ("Cluster Security Mode", "1", "1"),
        ("URL Services", "", ""),
        ("URL Services", "http://192.0.2.1/menu?x=1", "http://192.0.2.1/menu?x=1"),
        ("URL Services", LONGEST, LONGEST),
        ("Secured Directory URL", "https://192.0.2.1/", "https://192.0.2.1/"),
        ("URL Directories", "Application:Cisco/CorporateDirectory", "Application:Cisco/CorporateDirectory"),
    ],
)
def test_a_value_that_fits_is_kept_as_ucm_shows_it(name: str, given: str, kept: str) -> None:
    assert check_parameter(name, given) == kept


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        (ROLLBACK, "", "True or False"),
        (ROLLBACK, "1", "True or False"),
        (ROLLBACK, " True", "True or False"),
        (TVS_TTL, "0", "1..604800 seconds"),
        (TVS_TTL, "604801", "1..604800 seconds"),
        (TVS_TTL, "-1", "1..604800 seconds"),
        (TVS_TTL, "1.5", "1..604800 seconds"),
        (TVS_TTL, "1e3", "1..604800 seconds"),
        (TVS_TTL, "", "1..604800 seconds"),
        (TVS_TTL, "٣", "1..604800 seconds"),
        (TVS_TTL, "9" * 10_000, "1..604800 seconds"),
        ("TFTP File Signature Algorithm", "SHA1", "SHA-1 or SHA-512"),
        ("TFTP File Signature Algorithm", "sha-1", "SHA-1 or SHA-512"),
        ("Cluster Security Mode", "2", "0 non-secure, 1 mixed"),
        ("URL Services", "ftp://192.0.2.1/", "URL, or empty for the node's own"),
        ("URL Services", "http://", "URL, or empty for the node's own"),
        ("URL Services", "http://192.0.2.1/a b", "URL, or empty for the node's own"),
        ("URL Services", "http://192.0.2.1/\n", "URL, or empty for the node's own"),
        ("URL Services", LONGEST + "a", "URL, or empty for the node's own"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_with_what_would(
    name: str, value: str, fits: str, store: ClusterStore
) -> None:
    before = store.snapshot
    with pytest.raises(Refusal) as caught:
        await store.set_parameter(name, value)
    assert caught.value.code == 400
    assert str(caught.value) == f"enterprise parameter {name!r} cannot be {value!r}; it takes {fits}"
    assert store.snapshot is before


@pytest.mark.parametrize("name", ["", "Colour", "rollback", ROLLBACK.lower(), ROLLBACK + " "])
async def test_an_unknown_parameter_is_refused_with_the_known_ones(name: str, store: ClusterStore) -> None:
    with pytest.raises(Refusal) as caught:
        await store.set_parameter(name, "True")
    assert caught.value.code == 404
    assert str(caught.value) == f"there is no enterprise parameter {name!r}; known: {', '.join(CATALOGUE)}"


@pytest.mark.parametrize("release", RELEASES.values(), ids=list(RELEASES))
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_default_fits_its_own_parameter(name: str, release: object) -> None:
    default = CATALOGUE[name].default(release)  # type: ignore[arg-type]
    assert check_parameter(name, default) == default


async def test_a_parameter_has_its_default_until_it_is_set(store: ClusterStore) -> None:
    assert store.snapshot.parameter(TVS_TTL) == "86400"
    await store.set_parameter(TVS_TTL, "060")
    assert (store.snapshot.parameter(TVS_TTL), store.snapshot.ttl_s) == ("60", 60)


def test_every_entry_says_what_it_is_for() -> None:
    assert all(parameter.kind and parameter.about for parameter in CATALOGUE.values())
    assert all(name == parameter.name for name, parameter in CATALOGUE.items())


def test_every_url_parameter_has_an_element_and_a_path() -> None:
    assert set(URL_ELEMENTS.values()) == set(URL_PATHS)
    assert set(URL_ELEMENTS) <= set(CATALOGUE)
