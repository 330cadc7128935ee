"""``file get`` and ``utils itl reset remotekey`` with the laboratory's own SFTP server (R-REC-4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import SecretStr

from cluster.config import Administrator
from cluster.management.ctl import set_mixed_mode
from cluster.purposes import Purpose
from cluster.trustlists import build_itl
from lab.sftpserver import LabSftp, SftpOptions
from services.commandline.interpreter import Outcome
from services.commandline.logins import LoginLimits
from services.commandline.sftp import SftpServers
from services.commandline.texts import Ours
from services.commandline.transfers import Account, HostKey, ServerAddress
from tests.services.commandline_cast import OPERATOR, PUB, SUB, Desk, open_copy
from wire.errors import OperatorError
from wire.trustlist import CTL_FILE, decode_trust_list

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cluster.store import ClusterStore

HOST = "127.0.0.1"
WORD = "word"
ACCOUNT = Administrator(name="me", password=SecretStr(WORD))
LIMIT = 100_000


@pytest.fixture
async def store(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[ClusterStore]:
    opened = await open_copy(tmp_path / "state", state_templates)
    yield opened
    await opened.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LabSftp]:
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    logins = LoginLimits(first_delay_s=0.01, longest_delay_s=0.01)
    served = LabSftp(SftpOptions(folder, ACCOUNT, max_size=LIMIT, logins=logins))
    await served.start(HOST, 0)
    yield served
    await served.stop()


def answers(server: LabSftp, *more: str, host: bool = True, directory: str = "", password: str = WORD) -> list[str]:
    """What the dialog about a server asks for, in its order."""
    return [*([HOST] if host else []), str(server.port), *(["me"] if host else []), "yes", password, directory, *more]


async def test_recovery_key_leaves_with_a_password_and_is_in_the_audit_trail(
    store: ClusterStore, server: LabSftp, tmp_path: Path
) -> None:
    desk = Desk(store)
    shown = await desk("file get tftp ITLRecovery.p12", "y", *answers(server, "s3cret", "s3cret", directory="deep"))
    assert desk.outcome is Outcome.DONE, shown
    assert server.fingerprint in shown
    assert desk.context.console.secrets == ["word", "s3cret", "s3cret"]  # type: ignore[attr-defined]
    assert "s3cret" not in shown
    data = (tmp_path / "files" / "deep" / "ITLRecovery.p12").read_bytes()
    key, certificate, _ = pkcs12.load_key_and_certificates(data, b"s3cret")
    assert key is not None
    own = store.snapshot.require(PUB, Purpose.ITL_RECOVERY)
    assert certificate == own.certificate.x509
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(data, b"other")
    (entry, *_) = await store.audit(1)
    assert "ITLRecovery.p12" in entry.what


async def test_exported_key_of_the_old_cluster_signs_the_itl_again(
    store: ClusterStore, server: LabSftp, tmp_path: Path
) -> None:
    """The key that phones know comes back from the file after ITLRecovery was made anew."""
    desk = Desk(store)
    old = store.snapshot.require(PUB, Purpose.ITL_RECOVERY).certificate
    await desk("file get tftp ITLRecovery.p12", "y", *answers(server, "s3cret", "s3cret"))
    await desk("set cert regen ITLRecovery", "yes")
    shown = await desk(f"utils itl reset remotekey {HOST} me", *answers(server, "s3cret", host=False))
    assert desk.outcome is Outcome.DONE, shown
    assert "Successfully transferred reset ITL to node alpha-sub1\n" in shown
    for node in (PUB, SUB):
        assert decode_trust_list(build_itl(store.snapshot, node)).header.signer.matches(old)


async def test_wrong_password_of_the_recovery_key_is_told(store: ClusterStore, server: LabSftp) -> None:
    desk = Desk(store)
    await desk("file get tftp ITLRecovery.p12", "y", *answers(server, "s3cret", "s3cret"))
    before = store.snapshot
    shown = await desk("utils itl reset remotekey", *answers(server, "wrong"))
    assert "the file is no PKCS#12, or the password is wrong" in shown
    assert store.snapshot is before


async def test_trust_lists_are_sent_as_they_are_served(store: ClusterStore, server: LabSftp, tmp_path: Path) -> None:
    await set_mixed_mode(store, OPERATOR)
    desk = Desk(store, SUB)
    await desk("file get tftp itlfile.tlv", "y", *answers(server))
    await desk("file get tftp CTLFile.tlv", "y", *answers(server))
    assert (tmp_path / "files" / "ITLFile.tlv").read_bytes() == build_itl(store.snapshot, SUB)
    assert (tmp_path / "files" / CTL_FILE).read_bytes() == store.snapshot.files[SUB, CTL_FILE].data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "wrong"}, "refuses the user or the password"),
        ({"directory": "nowhere"}, "refuses the file"),
    ],
)
async def test_failed_transfer_is_told(
    store: ClusterStore, server: LabSftp, change: dict[str, Any], reason: str
) -> None:
    desk = Desk(store)
    shown = await desk("file get tftp ITLFile.tlv", "y", *answers(server, **change))
    assert f"SFTP server 127.0.0.1 port {server.port} {reason}" in shown
    assert desk.outcome is Outcome.REFUSED


async def test_passwords_that_differ_export_nothing(store: ClusterStore, server: LabSftp, tmp_path: Path) -> None:
    desk, before = Desk(store), store.snapshot
    shown = await desk("file get tftp ITLRecovery.p12", "y", *answers(server, "one", "two"))
    assert Ours.P12_DIFFERENT in shown
    assert store.snapshot is before
    assert not (tmp_path / "files" / "ITLRecovery.p12").exists()


async def test_password_is_not_given_to_a_server_whose_key_was_not_accepted(
    store: ClusterStore, server: LabSftp
) -> None:
    desk = Desk(store)
    shown = await desk("file get tftp ITLFile.tlv", "y", HOST, str(server.port), "me", "no")
    assert shown.endswith(f"{Ours.CANCELLED}\n")
    assert desk.context.console.secrets == []  # type: ignore[attr-defined]


async def test_server_that_shows_another_key_than_the_accepted_one_gets_nothing(
    server: LabSftp, tmp_path: Path
) -> None:
    client, where = SftpServers(), ServerAddress(HOST, server.port)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(OperatorError, match="shows another host key"):
        await client.put(where, HostKey(other, "another"), Account("me", "word"), "", "x", b"x")
    assert list((tmp_path / "files").iterdir()) == [tmp_path / "files" / "deep"]


async def test_server_that_never_answers_is_given_up() -> None:
    silent = await asyncio.start_server(lambda _reader, _writer: None, HOST, 0)
    try:
        where = ServerAddress(HOST, silent.sockets[0].getsockname()[1])
        with pytest.raises(OperatorError, match=r"no answer within 0\.1 s"):
            await SftpServers(timeout_s=0.1).host_key(where)
    finally:
        silent.close()


async def test_file_over_the_limit_is_not_read(server: LabSftp, tmp_path: Path) -> None:
    (tmp_path / "files" / "big").write_bytes(bytes(1_000))
    client, where = SftpServers(), ServerAddress(HOST, server.port)
    key = await client.host_key(where)
    with pytest.raises(OperatorError, match="is larger than 999 bytes"):
        await client.get(where, key, Account("me", "word"), "", "big", 999)


# ------------------------------------------------------------------ the server


@pytest.fixture
async def client(server: LabSftp) -> AsyncIterator[asyncssh.SFTPClient]:
    async with (
        asyncssh.connect(
            HOST, server.port, username="me", password="word", known_hosts=None, client_keys=None, config=None
        ) as connection,
        connection.start_sftp_client() as opened,
    ):
        yield opened


@pytest.mark.parametrize("path", ["../outside", "/../../outside", "deep/../../outside"])
async def test_folder_is_the_root_whatever_path_a_client_sends(
    client: asyncssh.SFTPClient, tmp_path: Path, path: str
) -> None:
    (tmp_path / "outside").write_text("secret")
    with pytest.raises(asyncssh.SFTPError):
        await client.get(path, tmp_path / "fetched")


async def test_links_lead_nowhere_outside(client: asyncssh.SFTPClient, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "files" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "files" / "folder").symlink_to(tmp_path)
    for path in ("link", "folder/outside"):
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            async with client.open(path, "rb") as file:
                await file.read()
    for make in (client.symlink, client.link):
        with pytest.raises(asyncssh.SFTPError):
            await make("/etc/passwd", "made")
    with pytest.raises(asyncssh.SFTPError):
        await client.put(tmp_path / "outside", "folder/written")
    assert not (tmp_path / "written").exists()


async def test_file_cannot_grow_over_the_limit(client: asyncssh.SFTPClient, tmp_path: Path) -> None:
    async with client.open("exact", "wb") as file:
        await file.write(bytes(LIMIT))
    async with client.open("large", "wb") as file:
        with pytest.raises(asyncssh.SFTPFailure):
            await file.write(bytes(LIMIT + 1))
        with pytest.raises(asyncssh.SFTPFailure):
            await file.write(b"x", offset=10**12)
    assert (tmp_path / "files" / "exact").stat().st_size == LIMIT
    assert (tmp_path / "files" / "large").stat().st_size <= LIMIT


async def test_client_cannot_make_a_file_executable(client: asyncssh.SFTPClient, tmp_path: Path) -> None:
    async with client.open("script", "wb", asyncssh.SFTPAttrs(permissions=0o4777)) as file:
        await file.write(b"#!/bin/sh\n")
    await client.chmod("script", 0o4777)
    assert (tmp_path / "files" / "script").stat().st_mode & 0o7111 == 0


async def test_shell_and_commands_are_not_offered(server: LabSftp) -> None:
    async with asyncssh.connect(
        HOST, server.port, username="me", password="word", known_hosts=None, client_keys=None, config=None
    ) as connection:
        with pytest.raises(asyncssh.Error):
            await connection.run("ls", check=True)
