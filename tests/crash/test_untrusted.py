"""Names, cells and categories that somebody chose to hurt: nothing is lost, and no shell, path,
page or formula runs them.
"""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.crash.forked import digest
from tests.crash.invariants import broken
from tests.projects import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.forked import ForkedProject
    from tests.crash.trials import Stage

SCRIPT = "<script>alert(1)</script>"
NAMES = (
    "new\nline.csv",
    "quote'\".csv",
    "x..%2f..%2fetc%2fpasswd.csv",
    f"{SCRIPT.replace('/', '')}.csv",
    "=cmd|' C calc'!A0.csv",
    "-rf.csv",
    "$(touch owned).csv",
    "`touch owned`;.csv",
    "%s%n{0}.csv",
    "\\..\\..\\x.csv",
    "\x1b[31mred.csv",
    "ünïcode 日本 \u202egpj.csv",
    "n" * 251 + ".csv",
    "ü" * 125 + ".csv",
    b"not-utf8-\xff\xfe.csv".decode("utf-8", "surrogateescape"),
    " .csv",
    "a.csv.reason.json.csv",
)
CELLS = (
    SCRIPT,
    "=HYPERLINK(1)",
    "+1+cmd",
    "@SUM(1)",
    "'; DROP TABLE runs; --",
    "\u202e",
    "{{7*7}}",
    "${jndi:ldap}",
)


class Tags(HTMLParser):
    """The tags of a page, with what the scripts among them hold."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag == "script"
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        if self._within:
            self.scripts.append(data)
            self._within = False


def artifacts(project: ForkedProject, name: str) -> list[str]:
    return [
        path.read_text() for path in Path(project.folder).glob(f"mlflow_server/artifacts/**/{name}")
    ]


@pytest.mark.parametrize("content", ["good", "refused"])
def test_a_hostile_file_name_is_data_wherever_it_goes(
    stages: Callable[[str], Stage], content: str
) -> None:
    stage = stages("promote")
    forked, delivered = stage.project, stage.delivered
    for place, name in enumerate(NAMES):
        text = (
            table(30, seed=500 + place, turned=True)
            if content == "good"
            else f"speed,load,city,target\n{place},2\n"
        )
        delivered.all[digest(forked.put(name, text))] += 1
    ended = forked.cycle("-v")
    assert ended["ending"] == "promoted"
    assert ended["files"]["quarantined"] == 2 + (len(NAMES) if content == "refused" else 0)
    assert not [*forked.folder.rglob("owned"), *Path("/").glob("owned")]
    folder = "used_data" if content == "good" else "quarantine"
    # two leave no room for a reason
    assert len(forked.names(folder) & set(NAMES)) >= len(NAMES) - (2 if content == "refused" else 0)
    for page in artifacts(forked, "report.html"):
        seen = Tags()
        seen.feed(page)
        assert not any("alert" in script for script in seen.scripts)
    for refused in artifacts(forked, "quarantine.csv"):
        cells = [cell for row in csv.reader(io.StringIO(refused)) for cell in row]
        assert not [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell)]
    assert broken(forked, delivered.all, delivered.first) == []


def test_hostile_cells_and_categories_stay_text(stages: Callable[[str], Stage]) -> None:
    stage = stages("keep")
    forked, delivered = stage.project, stage.delivered
    for place, cell in enumerate(CELLS):
        rows = [line.split(",") for line in table(30, seed=600 + place).splitlines()]
        text = io.StringIO()
        csv.writer(text).writerows([rows[0], *([a, b, cell, d] for a, b, _, d in rows[1:])])
        forked.put(f"cells-{place}.csv", text.getvalue())
    bad = "speed,load,city,target\n" + f'"{SCRIPT}",1,north,1\n' * 3
    forked.put("words.csv", bad)
    forked.put("labels.csv", f"speed,load,city,target\n1,1,north,{SCRIPT}\n")
    forked.configure(RETRAIN_WHEN="always", SLICE_COLUMNS="city", PROMOTE_WHEN="unless_worse")
    ended = forked.cycle()
    assert ended["files"]["quarantined"] == 2
    for page in artifacts(forked, "report.html"):
        assert SCRIPT not in page
    for name in ("status", "history", "explain"):
        forked.start(name).expect(0)
    where = forked.whereabouts()
    assert set(delivered.all) <= set(where)


def test_a_hostile_name_is_sent_back_like_any_other(stages: Callable[[str], Stage]) -> None:
    forked = stages("keep").project
    for place, name in enumerate(NAMES):
        forked.put(name, f"speed,load,city,target\n1\n{place}")
    assert forked.cycle()["files"]["quarantined"] == len(NAMES)
    for name in sorted(forked.names("quarantine")):
        assert (
            len(forked.start("requeue", "--json", f"quarantine/{name}").expect(0).json["requeued"])
            == 1
        )
    assert forked.names("quarantine") == set()
    assert len(forked.names("new_data")) == 4 + len(NAMES)
