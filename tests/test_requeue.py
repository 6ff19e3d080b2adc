"""`requeue`: mended files go from quarantine back to the inbox, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects import table, tables

if TYPE_CHECKING:
    from tests.projects import Project

BROKEN = "speed,load,city,target\n1,2\n"


@pytest.fixture
def refused(registered: Project) -> Project:
    """Three good files judged, and one in quarantine."""
    registered.deliver(*tables(3, seed=2))
    registered.put("ragged.csv", BROKEN)
    assert registered.cycle()["files"]["quarantined"] == 1
    return registered


@pytest.mark.parametrize("name", ["ragged.csv", "quarantine/ragged.csv"])
def test_a_mended_file_waits_again_and_its_reason_is_gone(refused: Project, name: str) -> None:
    (refused.folder / "quarantine" / "ragged.csv").write_text(table(seed=9))
    assert refused.start("requeue", name, "--json").expect(0).json == {"requeued": ["ragged.csv"]}
    assert list((refused.folder / "quarantine").iterdir()) == []
    assert refused.start("status", "--json").json["waiting"] == 1


def test_a_file_sent_back_unmended_is_refused_again(refused: Project) -> None:
    refused.start("requeue", "ragged.csv").expect(0)
    refused.deliver(*tables(2, seed=3))
    assert refused.cycle()["files"]["quarantined"] == 1
    assert refused.names("quarantine") == {"ragged.csv"}


def test_a_name_that_is_taken_in_the_inbox_is_not_overwritten(refused: Project) -> None:
    refused.put("ragged.csv", table(seed=11))
    before = (refused.folder / "new_data" / "ragged.csv").read_text()
    refused.start("requeue", "ragged.csv").expect(0)
    assert (refused.folder / "new_data" / "ragged.csv").read_text() == before
    assert len(refused.names("new_data")) == 3 + 2


def test_of_several_names_one_that_is_wrong_moves_none(refused: Project) -> None:
    assert (
        "'nothing.csv'" in refused.start("requeue", "ragged.csv", "nothing.csv").expect(2).error[0]
    )
    assert refused.names("quarantine") == {"ragged.csv"}


@pytest.mark.parametrize(
    "name",
    ["../.env", "../used_data/batch-0000.csv", "/etc/passwd", "ragged.csv.reason.json", ".", ""],
)
def test_only_files_of_the_quarantine_are_moved(refused: Project, name: str) -> None:
    assert refused.start("requeue", name).expect(2).error
    assert (refused.folder / ".env").is_file()


def test_a_link_in_quarantine_is_not_followed(refused: Project) -> None:
    (refused.folder / "quarantine" / "link.csv").symlink_to(refused.folder / ".env")
    assert refused.start("requeue", "link.csv").expect(2).error


def test_all_sends_back_what_could_be_accepted_and_says_what_stays(refused: Project) -> None:
    (refused.folder / "quarantine" / "ragged.csv").write_text(table(seed=9))
    archived = next((refused.folder / "used_data").glob("*.csv")).read_text()
    refused.put("copy.csv", archived, to="quarantine")
    (refused.folder / "quarantine" / "link.csv").symlink_to(refused.folder / ".env")
    done = refused.start("requeue", "--all", "--json").expect(0).json
    assert done["requeued"] == ["ragged.csv"]
    assert set(done["left"]) == {"copy.csv", "link.csv"}
    assert "archive" in done["left"]["copy.csv"]
    assert refused.names("quarantine") == {"copy.csv", "link.csv"}
    assert not (refused.folder / "quarantine" / "ragged.csv.reason.json").exists()


def test_all_leaves_withdrawn_files_where_they_are(refused: Project) -> None:
    (refused.folder / "quarantine" / "ragged.csv").write_text(table(seed=9))
    name = min(refused.names("used_data"))
    refused.start("forget", name, "--why", "a sensor lied").expect(0)
    done = refused.start("requeue", "--all").expect(0)
    assert f"{name} stays in quarantine: withdrawn" in " ".join(done.out.split())
    assert refused.names("quarantine") == {name}
    refused.start("requeue", name).expect(2)


def test_all_of_an_empty_quarantine_is_nothing_to_do(registered: Project) -> None:
    assert "No file is in" in registered.start("requeue", "--all").expect(0).out
    assert registered.start("requeue", "--all", "a.csv").expect(2).error


def test_all_leaves_files_that_would_be_refused_again_and_says_why(registered: Project) -> None:
    whole = table(seed=8)
    registered.put("ragged.csv", whole + "1,2\n", to="quarantine")
    registered.put("strange.csv", whole + "0.1,0.2,north,9\n", to="quarantine")
    registered.put("mended.csv", whole, to="quarantine")
    said = registered.start("requeue", "--all").expect(0).out
    assert registered.names("new_data") == {"mended.csv"}
    assert registered.names("quarantine") == {"ragged.csv", "strange.csv"}
    assert "ragged.csv stays in quarantine: it would be refused again: " in said
    assert "strange.csv stays in quarantine: it would be refused again: a class never seen" in said
    assert "requeue NAME`" in said
    registered.start("requeue", "ragged.csv").expect(0)
    assert "ragged.csv" in registered.names("new_data"), "a person's word goes"
