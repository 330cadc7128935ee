"""Other people's TFTP clients fetch files from the daemon, in both modes (R-DL-1)."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import tftp
import tftpy
from tftpy.TftpShared import TftpException

from base.trace import MemorySink, Trace
from services.tftp.udp import TftpDaemon
from tests.conftest import require_tool
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.interop

SIZES = [0, 511, 512, 513, 6_144, 200_001]
PATIENCE_S = 30.0


class Files:
    def __init__(self) -> None:
        chance = random.Random(3)
        self.contents = {f"{size}.bin": chance.randbytes(size) for size in SIZES}
        self.contents["text.txt"] = b"one\ntwo\r\nthree"
        # More blocks of eight bytes than there are block numbers.
        self.contents["wrap.bin"] = chance.randbytes(8 * 65_600)

    def read(self, name: str, _peer: str, _transport: str) -> bytes:
        if name not in self.contents:
            raise Refusal(1, "File not found")
        return self.contents[name]


@dataclass
class Served:
    host: str
    port: int
    files: Files
    sink: MemorySink

    def agreed(self) -> dict[str, str]:
        """The options of the last acknowledgement."""
        for event in reversed(self.sink.events):
            if event.step == "options_agreed":
                agreed = event.data["options"]
                assert isinstance(agreed, list)
                return dict(str(option).split("=") for option in agreed)
        return {}


@asynccontextmanager
async def _running(*, single_port: bool) -> AsyncIterator[Served]:
    files, sink = Files(), MemorySink()
    daemon = TftpDaemon(files, "127.0.0.1", 0, trace=Trace(sink), single_port=single_port)
    await daemon.start()
    try:
        yield Served("127.0.0.1", daemon.listeners[0].port, files, sink)
        async with asyncio.timeout(PATIENCE_S):
            await daemon.wait_idle()
    finally:
        await daemon.stop(0)


@pytest.fixture(params=[False, True], ids=["own ports", "single port"])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async with _running(single_port=bool(request.param)) as served:
        yield served


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    """Exit status and what was said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode("utf-8", "replace")


# -------------------------------------------------------------------- programs

Arguments = Callable[[Served, str], list[str]]


def _curl(*more: str) -> Arguments:
    return lambda served, name: [
        "--silent", "--show-error", *more, "--output", "got", f"tftp://{served.host}:{served.port}/{name}",
    ]  # fmt: skip


def _tftp_hpa(mode: str) -> Arguments:
    return lambda served, name: ["-m", mode, served.host, str(served.port), "-c", "get", name, "got"]


def _atftp(*options: str) -> Arguments:
    chosen = [argument for option in options for argument in ("--option", option)]
    return lambda served, name: [
        *chosen, "--get", "--local-file", "got", "--remote-file", name, served.host, str(served.port),
    ]  # fmt: skip


def _busybox(*more: str) -> Arguments:
    return lambda served, name: ["tftp", *more, "-g", "-l", "got", "-r", name, served.host, str(served.port)]


PROGRAMS: dict[str, tuple[str, Arguments, dict[str, str]]] = {
    "curl": ("curl", _curl(), {"tsize": "{size}", "blksize": "512", "timeout": "6"}),
    "curl, blksize 1428": ("curl", _curl("--tftp-blksize", "1428"), {"blksize": "1428"}),
    "curl, blksize 8": ("curl", _curl("--tftp-blksize", "8"), {"blksize": "8"}),
    "curl, no options": ("curl", _curl("--tftp-no-options"), {}),
    "tftp-hpa": ("tftp", _tftp_hpa("binary"), {}),
    "atftp": ("atftp", _atftp(), {}),
    "atftp, blksize 1428": ("atftp", _atftp("blksize 1428"), {"blksize": "1428"}),
    "atftp, tsize": ("atftp", _atftp("tsize 0"), {"tsize": "{size}"}),
    "atftp, windowsize 8": ("atftp", _atftp("windowsize 8"), {"windowsize": "8"}),
    "atftp, all options": (
        "atftp",
        _atftp("windowsize 4", "blksize 1024", "tsize 0", "timeout 3"),
        {"windowsize": "4", "blksize": "1024", "tsize": "{size}", "timeout": "3"},
    ),
    "busybox": ("busybox", _busybox(), {}),
    "busybox, blksize 1428": ("busybox", _busybox("-b", "1428"), {"blksize": "1428"}),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("client", PROGRAMS)
async def test_a_program_gets_the_file(served: Served, tmp_path: Path, client: str, size: int) -> None:
    program, arguments, agreed = PROGRAMS[client]
    status, said = await run(require_tool(program), *arguments(served, f"{size}.bin"), cwd=tmp_path)
    assert status == 0, said
    assert (tmp_path / "got").read_bytes() == served.files.contents[f"{size}.bin"], said
    expected = {name: value.format(size=size) for name, value in agreed.items() if size or name != "tsize"}
    assert served.agreed() | expected == served.agreed(), "agreed as the client wished"


@pytest.mark.parametrize("client", ["curl, blksize 8", "atftp, windowsize 8"])
async def test_a_program_gets_a_file_of_more_blocks_than_numbers(served: Served, tmp_path: Path, client: str) -> None:
    program, arguments, _ = PROGRAMS[client]
    if program == "atftp":
        arguments = _atftp("windowsize 8", "blksize 8")
    status, said = await run(require_tool(program), *arguments(served, "wrap.bin"), cwd=tmp_path)
    assert status == 0, said
    assert (tmp_path / "got").read_bytes() == served.files.contents["wrap.bin"]


@pytest.mark.parametrize(
    ("client", "status"), [("curl", 68), ("curl, no options", 68), ("tftp-hpa", 0), ("atftp", 255), ("busybox", 1)]
)
async def test_a_program_is_told_that_a_file_is_missing(
    served: Served, tmp_path: Path, client: str, status: int
) -> None:
    """curl has an exit status for each error code; tftp-hpa's is 0 whatever happens."""
    program, arguments, _ = PROGRAMS[client]
    found, said = await run(require_tool(program), *arguments(served, "missing"), cwd=tmp_path)
    assert found == status, said
    got = tmp_path / "got"
    assert not got.exists() or got.read_bytes() == b""
    assert served.sink.steps().count("refused") == 1


async def test_tftp_hpa_reads_text_in_netascii(served: Served, tmp_path: Path) -> None:
    await run(require_tool("tftp"), *_tftp_hpa("ascii")(served, "text.txt"), cwd=tmp_path)
    assert (tmp_path / "got").read_bytes() == served.files.contents["text.txt"]


async def test_curl_is_not_let_out_of_the_tree_and_may_not_write(served: Served, tmp_path: Path) -> None:
    """Exit status 69 is curl's for error code 2, access violation."""
    curl = require_tool("curl")
    status, said = await run(curl, "--path-as-is", *_curl()(served, "../../etc/passwd"), cwd=tmp_path)
    assert status == 69, said
    (tmp_path / "mine").write_bytes(b"x")
    url = f"tftp://{served.host}:{served.port}/mine"
    status, said = await run(curl, "--silent", "--show-error", "--upload-file", "mine", url, cwd=tmp_path)
    assert status == 69, said


# -------------------------------------------------------------------- Python clients


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("windowsize", [None, 1, 5, 16])
async def test_the_tftp_package_gets_the_file(served: Served, size: int, windowsize: int | None) -> None:
    def fetch() -> bytes:
        into = io.BytesIO()
        client = tftp.TFTPClient(served.host, served.port, blksize=1_428, windowsize=windowsize)
        client.download(f"{size}.bin", into)
        return into.getvalue()

    assert await asyncio.to_thread(fetch) == served.files.contents[f"{size}.bin"]
    expected = {"blksize": "1428", "timeout": "1"}
    if size:
        expected["tsize"] = str(size)
    if windowsize is not None:
        expected["windowsize"] = str(windowsize)
    assert served.agreed() == expected


async def test_the_tftp_package_reads_text_in_netascii(served: Served) -> None:
    def fetch() -> bytes:
        into = io.BytesIO()
        tftp.TFTPClient(served.host, served.port).download("text.txt", into, mode="netascii")
        return into.getvalue()

    assert await asyncio.to_thread(fetch) == served.files.contents["text.txt"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [{}, {"blksize": 1_428, "tsize": 0}], ids=["no options", "options"])
async def test_tftpys_client_gets_the_file(served: Served, size: int, options: dict[str, int]) -> None:
    def fetch() -> bytes:
        into = io.BytesIO()
        tftpy.TftpClient(served.host, served.port, dict(options)).download(f"{size}.bin", into)
        return into.getvalue()

    assert await asyncio.to_thread(fetch) == served.files.contents[f"{size}.bin"]


async def test_tftpys_client_is_told_that_a_file_is_missing(served: Served) -> None:
    def fetch() -> None:
        tftpy.TftpClient(served.host, served.port).download("missing", io.BytesIO())

    with pytest.raises(TftpException, match="File not found"):
        await asyncio.to_thread(fetch)
