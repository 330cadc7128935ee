"""Texts that YAML reads otherwise than people mean, texts that mean harm, and files that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import configtext
from cluster.config import MAX_CONFIG_SIZE, load_config, parse_config
from cluster.configtext import MAX_DEPTH, Document
from wire.errors import ConfigError, OperatorError

GOOD = b"clusters:\n  - name: alpha\n    nodes:\n      - {name: pub, publisher: true, address: 127.0.1.1}\n"


def refused(text: str) -> str:
    """The only problem of a text."""
    with pytest.raises(ConfigError) as caught:
        Document(text, "lab.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.fixture(params=["libyaml", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where libyaml is missing, PyYAML's own loader has to do the same."""
    if request.param == "python":
        monkeypatch.setattr(configtext, "_Loader", yaml.BaseLoader)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("001122334455", "001122334455"),
        ("10:20:30:40:50:00", "10:20:30:40:50:00"),
        ("12.5", "12.5"),
        ("12.50", "12.50"),
        ("14", "14"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("1e3", "1e3"),
        ("1_000", "1_000"),
        ("+48123", "+48123"),
        (".inf", ".inf"),
        ("2024-01-01", "2024-01-01"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("on", "on"),
        ("true", "true"),
        ("'null'", "null"),
        ('""', ""),
        ("", None),
        ("~", None),
        ("null", None),
        ("!!int '7'", "7"),
        ("!!python/object/apply:os.system ['id']", ["id"]),
        ("!!binary aGVsbG8=", "aGVsbG8="),
        ("żółw", "żółw"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("<<", "<<"),
    ],
)
@pytest.mark.usefixtures("loader")
def test_nothing_is_taken_for_something_else(text: str, value: object) -> None:
    assert Document(f"key: {text}", "lab.yaml").value == {"key": value}


@pytest.mark.usefixtures("loader")
def test_an_alias_stands_for_what_it_names() -> None:
    document = Document("a: &x {k: v}\nb: *x\nc: [*x, *x]\n", "lab.yaml")
    assert document.value == {"a": {"k": "v"}, "b": {"k": "v"}, "c": [{"k": "v"}, {"k": "v"}]}


@pytest.mark.usefixtures("loader")
def test_a_merge_key_is_an_unknown_key_and_not_silently_nothing() -> None:
    text = GOOD.decode() + "    <<: {release: 14}\n"
    with pytest.raises(ConfigError, match=r"^lab.yaml:5: clusters.0.<<: this key is not known here$"):
        parse_config(text, "lab.yaml", {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb:\n\t- c\n", "lab.yaml:3: not YAML: found character"),
        ("a: 1\na: 2\n", None),
        ("a: 1\nb: \x00", "lab.yaml:2: character U+0000 cannot stand in YAML"),
        ("a: 1\n\nb: \x07", "lab.yaml:3: character U+0007 cannot stand in YAML"),
        ("a: \ud800", "lab.yaml:1: character U+D800 cannot stand in YAML"),
        ("a: 1\n---\nb: 2\n", "lab.yaml:2: not YAML: but found another document"),
        ("a: *x\n", "lab.yaml:1: not YAML: found undefined alias"),
        ("a: 1\nb: [1,\n", "lab.yaml:3: not YAML: "),
        ("a: 1\n b: 2\n", "lab.yaml:2: not YAML: "),
        ('a: "\\q"', "lab.yaml:1: not YAML: "),
        ("%YAML 3.0\n---\na: 1\n", "lab.yaml:1: not YAML: "),
    ],
)
@pytest.mark.usefixtures("loader")
def test_what_is_not_yaml_is_refused_with_its_line(text: str, problem: str | None) -> None:
    if problem is None:
        assert [str(found) for found in Document(text, "lab.yaml").problems] == [
            "lab.yaml:2: key 'a' appears more than once here"
        ]
    else:
        assert refused(text).startswith(problem)


def bomb(levels: int, width: int) -> str:
    """``a0`` is a word, and each further letter nine times the one before: a billion words from a few lines."""
    lines = ["a0: &a0 lol"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.usefixtures("loader")
def test_a_few_lines_cannot_stand_for_a_billion_values() -> None:
    assert "more than 1000000 values, aliases counted wherever they are used" in refused(bomb(10, 9))
    assert len(Document(bomb(4, 9), "lab.yaml").value["a3"]) == 9  # type: ignore[index]


@pytest.mark.usefixtures("loader")
def test_a_value_cannot_contain_itself() -> None:
    assert refused("a: &x [*x]") == f"lab.yaml:1: nested deeper than {MAX_DEPTH}"
    assert refused("a: 1\nb: &x\n  c: *x\n") == f"lab.yaml:2: nested deeper than {MAX_DEPTH}"


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
@pytest.mark.usefixtures("loader")
def test_depth_without_end_is_refused(text: str) -> None:
    assert refused(text).startswith("lab.yaml:1: n")


@pytest.mark.usefixtures("loader")
def test_a_key_has_to_be_text() -> None:
    document = Document("? [1]\n: 2\n? {a: b}\n: 3\nc: 4\n", "lab.yaml")
    assert [str(problem) for problem in document.problems] == [
        "lab.yaml:1: a key has to be plain text",
        "lab.yaml:3: a key has to be plain text",
    ]
    assert document.value == {"c": "4"}


@pytest.mark.parametrize(
    ("location", "line"),
    [((), 1), (("a",), 1), (("b",), 2), (("b", 0), 3), (("b", 1, "d"), 5), (("b", 1, "x"), 4), (("b", 9), 2)],
)
def test_a_place_has_the_line_of_its_key_or_of_what_is_around_it(location: tuple[str | int, ...], line: int) -> None:
    document = Document("a: 1\nb:\n  - 2\n  - c: 3\n    d:\n      4\n", "lab.yaml")
    assert document.line_of(location) == f"lab.yaml:{line}"


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError) as caught:  # none so short is a laboratory
        parse_config(text, "lab.yaml", {})
    assert all(problem.where.startswith("lab.yaml:") for problem in caught.value.problems)


PLAIN = st.recursive(
    st.none() | st.text("ab1:.-/ é\0", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "nodes",
                    "address",
                    "publisher",
                    "mac",
                    "devices",
                    "parameters",
                    "callmanager_groups",
                    "members",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({"clusters": st.lists(PLAIN, max_size=3)}))
@settings(max_examples=200)
def test_any_structure_is_a_configuration_or_a_config_error(root: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(yaml.safe_dump(root, allow_unicode=True), "lab.yaml", {})
    assert all(problem.where.startswith("lab.yaml:") for problem in caught.value.problems)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("data", [GOOD, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n")])
def test_a_file_is_read_with_or_without_a_mark_and_with_any_line_ends(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_bytes(data)
    assert load_config(path, {}).clusters[0].name == "alpha"


def test_a_file_that_is_not_utf8_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_bytes(GOOD + b"    domain: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert str(caught.value) == f"{path}:5: not UTF-8 text (byte {len(GOOD) + 15} of the file)"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    with path.open("wb") as file:
        file.truncate(MAX_CONFIG_SIZE * 1_000)
    with pytest.raises(OperatorError, match=f"has more than {MAX_CONFIG_SIZE} bytes"):
        load_config(path, {})


def test_a_device_that_never_ends_is_not_read() -> None:
    with pytest.raises(OperatorError, match="/dev/zero has more than"):
        load_config(Path("/dev/zero"), {})


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.yaml", "No such file or directory"), ("", "Is a directory"), ("x" * 300, "too long")]
)
def test_a_file_that_is_none_is_named(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=f"^cannot read configuration .*{reason}") as caught:
        load_config(tmp_path / name, {})
    assert str(tmp_path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_bytes(GOOD)
    path.chmod(0)
    with pytest.raises(OperatorError, match="Permission denied"):
        load_config(path, {})


def test_ten_thousand_phones_are_read(tmp_path: Path) -> None:
    phones = "".join(f"      - {{mac: {number:012X}, model: 8865}}\n" for number in range(10_000))
    path = tmp_path / "lab.yaml"
    path.write_text(GOOD.decode() + "    devices:\n" + phones, "utf-8")
    cluster = load_config(path, {}).clusters[0]
    assert len(cluster.devices_by_name) == 10_000
    assert "SEP00000000270F" in cluster.devices_by_name
