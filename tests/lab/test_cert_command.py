"""``ucmsim cert`` on a state folder, whether or not its cluster runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cluster.store import ClusterStore
from lab.laboratory import database_path
from tests.lab.command import ucmsim
from tests.services.wires import VECTORS
from tests.waiting import PATIENCE_S
from wire.certificates import Certificate

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.snapshot import ClusterSnapshot

ROGUE = VECTORS / "rogue.pem"
PURPOSES = {"CallManager", "CallManager-ECDSA", "TVS", "CAPF", "tomcat", "tomcat-ECDSA", "ipsec", "ITLRecovery"}


def digest(path: Path) -> str:
    return Certificate.from_pem(path.read_bytes()).sha256.hex()


def where_trusted(state: Path, path: Path) -> list[str]:
    rows = ucmsim("cert", "list", "--state", state, "--json").json
    return [row["where"] for row in rows if (row["kind"], row["sha256"]) == ("trust", digest(path))]


def named(tmp_path: Path, common_name: str) -> Path:
    """A certificate that says whatever it likes of itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    path = tmp_path / "named.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


def test_list_shows_every_certificate_of_the_cluster(state: Path) -> None:
    rows = ucmsim("cert", "list", "--state", state, "--json").json
    assert {row["name"] for row in rows if row["where"] == "alpha-pub"} == PURPOSES
    assert {row["name"] for row in rows if row["where"] == "alpha-sub1"} == PURPOSES - {"CAPF", "ITLRecovery"}
    table = ucmsim("cert", "list", "--state", state)
    assert table.code == 0
    assert all(row["sha256"][:16] in table.out for row in rows)
    trusted = [(row["where"], row["subject"], row["sha256"]) for row in rows if row["kind"] == "trust"]
    assert trusted == sorted(trusted), "so that two lists can be compared"


@pytest.mark.parametrize("node", ["alpha-pub", "alpha-sub1", "ALPHA-SUB1"])
@pytest.mark.parametrize("purpose", ["TVS", "callmanager", "Tomcat-ecdsa"])
def test_export_writes_the_certificate_and_never_its_key(state: Path, tmp_path: Path, node: str, purpose: str) -> None:
    rows = ucmsim("cert", "list", "--state", state, "--json").json
    (expected,) = (
        row["sha256"] for row in rows if (row["where"], row["name"].lower()) == (node.lower(), purpose.lower())
    )
    done = ucmsim("cert", "export", purpose, "--node", node, "--state", state)
    assert Certificate.from_pem(done.out.encode()).sha256.hex() == expected
    assert "PRIVATE" not in done.out
    out = tmp_path / "out.cer"
    assert ucmsim("cert", "export", purpose, "--node", node, "--state", state, "--der", "--out", out).code == 0
    assert Certificate.from_der(out.read_bytes()).sha256.hex() == expected


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("export nothing", 3, "no certificate 'nothing' of alpha-pub: nothing matches it; purposes: CallManager,"),
        ("export TVS --node nobody", 3, "there is no node 'nobody'; nodes: alpha-pub, alpha-sub1"),
        ("export TVS --out {tmp}", 3, "cannot write {tmp}: Is a directory"),
        ("export TVS --der", 2, "--der needs --out FILE"),
        ("list --cluster beta", 3, "{tmp}/state holds no cluster 'beta'; it holds: alpha"),
        ("add nowhere-trust {rogue}", 1, "there is no trust store 'nowhere-trust'; known: "),
        ("delete tomcat-trust {digest}", 3, "nothing matches it"),
        ("delete tomcat-trust 12", 3, "or give 8 digits or more of a SHA-256"),
        ("delete tomcat-trust TVS", 1, "tomcat-trust holds no certificate"),
    ],
)
def test_mistakes_are_told_in_a_sentence(state: Path, tmp_path: Path, arguments: str, code: int, said: str) -> None:
    places = {"tmp": tmp_path, "rogue": ROGUE, "digest": digest(ROGUE)}
    done = ucmsim("cert", *arguments.format(**places).split(), "--state", state)
    assert done.code == code, done
    assert said.format(**places) in done.err
    assert "Traceback" not in done.err


def test_what_is_added_can_be_listed_exported_and_deleted(state: Path) -> None:
    added = ucmsim("cert", "add", "tomcat-trust", ROGUE, "--state", state)
    assert added.out == "1 certificate(s) added to tomcat-trust, 0 already there\n"
    again = ucmsim("cert", "add", "tomcat-trust", ROGUE, "--state", state)
    assert again.out == "0 certificate(s) added to tomcat-trust, 1 already there\n"
    assert where_trusted(state, ROGUE) == ["tomcat-trust"]
    exported = ucmsim("cert", "export", digest(ROGUE)[:8], "--state", state)
    assert Certificate.from_pem(exported.out.encode()).sha256.hex() == digest(ROGUE)
    deleted = ucmsim("cert", "delete", "tomcat-trust", digest(ROGUE)[:12].upper(), "--state", state)
    assert deleted.out == "deleted from tomcat-trust: CN=rogue;O=Evil;OU=Evil\n"
    assert where_trusted(state, ROGUE) == []


def test_bundles_and_der_are_read(state: Path, tmp_path: Path) -> None:
    bundle, der = tmp_path / "bundle.pem", tmp_path / "one.cer"
    bundle.write_bytes(b"".join((VECTORS / name).read_bytes() for name in ("rogue.pem", "tvs.pem", "capf.pem")))
    der.write_bytes(Certificate.from_pem((VECTORS / "tomcat.pem").read_bytes()).der)
    done = ucmsim("cert", "add", "Phone-SAST-trust", bundle, der, "--state", state)
    assert done.out == "4 certificate(s) added to Phone-SAST-trust, 0 already there\n"


def test_one_unreadable_file_among_many_adds_nothing(state: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    done = ucmsim("cert", "add", "tomcat-trust", ROGUE, tmp_path / "bad.pem", "--state", state)
    assert done.code == 3
    assert where_trusted(state, ROGUE) == []


@pytest.mark.parametrize("name", ["[/red]", "[bold]x", ":warning:", "\x1b[31mred\x1b[0m", "a\nb", "\u202eevil", "日本"])
def test_a_certificate_may_say_of_itself_whatever_it_likes(state: Path, tmp_path: Path, name: str) -> None:
    """Nothing in a name is taken for markup, moves the cursor, or turns the text round."""
    path = named(tmp_path, name)
    assert ucmsim("cert", "add", "tomcat-trust", path, "--state", state).code == 0
    listed = ucmsim("cert", "list", "--state", state)
    deleted = ucmsim("cert", "delete", "tomcat-trust", digest(path)[:20], "--state", state)
    assert (listed.code, deleted.code) == (0, 0)
    for text in (listed.out, deleted.out):
        assert not {"\x1b", "\u202e"} & set(text)
    assert deleted.out.count("\n") == 1
    assert deleted.out.startswith("deleted from tomcat-trust: CN=")


def test_a_running_cluster_takes_a_change_up(state: Path) -> None:
    """R-TVS-3: the command and the cluster share nothing but the database."""

    async def watch() -> bool:
        known = asyncio.Event()

        def look(snapshot: ClusterSnapshot) -> None:
            if snapshot.find_by_digest(bytes.fromhex(digest(ROGUE))) is not None:
                known.set()

        store = await ClusterStore.open(database_path(state, "alpha"))
        try:
            store.subscribe(look)
            store.watch(0.01)
            await asyncio.to_thread(ucmsim, "cert", "add", "tomcat-trust", ROGUE, "--state", state)
            await asyncio.wait_for(known.wait(), PATIENCE_S)
        finally:
            await store.close()
        return True

    assert asyncio.run(watch())
