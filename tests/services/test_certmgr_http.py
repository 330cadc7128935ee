"""The certificate management API as an HTTP server: who may call, and every mistake answered in JSON."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from base.trace import MemorySink, Trace
from cluster.config import Administrator
from services.body import BodyLimits
from services.commandline.logins import Gatekeeper, LoginLimits
from services.http import HttpListener
from services.tomcat.certmgr.application import PREFIX, CertificateManager
from tests.services.certmgr_client import QUICK, Api, Client, basic, read, running_api
from tests.services.wires import HOST, Answer, any_server, connection, get, until_closed
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from tests.shared_lab import SharedLab

ApiMaker = Callable[..., Awaitable[Api]]
SMALL = BodyLimits(size=1_000, time_s=0.2)


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


async def one_answer(reader: asyncio.StreamReader) -> Answer:
    """Without waiting for the connection to close."""
    async with asyncio.timeout(PATIENCE_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(Answer.parse(head).header("Content-Length"))
        return Answer.parse(head + await reader.readexactly(length))


def message(answer: Answer, status: int) -> str:
    """Of an error."""
    document = read(answer)
    assert answer.status == status, document
    assert list(document) == ["message"]
    return str(document["message"])


# ---------------------------------------------------------------- log-in


@pytest.mark.parametrize(
    "login",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic YWRtaW4=",  # no colon
        "Basic /////w==",  # no UTF-8
        "Bearer YWRtaW46dWNtc2lt",
        "Digest username=admin",
        basic("admin", "wrong"),
        basic("nobody", "ucmsim"),
        basic("admin", ""),
        basic("", ""),
        basic("ADMIN", "ucmsim"),
        basic("admin", "ucmsim "),
        basic("admin", "ucmsim:"),
        basic("管理者", "パスワード"),
        basic("x" * 4_000, "y"),
    ],
)
async def test_without_the_administrators_password_nothing_is_told(login: str | None, api: Api) -> None:
    """The same answer for every reason, existing route or not: nobody learns which names or paths exist."""
    client = Client(api.client.port, login=login)
    for method, path in (("GET", "options"), ("GET", "nothing"), ("POST", "csr"), ("PATCH", "csr")):
        answer = await client.call(method, path, {"service": "tomcat"} if method == "POST" else None)
        assert message(answer, 401) == "log in with HTTP Basic as an administrator"
        assert answer.header("WWW-Authenticate") == 'Basic realm="CMPlatform Realm"'
    assert api.store.snapshot.revision == 1
    assert not api.store.snapshot.requests


@pytest.mark.parametrize("login", [basic(), basic().replace("Basic ", "basic  "), basic().replace("B", "b", 1)])
async def test_with_it_the_api_is_open(login: str, api: Api) -> None:
    assert (await Client(api.client.port, login=login).call("GET", "options")).status == 200


async def test_guessing_takes_longer_each_time_and_knowing_does_not(make_api: ApiMaker) -> None:
    """The same mechanism as at the command line."""
    api = await make_api(logins=LoginLimits(first_delay_s=0.1, longest_delay_s=0.4))
    loop = asyncio.get_running_loop()

    async def took(login: str) -> float:
        begin = loop.time()
        await Client(api.client.port, login=login).call("GET", "options")
        return loop.time() - begin

    wrong = basic("admin", "wrong")
    first, second = await took(wrong), await took(wrong)
    assert first >= 0.1
    assert second >= 0.2
    assert await took(basic("nobody", "wrong")) >= 0.4, "an unknown user takes its place in the row"
    await took(basic())
    assert await took(basic()) < 0.1


async def test_many_clients_of_one_address_do_not_lock_each_other_out(api: Api) -> None:
    answers = await asyncio.gather(*(api.client.call("GET", "csr?service=tomcat") for _ in range(40)))
    assert {answer.status for answer in answers} == {404}


async def test_who_did_it_and_from_where_is_in_the_audit_trail_and_no_secret_in_the_trace(api: Api) -> None:
    await api.client.said(200, "POST", "csr", {"service": "tomcat-ECDSA"})
    await Client(api.client.port, login=basic("admin", "guess")).call("GET", "options")
    (entry,) = await api.store.audit(1)
    assert (entry.who, entry.origin) == ("admin", "rest 127.0.0.1")
    lines = [repr(event) for event in api.sink.events]
    assert sum("certmgr_answered" in line for line in lines) == 2
    assert not [line for line in lines if "guess" in line or "ucmsim" in line or basic()[6:] in line]


# ---------------------------------------------------------------- routes and methods


@pytest.mark.parametrize(
    "path", ["", "nothing", "csr/1", "identity", "trust/certificat", "snapshot", "Options", "../config/options", "%00"]
)
async def test_paths_that_do_not_exist(path: str, api: Api) -> None:
    assert "there is no '/platformcom" in message(await api.client.call("GET", path), 404)


@pytest.mark.parametrize("path", ["options", "options/", "/options", "snapshot/options", "options?x=y"])
async def test_ways_to_write_a_path(path: str, api: Api) -> None:
    assert "services" in await api.client.get(path)


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("csr", "PUT", "GET, POST, DELETE, HEAD"),
        ("identity/certificate", "DELETE", "GET, POST, HEAD"),
        ("identity/certificates", "PATCH", "GET, POST, HEAD"),
        ("identity/selfsigned", "GET", "POST"),
        ("trust/certificate", "OPTIONS", "GET, POST, DELETE, HEAD"),
        ("snapshot/server", "POST", "GET, HEAD"),
        ("options", "PROPFIND", "GET, HEAD"),
    ],
)
async def test_methods_that_are_not_possible(path: str, method: str, allowed: str, api: Api) -> None:
    """An own certificate cannot be deleted."""
    answer = await api.client.call(method, path)
    assert message(answer, 405) == f"{method} is not possible here; possible: {allowed}"
    assert answer.header("Allow") == allowed


async def test_head_is_a_get_without_its_body(api: Api) -> None:
    answer = await api.client.call("HEAD", "options")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.header("Content-Length")) > 100


async def test_answers_have_no_reason_phrase_and_are_not_kept(api: Api) -> None:
    """As the product's Tomcat sends them."""
    async with connection(api.client.port) as (reader, writer):
        for path, line in (("options", b"HTTP/1.1 200 \r\n"), ("nothing", b"HTTP/1.1 404 \r\n")):
            writer.write(f"GET {PREFIX}/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n\r\n".encode())
            assert await reader.readline() == line
            headers = await reader.readuntil(b"\r\n\r\n")
            assert b"Cache-Control: no-store\r\n" in headers
            assert b"Server:" not in headers
            await reader.readexactly(int(headers.split(b"Content-Length: ")[1].split(b"\r\n")[0]))


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Invalid JSON: EOF while parsing a value"),
        (b"{", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b'{"service": "\xff"}', "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON: recursion limit exceeded"),
        (b'{"service":' * 40_000, "Invalid JSON: recursion limit exceeded"),
        (b"[]", "Input should be an object"),
        (b"null", "Input should be an object"),
        (b"1" * 5_000, "Invalid JSON: number out of range"),
        (b"{}", "service: Field required"),
        (b'{"service": null}', "service: Input should be a valid string"),
        (b'{"service": 7}', "service: Input should be a valid string"),
        (b'{"service": "tomcat", "keyLength": "long"}', "keyLength: Input should be a valid integer"),
        (b'{"service": "tomcat", "keyLength": 1e400}', "keyLength: Input should be a finite number"),
        (b'{"service": "tomcat", "altNames": 7}', "altNames: Input should be a valid array"),
        (b'{"service": "tomcat", "altNames": [1, [], {}]}', "altNames.0: Input should be a valid string; altNames.1"),
        (
            json.dumps({"service": "tomcat", "altNames": ["a"] * 129}).encode(),
            "altNames: Value should have at most 128",
        ),
        (
            json.dumps({"service": "tomcat", "altNames": [7] * 9}).encode(),
            "altNames.4: Input should be a valid string; and 4",
        ),
    ],
)
async def test_bodies_that_are_no_requests(body: bytes, reason: str, api: Api) -> None:
    assert reason in message(await api.client.call("POST", "csr", body), 400)


async def test_half_a_megabyte_is_read_and_more_is_not(api: Api) -> None:
    limit = BodyLimits().size
    assert limit == 512 * 1024
    whole = b'{"service": "tomcat"' + b" " * (limit - 21)
    assert "Invalid JSON" in message(await api.client.call("POST", "csr", whole), 400)
    too_long = "the body is longer than 524288 bytes"
    assert message(await api.client.call("POST", "csr", whole + b" " * 2), 413) == too_long


@pytest.mark.parametrize(
    "headers",
    [b"Content-Length: 10000000", b"Content-Length: 1001", b"Content-Length: 9999999999999999999999"],
)
async def test_a_body_that_says_it_is_too_long_is_not_waited_for(headers: bytes, make_api: ApiMaker) -> None:
    api = await make_api(body=SMALL)
    head = f"POST {PREFIX}/csr HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n".encode()
    async with connection(api.client.port) as (reader, writer):
        writer.write(head + headers + b"\r\n\r\n")
        assert (await reader.readuntil(b"\r\n"))[:12] in {b"HTTP/1.1 413", b"HTTP/1.1 400"}


async def test_a_body_in_pieces_is_counted(make_api: ApiMaker) -> None:
    api = await make_api(body=SMALL)
    head = f"POST {PREFIX}/csr HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with connection(api.client.port) as (reader, writer):
        writer.write(head.encode() + (b"64\r\n" + b" " * 100 + b"\r\n") * 11)
        answer = await one_answer(reader)
    assert message(answer, 413) == "the body is longer than 1000 bytes"


async def test_a_body_that_comes_too_slowly_is_answered_and_hung_up_on(make_api: ApiMaker) -> None:
    api = await make_api(body=SMALL)
    head = f"POST {PREFIX}/csr HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nContent-Length: 500\r\n\r\n{{"
    async with connection(api.client.port) as (reader, writer):
        writer.write(head.encode())
        answer = await one_answer(reader)
    assert message(answer, 408) == "the body took longer than 0.2 s"
    assert answer.header("Connection") == "close"
    assert "services" in await api.client.get("options")


async def test_pieces_that_are_malformed(make_api: ApiMaker) -> None:
    api = await make_api(body=SMALL)
    head = f"POST {PREFIX}/csr HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with connection(api.client.port) as (reader, writer):
        writer.write(head.encode() + b"zz\r\n")
        answer = await until_closed(reader)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Traceback" not in answer
    assert b"<" not in answer


async def test_a_compressed_body_is_not_unpacked(api: Api) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    answer = await api.client.call("POST", "csr", bomb, {"Content-Encoding": "gzip"})
    assert message(answer, 415) == "a body in content encoding 'gzip' is not read"


async def test_a_listener_hands_bodies_on_as_they_came() -> None:
    """Nothing is unpacked before anybody looked at it."""
    bomb = gzip.compress(bytes(5_000_000))
    received: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        received.append(await request.content.read())
        return web.Response()

    listener = HttpListener("HTTP", HOST, 0, take, trace=Trace(MemorySink()))
    await listener.start()
    try:
        await Client(listener.listeners[0].port).call("POST", "csr", bomb, {"Content-Encoding": "gzip"})
    finally:
        await listener.stop(0)
    assert received == [bomb]


async def test_a_body_of_somebody_unknown_is_not_read(make_api: ApiMaker) -> None:
    api = await make_api(body=SMALL)
    async with connection(api.client.port) as (reader, writer):
        writer.write(f"POST {PREFIX}/csr HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n")) == b"HTTP/1.1 401 \r\n"


async def test_a_client_that_asks_before_it_sends(api: Api) -> None:
    """``Expect: 100-continue``, as curl does with long bodies."""
    body = json.dumps({"service": "ipsec", "keyLength": 7}).encode()
    head = (
        f"POST {PREFIX}/csr HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nConnection: close\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with connection(api.client.port) as (reader, writer):
        writer.write(head.encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert "key length 7 is not possible" in message(Answer.parse(await until_closed(reader)), 400)


# ---------------------------------------------------------------- when something is wrong here


async def test_without_the_database_reading_goes_on_and_changes_are_refused(api: Api) -> None:
    path = Path(api.store._where)
    for file in path.parent.glob("cluster.sqlite*"):
        file.unlink()
    assert (await api.client.get("identity/certificate?service=tomcat"))["service"] == "tomcat"
    for call in (("POST", "csr", {"service": "tomcat-ECDSA"}), ("GET", "trust/certificate?service=tomcat")):
        answer = await api.client.call(*call)
        assert "database" in message(answer, 503)


async def test_a_failure_of_our_own_is_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, not sent; not as HTML either, though the client would like it."""
    trace = Trace(MemorySink())
    manager = CertificateManager("x", object(), Gatekeeper(Administrator(), QUICK), trace=trace)  # type: ignore[arg-type]
    listener = HttpListener("HTTP", HOST, 0, manager, trace=trace)
    await listener.start()
    try:
        client = Client(listener.listeners[0].port)
        answer = await client.call("GET", "options", headers={"Accept": "text/html"})
    finally:
        await listener.stop(0)
    assert message(answer, 500) == "this failed inside ucmsim; its log says how"
    assert "GET /platformcom/api/v1/certmgr/config/options failed" in caplog.text


# ---------------------------------------------------------------- where it is


async def test_it_is_on_both_https_ports_beside_the_phones_pages(shared_lab: SharedLab) -> None:
    ports = shared_lab.ports()
    for port in (ports.secure_admin, ports.secure_web):
        assert port
        assert (await Client(port, any_server()).get("options"))["release"] == "12.5"
        page = await get(port, "/ccmcip/xmldirectory.jsp", any_server())
        assert b"<CiscoIPPhoneMenu>" in page.body


async def test_plain_http_does_not_have_it(shared_lab: SharedLab) -> None:
    """A password would be read on the way."""
    answer = await Client(shared_lab.ports().web).call("GET", "options")
    assert answer.status == 404
    assert answer.body == b""


async def test_paths_that_only_look_alike_are_the_phones_pages(shared_lab: SharedLab) -> None:
    answer = await get(shared_lab.ports().secure_admin, f"{PREFIX}uration/options", any_server())
    assert (answer.status, answer.body) == (404, b"")
