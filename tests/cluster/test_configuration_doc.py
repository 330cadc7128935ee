"""docs/configuration.md names every key and every parameter, with the defaults that they really have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from cluster.config import Administrator, LabConfig, LabSettings, load_config, parse_config
from cluster.definition import (
    SERVICES,
    AutoRegistration,
    CallManagerGroup,
    ClusterDefinition,
    NodeDefinition,
    PhoneService,
    Subject,
)
from cluster.devices import Device, DeviceRange, Line
from cluster.parameters import CATALOGUE, URL_ELEMENTS
from cluster.people import User
from cluster.phonesettings import (
    BUILT_IN_RINGS,
    DEFAULT_RULES,
    ENGLISH,
    STANDARD_USER,
    UNITED_STATES,
    CallState,
    DialPattern,
    DialRules,
    NetworkLocale,
    Ring,
    SoftKeyTemplate,
    Tone,
    UserLocale,
)
from cluster.releases import RELEASES
from cluster.siptrunk import SipTrunk
from tests.conftest import lab_config
from wire.fileheader import DigestAlgorithm

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text("utf-8")
MODELS: dict[str, type[BaseModel]] = {
    "## `lab`": LabSettings,
    "`administrator`:": Administrator,
    "## `clusters`": ClusterDefinition,
    "`subject`:": Subject,
    "`nodes`:": NodeDefinition,
    "`callmanager_groups`:": CallManagerGroup,
    "`devices`:": Device,
    "`lines`:": Line,
    "`device_ranges`:": DeviceRange,
    "`sip_trunks`:": SipTrunk,
    "`users`:": User,
    "`phone_services`:": PhoneService,
    "`auto_registration`:": AutoRegistration,
    "`rings`:": Ring,
    "`soft_key_templates`:": SoftKeyTemplate,
    "`dial_rules`:": DialRules,
    "`patterns`:": DialPattern,
    "`user_locales`:": UserLocale,
    "`network_locales`:": NetworkLocale,
    "`tones`:": Tone,
}


def table_after(heading: str) -> dict[str, list[str]]:
    """First cell -> the others, of the first table after a heading."""
    after = DOCUMENT[re.search(rf"^{re.escape(heading)}", DOCUMENT, re.MULTILINE).end() :]  # type: ignore[union-attr]
    rows = after[after.index("\n|") + 1 :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]
    return {first.strip("`"): rest for first, *rest in cells}


@pytest.mark.parametrize(("heading", "model"), MODELS.items(), ids=[model.__name__ for model in MODELS.values()])
def test_every_key_is_told_and_none_besides(heading: str, model: type[BaseModel]) -> None:
    assert set(table_after(heading)) == set(model.model_fields)


@pytest.mark.parametrize(("heading", "model"), MODELS.items(), ids=[model.__name__ for model in MODELS.values()])
def test_every_default_is_told(heading: str, model: type[BaseModel]) -> None:
    for key, (default, _) in table_after(heading).items():
        real = model.model_fields[key].default
        if real is PydanticUndefined:
            assert default == "required"
        elif isinstance(real, bool | int):
            assert default == str(real).lower()
        elif isinstance(real, SecretStr):
            assert default == f"`{real.get_secret_value()}`"
        elif isinstance(real, str):
            assert default == (f"`{real}`" if real else "empty")
        else:
            assert default not in {"required", ""}


def test_no_model_of_the_configuration_is_left_out() -> None:
    def below(model: type[BaseModel]) -> set[type[BaseModel]]:
        found = {model}
        for field in model.model_fields.values():
            for name in re.findall(r"\b[A-Z]\w+", repr(field.annotation)):
                inner = {it.__name__: it for it in MODELS.values()}.get(name)
                found |= below(inner) if inner is not None and inner is not model else set()
        return found

    assert below(LabConfig) - {LabConfig} == set(MODELS.values())
    assert set(LabConfig.model_json_schema()["$defs"]) == {model.__name__ for model in MODELS.values()}


def test_every_parameter_is_told_with_its_values_and_default() -> None:
    told = table_after("## Enterprise parameters")
    assert set(told) == set(CATALOGUE)
    for name, parameter in CATALOGUE.items():
        values, default = told[name][:2]
        if name in URL_ELEMENTS:
            assert values == "URL"
            assert f"`<{URL_ELEMENTS[name]}>`" in told[name][2]
        elif name == "TLS Ciphers":
            assert default == parameter.default(RELEASES["12.5"])
        else:
            assert values == parameter.kind
            assert default.split(";")[0] == parameter.default(RELEASES["12.5"])


def test_every_release_is_told_with_what_differs() -> None:
    told = table_after("## Releases")
    assert list(told) == list(RELEASES)
    for name, release in RELEASES.items():
        signer, records, digest, bits, years, tls = told[name]
        assert signer == ("ITLRecovery" if release.recovery_signs else "CallManager")
        assert ("ITLRecovery" in records, "CallManager-ECDSA" in records) == (release.itl_recovery, release.ecdsa)
        assert digest == {DigestAlgorithm.SHA1: "SHA-1", DigestAlgorithm.SHA512: "SHA-512"}[release.file_digest]
        assert int(bits) == release.key_length
        assert years == (f"{release.recovery_years} years" if release.itl_recovery else "")
        assert (tls == "yes") is release.legacy_tls


def test_every_service_is_told() -> None:
    assert re.findall(r"`(\w+)`", table_after("`nodes`:")["services"][1]) == list(SERVICES)


def test_the_examples_of_variables_are_true() -> None:
    environment = dict(
        variable.strip("`").replace('"', "").split("=", 1) for variable in table_after("## From the environment")
    )
    config = parse_config((ROOT / "configs" / "lab.yaml").read_text("utf-8"), "lab.yaml", environment)
    cluster = config.clusters[0]
    assert (config.lab.port_offset, config.lab.tftp_ports) == (20_000, (20_000, 20_200))
    assert (cluster.release, cluster.nodes[0].address, cluster.devices[0].model) == ("14", "192.0.2.1", "7841")
    assert cluster.parameters["Auto-registration"] == "False"


def test_the_example_of_phone_files_is_valid_and_the_limits_and_names_are_those_told() -> None:
    example = DOCUMENT[DOCUMENT.index("```yaml\nrings:") + len("```yaml\n") :].split("```")[0]
    config = lab_config(more=example.replace("\n", "\n    "))
    assert config.clusters[0].user_locales[0].words == {"Redial": "Wahlwdh."}
    assert set(re.findall(r"`([^`]+)`", table_after("`soft_key_templates`:")["keys"][1])) == set(get_args(CallState))
    told = table_after("## `clusters`")
    assert told["rings"][0] == f"two, {' and '.join(f'`{ring.name}`' for ring in BUILT_IN_RINGS)}"
    for key, name in {
        "soft_key_templates": STANDARD_USER,
        "dial_rules": DEFAULT_RULES,
        "user_locales": ENGLISH,
        "network_locales": UNITED_STATES,
    }.items():
        assert f"`{name}` is always there" in told[key][1]


@pytest.mark.parametrize("name", ["lab.yaml", "compose.yaml"])
def test_the_configurations_that_ship_are_valid(name: str) -> None:
    assert load_config(ROOT / "configs" / name, {}).clusters[0].name == "alpha"
