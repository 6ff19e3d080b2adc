"""The store of columnar copies: parsed once, never trusted when damaged, safe to delete."""

from __future__ import annotations

import errno
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from retraining.datasets import ChangedFileError, FileFacts, csv_segments, tables
from retraining.datasets.table_files import read_table_file
from retraining.datasets.typed_reading import read_typed
from retraining.errors import UnreadableFileError
from retraining.records import Column
from tests.datasets.corpus import HEAD, READ, ROWS, SCHEMA, parquet
from tests.datasets.files import put, rows_of, store

if TYPE_CHECKING:
    import pyarrow as pa

CONTENT = (HEAD + ROWS).encode()


def copies(folder: Path) -> list[Path]:
    return sorted((folder / "tables").glob("*.arrow"))


def test_a_file_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, parsed = put(tmp_path, CONTENT), []
    monkeypatch.setattr(
        tables, "read_typed", lambda *args: parsed.append(args) or read_typed(*args)
    )
    for _ in range(3):
        store(tmp_path).validate(file, SCHEMA)
        assert rows_of(store(tmp_path).table(file, SCHEMA), SCHEMA) == READ
    assert len(parsed) == 1


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "other file", "grow"])
def test_a_damaged_copy_is_made_again(damage: str, tmp_path: Path) -> None:
    file, other = put(tmp_path, CONTENT), put(tmp_path, (HEAD + ROWS + ROWS).encode(), "other.csv")
    store(tmp_path).validate(file, SCHEMA)
    copy = copies(tmp_path)[0]
    good = copy.read_bytes()
    if damage == "other file":
        store(tmp_path).validate(other, SCHEMA)
        shutil.copyfile(next(path for path in copies(tmp_path) if path != copy), copy)
    else:
        flipped = bytes([*good[:600], good[600] ^ 1, *good[601:]])
        copy.write_bytes(
            {"truncate": good[:-100], "flip": flipped, "empty": b"", "grow": good + b"x"}[damage]
        )
    assert rows_of(store(tmp_path).table(file, SCHEMA), SCHEMA) == READ
    assert copy.read_bytes() == good


def test_a_copy_that_another_user_made_for_themselves_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path, CONTENT)
    store(tmp_path).validate(file, SCHEMA)
    (theirs,) = copies(tmp_path)
    of_theirs = theirs.stat().st_ino

    def read(path: Path, *, sound: bool = False) -> tuple[pa.Table, dict[str, Any]]:
        if path.stat().st_ino == of_theirs:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read_table_file(path, sound=sound)

    monkeypatch.setattr(tables, "read_table_file", read)
    assert rows_of(store(tmp_path).table(file, SCHEMA), SCHEMA) == READ


def test_every_single_flipped_bit_of_a_copy_is_noticed_or_harmless(tmp_path: Path) -> None:
    file = put(tmp_path, CONTENT)
    store(tmp_path).validate(file, SCHEMA)
    copy = copies(tmp_path)[0]
    good = copy.read_bytes()
    for position in range(0, len(good), 37):
        copy.write_bytes(bytes([*good[:position], good[position] ^ 0x10, *good[position + 1 :]]))
        assert rows_of(store(tmp_path).table(file, SCHEMA), SCHEMA) == READ


def test_the_folder_may_be_deleted_at_any_time(tmp_path: Path) -> None:
    file, one_store = put(tmp_path, CONTENT), store(tmp_path)
    table = one_store.table(file, SCHEMA)
    shutil.rmtree(tmp_path / "tables")
    assert rows_of(table, SCHEMA) == READ, "a table at hand outlives its file"
    assert rows_of(one_store.table(file, SCHEMA), SCHEMA) == READ


def test_bytes_that_changed_after_they_were_hashed_are_never_kept_under_the_old_hash(
    tmp_path: Path,
) -> None:
    file = put(tmp_path, CONTENT)
    file.path.write_bytes(CONTENT + ROWS.encode())
    with pytest.raises(ChangedFileError):
        store(tmp_path).validate(file, SCHEMA)
    assert copies(tmp_path) == []


def test_a_file_that_is_gone_is_an_error_of_the_disk_not_a_reason_to_refuse_it(
    tmp_path: Path,
) -> None:
    file = put(tmp_path, CONTENT)
    file.path.unlink()
    with pytest.raises(FileNotFoundError):
        store(tmp_path).validate(file, SCHEMA)


def test_the_same_bytes_under_a_name_of_another_format_are_not_taken_from_the_copy(
    tmp_path: Path,
) -> None:
    store(tmp_path).validate(put(tmp_path, parquet(), "good.parquet"), SCHEMA)
    with pytest.raises(UnreadableFileError, match="Parquet"):
        store(tmp_path).validate(put(tmp_path, parquet(), "bad.csv"), SCHEMA)


def test_settings_that_change_how_bytes_are_read_make_another_copy(tmp_path: Path) -> None:
    file = put(tmp_path, CONTENT)
    store(tmp_path).validate(file, SCHEMA)
    with pytest.raises(UnreadableFileError):
        store(tmp_path, csv_separator=";").validate(file, SCHEMA)


def test_unknown_labels_are_reported_with_their_rows_and_never_become_a_table(
    tmp_path: Path,
) -> None:
    rows = "".join(f"1,1,true,Rome,{label}\n" for label in ["0", "7", "1", "7", "9", *["7"] * 10])
    file = put(tmp_path, (HEAD + rows).encode())
    facts = store(tmp_path).validate(file, SCHEMA)
    assert (facts.rows, facts.labelled_rows) == (15, 15)
    assert list(facts.unknown_labels) == ["7", "9"]
    assert (facts.unknown_labels["7"].count, facts.unknown_labels["9"].count) == (12, 1)
    assert facts.unknown_labels["7"].where[:2] == ("row 2 (line 3)", "row 4 (line 5)")
    assert len(facts.unknown_labels["7"].where) == 5
    assert copies(tmp_path) == []
    with pytest.raises(UnreadableFileError, match="'7', '9'"):
        store(tmp_path).table(file, SCHEMA)


def test_unknown_labels_are_counted_across_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_segments, "SEGMENT_BYTES", 40)
    file = put(tmp_path, (HEAD + "1,1,true,Rome,7\n1,1,true,Rome,0\n" * 20).encode())
    unknown = store(tmp_path).validate(file, SCHEMA).unknown_labels["7"]
    assert (unknown.count, unknown.where[4]) == (20, "row 9 (line 10)")


def test_many_files_are_validated_in_order_and_refusals_are_values(tmp_path: Path) -> None:
    files = [
        put(tmp_path, (HEAD + ROWS * (i + 1)).encode() if i % 3 else b"bad", f"{i}.csv")
        for i in range(12)
    ]
    outcomes = store(tmp_path).validate_many(files, SCHEMA)
    assert [isinstance(outcome, FileFacts) for outcome in outcomes] == [
        bool(i % 3) for i in range(12)
    ]
    assert [outcome.rows for outcome in outcomes if isinstance(outcome, FileFacts)] == [
        2 * (i + 1) for i in range(12) if i % 3
    ]


def test_an_error_of_the_disk_stops_validating_many(tmp_path: Path) -> None:
    files = [put(tmp_path, (HEAD + ROWS * (i + 1)).encode(), f"{i}.csv") for i in range(3)]
    files[1].path.unlink()
    with pytest.raises(FileNotFoundError):
        store(tmp_path).validate_many(files, SCHEMA)


def test_tables_of_many_files_need_no_open_descriptors(tmp_path: Path) -> None:
    files = [put(tmp_path, (HEAD + ROWS * (i + 1)).encode(), f"{i}.csv") for i in range(30)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    held = list(store(tmp_path).tables_many(files, SCHEMA))
    assert [table.num_rows for table in held] == [2 * (i + 1) for i in range(30)]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_prune_keeps_the_copies_named_and_nothing_else(tmp_path: Path) -> None:
    files = [put(tmp_path, (HEAD + ROWS * (i + 1)).encode(), f"{i}.csv") for i in range(3)]
    one_store = store(tmp_path)
    one_store.validate_many(files, SCHEMA)
    (tmp_path / "tables" / ".leftover.tmp").write_bytes(b"of a dead writer")
    one_store.prune({files[1].sha256}, SCHEMA)
    assert [path.name.split("-")[0] for path in (tmp_path / "tables").iterdir()] == [
        files[1].sha256
    ]
    store(tmp_path / "elsewhere").prune(set(), SCHEMA)


def test_a_copy_that_cannot_be_written_leaves_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path, CONTENT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        store(tmp_path).validate(file, SCHEMA)
    assert list((tmp_path / "tables").iterdir()) == []


def test_the_copy_of_a_file_in_many_segments_has_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{i}.5,{i},{i % 2},c{i % 7},{i % 2}\n" for i in range(500))
    file = put(tmp_path, (HEAD + rows).encode())
    whole = store(tmp_path).table(file, SCHEMA)
    monkeypatch.setattr(csv_segments, "SEGMENT_BYTES", 300)
    cut = store(tmp_path / "elsewhere").table(file, SCHEMA)
    assert cut.column(0).num_chunks > 10
    assert rows_of(cut, SCHEMA) == rows_of(whole, SCHEMA)
    assert (
        cut.column(cut.num_columns - 1).to_pylist()
        == whole.column(whole.num_columns - 1).to_pylist()
    )


def test_a_schema_with_another_kind_makes_another_copy(tmp_path: Path) -> None:
    file = put(tmp_path, CONTENT)
    store(tmp_path).validate(file, SCHEMA)
    texts = replace(SCHEMA, columns=(Column("speed", "string"), *SCHEMA.columns[1:]))
    assert rows_of(store(tmp_path).table(file, texts), texts)[1][0] == "2.5"


def test_the_offset_of_a_bad_byte_counts_from_the_start_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_segments, "SEGMENT_BYTES", 40)
    content = CONTENT + ROWS.encode() * 20
    file = put(tmp_path, content + b"1,1,true,\xff,0\n")
    with pytest.raises(UnreadableFileError, match=f"offset {len(content) + 9:,} "):
        store(tmp_path).validate(file, SCHEMA)
