"""Flash: whole items or none, one owner, damage named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_sim.flash import DirectoryFlash, Flash, FlashError, Item, MemoryFlash, Owner

OWNER = Owner("001122334455", "8865")


@pytest.fixture(params=["memory", "folder"])
def flash(request: pytest.FixtureRequest, tmp_path: Path) -> Flash:
    return MemoryFlash() if request.param == "memory" else DirectoryFlash.create(tmp_path / "flash", OWNER)


def test_an_item_that_was_never_written_is_not_there(flash: Flash) -> None:
    assert flash.read(Item.CTL) is None


def test_an_item_is_read_back_replaced_and_deleted(flash: Flash) -> None:
    flash.write(Item.ITL, b"one")
    flash.write(Item.ITL, b"two")
    assert flash.read(Item.ITL) == b"two"
    flash.delete(Item.ITL)
    flash.delete(Item.ITL)
    assert flash.read(Item.ITL) is None


def test_the_folder_is_its_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "flash"
    DirectoryFlash.create(folder, OWNER).write(Item.CONFIG, b"secret")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_flash_survives_the_process(tmp_path: Path) -> None:
    DirectoryFlash.create(tmp_path, OWNER).write(Item.ITL, b"list")
    again = DirectoryFlash.create(tmp_path, OWNER)
    assert again.read(Item.ITL) == b"list"
    assert DirectoryFlash.open(tmp_path).owner == OWNER


def test_another_phones_flash_is_refused(tmp_path: Path) -> None:
    DirectoryFlash.create(tmp_path, OWNER)
    with pytest.raises(FlashError, match="belongs to a 8865 with MAC 001122334455"):
        DirectoryFlash.create(tmp_path, Owner("001122334456", "8865"))


LABELS = {
    "other version": (
        json.dumps({"format": 2, "mac": "001122334455", "model": "8865"}).encode(),
        "has format 2",
    ),
    "empty": (b"", "is damaged"),
    "random": (b"\xff\x00\xfe", "is damaged"),
    "not an object": (b"[]", "is damaged"),
    "incomplete": (b'{"format": 1}', "is damaged"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_a_label_that_is_not_ours_is_a_named_error(kind: str, tmp_path: Path) -> None:
    label, message = LABELS[kind]
    (tmp_path / "flash.json").write_bytes(label)
    with pytest.raises(FlashError, match=message):
        DirectoryFlash.create(tmp_path, OWNER)


def test_a_folder_without_a_label_is_no_flash(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"has no flash\.json"):
        DirectoryFlash.open(tmp_path)


def test_a_path_that_cannot_be_a_folder_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FlashError, match="cannot be used"):
        DirectoryFlash.create(tmp_path / "file", OWNER)


def test_an_item_that_is_a_folder_is_a_named_error_and_not_a_missing_item(tmp_path: Path) -> None:
    flash = DirectoryFlash.create(tmp_path, OWNER)
    (tmp_path / Item.ITL.value).mkdir()
    with pytest.raises(FlashError, match="cannot be read"):
        flash.read(Item.ITL)


def test_a_write_that_fails_leaves_the_old_item_and_no_leftovers(tmp_path: Path) -> None:
    flash = DirectoryFlash.create(tmp_path, OWNER)
    (tmp_path / Item.CTL.value).mkdir()
    with pytest.raises(FlashError, match="cannot be written"):
        flash.write(Item.CTL, b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CTLFile.tlv", "flash.json"]


def test_leftovers_of_a_power_cut_are_removed(tmp_path: Path) -> None:
    DirectoryFlash.create(tmp_path, OWNER)
    (tmp_path / ".new-abc").write_bytes(b"half")
    DirectoryFlash.create(tmp_path, OWNER)
    assert [path.name for path in tmp_path.iterdir()] == ["flash.json"]


def test_an_oversized_item_is_not_read_into_memory(tmp_path: Path) -> None:
    flash = DirectoryFlash.create(tmp_path, OWNER)
    with (tmp_path / Item.ITL.value).open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    with pytest.raises(FlashError, match="larger than"):
        flash.read(Item.ITL)


@given(st.binary(max_size=2000))
def test_every_value_comes_back_as_it_was(data: bytes) -> None:
    flash = MemoryFlash()
    flash.write(Item.ITL, data)
    assert flash.read(Item.ITL) == data


WRITER = """
import sys
from pathlib import Path
from phone_sim.flash import DirectoryFlash, Item, Owner
flash = DirectoryFlash.create(Path(sys.argv[1]), Owner("001122334455", "8865"))
print("ready", flush=True)
while True:
    for letter in b"ab":
        flash.write(Item.ITL, bytes([letter]) * 200_000)
"""


def test_kill_9_in_the_middle_of_writing_leaves_a_whole_item(tmp_path: Path) -> None:
    for round_number in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            itl = tmp_path / Item.ITL.value
            while not itl.exists():
                os.sched_yield()
            writer.send_signal(signal.SIGKILL)
        data = DirectoryFlash.create(tmp_path, OWNER).read(Item.ITL)
        assert data in (b"a" * 200_000, b"b" * 200_000), round_number
        itl.unlink()
