"""Plays all policies and yardsticks that the command line names, offset by offset."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.replay.judging import Judge, Play
from retraining.replay.playing import Player
from retraining.replay.scratch import Deliveries, project_for
from retraining.replay.yardsticks import play_yardsticks
from retraining.trainer import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from retraining.replay.history import Cut, History
    from retraining.replay.playing import RunCycle
    from retraining.replay.policies import Lineup


@dataclass(frozen=True)
class Stage:
    """What every play needs: the cycle, the rows, the recipe, and how time and files pass."""

    run_cycle: RunCycle
    history: History
    recipe: Path
    scratch: Path
    files_per_cycle: int
    days_per_cycle: float
    tick: Callable[[], None] = lambda: None
    keeps_files: bool = False  # for the next play of the same offset; whoever made `scratch` tidies


def play_from(cut: Cut, lineup: Lineup, stage: Stage) -> dict[str, Play]:
    """Play every policy and yardstick from one offset; name -> play, in the order of the names."""
    folder = stage.scratch / f"offset-{cut.offset}"
    deliveries = Deliveries(folder / "deliveries", stage.history, cut, stage.files_per_cycle)
    player = Player(stage.run_cycle, folder / "tables", stage.days_per_cycle, tick=stage.tick)
    plays = {}
    for number, (name, policy) in enumerate(lineup.policies.items()):
        settings = project_for(
            folder / f"project-{number}",
            policy,
            stage.recipe,
            files_per_cycle=stage.files_per_cycle,
        )
        plays[name] = player.play(settings, deliveries)
        shutil.rmtree(settings.project)
    if lineup.yardsticks:
        judge = Judge(stage.history, cut, lineup.current)
        played = play_yardsticks(lineup.yardsticks, judge, load_recipe(stage.recipe), stage.tick)
        plays |= dict(zip(lineup.yardsticks, played, strict=True))
    if not stage.keeps_files:
        shutil.rmtree(folder, ignore_errors=True)
    return {name: plays[name] for name in lineup.names}
