"""What a phone does with what is pushed to it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.clock import ManualClock
from base.trace import MemorySink, Trace
from phone_sim.pushing import PushDesk, PushLimits
from wire.errors import OperatorError
from wire.ipphone import Execute, ExecuteItem, PhoneError, Response, ResponseItem, decode, encode

ALICE = ("alice", "pass:word")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def form(*urls: str) -> bytes:
    return urlencode({"XML": encode(Execute(tuple(map(ExecuteItem, urls))))}).encode()


class Handset:
    """A screen that knows one key, and addresses that do not end in ``bad``."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.asked: list[tuple[str, str]] = []

    async def authorizes(self, user: str, password: str) -> bool:
        self.asked.append((user, password))
        return (user, password) == ALICE

    async def open(self, url: str) -> bool:
        if "://" not in url:
            raise OperatorError(f"{url!r} is no URL")
        self.done.append(url)
        return not url.endswith("bad")

    async def press(self, key: str) -> bool:
        self.done.append(key)
        return key == "Key:Services"


class Bench:
    def __init__(self, limits: PushLimits | None = None) -> None:
        self.handset, self.sink = Handset(), MemorySink()
        self.clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
        self.desk = PushDesk(
            self.handset.authorizes, self.handset, clock=self.clock, trace=Trace(self.sink), limits=limits
        )


async def test_items_are_carried_out_in_order_and_each_is_answered() -> None:
    bench = Bench()
    pushed = await bench.desk.push(basic(*ALICE), form("Key:Services", "https://a/bad", "nonsense"))
    assert (pushed.status, decode(pushed.body)) == (
        200,
        Response(
            (
                ResponseItem("Key:Services", 0, "Success"),
                ResponseItem("https://a/bad", 1, "Failure"),
                ResponseItem("nonsense", 1, "Failure"),
            )
        ),
    )
    assert bench.handset.done == ["Key:Services", "https://a/bad"]
    assert "pass:word" not in str(bench.sink.events)


@pytest.mark.parametrize(
    ("authorization", "body", "status", "error", "asked"),
    [
        ("", form("Key:Services"), 401, None, 0),
        ("Bearer x", form("Key:Services"), 401, None, 0),
        ("Basic ###", form("Key:Services"), 401, None, 0),
        ("Basic " + base64.b64encode(b"nocolon").decode(), form("Key:Services"), 401, None, 0),
        ("Basic " + base64.b64encode(b"\xff:x").decode(), form("Key:Services"), 401, None, 0),
        (basic("", "x"), form("Key:Services"), 401, None, 0),
        (basic("mallory", "x"), form("Key:Services"), 200, 4, 1),
        (basic(*ALICE), b"", 200, 2, 0),
        (basic(*ALICE), b"xml=x", 200, 2, 0),
        (basic(*ALICE), b"XML=%3CCiscoIPPhoneExecute", 200, 1, 0),
        (basic(*ALICE), b"XML=<CiscoIPPhoneMenu/>", 200, 1, 0),
        (basic(*ALICE), b"XML=<CiscoIPPhoneExecute/>", 200, 1, 0),
        (basic(*ALICE), b"\xff", 200, 1, 0),
        (basic(*ALICE), b"&".join([b"a=b"] * 5), 200, 1, 0),
    ],
)
async def test_what_is_wrong_is_answered_by_number_and_nothing_is_done(
    authorization: str, body: bytes, status: int, error: int | None, asked: int
) -> None:
    bench = Bench()
    pushed = await bench.desk.push(authorization, body)
    assert pushed.status == status
    assert (decode(pushed.body) if pushed.body else None) == (PhoneError(error) if error else None)
    assert (bench.handset.done, len(bench.handset.asked)) == ([], asked)


async def test_more_than_a_few_pushes_have_to_come_back_later() -> None:
    bench = Bench(PushLimits(pushes=2, window_s=10))

    async def status() -> int:
        return (await bench.desk.push(basic(*ALICE), form("Key:Services"))).status

    assert [await status() for _ in range(3)] == [200, 200, 503]
    bench.clock.advance(9.9)
    assert await status() == 503
    bench.clock.advance(0.2)
    assert [await status() for _ in range(3)] == [200, 200, 503]
    assert len(bench.handset.done) == 4


@given(st.binary(max_size=200), st.text(max_size=40))
async def test_no_request_breaks_the_desk(body: bytes, authorization: str) -> None:
    for header in (authorization, basic(*ALICE)):
        for data in (body, b"XML=" + body, b"XML=" + quote(body).encode()):
            assert (await Bench().desk.push(header, data)).status in {200, 401}
