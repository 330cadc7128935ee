"""The phone's HTTP client against real servers, well-behaved and not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from base.tls import client_context, server_context
from base.trace import MemorySink, Trace
from phone_sim.clients.appserver import ask, open_object
from phone_sim.clients.errors import (
    FetchError,
    FileNotFoundOnServer,
    ServerRefused,
    ServerUnreachable,
    TransferFailed,
)
from phone_sim.clients.http import HttpLimits, Tls, get
from phone_sim.reasons import Reason
from phone_sim.trust import Accept, KeepOld, Verdict
from tests.phone_sim.cast import PUB, ROGUE, TOMCAT, Party
from wire.certificates import Certificate
from wire.errors import OperatorError, WireError
from wire.ipphone import Menu, MenuItem

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
QUICK = HttpLimits(connect_s=2, transfer_s=0.2, max_size=1000)
HOST = "127.0.0.1"


class Served:
    """A raw TCP or TLS server: what it received, and how many connections."""

    def __init__(self, answer: bytes, *, then_wait: bool = False) -> None:
        self.answer = answer
        self.then_wait = then_wait
        self.requests: list[bytes] = []
        self.connections = 0
        self.let_go = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
            if self.then_wait:
                await self.let_go.wait()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(served: Served, party: Party | None = None) -> AsyncIterator[int]:
    context = server_context([party.identity]) if party else None
    server = await asyncio.start_server(served, HOST, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        served.let_go.set()
        server.close()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-length: %d\r\n\r\n" % len(body) + body


def tls(verdict: Verdict, seen: list[Certificate] | None = None) -> Tls:
    async def judge(certificate: Certificate) -> Verdict:
        if seen is not None:
            seen.append(certificate)
        return verdict

    return Tls(client_context(), judge)


async def test_a_file_is_fetched_with_the_request_that_phones_send() -> None:
    served = Served(ok(b"list"))
    async with listening(served) as port:
        assert await get(HOST, port, "ITLSEP001122334455.tlv", trace=Trace()) == b"list"
    assert served.requests[0].startswith(b"GET /ITLSEP001122334455.tlv HTTP/1.1\r\nHost:127.0.0.1:%d\r\n" % port)


async def test_each_file_has_a_connection_of_its_own() -> None:
    served = Served(ok(b"x"))
    async with listening(served) as port:
        for name in ("a", "b", "c"):
            await get(HOST, port, name, trace=Trace())
    assert served.connections == 3


BODIES = {
    "with a length": ok(b"hello"),
    "with a length, connection kept": ok(b"hello"),
    "until the end of the connection": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", BODIES)
async def test_a_body_arrives_whole(kind: str) -> None:
    async with listening(Served(BODIES[kind], then_wait="kept" in kind)) as port:
        assert await get(HOST, port, "/x", trace=Trace(), limits=HttpLimits(transfer_s=5)) == b"hello"


ANSWERS: dict[str, tuple[bytes, type[FetchError], str]] = {
    "404": (b"HTTP/1.1 404 Not Found\r\nContent-length: 0\r\n\r\n", FileNotFoundOnServer, "has no /x"),
    "503": (b"HTTP/1.1 503 Busy\r\nContent-length: 0\r\n\r\n", TransferFailed, "answered 503"),
    "a redirection": (b"HTTP/1.1 302 Found\r\nLocation: /y\r\n\r\n", TransferFailed, "answered 302"),
    "another protocol": (b"220 mail ready\r\n\r\n", TransferFailed, "not HTTP"),
    "nothing": (b"", TransferFailed, "broke off"),
    "half a head": (b"HTTP/1.1 200 OK\r\nConte", TransferFailed, "broke off"),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-length: 10\r\n\r\nhello", TransferFailed, "broke off"),
    "half a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhel",
        TransferFailed,
        "cannot be read",
    ),
    "bad chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel",
        TransferFailed,
        "cannot be read",
    ),
    "an endless head": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000, TransferFailed, "head of over"),
    "an announced giant": (
        b"HTTP/1.1 200 OK\r\nContent-length: 1001\r\n\r\n",
        TransferFailed,
        "announces 1001",
    ),
    "an unannounced giant": (
        b"HTTP/1.0 200 OK\r\n\r\n" + bytes(1_000_000),
        TransferFailed,
        "more than the limit",
    ),
    "a slightly oversized body": (
        b"HTTP/1.0 200 OK\r\n\r\n" + bytes(1001),
        TransferFailed,
        "sends 1001 bytes",
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_bad_answer_is_a_named_error(kind: str) -> None:
    answer, error, message = ANSWERS[kind]
    async with listening(Served(answer)) as port:
        with pytest.raises(error, match=message):
            await get(HOST, port, "/x", trace=Trace(), limits=HttpLimits(max_size=1000, transfer_s=5))


async def test_a_silent_server_counts_as_unreachable() -> None:
    async with listening(Served(b"", then_wait=True)) as port:
        with pytest.raises(ServerUnreachable, match=r"did not send /x in 0\.2 s"):
            await get(HOST, port, "/x", trace=Trace(), limits=QUICK)


async def test_a_server_that_stalls_in_the_middle_has_failed() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-length: 10\r\n\r\nhello"
    async with listening(Served(half, then_wait=True)) as port:
        with pytest.raises(TransferFailed, match=r"did not send /x in 0\.2 s"):
            await get(HOST, port, "/x", trace=Trace(), limits=QUICK)


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    async with listening(Served(b"")) as port:
        pass
    with pytest.raises(ServerUnreachable, match=f"http://127.0.0.1:{port} cannot be reached"):
        await get(HOST, port, "/x", trace=Trace())


async def test_a_trusted_https_server_is_asked() -> None:
    served, seen, sink = Served(ok(b"secret")), list[Certificate](), MemorySink()
    async with listening(served, PUB) as port:
        body = await get(HOST, port, "/x", trace=Trace(sink), tls=tls(Accept(Reason.SERVER_IN_ITL), seen))
    assert body == b"secret"
    assert seen == [PUB.certificate]
    assert sink.events[0].step == "tls_established"
    assert sink.events[0].data["certificate"] == str(PUB.certificate.subject)


async def test_nothing_is_sent_to_an_https_server_that_is_not_trusted() -> None:
    served = Served(ok(b"trap"))
    async with listening(served, ROGUE) as port:
        with pytest.raises(ServerRefused, match="Neither the phone nor TVS knows"):
            await get(HOST, port, "/x", trace=Trace(), tls=tls(KeepOld(Reason.TVS_DOES_NOT_KNOW)))
    assert served.requests == []


async def test_an_https_server_without_tls_has_failed_rather_than_vanished() -> None:
    class Talkative(Served):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"SSH-2.0-OpenSSH\r\n")
            await writer.drain()
            writer.close()

    async with listening(Talkative(b"")) as port:
        with pytest.raises(TransferFailed, match=f"TLS with https://127.0.0.1:{port} failed"):
            await get(HOST, port, "/x", trace=Trace(), tls=tls(Accept(Reason.SERVER_IN_ITL)))


async def test_an_https_server_that_never_shakes_hands_is_unreachable() -> None:
    async with listening(Served(b"", then_wait=True)) as port:
        limits = HttpLimits(connect_s=0.2)
        with pytest.raises(ServerUnreachable):
            await get(HOST, port, "/x", trace=Trace(), tls=tls(Accept(Reason.SERVER_IN_ITL)), limits=limits)


async def test_a_name_cannot_smuggle_a_second_header() -> None:
    served = Served(ok(b""))
    async with listening(served) as port:
        await get(HOST, port, "x HTTP/1.1\r\nEvil: yes\r\n\r\n/ü", trace=Trace())
    assert served.requests[0].split(b"\r\n")[0] == b"GET /x%20HTTP/1.1%0D%0AEvil:%20yes%0D%0A%0D%0A/%C3%BC HTTP/1.1"


MENU = """<?xml version="1.0" encoding="UTF-8"?>
<CiscoIPPhoneMenu>
  <Title>Directories</Title><Prompt>Choose</Prompt>
  <MenuItem><Name>Corporate</Name><URL>https://pub:8443/ccmcip/x.jsp?a=1&amp;b=2</URL></MenuItem>
  <MenuItem><Name>個人</Name><URL></URL></MenuItem>
</CiscoIPPhoneMenu>""".encode()


async def test_a_menu_is_fetched_over_https_and_read() -> None:
    served = Served(ok(MENU))
    async with listening(served, TOMCAT) as port:
        url = f"https://{HOST}:{port}/ccmcip/xmldirectory.jsp?name=SEP001122334455"
        opened = await open_object(url, tls(Accept(Reason.SERVER_VOUCHED_BY_TVS)), trace=Trace())
    assert opened.next_url == ""
    assert opened.content == Menu(
        "Directories",
        "Choose",
        (MenuItem("Corporate", "https://pub:8443/ccmcip/x.jsp?a=1&b=2"), MenuItem("個人", "")),
    )
    assert served.requests[0].startswith(b"GET /ccmcip/xmldirectory.jsp?name=SEP001122334455 HTTP/1.1\r\n")


async def test_a_plain_http_menu_is_judged_by_nobody() -> None:
    seen = list[Certificate]()
    async with listening(Served(ok(MENU))) as port:
        opened = await open_object(f"http://{HOST}:{port}/x", tls(KeepOld(Reason.UNSIGNED), seen), trace=Trace())
    assert isinstance(opened.content, Menu)
    assert seen == []


@pytest.mark.parametrize("url", ["ftp://h/x", "https:///x", "nonsense", "https://h:99999/x", "https://h:x/"])
async def test_what_is_no_url_is_a_named_error(url: str) -> None:
    with pytest.raises(OperatorError):
        await open_object(url, tls(Accept(Reason.SERVER_IN_ITL)), trace=Trace())


@pytest.mark.parametrize("body", [b"", b"<html/>", b"<CiscoIPPhoneMenu>"])
async def test_what_is_no_object_for_phones_is_a_wire_error(body: bytes) -> None:
    async with listening(Served(ok(body))) as port:
        with pytest.raises(WireError):
            await open_object(f"http://{HOST}:{port}/x", tls(Accept(Reason.SERVER_IN_ITL)), trace=Trace())


async def test_an_object_is_not_longer_than_a_phone_has_room_for() -> None:
    async with listening(Served(ok(b"x" * 262_145))) as port:
        with pytest.raises(TransferFailed, match="the limit is 262144"):
            await open_object(f"http://{HOST}:{port}/x", tls(Accept(Reason.SERVER_IN_ITL)), trace=Trace())


@pytest.mark.parametrize(
    ("refresh", "next_url"),
    [
        ("0; url=http://pub/x?l=&n=2", "http://pub/x?l=&n=2"),
        ("0;URL=http://pub/", "http://pub/"),
        ("0", ""),
        ("x; url=http://pub/", ""),
        ("", ""),
    ],
)
async def test_where_a_page_goes_on_is_in_its_refresh(refresh: str, next_url: str) -> None:
    answer = ok(MENU).replace(b"\r\n", f"\r\nRefresh: {refresh}\r\n".encode(), 1)
    async with listening(Served(answer)) as port:
        opened = await open_object(f"http://{HOST}:{port}/x", tls(Accept(Reason.SERVER_IN_ITL)), trace=Trace())
    assert opened.next_url == next_url


async def test_a_login_goes_as_basic_credentials_and_its_refusal_is_an_answer() -> None:
    served = Served(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
    async with listening(served) as port:
        url = f"http://{HOST}:{port}/x?name=a"
        answer = await ask(
            url,
            tls(Accept(Reason.SERVER_IN_ITL)),
            trace=Trace(),
            login=("alice", "pass:wört"),
            wanted=frozenset({401}),
        )
    assert (answer.status, answer.body) == (401, b"no")
    assert b"\r\nAuthorization: Basic YWxpY2U6cGFzczp3w7ZydA==\r\n" in served.requests[0]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 No\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n", b"", b"nonsense"])
async def test_what_was_filled_in_stands_in_no_message(answer: bytes) -> None:
    async with listening(Served(answer)) as port:
        with pytest.raises(FetchError) as caught:
            await get(HOST, port, "/emapp?userid=alice&seq=12345", trace=Trace())
    assert "12345" not in str(caught.value)
