"""What a client of the certificate management API does, and what it gets (R-CRT-2, R-CRT-4, R-CRT-5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from base.clock import ManualClock
from cluster.parameters import FIPS_MODE
from cluster.purposes import Purpose
from tests.cluster.material import WHEN
from tests.foreign import foreign
from tests.openssl_ca import openssl
from tests.services.certmgr_client import Api, Client, running_api
from wire.certificates import Certificate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.openssl_ca import OpensslCa

PUB, SUB = "alpha-pub", "alpha-sub1"
EC = "tomcat-ECDSA"
"""Its keys are made in no time."""
ApiMaker = Callable[..., Awaitable[Api]]


@pytest.fixture
async def make_api(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[ApiMaker]:
    async with AsyncExitStack() as stack:

        async def make(release: str = "12.5", **options: object) -> Api:
            template = await state_templates(release)
            return await stack.enter_async_context(running_api(tmp_path / "state", template, **options))  # type: ignore[arg-type]

        yield make


@pytest.fixture
async def api(make_api: ApiMaker) -> Api:
    return await make_api()


@pytest.fixture
async def client(api: Api) -> Client:
    return api.client


async def trusted(client: Client, service: str = "tomcat") -> dict[str, Certificate]:
    document = await client.get(f"trust/certificate?service={service}")
    return {item["filename"]: Certificate.from_pem(item["certificate"].encode()) for item in document["certificates"]}


async def trust(client: Client, authority: OpensslCa, *services: str) -> None:
    pem = [certificate.pem for certificate in authority.chain]
    await client.said(201, "POST", "trust/certificates", {"service": [*services] or ["tomcat"], "certificates": pem})


async def signed(client: Client, authority: OpensslCa, **fields: object) -> list[str]:
    """Leaf, intermediate, root, as ACME clients send them."""
    document = await client.said(200, "POST", "csr", {"service": EC, **fields})
    leaf = authority.sign(document["csr"].encode())
    return [leaf.pem, *(certificate.pem for certificate in authority.chain)]


def same(document: dict[str, Any], pem: str) -> bool:
    return bool(document["certificate"] == pem)


# ---------------------------------------------------------------- from request to certificate


async def test_the_way_from_a_request_to_a_ca_signed_certificate(api: Api, authority: OpensslCa) -> None:
    """As its clients go it: CA chain into the trust store, request, then the whole chain as identity."""
    client = api.client
    await trust(client, authority)
    chain = await signed(client, authority, distribution="this-server", commonName="alpha-pub-web.lab.example")
    document = await client.said(201, "POST", "identity/certificates", {"service": EC, "certificates": chain})
    assert same(document, chain[0])
    assert document["chain"] == chain[1:]
    assert document["subject"].startswith("CN=alpha-pub-web.lab.example;")
    for path in ("identity/certificate", "identity/certificates"):
        assert await client.get(f"{path}?service={EC}") == document
    assert document["restart"] == ["Cisco Tomcat", "Cisco Tftp"], "until then the old one is in use (R-CRT-6)"
    (entry,) = await api.store.audit(1)
    assert (entry.what, entry.origin) == (f"{EC} of {PUB}: CA-signed certificate installed", "rest 127.0.0.1")


async def test_a_request_has_all_that_was_asked_for(client: Client) -> None:
    asked = {
        "service": "tomcat",
        "distribution": "this-server",
        "commonName": "uc.example",
        "keyType": "rsa",
        "keyLength": "3072",
        "hashAlgorithm": "sha384",
        "altNames": ["one.example", "two.example"],
        "somethingNew": True,
    }
    document = await client.said(200, "POST", "csr", asked)
    printed = openssl("req", "-verify", "-noout", "-text", data=document["csr"].encode()).decode()
    assert "CN = uc.example" in printed
    assert "Public-Key: (3072 bit)" in printed
    assert "sha384WithRSAEncryption" in printed
    assert "DNS:alpha-pub.lab.example, DNS:one.example, DNS:two.example" in printed
    assert await client.get("csr?service=tomcat") == document


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["alpha-pub.lab.example"]),
        ({"distribution": None, "commonName": "", "keyType": "", "altNames": None}, ["alpha-pub.lab.example"]),
        ({"altNames": "uc.example"}, ["alpha-pub.lab.example", "uc.example"]),
        ({"distribution": "multi-server"}, ["alpha-pub.lab.example", "alpha-sub1.lab.example"]),
        ({"distribution": "MULTI-SERVER", "altNames": []}, ["alpha-pub.lab.example", "alpha-sub1.lab.example"]),
    ],
)
async def test_fields_that_are_left_out(fields: dict[str, object], names: list[str], client: Client) -> None:
    document = await client.said(200, "POST", "csr", {"service": EC, **fields})
    csr = x509.load_pem_x509_csr(document["csr"].encode())
    found = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == names
    assert document["distribution"] == (
        "multi-server" if len(names) > 1 and "uc.example" not in names else "this-server"
    )


async def test_a_multi_server_certificate_is_every_nodes(api: Api, authority: OpensslCa) -> None:
    await trust(api.client, authority)
    chain = await signed(api.client, authority, distribution="multi-server")
    await api.client.said(201, "POST", "identity/certificates", {"service": EC, "certificates": chain})
    own = [api.store.snapshot.require(node, Purpose.TOMCAT_ECDSA).certificate for node in (PUB, SUB)]
    assert [certificate.pem for certificate in own] == [chain[0]] * 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"service": "nothing"}, "there is no service 'nothing' here; services: CallManager, CallManager-ECDSA, TVS"),
        ({"service": ""}, "there is no service '' here"),
        ({"service": "tomcat-trust"}, "there is no service 'tomcat-trust' here"),
        ({"service": "ITLRecovery"}, "ITLRecovery is always self-signed; regenerate it instead"),
        ({"distribution": "all"}, "distribution 'all' is not possible; possible: this-server, multi-server"),
        ({"service": "TVS", "distribution": "multi-server"}, "TVS certificates cannot be multi-server"),
        ({"keyType": "rsa"}, "tomcat-ECDSA certificates have EC keys, not rsa"),
        ({"keyLength": 2048}, "key length 2048 is not possible for tomcat-ECDSA; possible: 256, 384, 521"),
        ({"keyLength": -1}, "key length -1 is not possible"),
        ({"hashAlgorithm": "sha1"}, "hash algorithm SHA1 is not possible"),
        ({"hashAlgorithm": "sha256"}, "weaker than an EC key of 384 bits"),
        ({"commonName": "alpha-pub"}, "an EC certificate needs a common name other than the host name alpha-pub"),
        ({"commonName": "*.lab.example"}, "1 to 64 letters, digits, hyphens and dots"),
        ({"altNames": ["*.lab.example"]}, "wildcards are not possible"),
    ],
)
async def test_requests_that_break_a_rule(fields: dict[str, object], reason: str, client: Client) -> None:
    for path in ("csr", *(["identity/selfsigned"] if "ITLRecovery" not in reason and "multi" not in reason else [])):
        document = await client.said(400, "POST", path, {"service": EC, **fields})
        assert reason in document["message"]


async def test_a_request_is_dropped_once(client: Client) -> None:
    document = await client.said(200, "POST", "csr", {"service": EC})
    assert (await client.said(200, "DELETE", f"csr?service={EC.lower()}")) == {"service": EC}
    for method in ("GET", "DELETE"):
        gone = await client.said(404, method, f"csr?service={EC}")
        assert gone["message"] == f"The file /usr/local/platform/.security/{EC}/keys/{EC}.csr does not exist"
    assert document["csr"].startswith("-----BEGIN CERTIFICATE REQUEST-----\n")


# ---------------------------------------------------------------- uploads that are refused


async def test_an_upload_before_its_ca(client: Client, authority: OpensslCa) -> None:
    """400 is what clients see."""
    chain = await signed(client, authority)
    document = await client.said(400, "POST", "identity/certificates", {"service": EC, "certificates": chain})
    assert document["message"].startswith("CA certificate is not available in the trust-store: CN=Example Issuing CA")
    assert (await client.get(f"csr?service={EC}"))["csr"], "the request waits on"


async def test_an_upload_for_a_request_that_was_replaced_or_used(client: Client, authority: OpensslCa) -> None:
    """R-CRT-4; 500 is what clients see."""
    await trust(client, authority)
    old, new = await signed(client, authority), await signed(client, authority)
    upload = ("POST", "identity/certificates")
    document = await client.said(500, *upload, {"service": EC, "certificates": old})
    assert document == {"message": "CSR public key and certificate public key do not match"}
    await client.said(201, *upload, {"service": EC, "certificates": new})
    document = await client.said(500, *upload, {"service": EC, "certificates": new})
    assert document["message"].endswith(f"/{EC}.csr does not exist")


@pytest.mark.parametrize(
    ("certificates", "service", "reason"),
    [
        ([], EC, "certificates: List should have at least 1 item"),
        (["hello"], EC, "the upload is no certificate in PEM, DER or PKCS#7"),
        ([foreign().pem, "hello"], EC, "the upload is no certificate"),
        ([foreign().pem, ""], EC, "the upload is no certificate"),
        ([foreign().pem] * 129, EC, "certificates: "),
        ([foreign().pem] * 65, EC, "an upload of 65 certificates is over the limit of 64"),
        ([foreign().pem], "nothing", "there is no service 'nothing' here"),
        ([foreign().pem], ["tomcat", EC], "an own certificate is uploaded for one service"),
        ([foreign().pem], [], "service: List should have at least 1 item"),
        ([7], EC, "certificates.0: Input should be a valid string"),
        ({"pem": foreign().pem}, EC, "certificates: Input should be a valid"),
    ],
)
async def test_uploads_that_are_none(certificates: object, service: object, reason: str, client: Client) -> None:
    for path in ("identity/certificates", *(["trust/certificates"] if service == EC else [])):
        document = await client.said(400, "POST", path, {"service": service, "certificates": certificates})
        assert reason in document["message"] or "should have at least 1 item" in document["message"]


async def test_pkcs7_in_text_and_the_singular_path(client: Client, authority: OpensslCa) -> None:
    pkcs7 = openssl("crl2pkcs7", "-nocrl", "-certfile", authority.folder / "ca.pem").decode()
    await client.said(201, "POST", "trust/certificate", {"service": "tomcat", "certificates": pkcs7})
    assert (await trusted(client))["Example Issuing CA.pem"] == authority.certificate


# ---------------------------------------------------------------- self-signed


async def test_a_new_self_signed_certificate(client: Client) -> None:
    """R-CRT-2, R-CRT-5."""
    old = await client.get(f"identity/certificate?service={EC}")
    fields = {"service": EC, "keyLength": 521, "commonName": "uc-ec", "altNames": ["uc.example"]}
    new = await client.said(201, "POST", "identity/selfsigned", fields)
    assert (new["keyType"], new["keyLength"], new["chain"]) == ("ec", 521, [])
    assert new["subject"] == new["issuer"] != old["subject"]
    assert await client.get(f"identity/certificate?service={EC}") == new
    assert (await trusted(client))["uc-ec.pem"].pem == new["certificate"]


async def test_a_multi_server_certificate_is_never_self_signed(client: Client) -> None:
    document = await client.said(400, "POST", "identity/selfsigned", {"service": EC, "distribution": "multi-server"})
    assert "make a signing request" in document["message"]


async def test_fips_mode_is_kept_here_as_well(api: Api) -> None:
    await api.store.set_parameter(FIPS_MODE, "True")
    document = await api.client.said(400, "POST", "csr", {"service": "tomcat", "keyLength": 1024})
    assert document["message"] == "in FIPS mode RSA keys have 2048 bits or more, not 1024"


async def test_of_two_administrators_who_looked_at_the_same_certificate_one_succeeds(api: Api) -> None:
    client = api.client
    answer = await client.call("GET", f"identity/certificate?service={EC}")
    tag = {"If-Match": answer.header("ETag")}
    answers = await asyncio.gather(
        *(client.call("POST", "identity/selfsigned", {"service": EC}, tag) for _ in range(3))
    )
    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    assert b"was changed by somebody else meanwhile" in next(item.body for item in answers if item.status == 409)
    assert api.store.snapshot.revision == 2


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"{digest}"', 201), ("{digest}", 201), ('W/"{digest}"', 201), ("*", 201), ('"' + "0" * 64 + '"', 409)]
    + [(wrong, 400) for wrong in ("", '""', "x", '"{digest}", "{digest}"', '"{digest}0"')],
)
async def test_forms_of_if_match(tag: str, status: int, client: Client) -> None:
    digest = (await client.get(f"identity/certificate?service={EC}"))["sha256"]
    await client.said(status, "POST", "identity/selfsigned", {"service": EC}, If_Match=tag.format(digest=digest))


# ---------------------------------------------------------------- trust stores


async def test_certificates_come_and_go_by_file_name_and_by_digest(client: Client, authority: OpensslCa) -> None:
    before = await trusted(client)
    await trust(client, authority, "tomcat", "CallManager-trust")
    for service in ("tomcat", "TOMCAT-trust", EC, "CallManager"):
        assert set(authority.chain) <= set((await trusted(client, service)).values())
    gone = await client.said(200, "DELETE", "trust/certificate?service=tomcat&filename=Example%20Issuing%20CA.pem")
    assert gone["sha256"] == authority.certificate.sha256.hex()
    root = authority.chain[-1].sha256.hex()
    await client.said(200, "DELETE", f"trust/certificates?service=tomcat&sha256={root}")
    assert await trusted(client) == before
    assert set(authority.chain) <= set((await trusted(client, "CallManager")).values())


async def test_an_upload_says_what_came_in(client: Client, authority: OpensslCa) -> None:
    pem = [certificate.pem for certificate in authority.chain]
    upload = {"service": ["tomcat", "tomcat-ECDSA"], "certificates": pem, "description": "Trust Certificate"}
    document = await client.said(201, "POST", "trust/certificates", upload)
    assert document == {
        "service": ["tomcat"],
        "certificates": [
            {"filename": "Example Issuing CA.pem", "certificate": pem[0]},
            {"filename": "Example Root CA.pem", "certificate": pem[1]},
        ],
    }
    again = await client.said(409, "POST", "trust/certificates", upload)
    assert again == {"message": "tomcat-trust already holds Example Issuing CA, Example Root CA"}


async def test_every_certificate_has_a_name_of_its_own_by_which_it_can_be_deleted(api: Api) -> None:
    """Bulk import leaves namesakes; some roots have no name at all."""
    client, query = api.client, "trust/certificate?service=Phone-VPN&filename"
    twins, nameless = [foreign("twin"), foreign("twin")], foreign("", unit="Class 3")
    await api.store.add_trust("Phone-VPN-trust", [*twins, nameless, foreign("single")])
    found = await trusted(client, "phone-vpn")
    assert set(found) == {"single.pem", *(f"{item.sha256.hex()[:16]}.pem" for item in (*twins, nameless))}
    document = await client.said(409, "DELETE", f"{query}=twin.pem")
    assert "2 certificates of Phone-VPN-trust match 'twin.pem'; give digits of a SHA-256" in document["message"]
    for name, certificate in found.items():
        assert (await client.said(200, "DELETE", f"{query}={name}"))["sha256"] == certificate.sha256.hex()
    assert await trusted(client, "Phone-VPN") == {}


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("", 400, "the query parameter 'service' is missing"),
        ("service=tomcat", 400, "the query parameter 'filename' is missing"),
        ("service=tomcat&filename=", 400, "the query parameter 'filename' is missing"),
        ("service=nothing&filename=x", 400, "there is no service 'nothing' here; services: CallManager, Phone-SAST"),
        ("service=ITLRecovery&filename=x", 400, "there is no service 'ITLRecovery' here"),
        ("service=tomcat&filename=x.pem", 404, "tomcat-trust holds no certificate 'x.pem'"),
    ],
)
async def test_deletions_that_are_refused(query: str, status: int, reason: str, client: Client) -> None:
    document = await client.said(status, "DELETE", f"trust/certificate?{query}")
    assert reason in document["message"]


async def test_time_is_the_clusters(make_api: ApiMaker) -> None:
    api = await make_api(clock=ManualClock(WHEN))
    upload = {"service": ["tomcat"], "certificates": [foreign(end=WHEN - timedelta(seconds=1)).pem]}
    document = await api.client.said(400, "POST", "trust/certificates", upload)
    assert document["message"] == "certificate CN=foreign expired on 2030-06-01 11:59 UTC"


# ---------------------------------------------------------------- looking


async def test_the_snapshot_has_the_products_shape(api: Api, authority: OpensslCa) -> None:
    client = api.client
    await trust(client, authority)
    csr = (await client.said(200, "POST", "csr", {"service": EC}))["csr"]
    document = await client.get("snapshot/server")
    assert list(document) == ["trackingId", "server", "identities", "trusts", "revokedCertificates"]
    assert (document["server"], document["revokedCertificates"]) == ("alpha-pub.lab.example", [])
    identities = {item["service"]: item for item in document["identities"]}
    assert list(identities) == [purpose.value for purpose in Purpose]
    for service, item in identities.items():
        assert list(item) == ["service", "certificate", "csr"]
        assert item["certificate"] == api.store.snapshot.require(PUB, Purpose(service)).certificate.pem
        assert item["csr"] == (csr if service == EC else None)
    trusts = {item["service"]: item["certificate_data"] for item in document["trusts"]}
    assert {"CallManager", "tomcat", "CAPF", "ipsec", "TVS", "Phone-SAST"} <= set(trusts)
    assert {"filename": "Example Issuing CA.pem", "certificate": authority.certificate.pem} in trusts["tomcat"]
    assert trusts["Phone-VPN"] == []
    assert document["trackingId"] != (await client.get("snapshot/server"))["trackingId"]


async def test_a_subscriber_has_what_is_its_own(make_api: ApiMaker) -> None:
    api = await make_api(node=SUB)
    document = await api.client.get("identity/certificates")
    services = [item["service"] for item in document["certificates"]]
    assert services == ["CallManager", "CallManager-ECDSA", "TVS", "tomcat", "tomcat-ECDSA", "ipsec"]
    assert [item["service"] for item in (await api.client.get("options"))["services"]] == services
    for service in ("CAPF", "ITLRecovery"):
        gone = await api.client.said(404, "GET", f"identity/certificate?service={service}")
        assert gone["message"] == f"{service} is managed on the publisher, alpha-pub"


async def test_an_old_release_has_what_it_has(make_api: ApiMaker) -> None:
    api = await make_api("8.6")
    options = await api.client.get("options")
    assert [item["service"] for item in options["services"]] == ["CallManager", "TVS", "CAPF", "tomcat", "ipsec"]
    gone = await api.client.said(404, "GET", f"identity/certificate?service={EC}")
    assert gone["message"] == f"release 8.6 has no {EC} certificate"


async def test_every_option_is_possible(client: Client) -> None:
    """The longest RSA keys are left out here: they take their time."""
    for option in (await client.get("options"))["services"]:
        for length in option["keyLength"]:
            if option["csr"] and length <= 1_024:
                fields = {"service": option["service"], "keyType": option["keyType"], "keyLength": length}
                await client.said(200, "POST", "csr", fields)
                strongest = option["hashAlgorithm"][-1]
                await client.said(200, "POST", "csr", {**fields, "hashAlgorithm": strongest})


async def test_all_trust_stores_at_once(client: Client) -> None:
    stores = {item["service"]: item["certificates"] for item in (await client.get("trust/certificates"))["stores"]}
    assert len(stores) == 13
    assert len(stores["tomcat"]) == 4


async def test_no_private_key_is_ever_answered(client: Client) -> None:
    await client.said(200, "POST", "csr", {"service": EC})
    for path in ("snapshot/server", "identity/certificates", "trust/certificates", f"csr?service={EC}", "options"):
        assert b"PRIVATE" not in (await client.call("GET", path)).body
