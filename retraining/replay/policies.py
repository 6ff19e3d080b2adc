"""The names after `--policy` -> the settings to play, and the yardsticks beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retraining import settings as settings_module
from retraining.cycle.shapes import OF_READING
from retraining.env_file import nearest_name, read_env_file
from retraining.errors import SettingsError, UsageError
from retraining.replay import yardsticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.settings import Settings

CURRENT = "current"
DEFAULT = (CURRENT, *yardsticks.ALL)


@dataclass(frozen=True)
class Lineup:
    """Policies by name, and yardsticks, in the order in which they were named.

    `current` says by which metric all are measured.
    """

    names: tuple[str, ...]
    policies: Mapping[str, Settings]
    yardsticks: tuple[str, ...]
    current: Settings

    def one_by_one(self) -> list[Lineup]:
        """Each policy alone, then the yardsticks together: they share their fits."""
        alone = [
            Lineup((name,), {name: policy}, (), self.current)
            for name, policy in self.policies.items()
        ]
        if self.yardsticks:
            alone.append(Lineup(self.yardsticks, {}, self.yardsticks, self.current))
        return alone


def line_up(
    names: Sequence[str],
    current: Settings,
    environment: Mapping[str, str],
    env_file: Path | None = None,
) -> Lineup:
    """Find out what each name stands for.

    Raises:
        UsageError: a name is neither `current`, a yardstick nor a settings file.
        SettingsError: a settings file cannot be used, or names another metric than the project's.
    """
    names = tuple(dict.fromkeys(names))
    policies = {}
    for name in names:
        if name == CURRENT:
            policies[name] = current
        elif not yardsticks.NAME.fullmatch(name):
            policies[name] = from_file(name, current, environment, env_file)
    return Lineup(names, policies, tuple(name for name in names if name not in policies), current)


def from_file(
    name: str, current: Settings, environment: Mapping[str, str], env_file: Path | None = None
) -> Settings:
    """The project's settings with the lines of a file in their place, which beat the environment
    too; the data is read as ever.
    """
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"--policy {name}: neither `{CURRENT}`, a yardstick ({', '.join(yardsticks.ALL)}) nor a"
            " settings file.",
            remedy=(
                "Name a file of lines such as PROMOTE_WHEN=unless_worse, relative to the working"
                " directory."
            ),
        )
    lines, problems = read_env_file(path)
    known = set(settings_module.SETTING_NAMES)
    problems += [
        problem for line in lines if line not in known for problem in nearest_name(line, known)
    ]
    if problems:
        raise SettingsError(tuple(problems), where=str(path))
    policy = settings_module.load(current.project, environment, env_file, policy=lines)
    if policy.metric != current.metric:
        wrong = (
            f"METRIC: {policy.metric} here and {current.metric} in the project, and policies are"
            " compared in one metric"
        )
        raise SettingsError((wrong,), where=str(path))
    return policy._replace(**{field: getattr(current, field) for field in OF_READING})
