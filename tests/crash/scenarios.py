"""Projects brought to the eve of a start worth killing: one scenario for each way that a start can
change something.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.crash.forked import LOSING_RECIPE
from tests.crash.invariants import broken
from tests.projects import ORCHESTRATOR, REGISTER, table, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.forked import Ended, ForkedProject

FIRST = ("--train-from", "used_data", "--set-alias")


@dataclass
class Delivered:
    """The digests of all files that were ever put into the project, and of those that version 1
    found.
    """

    all: Counter[str] = field(default_factory=Counter)
    first: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Scenario:
    """`prepare` brings a new project to where `words` are worth killing.

    `ending` is how they end when nobody does.
    """

    name: str
    prepare: Callable[[ForkedProject], None]
    ending: str | None = None
    words: tuple[str, ...] = ("run", "--json")
    script: str = ORCHESTRATOR
    places: tuple[str, ...] = ()
    heals: tuple[str, ...] = ("run", "--json")  # what is started after the crash

    def made(self, project: ForkedProject) -> Delivered:
        """Bring a project there."""
        self.prepare(project)
        where = project.whereabouts()
        return Delivered(
            Counter({sha: len(folders) for sha, folders in where.items()}),
            project.digests("used_data") & first_files(project),
        )

    def start(self, project: ForkedProject, **how: Any) -> Ended:
        """The start that is killed."""
        return project.start(*self.words, script=self.script, **how)

    def heal(self, project: ForkedProject) -> Ended:
        """The one more run."""
        script = REGISTER if self.heals is FIRST else ORCHESTRATOR
        return project.start(*self.heals, script=script)

    def broken(self, project: ForkedProject, delivered: Delivered) -> list[str]:
        """What does not hold after a crash and one more run."""
        healed = self.heal(project)
        said = [f"the next start did not heal: {healed}"] if healed.code else []
        return [*said, *broken(project, delivered.all, delivered.first)]


def first_files(project: ForkedProject) -> set[str]:
    """What the archive held at first: those files are older than any that came through the
    inbox.
    """
    return {sha for path in project.folder.glob("used_data/first-*") for sha in [_digest(path)]}


def _digest(path: Any) -> str:
    from tests.crash.forked import digest

    return digest(path)


def _first_data(project: ForkedProject) -> None:
    for place, text in enumerate(tables(8, seed=1, rows=25)):
        project.put(f"first-{place}.csv", text, to="used_data", age=7200 - place)


def _registered(project: ForkedProject) -> None:
    _first_data(project)
    project.start(*FIRST, script=REGISTER).expect(0)


def _turned(project: ForkedProject, seed: int, count: int = 4) -> None:
    project.deliver(*tables(count, seed=seed, rows=60, turned=True))


def _winning(project: ForkedProject) -> None:
    """Files on which version 1 guesses, among them one to refuse and one that came twice."""
    _registered(project)
    _turned(project, 2)
    project.put("broken.csv", "speed,load,city,target\n1,2\n")
    project.put("again.csv", (project.folder / "used_data" / "first-0.csv").read_bytes())


def _losing(project: ForkedProject) -> None:
    _winning(project)
    project.recipe(LOSING_RECIPE)


def _waiting_for_a_person(project: ForkedProject) -> None:
    project.configure(PROMOTE_WHEN="manual")
    _winning(project)


def _waiting(project: ForkedProject) -> None:
    _waiting_for_a_person(project)
    assert project.cycle()["ending"] == "awaiting_approval"


def _approved(project: ForkedProject) -> None:
    _waiting(project)
    project.move_alias(2)


def _on_probation(project: ForkedProject) -> None:
    """Version 2 learned a turn that was none: the next files are as version 1 knows them."""
    _winning(project)
    assert project.cycle()["ending"] == "promoted"
    project.deliver(*tables(6, seed=3, rows=60))


def _keeping(project: ForkedProject) -> None:
    _registered(project)
    project.deliver(*tables(4, seed=3))


def _promoted(project: ForkedProject) -> None:
    _winning(project)
    assert project.cycle()["ending"] == "promoted"


def _poisoned(project: ForkedProject) -> None:
    _promoted(project)
    newest = sorted(project.names("used_data") - {f"first-{n}.csv" for n in range(8)})
    (project.folder / "used_data" / newest[0]).rename(project.folder / "used_data" / "poison.csv")


GATE = (
    "after_lock",
    "after_recovery",
    "during_claim",
    "during_claim:2",
    "after_claim",
    "after_refusal",
    "after_refusal:2",
    "after_run_creation",
)
END = ("before_run_ends", "after_run_ends", "after_leaving", "before_unlock", "before_notices")
TRAINING = (
    "mid_training",
    "mid_artifact_upload",
    "mid_artifact_upload:9",
    "after_upload",
    "after_version_creation",
    "after_comparison",
)
ARCHIVING = (
    "between_archived_files",
    "between_archived_files:3",
    "after_rename",
    "after_rename:2",
    "after_last_file",
    "after_approved",
)
SCENARIOS = {
    s.name: s
    for s in (
        Scenario(
            "promote",
            _winning,
            "promoted",
            places=(
                *GATE,
                "after_scoring",
                *TRAINING,
                "before_winning_tag",
                "after_winning_tag",
                "before_commit",
                "after_commit",
                *ARCHIVING,
                *END,
            ),
        ),
        Scenario(
            "reject",
            _losing,
            "rejected",
            places=("after_comparison", "before_losing_tag", "after_losing_tag", *END),
        ),
        Scenario("keep", _keeping, "kept", places=("after_scoring", *END)),
        Scenario(
            "leave to a person",
            _waiting_for_a_person,
            "awaiting_approval",
            places=(
                "before_winning_tag",
                "after_winning_tag",
                "before_challenger",
                "after_challenger",
                *END,
            ),
        ),
        Scenario(
            "finish what a person approved",
            _approved,
            "unchanged",
            places=(*ARCHIVING, "after_recovery"),
        ),
        Scenario(
            "roll back",
            _on_probation,
            "rolled_back",
            places=("after_scoring", "before_roll_back", "mid_roll_back", "after_roll_back", *END),
        ),
        Scenario(
            "rollback command",
            _promoted,
            words=("rollback", "--why", "a test"),
            places=(
                "rollback_after_hold",
                "rollback_after_tag",
                "mid_roll_back",
                "after_roll_back",
            ),
        ),
        Scenario(
            "approve command",
            _waiting,
            words=("approve", "v2"),
            places=("after_recovery", "before_approval", "after_approval"),
        ),
        Scenario(
            "reject command",
            _waiting,
            words=("reject", "v2", "--why", "a test"),
            places=("reject_after_tag", "after_rejection"),
        ),
        Scenario(
            "forget",
            _promoted,
            words=("forget", "first-1.csv", "--why", "poisoned"),
            places=("after_recovery", "forget_after_tag", "after_withdrawal"),
        ),
        Scenario(
            "first model",
            _first_data,
            words=FIRST,
            script=REGISTER,
            heals=FIRST,
            places=(
                "after_run_creation",
                "mid_artifact_upload",
                "after_upload",
                "after_first_version",
                "after_first_alias",
                "after_run_ends",
                "after_leaving",
            ),
        ),
    )
}
__all__ = ["SCENARIOS", "Delivered", "Scenario", "table"]
