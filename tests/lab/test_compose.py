"""docker-compose.yml, the image and the configuration that it mounts agree, and docs/compose.md tells true commands.

What needs a container engine is not here: docs/compose.md tells what was tried with one.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from cluster.config import LabConfig, load_config
from cluster.endpoints import Ports
from lab.options import DEFAULT_STATE
from tests.lab.command import clean_environment, ucmsim

ROOT = Path(__file__).parents[2]
NODES = {"publisher": "alpha-pub", "subscriber": "alpha-sub1"}
IMAGE = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text("utf-8"))


def composed(**variables: str) -> Any:
    """The file with its variables filled in, as ``docker compose`` would."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    return yaml.safe_load(
        re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1]) or found[2], text),
    )


def instructions(word: str) -> list[str]:
    """What follows a word of the Dockerfile, each time that it stands there."""
    return re.findall(rf"^{word} +(.+)$", IMAGE, flags=re.MULTILINE)


def mounted_config(service: dict[str, Any]) -> LabConfig:
    """What the node in a service reads: the file that is mounted where its command says, with its variables."""
    command = service["command"]
    inside = command[command.index("--config") + 1]
    (outside,) = [volume.split(":")[0] for volume in service["volumes"] if volume.split(":")[1] == inside]
    environment = {name: value for name, value in service["environment"].items() if value is not None}
    return load_config(ROOT / outside, environment)


def address(service: dict[str, Any]) -> str:
    found = service["networks"]["voice"]["ipv4_address"]
    assert isinstance(found, str)
    return found


def test_the_file_follows_the_compose_specification() -> None:
    """Judged by an independent reader of the specification, which refuses unknown keys and undefined volumes."""
    file = PyCompose.from_json(json.dumps(composed()))
    file.validate()
    assert set(file.service_names()) == {*NODES, "phone"}


def test_that_reader_refuses_what_is_wrong() -> None:
    wrong = composed()
    wrong["services"]["publisher"]["wolumes"] = []
    with pytest.raises(ValueError, match="wolumes"):
        PyCompose.from_json(json.dumps(wrong))


@pytest.mark.parametrize("network", ["10.150.0", "192.0.2"])
def test_the_official_tool_takes_the_file(network: str, tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no 'docker compose' here")
    done = subprocess.run(
        [docker, "compose", "--profile", "phone", "--file", ROOT / "docker-compose.yml", "config", "--format", "json"],
        cwd=tmp_path,
        env=clean_environment(UCMSIM_NETWORK=network),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    services = yaml.safe_load(done.stdout)["services"]
    expected = composed(UCMSIM_NETWORK=network)["services"]
    assert {name: services[name]["command"] for name in services} == {
        name: expected[name]["command"] for name in expected
    }
    assert {name: address(services[name]) for name in NODES} == {name: address(expected[name]) for name in NODES}


@pytest.mark.parametrize("network", ["10.150.0", "192.0.2"])
@pytest.mark.parametrize("service", NODES)
def test_a_node_has_the_address_that_its_configuration_tells_phones(service: str, network: str) -> None:
    running = composed(UCMSIM_NETWORK=network)["services"][service]
    (cluster,) = mounted_config(running).clusters
    addresses = {NODES[name]: address(composed(UCMSIM_NETWORK=network)["services"][name]) for name in NODES}
    assert {node.name: node.address for node in cluster.nodes} == addresses
    assert {node.bind for node in cluster.nodes} == {"0.0.0.0"}, "which is the container's own"  # noqa: S104
    assert running["hostname"] == NODES[service]
    assert f"{NODES[service]}.{cluster.domain}" in running["networks"]["voice"]["aliases"]


def test_the_configuration_alone_says_the_same() -> None:
    """So that what a reader finds there is true, without the variables."""
    (cluster,) = load_config(ROOT / "configs" / "compose.yaml", {}).clusters
    addresses = {NODES[name]: address(composed()["services"][name]) for name in NODES}
    assert {node.name: node.address for node in cluster.nodes} == addresses
    assert [node.name for node in cluster.nodes if node.publisher] == [NODES["publisher"]]


def test_addresses_of_phones_are_never_those_of_nodes() -> None:
    file = composed()
    (config,) = file["networks"]["voice"]["ipam"]["config"]
    subnet, phones = ipaddress.ip_network(config["subnet"]), ipaddress.ip_network(config["ip_range"])
    for name in NODES:
        node = ipaddress.ip_address(address(file["services"][name]))
        assert node in subnet
        assert node not in phones
        assert str(node) != config["gateway"]


@pytest.mark.parametrize("service", [*NODES, "phone"])
def test_commands_are_those_of_the_program(service: str) -> None:
    found = composed()["services"][service]
    done = ucmsim(*found["command"], "--help")
    assert (done.code, done.err) == (0, "")
    if service in NODES:
        command = found["command"]
        assert command[command.index("node") + 1] == NODES[service]
        test = found["healthcheck"]["test"]
        assert test[:2] == ["CMD", "ucmsim"]
        assert ucmsim(*test[2:], "--help").code == 0


def test_the_phone_is_one_that_the_cluster_knows() -> None:
    services = composed()["services"]
    options = dict(part.removeprefix("--").split("=", 1) for part in services["phone"]["command"] if "=" in part)
    (cluster,) = mounted_config(services["publisher"]).clusters
    devices = {device.mac: device.model for device in cluster.devices}
    assert devices[options["mac"]] == options["model"]
    tftp = [part.split("=")[1] for part in services["phone"]["command"] if part.startswith("--tftp=")]
    assert tftp == [address(services[name]) for name in NODES]


def test_what_lasts_is_on_volumes_and_nothing_else_can_be_written() -> None:
    file = composed()
    folders = re.findall(r"/\S+", IMAGE[IMAGE.index("install -d") :].partition("&&")[0])
    work = PurePosixPath(instructions("WORKDIR")[-1])
    mounts = {name: dict(v.split(":")[:2] for v in file["services"][name]["volumes"]) for name in file["services"]}
    for name in NODES:
        assert mounts[name]["state"] == str(work / DEFAULT_STATE), "commands in the container need no --state"
    for name, service in file["services"].items():
        assert {volume for volume in mounts[name] if not volume.startswith(".")} <= set(file["volumes"])
        assert set(mounts[name].values()) - {"/etc/ucmsim/lab.yaml"} <= set(folders), "owned by the user of the image"
        assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])  # noqa: S108
    assert instructions("USER") == ["ucmsim"]


def test_low_ports_need_no_root() -> None:
    for name in NODES:
        assert composed()["services"][name]["sysctls"] == {"net.ipv4.ip_unprivileged_port_start": "0"}


def test_the_image_tells_every_port() -> None:
    udp, both = {"tftp"}, {"sip"}
    expected = set()
    for item in fields(Ports):
        number = getattr(Ports(), item.name)
        expected |= {f"{number}/udp"} if item.name in udp | both else set()
        expected |= {f"{number}/tcp"} if item.name not in udp else set()
    (told,) = instructions("EXPOSE")
    assert {port if "/" in port else f"{port}/tcp" for port in told.split()} == expected


def test_the_image_has_every_package_and_none_of_it_is_ignored() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert set(wheel["packages"]) <= copied
    ignored = {line.strip("/") for line in (ROOT / ".dockerignore").read_text("utf-8").split()}
    assert not copied & ignored
    assert all((ROOT / source).exists() for source in copied)


def test_commands_that_the_document_tells_are_those_of_the_program() -> None:
    text = (ROOT / "docs" / "compose.md").read_text("utf-8")
    told = re.findall(r"docker compose exec \w+ ucmsim ([^\n#]+)", text)
    told += [f"phone {rest}" for rest in re.findall(r"docker compose run --rm phone phone ([^\n#]+)", text)]
    assert len(told) >= 5
    for line in told:
        done = ucmsim(*shlex.split(line), "--help")
        assert (done.code, done.err) == (0, ""), line


def test_variables_that_the_document_tells_are_handed_on() -> None:
    text = (ROOT / "docs" / "compose.md").read_text("utf-8")
    told = set(re.findall(r"^\| `(UCMSIM_\w+__\w+)`", text, flags=re.MULTILINE))
    assert told
    for name in NODES:
        assert told <= set(composed()["services"][name]["environment"])
    assert not told & set(os.environ), "or the other tests prove nothing"
