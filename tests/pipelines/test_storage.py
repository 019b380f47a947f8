"""Files: sealed, whole or absent, hashed by content, and clear about what is wrong with them."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError, KeyFileError, SpaceError
from pipelines.files import documents, sealed
from pipelines.files.atomic import atomic
from pipelines.files.digests import content_hash
from pipelines.files.frames import Category, Frame, concat
from pipelines.files.schemas import NO_CATEGORY
from pipelines.files.sealing import Zone, create_key

SCHEMA = {"number": "int64", "day": "day", "name": "text8", "code": "category", "small": "int8"}


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    create_key(tmp_path / "zone.key")
    return Zone("zone", tmp_path / "zone.key")


def frame(n: int = 5) -> Frame:
    return {
        "number": np.arange(n, dtype=np.int64) - 2,
        "day": np.full(n, -(2**31), np.int32),
        "name": np.array([b"\xc3\xa5", b"", b"x", b"y", b"z"] * n, "S8")[:n],
        "code": Category(("A", "B"), (np.arange(n) % 3 - 1).astype(np.int32)),
        "small": np.arange(n).astype(np.int8),
    }


def same(one: Frame, other: Frame) -> None:
    for name in SCHEMA:
        left, right = one[name], other[name]
        if isinstance(left, Category):
            assert isinstance(right, Category)
            assert left.decoded() == right.decoded()
        else:
            np.testing.assert_array_equal(left, np.asarray(right))


@pytest.mark.parametrize("rows", [0, 1, 5, 1000])
def test_what_is_written_comes_back(tmp_path: Path, zone: Zone, rows: int) -> None:
    sealed.write(frame(rows), tmp_path / "f.parquet", SCHEMA, zone)
    same(frame(rows), sealed.read(tmp_path / "f.parquet", SCHEMA, zone))
    assert list(sealed.read(tmp_path / "f.parquet", SCHEMA, zone, ("day",))) == ["day"]


def test_nothing_can_be_read_in_a_sealed_file(tmp_path: Path, zone: Zone) -> None:
    secret: Frame = {
        **frame(),
        "name": np.array([b"KANARIE"] * 5, "S8"),
        "code": Category.constant("KANARIE", 5),
    }
    sealed.write(secret, tmp_path / "f.parquet", SCHEMA, zone)
    content = (tmp_path / "f.parquet").read_bytes()
    assert b"KANARIE" not in content
    assert b"number" not in content
    assert (tmp_path / "f.parquet").stat().st_mode & 0o077 == 0


def test_equal_content_has_one_hash_whatever_the_bytes_on_disk(tmp_path: Path, zone: Zone) -> None:
    for name in ("a", "b"):
        sealed.write(frame(), tmp_path / name, SCHEMA, zone)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
    hashes = {content_hash(sealed.read(tmp_path / name, SCHEMA, zone), SCHEMA) for name in ("a", "b")}
    assert hashes == {content_hash(frame(), SCHEMA)}
    changed: Frame = {**frame(), "small": np.zeros(5, np.int8)}
    assert content_hash(changed, SCHEMA) not in hashes


def test_another_zones_key_opens_nothing(tmp_path: Path, zone: Zone) -> None:
    sealed.write(frame(), tmp_path / "f", SCHEMA, zone)
    create_key(tmp_path / "other.key")
    with pytest.raises(KeyFileError, match="does not open"):
        sealed.read(tmp_path / "f", SCHEMA, Zone("zone", tmp_path / "other.key"))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_named_and_nothing_of_it_is_used(
    tmp_path: Path, zone: Zone, share: float
) -> None:
    sealed.write(frame(1000), tmp_path / "f", SCHEMA, zone)
    content = (tmp_path / "f").read_bytes()
    (tmp_path / "f").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"f: is truncated"):
        sealed.read(tmp_path / "f", SCHEMA, zone)


def test_an_altered_byte_is_noticed(tmp_path: Path, zone: Zone) -> None:
    sealed.write(frame(1000), tmp_path / "f", SCHEMA, zone)
    content = bytearray((tmp_path / "f").read_bytes())
    content[60] ^= 1
    (tmp_path / "f").write_bytes(bytes(content))
    with pytest.raises(DataError):
        sealed.read(tmp_path / "f", SCHEMA, zone)


def test_a_key_file_that_others_can_read_is_refused(zone: Zone) -> None:
    zone.key_file.chmod(0o644)
    with pytest.raises(KeyFileError, match="open to others"):
        zone.key()


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "f.json"
    documents.write_json({"a": 1}, target)
    with pytest.raises(ValueError, match="broken"), atomic(target) as beside:
        beside.write_text("half")
        raise ValueError("broken")
    assert documents.read_json(target) == {"a": 1}
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("text", "words"),
    [("[]", "names and values"), ("3", "names and values"), ("{}", "says no snapshot"), ("{", "is not JSON")],
)
def test_a_json_file_of_another_shape_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(DataError, match=words):
        documents.read_object(tmp_path / "f.json", "snapshot")


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="no room"), atomic(tmp_path / "f"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=6), max_size=4))
def test_categories_join_as_their_texts_do(parts: list[list[str | None]]) -> None:
    labels = ["c", "a", "b"]
    columns = [
        Category.of(
            labels, np.array([NO_CATEGORY if each is None else labels.index(each) for each in part], np.int32)
        )
        for part in parts
    ]
    joined = concat([{"code": column} for column in columns], {"code": "category"})["code"]
    assert isinstance(joined, Category)
    assert joined.decoded() == [each for part in parts for each in part]
    assert list(joined.labels) == sorted(joined.labels)
