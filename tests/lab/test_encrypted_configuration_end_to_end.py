"""Encrypted configurations from our services to our phone, for every kind of certificate (R-SBD-3, R-DL-2)."""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING

import pytest

from base.tls import client_context
from cluster.lsc import issue_lsc
from cluster.management.capf import Outcome as CapfRecord
from cluster.management.capf import record_outcome
from cluster.phonesecurity import KeyOrder, Operation
from cluster.purposes import Purpose
from phone_sim.boot import Attempt, Transport
from phone_sim.capf_side import CapfOutcome
from phone_sim.flash import Item, MemoryFlash
from phone_sim.reasons import Reason
from phone_sim.report import Outcome
from tests.lab.capf_bench import ADMIN, ADVANCED, DEVICE, MAC, CapfBench, order
from tests.services import wires
from wire.encryptedfile import certificate_hash, decode_encrypted_file
from wire.phoneconfig import decode_phone_config
from wire.signedfile import decode_signed_file
from wire.signing import verify_file

if TYPE_CHECKING:
    from phone_sim.report import BootReport
    from tests.conftest import LabMaker

NAME = f"SEP{MAC}.cnf.xml"


async def bench_with(make_lab: LabMaker, parameters: str = "{}") -> CapfBench:
    bench = await CapfBench.open(await make_lab(parameters=parameters))
    definition = bench.lab.store.snapshot.definition
    devices = tuple(
        item.model_copy(update={"encrypted_config": True}) if item.name == DEVICE else item
        for item in definition.devices
    )
    await bench.lab.store.install(definition.model_copy(update={"devices": devices}))
    return bench


def fetched(report: BootReport) -> list[tuple[str, str]]:
    """What arrived, and over what."""
    return [(item.file, item.transport.value) for item in report.fetches if item.failure is None and "cnf" in item.file]


async def test_a_phone_of_which_no_certificate_is_known_gets_its_configuration_signed_alone(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab)
    report = await bench.phone().boot()
    assert report.outcome is Outcome.BOOTED
    assert fetched(report) == [(f"{NAME}.sgn", "HTTP")]


async def test_a_phone_enrols_and_gets_its_configuration_encrypted_in_the_same_boot(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab)
    flash = MemoryFlash()
    phone = bench.phone(flash=flash)
    await bench.schedule(order(size=2048))
    report = await phone.boot()
    assert report.capf is not None
    assert report.capf.outcome is CapfOutcome.UPDATED
    assert report.outcome is Outcome.BOOTED
    assert fetched(report) == [(f"{NAME}.sgn", "HTTP"), (f"{NAME}.sgn", "HTTP"), (f"{NAME}.enc.sgn", "HTTP")]
    config = decode_phone_config(flash.read(Item.CONFIG) or b"")
    assert config.full_config
    beside = [item.file for item in report.fetches if item.failure is None and "cnf" not in item.file]
    assert beside.count("Ringlist.xml.sgn") == 1  # though a configuration that names it was accepted twice
    assert {config.soft_key_file, config.dial_template} < {file.name for file in report.files}
    assert config.encrypted
    assert [line.name for line in config.lines] == ["2001"]
    assert report.decision("encrypted configuration") is not None

    again = await phone.boot()
    assert fetched(again) == [(f"{NAME}.sgn", "HTTP"), (f"{NAME}.enc.sgn", "HTTP")]
    assert again.exit_code == 0


async def test_the_stub_says_nothing_but_where_to_come_back(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab)
    await bench.schedule(order())
    await bench.phone().boot()
    lsc = bench.security().lsc
    assert lsc is not None
    ports = bench.lab.ports()
    answer = await wires.get(ports.http, f"/{NAME}.sgn")
    stub = decode_phone_config(decode_signed_file(answer.body).body)
    assert not stub.full_config
    assert stub.encrypted
    assert stub.cert_hash == hashlib.md5(lsc.der, usedforsecurity=False).hexdigest()
    assert not stub.lines
    assert not stub.call_managers
    plain = await wires.get(ports.http, f"/{NAME}")
    assert not decode_phone_config(plain.body).full_config, "not even under the plain name"


async def test_the_encrypted_file_is_signed_by_the_tftp_server_and_the_same_on_every_request(
    make_lab: LabMaker,
) -> None:
    bench = await bench_with(make_lab)
    await bench.schedule(order())
    await bench.phone().boot()
    ports = bench.lab.ports()
    first, second = [(await wires.get(ports.http, f"/{NAME}.enc.sgn")).body for _ in range(2)]
    assert first == second
    file = decode_encrypted_file(first)
    assert file.header.file_name == f"{NAME}.enc.sgn"
    signer = bench.lab.store.snapshot.require("alpha-pub", Purpose.CALLMANAGER).certificate
    assert verify_file(first, signer.public_key)
    assert b"2001" not in first
    other = await wires.get(ports.http, "/SEP001122334456.cnf.xml.enc.sgn")
    assert other.status == 404, "a device without TFTP Encrypted Config has none"
    elsewhere = (await wires.get(bench.lab.ports("alpha-sub1").http, f"/{NAME}.enc.sgn")).body
    assert elsewhere != first, "another node signs with another key"


async def test_a_mic_is_used_when_there_is_no_lsc(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab)
    await bench.schedule(order(Operation.TROUBLESHOOT))
    report = await bench.phone().boot()
    assert bench.security().mic is not None
    assert report.outcome is Outcome.BOOTED
    again = await bench.phone(mic=False).boot()
    assert again.refusals[-1].reason is Reason.ENCRYPTED, "another phone of that name has not the key"


async def test_a_phone_that_lost_its_key_says_so_and_goes_on_with_the_old_configuration(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab)
    flash = MemoryFlash()
    phone = bench.phone(flash=flash, mic=False)
    await bench.schedule(order())
    await phone.boot()
    phone.erase_lsc()
    report = await phone.boot()
    assert report.outcome is Outcome.BOOTED
    assert report.config_source == "flash"
    refusal = report.refusals[-1]
    assert refusal.reason is Reason.ENCRYPTED
    lsc = bench.security().lsc
    assert lsc is not None
    assert refusal.detail == (
        f"for the certificate with MD5 {certificate_hash(lsc)}; the phone has neither LSC nor MIC"
    )
    messages = [(message.text, message.reason) for message in report.status_messages]
    assert (f"invalid file {NAME}.sgn, authenticated fail.", "encrypted") in messages

    await bench.schedule(order())  # the stub leads a phone without key to CAPF
    mended = await phone.boot()
    assert mended.capf is not None
    assert mended.capf.outcome is CapfOutcome.UPDATED
    assert mended.config_source == "server"


async def test_a_new_phone_without_the_key_has_nothing_to_go_on_with(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab)
    await bench.schedule(order())
    await bench.phone(mic=False).boot()
    report = await bench.phone(mic=False).boot()
    assert report.outcome is Outcome.REFUSED


async def test_an_ec_lsc_gets_the_whole_configuration_over_https_by_showing_itself(make_lab: LabMaker) -> None:
    """R-DL-2."""
    bench = await bench_with(make_lab, ADVANCED)
    flash = MemoryFlash()
    phone = bench.phone(flash=flash)
    await bench.schedule(order(key_order=KeyOrder.EC, size=384))
    report = await phone.boot()
    assert report.outcome is Outcome.BOOTED
    assert fetched(report) == [(f"{NAME}.sgn", "HTTPS"), (f"{NAME}.sgn", "HTTPS")]
    config = decode_phone_config(flash.read(Item.CONFIG) or b"")
    assert config.full_config
    assert config.encrypted
    assert [line.name for line in config.lines] == ["2001"]


async def test_an_rsa_lsc_gets_its_stub_over_https_and_the_rest_as_ever(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab, ADVANCED)
    await bench.schedule(order(size=2048))
    phone = bench.phone()
    await phone.boot()
    report = await phone.boot()
    assert report.exit_code == 0
    assert fetched(report) == [(f"{NAME}.sgn", "HTTPS"), (f"{NAME}.enc.sgn", "HTTP")]
    answer = await wires.get(bench.lab.ports().https, f"/{NAME}.sgn", client_context(None))
    assert not decode_phone_config(answer.body).full_config


async def test_who_does_not_show_that_lsc_is_refused_on_https(make_lab: LabMaker) -> None:
    """R-DL-2: nobody, the device's MIC, and an older LSC of the same name are all refused."""
    bench = await bench_with(make_lab, ADVANCED)
    phone = bench.phone()
    await bench.schedule(order(key_order=KeyOrder.EC, size=256))
    await phone.boot()
    older = phone.identity
    await bench.schedule(order(key_order=KeyOrder.EC, size=256))
    await phone.boot()
    present = phone.identity
    assert older is not None
    assert present is not None
    assert older.certificate != present.certificate
    port = bench.lab.ports().https
    shown = {
        "nobody": None,
        "the MIC": bench.factory.mic(MAC, "8865"),
        "an older LSC": older,
        "another phone's MIC": bench.factory.mic("001122334456", "8865"),
    }
    for who, identity in shown.items():
        answer = await wires.get(port, f"/{NAME}.sgn", client_context(identity))
        assert (answer.status, answer.body) == (403, b""), who
    answer = await wires.get(port, f"/{NAME}.sgn", client_context(present))
    assert answer.status == 200
    assert decode_phone_config(answer.body).full_config
    other = await wires.get(port, "/SEP001122334456.cnf.xml.sgn", client_context(None))
    assert other.status == 200, "other devices' files are everybody's"
    tomcat = await wires.get(bench.lab.ports().https_tomcat, f"/{NAME}.sgn", client_context(present))
    assert tomcat.status == 200


async def test_a_stranger_with_a_certificate_of_its_own_does_not_trouble_the_others(make_lab: LabMaker) -> None:
    """While clients are asked, one of an unknown CA fails alone; before, it is served."""
    bench = await bench_with(make_lab, ADVANCED)
    stranger = client_context(wires.identity("rogue"), maximum=ssl.TLSVersion.TLSv1_2)
    port = bench.lab.ports().https
    assert (await wires.get(port, "/ITLFile.tlv", stranger)).status == 200
    await bench.schedule(order(key_order=KeyOrder.EC, size=256))
    phone = bench.phone()
    await phone.boot()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await wires.get(port, "/ITLFile.tlv", stranger)
    for good in (client_context(None), client_context(phone.identity)):
        assert (await wires.get(port, "/ITLFile.tlv", good)).status == 200
    await bench.schedule(order(Operation.DELETE))
    await phone.boot()
    assert (await wires.get(port, "/ITLFile.tlv", stranger)).status == 200


async def test_a_phone_with_a_strangers_mic_falls_back_to_http(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab, ADVANCED)
    await bench.schedule(order(key_order=KeyOrder.EC, size=256))
    await bench.phone().boot()
    other = bench.phone("001122334456", mic=False)
    other.install_mic(wires.identity("rogue"))
    report = await other.boot()
    again = await other.boot()  # with an ITL that allows HTTPS
    assert report.outcome is again.outcome is Outcome.BOOTED
    attempts = [(item.transport, item.failure) for item in again.fetches if "cnf" in item.file]
    assert attempts == [(Transport.HTTPS, Attempt.BROKEN), (Transport.HTTP, None)]


async def test_an_ec_lsc_over_tftp_falls_back_to_the_mic(make_lab: LabMaker) -> None:
    """The key of an EC LSC unwraps nothing: the RSA MIC does, once the cluster has seen it."""
    bench = await bench_with(make_lab, ADVANCED)
    phone = bench.phone()
    await bench.schedule(order(Operation.TROUBLESHOOT))
    await phone.boot()
    await bench.schedule(order(key_order=KeyOrder.EC, size=256))
    await phone.boot()
    security = bench.security()
    assert security.lsc is not None
    assert not security.lsc.is_rsa
    assert security.mic is not None
    answer = await wires.get(bench.lab.ports().http, f"/{NAME}.sgn")
    assert decode_phone_config(decode_signed_file(answer.body).body).cert_hash == certificate_hash(security.mic)
    file = await wires.get(bench.lab.ports().http, f"/{NAME}.enc.sgn")
    assert file.status == 200


async def test_an_ec_lsc_without_mic_has_no_encrypted_file(make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab, ADVANCED)
    await bench.schedule(order(key_order=KeyOrder.EC, size=256))
    phone = bench.phone(mic=False)
    await phone.boot()
    assert (await wires.get(bench.lab.ports().http, f"/{NAME}.enc.sgn")).status == 404
    await bench.lab.store.set_parameter("Endpoint Advanced Encryption Algorithms Support", "False")
    report = await phone.boot()  # the ITL allows no HTTPS any more: only the stub is left
    assert report.refusals[-1].reason is Reason.ENCRYPTED
    assert "has an EC key, which decrypts nothing" in report.refusals[-1].detail
    assert report.outcome is Outcome.BOOTED


@pytest.mark.parametrize("size", [1024, 4096])
async def test_a_configuration_is_encrypted_for_short_and_long_keys(size: int, make_lab: LabMaker) -> None:
    bench = await bench_with(make_lab)
    await bench.schedule(order(size=size))
    report = await bench.phone().boot()
    assert report.exit_code == 0
    assert fetched(report)[-1] == (f"{NAME}.enc.sgn", "HTTP")


async def test_a_file_for_another_key_does_not_decrypt(make_lab: LabMaker) -> None:
    """The record is wrong, as after a restore of an old backup: the hash is another."""
    bench = await bench_with(make_lab)
    phone = bench.phone(mic=False)
    await bench.schedule(order())
    await phone.boot()
    authority = bench.lab.store.snapshot.require("alpha-pub", Purpose.CAPF).identity
    stranger = wires.identity("phone-mic")
    wrong = issue_lsc(authority, DEVICE, stranger.certificate.public_key, bench.lab.store.now())
    await record_outcome(bench.lab.store, DEVICE, CapfRecord("", 0, lsc=wrong), ADMIN)
    report = await phone.boot()
    assert report.refusals[-1].reason is Reason.ENCRYPTED
    assert report.config_source == "flash"
