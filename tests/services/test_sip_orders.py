"""What the listeners do by themselves: expiries, orders, devices for unknown phones (R-PHN-5, R-DL-5)."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from base.tls import client_context
from services.callmanager.exchange import SipLimits
from tests.services.sip_cast import (
    NAME,
    NUMBERS,
    SECURE_MAC,
    STRANGER,
    STRANGER_MAC,
    THREE_LINES,
    THREE_LINES_MAC,
    Desk,
    register,
    snapshot,
)
from tests.services.sip_daemon import REGISTER, Client, Datagrams, answer_to, running
from tests.waiting import eventually
from wire.ciscosip import ServiceControl
from wire.errors import OperatorError, Refusal
from wire.sip import Request, Response

SECOND_STRANGER_MAC, SECOND_STRANGER = "00112233eeee", "SEP00112233EEEE"

# ---------------------------------------------------------------- expiry and orders


async def test_a_silent_phone_is_unregistered_when_its_time_is_over() -> None:
    async with running(limits=SipLimits(look_s=0.01)) as daemon:
        phone = await Datagrams.open(daemon)
        phone.send(REGISTER)
        phone.send(register(THREE_LINES_MAC, "4001", call_id="call-2@192.168.7.104"))
        await daemon.until_registered(NAME, THREE_LINES)
        daemon.desk.clock.advance(119)
        phone.send(register(cseq=102))  # renewed in time
        await eventually(lambda: ("renewed", NAME) in daemon.desk.told)
        assert set(daemon.desk.registered()) == {NAME, THREE_LINES}
        daemon.desk.clock.advance(119)
        await daemon.until_registered(NAME)  # the look that took the other one left this one
        daemon.desk.clock.advance(1)
        await daemon.until_registered()
        assert daemon.desk.told[-1] == ("expired", NAME)


async def test_an_order_goes_the_way_that_the_phone_came() -> None:
    async with running() as daemon:
        phone = await Client.open(daemon)
        phone.send(register(supported=""))
        assert (await phone.final()).status == 200
        daemon.exchange.order(NAME, ServiceControl("reset", daemon.desk.of(NAME).call_id))
        order = await phone.request()
        assert (order.method, order.get("Event")) == ("NOTIFY", "service-control")
        assert order.uri == daemon.desk.of(NAME).contact_uri
        assert order.body.startswith(b"action=reset\r\nRegisterCallId={call-1@192.168.7.104}\r\n")
        phone.send(answer_to(order))
        assert (await daemon.traced("order_answered")).data["device"] == NAME
        phone.close()


async def test_an_order_to_nobody_is_refused() -> None:
    async with running() as daemon:
        with pytest.raises(Refusal, match=f"{NAME} is not registered at alpha-pub"):
            daemon.exchange.order(NAME, ServiceControl("reset"))


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
async def test_an_order_that_nobody_answers_is_given_up(transport: str) -> None:
    async with running(limits=SipLimits(answer_s=0.1, resend_s=0.02)) as daemon:
        phone = await (Client.open(daemon) if transport == "TCP" else Datagrams.open(daemon))
        phone.send(REGISTER)
        assert (await daemon.traced("order_unanswered")).data["device"] == NAME
        assert set(daemon.desk.registered()) == {NAME}


# ---------------------------------------------------------------- unknown phones


async def test_an_unknown_phone_is_answered_once_its_device_is_made_and_told_to_restart() -> None:
    """R-DL-5."""
    desk, made = Desk(snapshot(more=NUMBERS)), list[tuple[str, str]]()

    async def enrol(device: str, model: str) -> None:
        made.append((device, model))
        await asyncio.sleep(0)
        desk.view = snapshot(devices=f"devices: [{{mac: {device}, model: 8865, lines: [{{number: '0500'}}]}}]")

    async with running(desk, enrol=enrol) as daemon:
        phone = await Client.open(daemon)
        phone.send(register(STRANGER_MAC, STRANGER))
        trying, answer, order = [await phone.receive() for _ in range(3)]
        assert [cast("Response", item).status for item in (trying, answer)] == [100, 200]
        assert isinstance(order, Request)
        assert order.body.startswith(b"action=restart\r\n")
        assert made == [(STRANGER, "36225")]
        assert daemon.desk.registered() == {STRANGER: ("0500",)}
        phone.close()


async def test_an_unknown_phone_is_told_why_no_device_was_made() -> None:
    async def enrol(device: str, model: str) -> None:
        raise OperatorError("the database is gone")

    async with running(Desk(snapshot(more=NUMBERS)), enrol=enrol) as daemon:
        phone = await Client.open(daemon)
        phone.send(register(STRANGER_MAC, STRANGER))
        answer = await phone.final()
        assert (answer.status, answer.require("Warning")) == (403, '399 alpha-pub "the database is gone"')
        phone.close()


async def test_a_device_is_made_once_however_often_the_phone_asks() -> None:
    desk, made, go_on = Desk(snapshot(more=NUMBERS)), list[str](), asyncio.Event()

    async def enrol(device: str, model: str) -> None:
        made.append(device)
        await go_on.wait()
        desk.view = snapshot(devices=f"devices: [{{mac: {device}, model: 8865, lines: [{{number: '0500'}}]}}]")

    async with running(desk, SipLimits(enrolments=1), enrol) as daemon:
        phone = await Datagrams.open(daemon)
        for _ in range(3):
            phone.send(register(STRANGER_MAC, STRANGER))
            assert cast("Response", await phone.receive()).status == 100
        phone.send(register(SECOND_STRANGER_MAC, SECOND_STRANGER))
        answers = [cast("Response", await phone.receive()).status for _ in range(2)]
        assert answers == [100, 503]  # one at a time here
        go_on.set()
        assert cast("Response", await phone.receive()).status == 200
        assert made == [STRANGER]


async def test_a_phone_that_left_meanwhile_is_not_registered() -> None:
    desk, begun, go_on = Desk(snapshot(more=NUMBERS)), asyncio.Event(), asyncio.Event()

    async def enrol(device: str, model: str) -> None:
        begun.set()
        await go_on.wait()
        desk.view = snapshot(
            more=NUMBERS, devices=f"devices: [{{mac: {device}, model: 8865, lines: [{{number: '0500'}}]}}]"
        )

    async with running(desk, enrol=enrol) as daemon:
        phone = await Client.open(daemon)
        phone.send(register(STRANGER_MAC, STRANGER))
        await begun.wait()
        phone.close()
        await phone.writer.wait_closed()
        await eventually(lambda: not daemon.exchange._ways)
        go_on.set()
        later = await Client.open(daemon)
        later.send(register(SECOND_STRANGER_MAC, SECOND_STRANGER))
        assert (await later.final()).status == 200
        assert set(daemon.desk.registered()) == {SECOND_STRANGER}
        later.close()


async def test_a_secure_device_is_not_made_over_tls_by_itself() -> None:
    """A device that registers itself is a non-secure one."""
    async with running() as daemon:
        phone = await Client.open(daemon, client_context())
        phone.send(register(SECURE_MAC, "3001"))
        assert (await phone.final()).status == 403
        phone.close()
