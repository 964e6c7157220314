import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.errors import IntakeError
from autograder.intake.unpack import STUDENT, Caps, Member, unpack


def archive(entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries:
            file.writestr(name, data)
    return out.getvalue()


def only(data: bytes, caps: Caps = STUDENT) -> Member:
    (member,) = unpack(data, caps)
    return member


def test_honest_files_come_back_from_bytes_and_from_a_path(tmp_path: Path) -> None:
    data = archive([("a/b c.ipynb", b"1"), ("ü.txt", b"2"), ("empty", b""), ("folder/", b"")])
    (tmp_path / "x.zip").write_bytes(data)
    expected = [Member("a/b c.ipynb", b"1"), Member("ü.txt", b"2"), Member("empty", b"")]
    assert list(unpack(data)) == expected
    assert list(unpack(tmp_path / "x.zip")) == expected


def test_nothing_is_written_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    list(unpack(archive([("a.txt", b"1"), ("../b.txt", b"2")])))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/passwd", "C:\\x", "C:/x", "a\\..\\x", "./x", "a//b", "..", "a/./b"],
)
def test_a_path_that_leads_out_is_refused(name: str) -> None:
    assert "leads out" in only(archive([(name, b"x")])).problem


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\x1b[31m", "a\x7f", "a\u2028b", "a\x85b"])
def test_a_name_with_a_control_character_is_refused(name: str) -> None:
    assert "control character" in only(archive([(name, b"x")])).problem


def test_a_name_with_nul_is_refused_and_not_cut_short() -> None:
    data = archive([("good.txt_evil", b"x")]).replace(b"good.txt_evil", b"good.txt\0evil")
    assert "control character" in only(data).problem


def test_links_and_devices_are_refused() -> None:
    for mode in (0o120777, 0o020666, 0o010666, 0o060666):
        entry = zipfile.ZipInfo("x")
        entry.create_system, entry.external_attr = 3, mode << 16
        assert "link or device" in only(archive([(entry, b"/etc/passwd")])).problem


def test_an_encrypted_entry_is_refused() -> None:
    data = bytearray(archive([("x", b"secret")]))
    central = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[central + 8] |= 1
    assert "encrypted" in only(bytes(data)).problem


def test_an_unusual_packing_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("x", b"x" * 100)
    assert "unusual" in only(out.getvalue()).problem


def test_a_bomb_is_refused_by_its_ratio() -> None:
    data = archive([("x", bytes(20 * 2**20))])
    assert len(data) < 2**16
    assert "suspiciously small" in only(data).problem


def test_well_packed_but_small_text_is_read() -> None:
    assert only(archive([("x", b"a" * 2**20)])).problem == ""


def test_a_large_file_is_refused_alone() -> None:
    members = list(unpack(archive([("big", b"x" * 11), ("ok", b"x")]), Caps(file_bytes=10)))
    assert [member.problem != "" for member in members] == [True, False]


def test_too_much_in_all_is_refused_before_anything_is_read() -> None:
    with pytest.raises(IntakeError, match="unpacks to"):
        next(unpack(archive([(str(i), b"x" * 9) for i in range(5)]), Caps(total_bytes=44)))


def test_too_many_entries_are_refused() -> None:
    with pytest.raises(IntakeError, match="11 entries"):
        next(unpack(archive([(str(i), b"") for i in range(11)]), Caps(entries=10)))


def test_a_size_that_lies_is_found_out() -> None:
    data = bytearray(archive([("x", b"a" * 1000)]))
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 10)
    assert only(bytes(data)).problem


def test_a_damaged_entry_is_refused_alone() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        file.writestr("x", b"payload")
        file.writestr("y", b"fine")
    members = list(unpack(out.getvalue().replace(b"payload", b"paYload")))
    assert [member.problem for member in members] == ["it is damaged", ""]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("one", "two"), [("a", "a"), ("A.txt", "a.TXT"), ("é", "e\u0301")])
def test_names_that_some_file_system_confuses_are_both_refused(one: str, two: str) -> None:
    members = list(unpack(archive([(one, b"1"), (two, b"2")])))
    assert all("same name" in member.problem for member in members) and len(members) == 2


def test_a_name_in_utf_8_without_the_flag_is_read() -> None:
    data = archive([("müller_王.ipynb", b"x")])
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(sign) + at
        flags = struct.unpack("<H", data[place : place + 2])[0] & ~0x800
        data = data[:place] + struct.pack("<H", flags) + data[place + 2 :]
    assert only(data).name == "müller_王.ipynb"


def test_deep_folders_are_refused() -> None:
    assert "too long" in only(archive([("a/" * 40 + "x", b"")])).problem


def test_what_is_not_wanted_is_not_unpacked() -> None:
    data = archive([("a.pdf", b"1"), ("a.ipynb", b"2")])
    assert [m.name for m in unpack(data, want=lambda name: name.endswith("b"))] == ["a.ipynb"]


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"not a zip", b"PK\x05\x06" + b"\0" * 18 + b"x"]
)
def test_what_is_no_archive_is_refused_or_empty(data: bytes) -> None:
    try:
        assert list(unpack(data)) == []
    except IntakeError as error:
        assert "zip archive" in str(error)


@settings(max_examples=150)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_a_corrupted_archive_raises_nothing_else(place: int, patch: bytes) -> None:
    data = bytearray(archive([("a.ipynb", b"hello" * 20), ("b/c", b"x" * 300)]))
    data[place % len(data) : place % len(data) + len(patch)] = patch
    try:
        list(unpack(bytes(data)))
    except IntakeError:
        pass
