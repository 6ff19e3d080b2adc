"""`make demo`: the stream as days, a project of its own, real starts, a table of cycles.

Nothing of anybody's is touched.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from retraining.settings import load
from tests.projects import CLONE

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SCRIPT = CLONE / "examples" / "electricity" / "demo.py"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_of_the_market", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def told(ending: str = "promoted", **more: Any) -> dict[str, Any]:
    return {
        "ending": ending, "improvement": 0.057, "interval": [0.004, 0.109], "production_version": 2,
        "scores": {"production_on_new": 0.788}, "seconds": {"scoring": 1.0, "training": 2.5},
        **more,
    }  # fmt: skip


def test_the_stream_is_days_of_48_half_hours_in_order(demo: ModuleType) -> None:
    days = list(demo.days_of_the_market())
    assert len(days) == 45_312 // 48
    assert all(
        len(day.content.splitlines()) == 49 and day.content.startswith(b"feat_1,") for day in days
    )
    assert (days[0].name, days[1].name) == (
        "electricity-1996-05-07.csv",
        "electricity-1996-05-08.csv",
    )
    assert all(one.arrival < other.arrival for one, other in itertools.pairwise(days))


def test_the_first_weeks_come_at_once_and_then_week_after_week(demo: ModuleType) -> None:
    found = list(itertools.islice(demo.weeks(demo.days_of_the_market()), 3))
    assert [len(week) for week in found] == [56, 7, 7]
    assert found[1][0].arrival > found[0][-1].arrival


def test_preparing_again_starts_afresh_and_its_settings_are_valid(
    demo: ModuleType, tmp_path: Path
) -> None:
    for _ in range(2):
        demo.prepare(tmp_path / "demo", demo.weeks(demo.days_of_the_market()))
        assert len(list((tmp_path / "demo" / "used_data").iterdir())) == 56
        (tmp_path / "demo" / "new_data" / "left-over.csv").touch()
    demo.prepare(tmp_path / "demo", demo.weeks(demo.days_of_the_market()))
    assert not list((tmp_path / "demo" / "new_data").iterdir())
    assert load(tmp_path / "demo").min_new_files == 15


def test_settings_exported_by_the_user_do_not_reach_it(demo: ModuleType) -> None:
    inherited = {
        "PATH": "/bin",
        "MLFLOW_TRACKING_URI": "http://ours",
        "MODEL_NAME": "ours",
        "MIN_DATA_FOR_TRAINING": "7",
        "HOME": "/home/me",
    }
    assert demo.environment(inherited) == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "OMP_NUM_THREADS": "1",
    }


def test_a_line_of_the_table_says_ending_serving_version_score_and_gain(demo: ModuleType) -> None:
    day = next(demo.days_of_the_market())
    assert demo.line(3, day, told()).split() == [
        "3",
        "1996-05-07",
        "promoted",
        "v2",
        "0.788",
        "+0.057",
        "[+0.004,",
        "+0.109]",
        "3.5",
    ]
    assert demo.line(4, day, told("kept", improvement=None)).split() == [
        "4",
        "1996-05-07",
        "kept",
        "v2",
        "0.788",
        "3.5",
    ]
    assert len(demo.line(3, day, told())) <= 80


def test_it_plays_until_every_kind_of_cycle_was_seen(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endings = iter(
        [
            "too_few_files",
            "kept",
            "promoted",
            "kept",
            "kept",
            "kept",
            "kept",
            "kept",
            "kept",
            "rejected",
            "kept",
            "kept",
        ]
    )
    monkeypatch.setattr(demo, "start", lambda *_: json.dumps(told(next(endings))))
    week = demo.weeks(demo.days_of_the_market())
    demo.prepare(tmp_path, week)
    seen = demo.play(tmp_path, week, until=time.monotonic() + 3600)
    assert (len(seen), seen[-1]) == (9, "rejected")


def test_when_time_is_up_it_still_shows_one_kept_and_one_promoted(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endings = iter(["kept", "kept", "promoted", "kept"])
    monkeypatch.setattr(demo, "start", lambda *_: json.dumps(told(next(endings))))
    week = demo.weeks(demo.days_of_the_market())
    demo.prepare(tmp_path, week)
    assert demo.play(tmp_path, week, until=time.monotonic() - 1) == ["kept", "kept", "promoted"]


def test_a_first_model_and_a_cycle_by_real_starts(demo: ModuleType, tmp_path: Path) -> None:
    week = demo.weeks(demo.days_of_the_market())
    demo.prepare(tmp_path / "demo", week)
    assert "It holds the alias" in demo.start(
        tmp_path / "demo", "register_first_model.py", "--train-from", "used_data", "--set-alias"
    )
    assert demo.play(tmp_path / "demo", week, until=time.monotonic() + 3600, most=1) == ["kept"]
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        ".env",
        ".retraining",
        "mlflow_server",
        "new_data",
        "used_data",
    ]
