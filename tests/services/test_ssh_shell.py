"""The command line over real SSH: what goes over the wire with a terminal and without, and what clients may do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import asyncssh
import pytest
from pydantic import SecretStr

from cluster.config import Administrator
from cluster.purposes import Purpose
from lab.sftpserver import LabSftp, SftpOptions
from services.commandline.channel import ChannelLimits
from services.commandline.shell import ASSUME_YES
from services.commandline.texts import Ours
from tests.services.commandline_cast import PUB, SUB, SshNode, Terminal, open_copy, ssh_node
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cluster.store import ClusterStore

BANNER = (
    "Command Line Interface is starting up, please wait ...\r\n"
    "\r\n"
    "   Welcome to the Platform Command Line Interface\r\n"
    "\r\n"
    "VMware Installation:\r\n"
    "\t2 vCPU: Intel(R) Xeon(R) CPU E5-2630 v3 @ 2.40GHz\r\n"
    "\tDisk 1: 80GB, Partitions aligned\r\n"
    "\t6144 Mbytes RAM\r\n"
    "\r\n"
    "\radmin:"
)
CTRL_C, CTRL_D, TAB, UP = "\x03", "\x04", "\t", "\x1b[A"


@pytest.fixture
async def store(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[ClusterStore]:
    opened = await open_copy(tmp_path / "state", state_templates)
    yield opened
    await opened.close()


@pytest.fixture
async def node(store: ClusterStore) -> AsyncIterator[SshNode]:
    async with ssh_node(store) as served:
        yield served


@pytest.fixture
async def terminal(node: SshNode) -> AsyncIterator[Terminal]:
    """A shell at its first prompt."""
    async with node.connect() as connection, Terminal.open(connection) as opened:
        await opened.prompt()
        yield opened


# ------------------------------------------------------------------ with a terminal


async def test_banner_and_prompt_are_those_of_the_captures(node: SshNode) -> None:
    async with node.connect() as connection, Terminal.open(connection) as terminal:
        assert await terminal.prompt() == BANNER


async def test_line_is_echoed_and_the_prompt_comes_after_a_line_end(terminal: Terminal) -> None:
    terminal.send("show ctl\n")
    assert await terminal.prompt() == (
        "show ctl\r\n"
        "Length of CTL file: 0\r\n"
        "CTL File not found. Please run CTLClient plugin or run the CLI - utils ctl.. to generate the CTL file.\r\n"
        "Error parsing the CTL File.\r\n"
        "\radmin:"
    )


async def test_empty_line_gives_a_new_prompt(terminal: Terminal) -> None:
    terminal.send("\n")
    assert await terminal.prompt() == "\r\n\radmin:"


@pytest.mark.parametrize("term", ["vt100", "xterm", "dumb", "tmux-256color"])
@pytest.mark.parametrize("width", [0, 40, 511])
async def test_any_terminal_can_talk(node: SshNode, term: str, width: int) -> None:
    async with node.connect() as connection, Terminal.open(connection, size=(width, 0), term=term) as terminal:
        await terminal.prompt()
        assert await terminal.run("show cli pagination") == "Automatic Pagination : On.\n"


async def test_unknown_command_is_told_at_the_prompt(terminal: Terminal) -> None:
    assert await terminal.run("make coffee") == f"{Ours.FAILED}\nNo valid command entered: make\n"


async def test_question_mark_shows_what_may_follow_and_keeps_the_line(terminal: Terminal) -> None:
    terminal.send("utils ctl ?")
    seen = await terminal.until(r"utils ctl reset localkey [^\r]*\r\n\radmin:utils ctl ")
    assert "utils ctl update CTLFile" in seen
    terminal.send("update CTLFile\n")
    await terminal.until(r"\(y/n\):")
    terminal.send("n\n")
    assert Ours.CANCELLED in await terminal.prompt()


async def test_question_mark_in_an_answer_is_a_sign_like_others(terminal: Terminal) -> None:
    terminal.send("set cert regen TVS\n")
    await terminal.until(r"\(yes\|no\)\? ")
    terminal.send("what?\n")
    assert (await terminal.prompt()).startswith("what?\r\n")


async def test_tab_completes(terminal: Terminal) -> None:
    terminal.send(f"sh{TAB}ver{TAB}act{TAB}\n")
    assert "Active Master Version: 12.5\r\n" in await terminal.prompt()


async def test_tab_lists_when_it_cannot_decide(terminal: Terminal) -> None:
    terminal.send(f"utils service restart Cisco CT{TAB}")
    seen = await terminal.until(r"\radmin:utils service restart Cisco CT")
    assert "   Cisco CTIManager\r\n   Cisco CTL Provider\r\n" in seen
    terminal.send(CTRL_C)
    await terminal.prompt()


async def test_history_brings_the_last_line_back(terminal: Terminal) -> None:
    await terminal.run("show cli pagination")
    terminal.send(f"{UP}\n")
    assert "Automatic Pagination : On.\r\n" in await terminal.prompt()


async def test_long_output_stops_at_each_page_until_a_key(node: SshNode) -> None:
    async with node.connect() as connection, Terminal.open(connection, size=(200, 24)) as terminal:
        await terminal.prompt()
        terminal.send("show itl\n")
        first = await terminal.until(Ours.MORE)
        assert first.count("\r\n") == 24  # 23 lines of output below the echo
        terminal.send(" ")
        second = await terminal.until(Ours.MORE)
        assert second.startswith(f"\r{' ' * len(Ours.MORE)}\r")
        assert second.count("\r\n") == 23
        terminal.send("\r")
        assert (await terminal.until(Ours.MORE)).count("\r\n") == 1
        terminal.send("q")
        await terminal.prompt()
        assert await terminal.run("set cli pagination off") == "Automatic pagination is turned off\n"
        assert "The ITL file was verified successfully." in await terminal.run("show itl")


async def test_what_is_typed_after_the_page_key_becomes_the_next_command(node: SshNode) -> None:
    async with node.connect() as connection, Terminal.open(connection, size=(200, 24)) as terminal:
        await terminal.prompt()
        terminal.send("show itl\n")
        await terminal.until(Ours.MORE)
        terminal.send("qshow cli pagination\nshow ")
        await terminal.until("Automatic Pagination : On.")
        await terminal.until("admin:show $")
        terminal.send("version active\n")
        assert "Active Master Version" in await terminal.prompt()


async def test_ctrl_c_ends_a_line_a_question_and_a_page(node: SshNode, store: ClusterStore) -> None:
    before = store.snapshot
    async with node.connect() as connection, Terminal.open(connection, size=(200, 24)) as terminal:
        await terminal.prompt()
        terminal.send(f"show gibberish{CTRL_C}")
        await terminal.prompt()
        terminal.send("set cert regen TVS\n")
        await terminal.until(r"\(yes\|no\)\? ")
        terminal.send(CTRL_C)
        assert "^C" in await terminal.prompt()
        terminal.send("show itl\n")
        await terminal.until(Ours.MORE)
        terminal.send(CTRL_C)
        await terminal.prompt()
        assert await terminal.run("show cli pagination") == "Automatic Pagination : On.\n"
    assert store.snapshot is before


@pytest.mark.parametrize("leaving", ["exit\n", "quit\n", CTRL_D])
async def test_session_ends_when_it_is_left(terminal: Terminal, leaving: str) -> None:
    terminal.send(leaving)
    await terminal.rest()
    async with asyncio.timeout(10):
        await terminal.process.wait_closed()
    assert terminal.process.exit_status == 0


async def test_confirmed_change_is_in_the_audit_trail_with_who_and_where(
    terminal: Terminal, store: ClusterStore
) -> None:
    terminal.send("set cert regen TVS\n")
    await terminal.until(r"Proceed with regeneration \(yes\|no\)\? ")
    terminal.send("yes\n")
    assert "Successfully Regenerated Certificate for TVS.\r\n" in await terminal.prompt()
    (entry, *_) = await store.audit(1)
    assert (entry.who, entry.origin, entry.what) == ("admin", "ssh 127.0.0.1", "TVS of alpha-pub: regenerated")


async def test_secret_answer_is_not_shown_and_not_in_the_history(terminal: Terminal, tmp_path: Path) -> None:
    account = Administrator(name="me", password=SecretStr("s3cret"))
    server = LabSftp(SftpOptions(tmp_path, account))
    await server.start("127.0.0.1", 0)
    try:
        terminal.send("file get tftp ITLFile.tlv\n")
        seen = ""
        for prompt, answer in (
            (r"\[y/n\]\? ", "y"),
            ("server IP: ", "127.0.0.1"),
            (r"\[22\]: ", str(server.port)),
            ("User ID: ", "me"),
            (r"\(yes\|no\)\? ", "yes"),
            ("Password: ", "s3cret"),
            ("Directory: ", ""),
        ):
            seen += await terminal.until(prompt)
            terminal.send(f"{answer}\n")
        seen += await terminal.prompt()
    finally:
        await server.stop()
    assert "Transfer of ITLFile.tlv completed" in seen
    assert "s3cret" not in seen
    terminal.send(f"{UP * 20}{CTRL_C}")
    assert "s3cret" not in await terminal.prompt()
    assert await terminal.run("show cli pagination") == "Automatic Pagination : On.\n", "it is echoed again"


# ------------------------------------------------------------------ without one


async def test_shell_without_a_terminal_reads_a_script_and_never_stops_for_pages(node: SshNode) -> None:
    async with node.connect() as connection:
        done = await connection.run(
            None, input="show itl\r\nset cert regen TVS\nno\nshow cli pagination\n", stderr=asyncssh.STDOUT
        )
    assert done.exit_status == 0
    text = done.stdout
    assert isinstance(text, str)
    assert "\r" not in text
    assert Ours.MORE not in text
    assert "The ITL file was verified successfully.\nadmin:\n" in text
    assert f"Proceed with regeneration (yes|no)? \n{Ours.CANCELLED}\nadmin:\n" in text
    assert text.endswith("Automatic Pagination : On.\nadmin:\n")


@pytest.mark.parametrize(
    ("command", "status", "shown"),
    [
        ("show ctl", 0, "Error parsing the CTL File.\n"),
        ("show cert own nothing", 1, "there is no certificate 'nothing'; 'show cert list own' shows them\n"),
        ("make coffee", 2, "No valid command entered: make\n"),
        ("set cert regen TVS", 1, "Input ended before the command was complete; nothing was changed\n"),
        ("exit", 0, ""),
    ],
)
async def test_single_command_has_no_banner_and_an_exit_status(
    node: SshNode, command: str, status: int, shown: str
) -> None:
    async with node.connect() as connection:
        done = await connection.run(command, stdin=asyncssh.DEVNULL)
    assert done.exit_status == status
    assert isinstance(done.stdout, str)
    assert done.stdout.endswith(shown)
    assert "Welcome" not in done.stdout


async def test_single_command_answers_its_own_questions_when_told_to(node: SshNode, store: ClusterStore) -> None:
    async with node.connect() as connection:
        done = await connection.run("utils ctl set-cluster mixed-mode", env={ASSUME_YES: "1"})
    assert done.exit_status == 0
    assert store.snapshot.mixed_mode


async def test_subscriber_refuses_publisher_commands_over_ssh(store: ClusterStore) -> None:
    """R-CLI-3."""
    async with ssh_node(store, SUB) as node, node.connect() as connection, Terminal.open(connection) as terminal:
        await terminal.prompt()
        assert "allowed on the publisher only, which is alpha-pub" in await terminal.run("utils itl reset localkey")
    assert not store.snapshot.itl_resets


# ------------------------------------------------------------------ misuse


async def test_paste_of_ten_megabytes_is_refused_and_the_session_goes_on(terminal: Terminal) -> None:
    begin = time.monotonic()
    for _ in range(10):
        terminal.send("x" * 1_000_000)
    terminal.send("\n")
    assert f"{Ours.FAILED}\r\nThe line was refused: it is longer than 4096 characters\r\n" in await terminal.prompt()
    assert await terminal.run("show cli pagination") == "Automatic Pagination : On.\n"
    assert time.monotonic() - begin < 20


async def test_ten_megabytes_without_a_terminal_are_refused(node: SshNode) -> None:
    async with node.connect() as connection:
        done = await connection.run(None, input=f"{'x' * 10_000_000}\nshow cli pagination\n")
    assert isinstance(done.stdout, str)
    assert "The line was refused: it is longer than 4096 characters\n" in done.stdout
    assert "Automatic Pagination : On.\n" in done.stdout
    assert len(done.stdout) < 2_000


async def test_ten_megabytes_for_a_certificate_are_refused_and_none_of_it_is_a_command(
    terminal: Terminal, store: ClusterStore
) -> None:
    before = store.snapshot
    terminal.send("set cert import trust tomcat\n")
    await terminal.until(Ours.PASTE)
    terminal.send("-----BEGIN CERTIFICATE-----\n" + ("A" * 999 + "\n") * 10_000 + "-----END CERTIFICATE-----\n\n")
    seen = await terminal.rest()
    assert "what was pasted is over the limit of 262144 characters; the session is closed" in seen
    assert "No valid command" not in seen
    assert store.snapshot is before


async def test_bytes_that_are_no_text_do_not_end_the_session(node: SshNode) -> None:
    async with node.connect() as connection:
        process = await connection.create_process(None, term_type="vt100", term_size=(80, 24), encoding=None)
        process.stdin.write(b"\xff\xfe\x00\x1b[999z\xc3(\n")
        process.stdin.write(b"show cli pagination\n")
        seen = b""
        async with asyncio.timeout(20):
            while b"Automatic Pagination : On." not in seen:
                seen += await process.stdout.read(4096)
        process.close()


async def test_connection_lost_at_a_question_changes_nothing(node: SshNode, store: ClusterStore) -> None:
    before = store.snapshot
    connection = await node.connect()
    async with Terminal.open(connection) as terminal:
        await terminal.prompt()
        terminal.send("set cert regen TVS\n")
        await terminal.until(r"\(yes\|no\)\? ")
        connection.abort()
    async with node.connect() as again:  # it is still served
        assert (await again.run("show ctl")).exit_status == 0
    assert store.snapshot is before


async def test_connection_lost_in_the_middle_of_a_change_lets_it_finish_whole(
    node: SshNode, store: ClusterStore
) -> None:
    published = asyncio.Event()
    store.subscribe(lambda _snapshot: published.set())
    old = store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    connection = await node.connect()
    async with Terminal.open(connection) as terminal:
        await terminal.prompt()
        terminal.send("set cert regen CallManager\n")
        await terminal.until(r"\(yes\|no\)\? ")
        terminal.send("yes\n")
        await terminal.until("yes\r\n")
        connection.abort()
    await asyncio.wait_for(published.wait(), 20)
    new = store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    assert new != old
    assert "CallManager-trust" in store.snapshot.trusted[new.sha256].stores


async def test_of_two_administrators_one_wins_and_the_other_is_told(node: SshNode, store: ClusterStore) -> None:
    async with (
        node.connect() as one,
        node.connect() as other,
        Terminal.open(one) as first,
        Terminal.open(other) as second,
    ):
        for terminal in (first, second):
            await terminal.prompt()
            terminal.send("set cert regen tomcat\n")
            await terminal.until(r"\(yes\|no\)\? ")
        for terminal in (first, second):
            terminal.send("yes\n")
        seen = [await terminal.prompt() for terminal in (first, second)]
    won = ["Successfully Regenerated Certificate for tomcat." in text for text in seen]
    assert sorted(won) == [False, True]
    assert "was changed by somebody else meanwhile" in seen[won.index(False)]
    entries = [entry for entry in await store.audit() if entry.what == "tomcat of alpha-pub: regenerated"]
    assert len(entries) == 1


async def test_idle_session_is_closed_with_a_reason(store: ClusterStore) -> None:
    async with (
        ssh_node(store, idle_minutes=0.005) as node,
        node.connect() as connection,
        Terminal.open(connection) as terminal,
    ):
        await terminal.prompt()
        assert "The session was idle for 0.005 minute(s) and is closed\r\n" in await terminal.rest()


async def test_session_that_idles_at_a_question_is_closed_and_changes_nothing(store: ClusterStore) -> None:
    before = store.snapshot
    async with (
        ssh_node(store, idle_minutes=0.005) as node,
        node.connect() as connection,
        Terminal.open(connection) as terminal,
    ):
        await terminal.prompt()
        terminal.send("set cert regen TVS\n")
        await terminal.rest()
    assert store.snapshot is before


async def test_client_that_never_reads_is_cut_off(store: ClusterStore) -> None:
    async with ssh_node(store, channel=ChannelLimits(write_s=0.2), sessions=1) as node, node.connect() as connection:
        process = await connection.create_process(None, term_type="vt100", term_size=(511, 0), window=1024)
        process.stdin.write("show itl\nshow itl\n" * 50)
        async with node.connect() as another:

            async def served() -> bool:
                try:
                    return bool((await another.run("show ctl")).exit_status == 0)
                except asyncssh.ChannelOpenError:
                    return False

            await eventually(served, "the only place, which the client that never reads has")


async def test_stopping_the_service_tells_its_sessions_and_closes_the_port(store: ClusterStore) -> None:
    async with ssh_node(store) as node:
        port = node.port
        async with node.connect() as connection, Terminal.open(connection) as terminal:
            await terminal.prompt()
            await node.service.stop(2)
            assert Ours.CLOSING_DOWN in await terminal.rest()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)
        await node.service.stop(2)


async def test_sessions_have_a_limit_that_is_told(store: ClusterStore) -> None:
    async with ssh_node(store, sessions=2) as node, node.connect() as connection:
        async with Terminal.open(connection) as one, Terminal.open(connection) as two:
            await one.prompt()
            await two.prompt()
            with pytest.raises(asyncssh.ChannelOpenError, match="too many sessions"):
                await connection.create_process(term_type="vt100")
            one.send("exit\n")
            await one.rest()
            await one.process.wait_closed()
        assert (await connection.run("show ctl")).exit_status == 0


@pytest.mark.parametrize("what", ["forward", "sftp", "reverse", "scp"])
async def test_nothing_but_the_command_line_is_offered(node: SshNode, what: str, tmp_path: Path) -> None:
    async with node.connect() as connection:
        if what == "forward":
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", node.port)
        elif what == "reverse":
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", node.port)
        elif what == "sftp":
            with pytest.raises(asyncssh.Error):
                await connection.start_sftp_client()
        else:
            with pytest.raises((asyncssh.Error, OSError)):
                await asyncssh.scp((connection, "ITLFile.tlv"), tmp_path)
