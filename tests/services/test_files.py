"""Which bytes a name stands for, whoever asks: `services.tftp.files` without sockets."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from base.trace import MemorySink, Trace
from cluster.audit import SYSTEM
from cluster.endpoints import Endpoints, Ports
from cluster.management.certificates import regenerate
from cluster.models import shipped_models
from cluster.parameters import FILE_SIGNATURE
from cluster.purposes import Purpose
from cluster.store import ClusterStore
from lab.laboratory import database_path
from services.tftp.files import PhoneFiles
from tests.conftest import lab_config
from tests.services.wires import VECTORS
from wire.errors import Refusal
from wire.fileheader import DigestAlgorithm
from wire.phoneconfig import decode_phone_config
from wire.signedfile import decode_signed_file
from wire.signing import verify_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

NODE, CONFIG, DEFAULT = "alpha-pub", "SEP001122334455.cnf.xml", "XMLDefault.cnf.xml"
NOT_FOUND, FORBIDDEN = 1, 2


class Files:
    """The files of one node, with what they are made from."""

    def __init__(self, store: ClusterStore, folder: Path) -> None:
        self.store, self.folder, self.sink = store, folder, MemorySink()
        self.endpoints = Endpoints(Ports())
        self.signer = store.snapshot.require(NODE, Purpose.CALLMANAGER)
        self.files = PhoneFiles(
            NODE,
            lambda: store.snapshot,
            lambda: self.endpoints,
            self.signer,
            shipped_models(),
            Trace(self.sink),
        )

    def read(self, name: str, transport: str = "http") -> bytes:
        return self.files.read(name, "127.0.0.1", transport)

    def refusal(self, name: str, transport: str = "http") -> int:
        with pytest.raises(Refusal) as refused:
            self.read(name, transport)
        return refused.value.code


@pytest.fixture
async def files(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[Files]:
    folder = tmp_path / "tftp"
    folder.mkdir()
    shutil.copytree(await state_templates("12.5"), tmp_path / "state")
    store = await ClusterStore.open(database_path(tmp_path / "state", "alpha"))
    await store.install(lab_config(more=f"tftp_directory: {folder}").clusters[0])
    yield Files(store, folder)
    await store.close()


async def test_generated_files_are_made_once_until_something_changes(files: Files) -> None:
    """R-ITL-4: and then have the same bytes as long as their content is the same."""
    names = ("ITLFile.tlv", CONFIG, f"{CONFIG}.sgn", f"{DEFAULT}.sgn", "ConfigFileCacheList.txt")
    first = [files.read(name) for name in names]
    for name, data in zip(names, first, strict=True):
        assert files.read(name.upper()) is data
    again = Files(files.store, files.folder)
    assert [again.read(name) for name in names] == first


async def test_every_phone_gets_the_one_itl_of_the_node(files: Files) -> None:
    itl = files.read("ITLFile.tlv")
    assert files.read("ITLSEP001122334455.tlv") is itl
    assert files.read("itlsep001122334456.tlv") is itl


async def test_configurations_tell_the_ports_in_use(files: Files) -> None:
    assert {server.port for server in decode_phone_config(files.read(CONFIG)).tvs_servers} == {2445}
    files.endpoints = Endpoints(Ports.moved(10_000))
    assert {server.port for server in decode_phone_config(files.read(CONFIG)).tvs_servers} == {12_445}


async def test_a_changed_parameter_changes_the_next_file(files: Files) -> None:
    before = files.read(f"{CONFIG}.sgn")
    await files.store.set_parameter(FILE_SIGNATURE, "SHA-512")
    after = files.read(f"{CONFIG}.sgn")
    assert decode_signed_file(before).header.digest is DigestAlgorithm.SHA1
    assert decode_signed_file(after).header.digest is DigestAlgorithm.SHA512
    assert verify_file(after, files.signer.certificate.public_key)


async def test_files_are_signed_by_the_key_that_the_service_started_with(files: Files) -> None:
    """R-DL-3: a new CallManager certificate is used after the next start; the ITL tells phones at once (R-ITL-1)."""
    itl = files.read("ITLFile.tlv")
    new = await regenerate(files.store, NODE, Purpose.CALLMANAGER, SYSTEM)
    assert verify_file(files.read(f"{CONFIG}.sgn"), files.signer.certificate.public_key)
    assert new.certificate.der in files.read("ITLFile.tlv")
    assert new.certificate.der not in itl
    restarted = Files(files.store, files.folder)
    assert verify_file(restarted.read(f"{CONFIG}.sgn"), new.certificate.public_key)


async def test_the_signed_header_has_the_usual_name_whatever_the_client_wrote(files: Files) -> None:
    assert decode_signed_file(files.read("sep001122334455.CNF.XML.sgn")).header.file_name == f"{CONFIG}.sgn"
    assert decode_signed_file(files.read("xmldefault.cnf.xml.SGN")).header.file_name == f"{DEFAULT}.sgn"
    (files.folder / "RingList.xml").write_bytes(b"<x/>")
    assert decode_signed_file(files.read("ringlist.XML.sgn")).header.file_name == "RingList.xml.sgn"


@pytest.mark.parametrize("name", ["SEP001122334457.cnf.xml", "SEP001122334457.cnf.xml.sgn", "ITLSEP001122334457.tlv"])
async def test_an_unknown_device_is_not_found_and_traced(files: Files, name: str) -> None:
    assert files.refusal(name) == NOT_FOUND
    assert "device_unknown" in files.sink.steps()


async def test_the_file_list_is_for_http_only(files: Files) -> None:
    assert files.read("ConfigFileCacheList.txt", "https")
    assert files.refusal("ConfigFileCacheList.txt", "tftp") == NOT_FOUND


@pytest.mark.parametrize(
    ("transport", "signed"), [("tftp", True), ("http", True), ("https", False)], ids=["tftp", "http", "https"]
)
async def test_only_https_answers_a_signed_name_with_the_unsigned_configuration(
    files: Files, transport: str, *, signed: bool
) -> None:
    assert (files.read(f"{CONFIG}.sgn", transport) != files.read(CONFIG, transport)) is signed


# --- the TFTP directory ---


@pytest.mark.parametrize("transport", ["tftp", "http", "https"])
@pytest.mark.parametrize(("kind", "name"), [("ITL", "ITLSEP001122334455.tlv"), ("CTL", "ctlsep001122334455.TLV")])
async def test_a_list_for_one_phone_is_served_to_that_phone_alone(
    files: Files, transport: str, kind: str, name: str
) -> None:
    own = (VECTORS / f"{kind}File.tlv").read_bytes()
    (files.folder / name).write_bytes(own)
    assert files.read(f"{kind}SEP001122334455.tlv", transport) == own
    assert "own_list_served" in files.sink.steps()
    generic = files.read("ITLFile.tlv", transport)
    assert files.read("ITLSEP001122334456.tlv", transport) is generic
    assert own not in {generic, files.read("ITLSEP001122334456.tlv", transport)}
    assert files.refusal("CTLFile.tlv", transport) == NOT_FOUND, "the cluster has no CTL all the same"
    (files.folder / name).unlink()
    if kind == "ITL":
        assert files.read(f"{kind}SEP001122334455.tlv", transport) is generic, "and the generated one comes back"


async def test_a_list_for_a_device_that_the_cluster_does_not_know_is_not_served(files: Files) -> None:
    (files.folder / "ITLSEP001122334457.tlv").write_bytes(b"list")
    assert files.refusal("ITLSEP001122334457.tlv") == NOT_FOUND


async def test_a_generic_list_in_the_directory_replaces_no_generated_one(files: Files) -> None:
    (files.folder / "ITLFile.tlv").write_bytes(b"list")
    assert files.read("ITLFile.tlv") != b"list"
    assert files.read("ITLSEP001122334455.tlv") is files.read("ITLFile.tlv")


async def test_an_empty_list_for_one_phone_is_served_as_it_is(files: Files) -> None:
    (files.folder / "ITLSEP001122334455.tlv").write_bytes(b"")
    assert files.read("ITLSEP001122334455.tlv") == b""


async def test_a_file_that_exists_signed_only_is_served_plain_with_its_signature_stripped(files: Files) -> None:
    shutil.copy(VECTORS / f"{CONFIG}.sgn", files.folder / "Other.cnf.xml.sgn")
    assert files.read("other.cnf.xml") == (VECTORS / CONFIG).read_bytes()
    assert files.read("other.cnf.xml.sgn") == (VECTORS / f"{CONFIG}.sgn").read_bytes()
    assert "signature_stripped" in files.sink.steps()


async def test_a_file_that_only_looks_signed_is_not_stripped(files: Files) -> None:
    (files.folder / "notes.sgn").write_bytes(b"no signature here")
    assert files.read("notes.sgn") == b"no signature here"
    assert files.refusal("notes") == NOT_FOUND


async def test_the_exact_name_wins_over_one_in_another_case(files: Files) -> None:
    for name in ("FILE.txt", "file.txt", "File.txt"):
        (files.folder / name).write_text(name)
    assert files.read("file.txt") == b"file.txt"
    assert files.read("FILE.txt") == b"FILE.txt"


async def test_a_changed_static_file_is_served_as_it_is_now(files: Files) -> None:
    (files.folder / "Ringlist.xml").write_bytes(b"old")
    assert files.read("Ringlist.xml") == b"old"
    (files.folder / "Ringlist.xml").write_bytes(b"new")
    assert files.read("Ringlist.xml") == b"new"
    assert decode_signed_file(files.read("Ringlist.xml.sgn")).body == b"new"


async def test_links_are_followed_inside_the_directory_only(files: Files, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (files.folder / "real.txt").write_text("real")
    (files.folder / "inside").symlink_to("real.txt")
    (files.folder / "outside").symlink_to(secret)
    (files.folder / "up").symlink_to("..")
    (files.folder / "circle").symlink_to("circle")
    (files.folder / "nowhere").symlink_to("gone")
    assert files.read("inside") == b"real"
    for name in ("outside", "up/secret", "outside.sgn", "circle", "circle/x", "nowhere", "nowhere.sgn"):
        assert files.refusal(name) == NOT_FOUND, name


@pytest.mark.parametrize("name", ["a" * 255, "a/" * 120 + "a", "Ringlist.xml/below", "sub", "pipe", "no.such.file"])
async def test_what_cannot_be_a_file_is_not_found(files: Files, name: str) -> None:
    (files.folder / "Ringlist.xml").write_bytes(b"<x/>")
    (files.folder / "sub").mkdir()
    os.mkfifo(files.folder / "pipe")
    assert files.refusal(name) == NOT_FOUND


@pytest.mark.parametrize(
    "name",
    ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "./x", "a//b", "a/", "a\\b", "a\0", "a\nb", "..\\x", "a" * 256],
)
async def test_names_that_could_lead_out_of_the_directory_are_access_violations(files: Files, name: str) -> None:
    assert files.refusal(name) == FORBIDDEN


async def test_a_file_of_unreasonable_size_is_refused(files: Files) -> None:
    with (files.folder / "huge.bin").open("wb") as file:
        file.truncate(256 * 1024 * 1024 + 1)
    assert files.refusal("huge.bin") == FORBIDDEN


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_file_that_may_not_be_read_is_refused(files: Files) -> None:
    (files.folder / "private.txt").touch(mode=0o000)
    assert files.refusal("private.txt") == FORBIDDEN


async def test_a_directory_that_went_away_holds_nothing(files: Files) -> None:
    (files.folder / "notes.txt").write_text("here")
    assert files.read("notes.txt")
    shutil.rmtree(files.folder)
    assert files.refusal("notes.txt") == NOT_FOUND
    assert files.read(CONFIG)


async def test_generated_names_cannot_be_replaced_from_the_directory(files: Files) -> None:
    generated = files.read(CONFIG)
    (files.folder / CONFIG).write_bytes(b"planted")
    (files.folder / "ITLFile.tlv").write_bytes(b"planted")
    assert files.read(CONFIG) == generated
    assert files.read("ITLFile.tlv") != b"planted"


BESIDE = ("Ringlist.xml", "DistinctiveRingList.xml", "United_States/g3-tones.xml", "English_United_States/8865-sip.jar")


async def test_what_configurations_name_is_served_plain_and_signed_with_the_same_bytes(files: Files) -> None:
    """R-ITL-4 for all that phones ask for: signed once, and signed alike by another process."""
    config = decode_phone_config(files.read(CONFIG))
    assert (config.user_locale, config.network_locale) == ("English_United_States", "United_States")
    again = Files(files.store, files.folder)
    for name in (*BESIDE, config.soft_key_file, config.dial_template):
        plain, signed = files.read(name), files.read(f"{name}.sgn")
        assert files.read(f"{name}.sgn".upper()) is signed
        assert (again.read(name), again.read(f"{name}.sgn")) == (plain, signed)
        assert verify_file(signed, files.signer.certificate.public_key)
        assert decode_signed_file(signed).header.file_name == f"{name}.sgn"
        assert decode_signed_file(signed).body == plain
        assert files.read(name, "tftp") == files.read(name, "https") == plain
        assert files.read(f"{name}.sgn", "https") == signed  # stripped are configurations alone


async def test_an_operators_own_file_goes_before_a_generated_one_in_either_form(files: Files) -> None:
    generated = {name: files.read(f"{name}.sgn") for name in BESIDE}
    for name in BESIDE:
        path = files.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"<mine/>")
        assert files.read(name) == b"<mine/>"
        signed = decode_signed_file(files.read(f"{name}.sgn"))
        assert (signed.body, signed.header.file_name) == (b"<mine/>", f"{name}.sgn")
        path.unlink()
        assert files.read(f"{name}.sgn") == generated[name]


async def test_a_signed_file_of_an_operators_is_served_as_it_is_and_stripped(files: Files) -> None:
    foreign = (VECTORS / "SEP001122334455.cnf.xml.sgn").read_bytes()
    (files.folder / "Ringlist.xml.sgn").write_bytes(foreign)
    assert files.read("Ringlist.xml.sgn") == foreign
    assert files.read("Ringlist.xml") == decode_signed_file(foreign).body


async def test_a_changed_definition_changes_the_file_and_the_time_in_its_header(files: Files) -> None:
    before = files.read("Ringlist.xml.sgn")
    changed = lab_config(more=f"tftp_directory: {files.folder}\n    rings: [{{name: Bell, file: Bell.raw}}]")
    await files.store.install(changed.clusters[0])
    after = files.read("Ringlist.xml.sgn")
    assert b"Bell.raw" in after
    assert b"Bell.raw" not in before
    assert files.read("Ringlist.xml") == decode_signed_file(after).body


async def test_files_beside_are_signed_by_the_key_that_the_service_started_with(files: Files) -> None:
    """R-DL-3, as for configurations."""
    await regenerate(files.store, NODE, Purpose.CALLMANAGER, SYSTEM)
    assert verify_file(files.read("Ringlist.xml.sgn"), files.signer.certificate.public_key)


async def test_a_locale_that_nobody_defined_is_not_found(files: Files) -> None:
    for name in ("Atlantis/g3-tones.xml", "Atlantis/8865-sip.jar.sgn", "AppDialRules.xml", "AppDialRules.xml.sgn"):
        assert files.refusal(name) == NOT_FOUND


async def test_a_node_of_which_the_port_is_not_known_yet_is_not_told_to_phones(files: Files) -> None:
    """As when another process has still to start it on a port that the system chooses."""
    files.endpoints = Endpoints(Ports.any_free(), {NODE: Ports()})
    assert [server.port for server in decode_phone_config(files.read(CONFIG)).tvs_servers] == [Ports().tvs]
    files.endpoints = Endpoints(Ports.any_free(), {"alpha-sub1": Ports()})
    config = decode_phone_config(files.read(CONFIG))
    assert [server.port for server in config.tvs_servers] == [Ports().tvs]
    assert not any(config.urls.values())
