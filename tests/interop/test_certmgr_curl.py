"""curl and openssl, and nothing of our own, bring a CA-signed certificate onto a node and see it there."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.audit import Actor
from cluster.management.services import Order, carry_out
from cluster.servicecatalogue import TOMCAT
from tests.conftest import require_tool
from wire.certificates import Certificate

if TYPE_CHECKING:
    from tests.conftest import Lab
    from tests.openssl_ca import OpensslCa

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]
HOST = "alpha-pub.lab.example"
PATIENCE_S = 30
_SSH = Actor("admin", "ssh 127.0.0.1")
_JSON = ("--header", "Content-Type: application/json", "--data-binary")


async def run(*arguments: object) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode is not None
    return process.returncode, output.decode()


class Curl:
    """One node's API by its own name, as an administrator's script has it."""

    def __init__(self, port: int, *options: object) -> None:
        self._base = f"https://{HOST}:{port}/platformcom/api/v1/certmgr/config"
        self._options = ("--silent", "--show-error", "--resolve", f"{HOST}:{port}:127.0.0.1", *options)

    async def run(self, path: str, *options: object) -> tuple[int, str]:
        return await run(require_tool("curl"), *self._options, *options, f"{self._base}/{path}")

    async def call(self, path: str, document: object = None, *options: object) -> tuple[int, Any]:
        """HTTP status and JSON; a POST when there is a document."""
        body = [*_JSON, json.dumps(document)] if document is not None else []
        code, output = await self.run(path, "--user", "admin:ucmsim", "--write-out", "\\n%{http_code}", *body, *options)
        assert code == 0, output
        text, _, status = output.rpartition("\n")
        return int(status), json.loads(text)


@pytest.mark.parametrize("service", ["tomcat", "tomcat-ECDSA"])
async def test_from_a_signing_request_to_a_browser_that_is_content(
    service: str, lab: Lab, authority: OpensslCa
) -> None:
    require_tool("openssl")
    port = lab.ports().secure_admin
    curl = Curl(port, "--insecure")
    ca = [certificate.pem for certificate in authority.chain]

    request = {
        "service": service,
        "distribution": "this-server",
        "commonName": f"{service.lower()}.lab.example",
        "altNames": ["uc.lab.example"],
    }
    status, answer = await curl.call("csr", request)
    assert status == 200
    leaf = authority.sign(answer["csr"].encode())
    identity = {"service": service, "certificates": [leaf.pem, *ca]}

    status, answer = await curl.call("identity/certificates", identity)
    assert (status, answer["message"][:50]) == (400, "CA certificate is not available in the trust-store")
    assert (await curl.call("trust/certificates", {"service": ["tomcat"], "certificates": ca}))[0] == 201
    _, answer = await curl.call("trust/certificate?service=tomcat")
    assert set(ca) <= {item["certificate"] for item in answer["certificates"]}
    assert (await curl.call("identity/certificates", identity))[0] == 201
    _, answer = await curl.call(f"identity/certificate?service={service}")
    assert answer["certificate"] == leaf.pem

    root = authority.folder / "root.pem"
    root.write_text(ca[-1])
    strict = Curl(port, "--cacert", root, "--tls-max", "1.2", *_suite(service))
    code, output = await strict.run("options", "--user", "admin:ucmsim")
    assert code == 60, f"curl does not trust the old certificate: {output}"
    assert [state async for state in carry_out(lab.store, "alpha-pub", TOMCAT, Order.RESTART, _SSH, PATIENCE_S)]
    status, answer = await strict.call("options")
    assert (status, answer["release"]) == (200, "12.5")

    _, output = await run(
        "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", root, "-verify_hostname", HOST,
        "-verify_return_error", "-showcerts", "-tls1_2", *(("-cipher", _suite(service)[1])),
    )  # fmt: skip
    assert "Verify return code: 0 (ok)" in output
    assert Certificate.from_pem_bundle(output.split("\nServer certificate")[0].encode()) == [leaf, *authority.chain]


def _suite(service: str) -> tuple[str, str]:
    kind = "ECDSA" if service.endswith("ECDSA") else "RSA"
    return "--ciphers", f"ECDHE-{kind}-AES256-GCM-SHA384"


async def test_curl_logs_in_on_demand_and_learns_why_not(lab: Lab) -> None:
    """With ``--anyauth`` it asks without a password first, and sends the body of a POST twice."""
    curl = Curl(lab.ports().secure_web, "--insecure", "--anyauth")
    assert (await curl.call("csr", {"service": "tomcat-ECDSA"}))[0] == 200
    for user, password in (("admin", "wrong"), ("nobody", "ucmsim")):
        _, output = await curl.run("options", "--user", f"{user}:{password}", "--write-out", "%{http_code}")
        assert output == '{"message": "log in with HTTP Basic as an administrator"}401'


async def test_a_body_that_is_too_long_is_answered_while_curl_still_sends(lab: Lab) -> None:
    curl = Curl(lab.ports().secure_admin, "--insecure")
    status, answer = await curl.call("csr", {"service": "tomcat", "commonName": "x" * 100_000})
    assert (status, "common name" in answer["message"]) == (400, True)
    status, answer = await curl.call("csr", None, *_JSON, f"@{_big(lab)}")
    assert (status, answer) == (413, {"message": "the body is longer than 524288 bytes"})


def _big(lab: Lab) -> str:
    path = lab.laboratory.state / "big.json"
    path.write_bytes(b" " * 20_000_000)
    return str(path)
