"""The phone's web pages over HTTP, beside a phone that runs."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import pytest
import typer
from aiohttp import ClientSession
from defusedxml.ElementTree import fromstring

from base.trace import Trace
from lab.phoneweb import LIMITS, PhoneWeb, web_address
from tests.lab.running_phone import RunningPhone
from tests.phone_sim.test_webpages import facts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shared_lab import SharedLab


@pytest.mark.parametrize(
    ("text", "where"),
    [("8080", ("127.0.0.1", 8080)), ("0", ("127.0.0.1", 0)), ("0.0.0.0:80", ("0.0.0.0", 80))],  # noqa: S104 - wanted
)
def test_where_it_listens(text: str, where: tuple[str, int]) -> None:
    assert web_address(text) == where


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "65536", "-1", "a b:80", "80:host"])
def test_where_it_cannot_listen(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        web_address(text)


async def test_pages_come_by_get_and_head_alone() -> None:
    async with PhoneWeb(("127.0.0.1", 0), facts, Trace()) as web, ClientSession() as client:
        async with client.get(f"{web.url}DeviceInformationX?x=1") as answer:
            assert (answer.status, answer.content_type) == (200, "text/xml")
            assert fromstring(await answer.read()).findtext("phoneDN") == "2001"
        async with client.head(web.url) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with client.get(f"{web.url}nothing") as answer:
            assert answer.status == 404
        async with client.post(web.url, data=b"x" * 100) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_there_are_not_more_clients_than_a_phone_could_have() -> None:
    async with PhoneWeb(("127.0.0.1", 0), facts, Trace()) as web:
        port = int(web.url.rsplit(":", 1)[1].rstrip("/"))
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(LIMITS.connections + 1)]
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                await clients[-1][0].read(1)
            reader, writer = clients[0]
            writer.write(b"HEAD / HTTP/1.0\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.0 200")  # the others are still served
        for _, writer in clients:
            writer.close()


def test_a_phone_that_runs_shows_what_it_is(running: SharedLab, tmp_path: Path) -> None:
    async def get(url: str) -> bytes:
        async with ClientSession() as client, client.get(url) as answer:
            assert answer.status == 200
            return await answer.read()

    with RunningPhone(running, tmp_path, "--web", "0") as phone:
        phone.shows("Registered (127.0.0.1)")
        found = re.search(r"Web page: (http://127\.0\.0\.1:[0-9]+/)", phone.screen)
        assert found is not None
        device = fromstring(asyncio.run(get(f"{found[1]}DeviceInformationX")))
        assert (device.findtext("HostName"), device.findtext("phoneDN")) == ("SEP001122334455", "2001")
        network = fromstring(asyncio.run(get(f"{found[1]}NetworkConfigurationX")))
        assert (network.findtext("IPAddress"), network.findtext("TFTPServer1")) == ("127.0.0.1", "127.0.0.1")
        assert b"ITL installed" in asyncio.run(get(f"{found[1]}StatusMessages"))
        assert phone.end() == 0


def test_a_port_that_is_taken_says_so(running: SharedLab, tmp_path: Path) -> None:
    with RunningPhone(running, tmp_path, "--web", str(running.ports().http)) as phone:
        assert phone.process.wait(60) == 3
        assert "in use" in phone.screen
        assert "Traceback" not in phone.screen
