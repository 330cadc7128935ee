"""What ``set`` and ``utils`` ask, do, and print: the dialogs of the references, word for word (R-CLI-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.management.certificates import upload_trust
from cluster.management.contactsearch import contact_search_authenticated
from cluster.management.ctl import set_mixed_mode
from cluster.parameters import FIPS_MODE, TLS_MIN_VERSION
from cluster.purposes import Purpose
from cluster.trustlists import build_itl
from services.commandline.interpreter import Outcome, execute
from services.commandline.texts import Ours
from tests.services.commandline_cast import OPERATOR, PUB, SUB, Desk, ScriptedConsole, open_copy
from wire.trustlist import CTL_FILE, decode_trust_list

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from tests.openssl_ca import OpensslCa

Templates = Callable[[str], Awaitable[Path]]


@pytest.fixture
async def store(tmp_path: Path, state_templates: Templates) -> AsyncIterator[ClusterStore]:
    opened = await open_copy(tmp_path / "state", state_templates)
    yield opened
    await opened.close()


# ------------------------------------------------------------------ certificates


async def test_regeneration_is_the_captured_dialog(store: ClusterStore) -> None:
    before = store.snapshot.require(PUB, Purpose.TOMCAT).certificate
    desk = Desk(store)
    shown = await desk("set cert regen tomcat", "yes")
    assert shown.splitlines()[:4] == [
        "WARNING: This operation will overwrite any CA signed certificate previously imported for  tomcat",
        "Proceed with regeneration (yes|no)? yes",
        "Successfully Regenerated Certificate for tomcat.",
        "You must restart services related to tomcat for the regenerated certificates to become active.",
    ]
    assert "Services to restart: Cisco Tomcat, Cisco Tftp" in shown
    assert store.snapshot.require(PUB, Purpose.TOMCAT).certificate != before
    (newest, *_) = await store.audit(1)
    assert (newest.who, newest.origin, newest.what) == (
        "operator",
        "ssh 192.0.2.7",
        "tomcat of alpha-pub: regenerated",
    )


async def test_regeneration_of_itlrecovery_warns_of_the_ctl(store: ClusterStore) -> None:
    """R-REC-2."""
    warning = (
        "WARNING: If you are using a tokenless CTL and if the CallManager certificate is recently generated, please "
        "ensure that the CTL File already has the new CallManager certificate and is updated to the endpoints, before "
        "generating the ITL Recovery certificate. Are you sure want to proceed?"
    )
    shown = await Desk(store)("set cert regen ITLRecovery", "yes")
    assert shown.splitlines()[:8] == [
        "",
        warning,
        "",
        "Proceed with regeneration (yes|no)? yes",
        "",
        "Successfully Regenerated Certificate for ITLRecovery.",
        "",
        "You must restart the services related to ITLRecovery for the regenerated certificates to become active.",
    ]


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("set cert regen TVS", ["no"]),
        ("set cert regen TVS", [""]),
        ("set cert regen TVS", ["maybe"]),
        ("utils ctl set-cluster mixed-mode", ["n"]),
        ("utils ctl set-cluster mixed-mode", [""]),
        ("utils fips enable", ["no"]),
        ("set tls min-version 1.2", ["no"]),
        ("set cert delete CallManager-trust alpha-sub1.pem", ["no"]),
        ("file get tftp ITLRecovery.p12", ["n"]),
    ],
)
async def test_anything_but_yes_changes_nothing(store: ClusterStore, line: str, answers: list[str]) -> None:
    desk, before = Desk(store), store.snapshot
    shown = await desk(line, *answers)
    assert shown.endswith(f"{Ours.CANCELLED}\n")
    assert Ours.FAILED not in shown
    assert desk.outcome is Outcome.REFUSED
    assert store.snapshot is before


@pytest.mark.parametrize("answer", ["yes", "YES", "y"])
async def test_yes_may_be_written_short_or_in_capitals(store: ClusterStore, answer: str) -> None:
    before = store.snapshot.revision
    await Desk(store)("utils fips enable", answer)
    assert store.snapshot.revision == before + 1


async def test_end_of_input_at_a_question_changes_nothing(store: ClusterStore) -> None:
    desk, before = Desk(store), store.snapshot
    assert (await desk("set cert regen TVS")).endswith(f"{Ours.FAILED}\n{Ours.ABANDONED}\n")
    assert store.snapshot is before


@pytest.mark.parametrize("line", ["set cert regen CAPF", "set cert regen ITLRecovery"])
async def test_subscriber_refuses_certificates_of_the_publisher_before_it_asks(store: ClusterStore, line: str) -> None:
    shown = await Desk(store, SUB)(line)
    assert "is managed on the publisher, alpha-pub" in shown


async def test_of_two_administrators_one_wins_and_the_other_is_told(store: ClusterStore) -> None:
    first, second = Desk(store), Desk(store, PUB)
    gate = asyncio.Event()

    class Slow(ScriptedConsole):
        async def read_line(self, prompt: str, *, secret: bool = False) -> str:
            await gate.wait()
            return await super().read_line(prompt, secret=secret)

    consoles = [Slow("yes"), Slow("yes")]
    for desk, console in zip((first, second), consoles, strict=True):
        desk.context.console = console
    tasks = [asyncio.create_task(execute(desk.context, "set cert regen TVS")) for desk in (first, second)]
    before = store.snapshot.revision
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*tasks)
    assert sorted(outcome.name for outcome in outcomes) == ["DONE", "REFUSED"]
    told = consoles[outcomes.index(Outcome.REFUSED)].shown
    assert "was changed by somebody else meanwhile" in told
    assert store.snapshot.revision == before + 1


async def test_ca_signed_certificate_is_requested_signed_and_imported(
    store: ClusterStore, authority: OpensslCa
) -> None:
    """R-CRT-4, with a CA made by openssl."""
    desk = Desk(store)
    for above in authority.chain:
        shown = await desk("set cert import trust tomcat", *above.pem.splitlines(), "")
        assert desk.outcome is Outcome.DONE, shown
        assert shown.splitlines()[-2:] == [
            "Successfully imported certificate for tomcat.",
            "Please restart services related to tomcat for the new certificate to become active.",
        ]
    assert await desk("set csr gen tomcat") == "Successfully Generated CSR for tomcat.\n"
    request = await desk("show csr own tomcat/tomcat.csr")
    leaf = authority.sign(request.encode())
    shown = await desk("set cert import own tomcat tomcat-trust/Example Issuing CA.pem", *leaf.pem.splitlines(), "")
    assert desk.outcome is Outcome.DONE, shown
    assert "Successfully imported certificate for tomcat.\n" in shown
    assert store.snapshot.require(PUB, Purpose.TOMCAT).certificate == leaf
    assert (await desk("show cert list own")).startswith(
        "tomcat/tomcat.pem: Certificate Signed by Example Issuing CA\n"
    )


async def test_import_without_a_request_says_ucms_words(store: ClusterStore, authority: OpensslCa) -> None:
    desk = Desk(store)
    shown = await desk("set cert import own tomcat", *authority.certificate.pem.splitlines(), "")
    assert shown.endswith("The file /usr/local/platform/.security/tomcat/keys/tomcat.csr does not exist\n")
    assert desk.outcome is Outcome.REFUSED


async def test_import_with_a_ca_that_is_not_there_is_refused_before_the_paste(store: ClusterStore) -> None:
    shown = await Desk(store)("set cert import own tomcat tomcat-trust/nobody.pem")
    assert "there is no trust certificate 'tomcat-trust/nobody.pem'" in shown


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        (["this is no certificate", ""], "the upload is no certificate"),
        (["", "", "x", ""], "the upload is no certificate"),
        ([], Ours.PASTE_NOTHING),
    ],
)
async def test_paste_that_is_no_certificate_is_refused(store: ClusterStore, pasted: list[str], reason: str) -> None:
    desk, before = Desk(store), store.snapshot
    assert f"{Ours.FAILED}\n{reason}" in await desk("set cert import trust tomcat", *pasted)
    assert store.snapshot is before


async def test_paste_over_the_limit_ends_the_session_so_that_its_rest_is_no_command(store: ClusterStore) -> None:
    desk, before = Desk(store), store.snapshot
    lines = ["-----BEGIN CERTIFICATE-----", *["A" * 64] * (262_144 // 65 + 1)]
    shown = await desk("set cert import trust tomcat", *lines)
    assert "what was pasted is over the limit of 262144 characters" in shown
    assert desk.context.ended
    assert store.snapshot is before


async def test_empty_lines_inside_a_pem_block_do_not_end_the_paste(store: ClusterStore, authority: OpensslCa) -> None:
    """Terminals that send both signs of a line end make one after each line."""
    doubled = [line for row in authority.certificate.pem.splitlines() for line in (row, "")]
    desk = Desk(store)
    await desk("set cert import trust tomcat", *doubled)
    assert desk.outcome is Outcome.DONE


async def test_trusted_certificate_is_deleted_from_every_node(store: ClusterStore, authority: OpensslCa) -> None:
    await upload_trust(store, "Phone-SAST-trust", authority.certificate.pem.encode(), OPERATOR)
    desk = Desk(store)
    listed = next(line for line in (await desk("show cert list trust")).splitlines() if "Example Issuing" in line)
    name = listed.partition(": ")[0].partition("/")[2]
    shown = await desk(f"set cert delete Phone-SAST-trust {name}", "yes")
    assert shown.endswith("Successfully deleted certificate Example Issuing CA.pem from Phone-SAST-trust.\n")
    assert authority.certificate.sha256 not in store.snapshot.trusted


async def test_own_certificates_cannot_be_deleted(store: ClusterStore) -> None:
    desk = Desk(store)
    assert "own certificates can be regenerated, not deleted" in await desk("set cert delete tomcat tomcat.pem")
    assert desk.outcome is Outcome.REFUSED


# ------------------------------------------------------------------ CTL

RESTART = "Please Restart the TFTP and Cisco CallManager services on all nodes in the cluster that run these services\n"


async def test_mixed_mode_and_back_are_the_captured_dialogs(store: ClusterStore) -> None:
    """R-CTL-1."""
    desk = Desk(store)
    assert await desk("utils ctl set-cluster mixed-mode", "y") == (
        "This operation sets the cluster to Mixed mode. Do you want to continue? (y/n):y\n"
        "Moving Cluster to Mixed Mode\n"
        "Cluster set to Mixed Mode\n" + RESTART
    )
    assert store.snapshot.mixed_mode
    assert await desk("utils ctl update CTLFile", "y") == (
        "This operation updates the CTLFile. Do you want to continue? (y/n):y\n"
        "Updating CTL file\n"
        "CTL file Updated\n" + RESTART
    )
    assert await desk("utils ctl set-cluster non-secure-mode", "y") == (
        "This operation will set the cluster to non secure mode. Do you want to continue? (y/n):y\n"
        "Moving Cluster to Non Secure Mode\n"
        "Cluster set to Non Secure Mode\n" + RESTART
    )
    assert not store.snapshot.mixed_mode


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("utils ctl update CTLFile", "the cluster is not in mixed mode"),
        ("utils ctl reset localkey", "the cluster is not in mixed mode"),
        ("utils ctl set-cluster non-secure-mode", "the cluster is not in mixed mode"),
    ],
)
async def test_ctl_commands_need_mixed_mode(store: ClusterStore, line: str, reason: str) -> None:
    desk = Desk(store)
    assert reason in await desk(line, "y")
    assert desk.outcome is Outcome.REFUSED


async def test_ctl_reset_signs_with_callmanager(store: ClusterStore) -> None:
    """R-REC-3."""
    await set_mixed_mode(store, OPERATOR)
    await Desk(store)("utils ctl reset localkey", "y")
    callmanager = store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    stored = decode_trust_list(store.snapshot.files[SUB, CTL_FILE].data)
    assert stored.header.signer.matches(callmanager)


@pytest.mark.parametrize("line", ["file delete tftp CTLFile.tlv", "file delete activelog cm/tftpdata/CTLFile.tlv"])
async def test_ctl_is_deleted_on_one_node_with_the_captured_dialog(store: ClusterStore, line: str) -> None:
    await set_mixed_mode(store, OPERATOR)
    desk = Desk(store)
    assert await desk(line, "y") == (
        'Delete the File CTLFile.tlv?\nEnter "y" followed by return to continue: y\nfiles: found = 1, deleted = 1\n'
    )
    assert (PUB, CTL_FILE) not in store.snapshot.files
    assert (SUB, CTL_FILE) in store.snapshot.files
    assert (await desk(line)).startswith("files: found = 0, deleted = 0\n")
    assert desk.outcome is Outcome.REFUSED


@pytest.mark.parametrize("name", ["ITLFile.tlv", "ITLRecovery.p12"])
async def test_generated_files_cannot_be_deleted(store: ClusterStore, name: str) -> None:
    assert f"{name} is generated and cannot be deleted" in await Desk(store)(f"file delete tftp {name}")


# ------------------------------------------------------------------ ITL


async def test_itl_reset_prints_the_output_of_the_reference(store: ClusterStore) -> None:
    """R-REC-4."""
    shown = await Desk(store)("utils itl reset localkey")
    assert shown == (
        "Name is None \n"
        "\n"
        "Generating the reset ITL file.....\n"
        "\n"
        "The reset ITL file was generated successfully\n"
        "\n"
        "Locating active Tftp servers in the cluster.....\n"
        "\n"
        "Following is the list of Active tftp servers in the cluster\n"
        "\n"
        "====================\n"
        "alpha-pub\n"
        "alpha-sub1\n"
        "=====================\n"
        "Number of Active TFTP servers in the cluster : 2\n"
        "\n"
        "Transferring new reset ITL file to the TFTP server nodes in the cluster.........\n"
        "\n"
        "Successfully transferred reset ITL to node alpha-pub\n"
        "Successfully transferred reset ITL to node alpha-sub1\n"
    )
    callmanager = store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    for node in (PUB, SUB):
        assert decode_trust_list(build_itl(store.snapshot, node)).header.signer.matches(callmanager)


async def test_release_without_itlrecovery_refuses_the_reset(tmp_path: Path, state_templates: Templates) -> None:
    store = await open_copy(tmp_path / "state", state_templates, "8.6")
    try:
        desk = Desk(store)
        assert "has no ITLRecovery certificate" in await desk("utils itl reset localkey")
        assert desk.outcome is Outcome.REFUSED
    finally:
        await store.close()


# ------------------------------------------------------------------ settings


async def test_contact_search_is_switched_on_one_node(store: ClusterStore) -> None:
    """R-UDS-1."""
    desk = Desk(store, SUB)
    assert await desk("utils contactsearchauthentication status") == "Contact search authentication is disabled.\n"
    assert "was enabled. Reset the phones" in await desk("utils contactsearchauthentication enable")
    assert contact_search_authenticated(store.snapshot, SUB)
    assert not contact_search_authenticated(store.snapshot, PUB)
    assert await desk("utils contactsearchauthentication enable") == "Contact search authentication is enabled.\n"
    assert "was disabled. Reset the phones" in await desk("utils contactsearchauthentication disable")
    assert not contact_search_authenticated(store.snapshot, SUB)


async def test_fips_mode_is_switched_and_told(store: ClusterStore) -> None:
    desk = Desk(store)
    assert await desk("utils fips status") == "The system is operating in non-FIPS mode.\n"
    await desk("utils fips enable", "yes")
    assert store.snapshot.parameter(FIPS_MODE) == "True"
    assert await desk("utils fips status") == "The system is operating in FIPS mode.\n"
    assert "FIPS mode is enabled already." in await desk("utils fips enable")
    await desk("utils fips disable", "yes")
    assert store.snapshot.parameter(FIPS_MODE) == "False"


async def test_the_least_tls_version_is_set_and_told(store: ClusterStore) -> None:
    desk = Desk(store, SUB)
    assert await desk("show tls min-version") == "The minimum TLS version is 1.0.\n"
    warning, question, done, services = (await desk("set tls min-version 1.2", "yes")).splitlines()
    assert warning.startswith("WARNING: ")
    assert "know no TLS 1.2 or newer" in warning
    assert question.endswith("of the whole cluster to 1.2. Do you want to continue? (yes|no) yes")
    assert done.startswith("The minimum TLS version is set to 1.2.")
    assert services == "Services to restart: Cisco CallManager, Cisco CTIManager, Cisco Trust Verification Service"
    assert store.snapshot.parameter(TLS_MIN_VERSION) == "1.2"
    assert await desk("show tls min-version") == "The minimum TLS version is 1.2.\n"
    assert "WARNING" not in await desk("set tls min-version 1.1", "yes")
    assert store.snapshot.parameter(TLS_MIN_VERSION) == "1.1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("set tls min-version 1.0", "The minimum TLS version is 1.0 already."),
        ("set tls min-version 1.3", "VERSION cannot be 1.3; possible: 1.0, 1.1, 1.2"),
        ("set tls min-version x", "VERSION cannot be x; possible: 1.0, 1.1, 1.2"),
        ("set tls min-version", "The command is incomplete"),
        ("set tls min-version 1.1 1.2", "1.2 is not expected after 'set tls min-version 1.1'"),
    ],
)
async def test_a_least_tls_version_that_cannot_be_set_changes_nothing(
    store: ClusterStore, line: str, said: str
) -> None:
    desk, before = Desk(store), store.snapshot
    assert said in await desk(line)
    assert desk.outcome is not Outcome.DONE
    assert store.snapshot is before


@pytest.mark.parametrize(
    ("minutes", "accepted"), [("5", True), ("99999", True), ("4", False), ("100000", False), ("x", False)]
)
async def test_session_timeout_has_ucms_range(store: ClusterStore, minutes: str, accepted: bool) -> None:  # noqa: FBT001
    desk = Desk(store)
    assert await desk("show cli session timeout") == "CLI session timeout is 30 minute(s).\n"
    await desk(f"set cli session timeout {minutes}")
    assert (desk.outcome is Outcome.DONE) is accepted
    assert desk.context.settings.idle_minutes == (int(minutes) if accepted else 30)


async def test_refused_database_is_told_and_nothing_changes(store: ClusterStore, tmp_path: Path) -> None:
    desk, before = Desk(store), store.snapshot
    database = tmp_path / "state" / "alpha" / "cluster.sqlite"
    database.rename(database.with_suffix(".away"))
    shown = await desk("utils fips enable", "yes")
    assert "the change was refused and nothing was altered" in shown
    assert desk.outcome is Outcome.REFUSED
    assert store.snapshot is before


async def test_interrupted_command_leaves_its_operation_to_finish(store: ClusterStore) -> None:
    desk = Desk(store)
    published = asyncio.Event()
    store.subscribe(lambda _snapshot: published.set())
    before = store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    answered = asyncio.Event()

    class Watching(ScriptedConsole):
        async def read_line(self, prompt: str, *, secret: bool = False) -> str:
            answered.set()
            return await super().read_line(prompt, secret=secret)

    desk.context.console = Watching("yes")
    task = asyncio.create_task(execute(desk.context, "set cert regen CallManager"))
    await answered.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await desk.context.settle()
    await asyncio.wait_for(published.wait(), 20)
    assert store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate != before
