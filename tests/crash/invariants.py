"""What must be true after any crash and one more run, written from the specification and not from
the code.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.crash.forked import data_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crash.forked import ForkedProject

WITHDRAWN = "retraining.withdrawn."
EVER_IN_PRODUCTION = ("approved", "rolled_back")
LEFTOVERS = (
    "*.tmp",
    "*.part",
    ".claimed",
    "*.being-made",
    ".retraining/tmp/*",
    ".retraining/claimed",
)


def broken(project: ForkedProject, delivered: Counter[str], first: set[str]) -> list[str]:
    """Every invariant that does not hold.

    Args:
        delivered: the digest of every file that was ever put into the project, and how often.
        first: those that version 1 found in the archive.
    """
    registry = project.registry()
    found = [
        *_files(project, delivered),
        *_archive(project, registry, first),
        *_versions(registry),
        *_nothing_left(project, registry),
    ]
    return [*found, *_check_is_content(project), *_rests(project), *_is_the_registrys(project)]


def _files(project: ForkedProject, delivered: Counter[str]) -> Iterator[str]:
    places = project.whereabouts()
    for sha, times in delivered.items():
        there = places.get(sha, [])
        learnable = [folder for folder in there if folder != "quarantine"]
        if len(there) != times or len(learnable) > 1:
            yield f"file {sha[:8]}, delivered {times} times, is in {there or 'no folder'}"
    strange = places.keys() - delivered.keys()
    if strange:
        yield f"files nobody delivered: {[(sha[:8], places[sha]) for sha in strange]}"
    refused = {path.name for path in data_files(project.folder / "quarantine")}
    reasons = {
        path.name.removesuffix(".reason.json")
        for path in (project.folder / "quarantine").glob("*.reason.json")
    }
    if refused != reasons:
        yield (
            "in quarantine without a reason, or a reason without its file:"
            f" {sorted(refused ^ reasons)}"
        )


def _archive(project: ForkedProject, registry: dict[str, Any], first: set[str]) -> Iterator[str]:
    holder = registry["aliases"].get("production")
    if holder is None:
        yield "no version holds the alias production"
        return
    withdrawn = {
        name.removeprefix(WITHDRAWN) for name in registry["tags"] if name.startswith(WITHDRAWN)
    }
    used, versions = project.digests("used_data"), registry["versions"]
    manifest = versions[holder]["manifest"]
    lost = {file["sha256"] for file in manifest["files"] + manifest["held_out"]} - used - withdrawn
    if lost:
        yield f"production v{holder} was made from {len(lost)} files that are not in used_data"
    promoted = [
        v
        for number, v in versions.items()
        if number == holder or v["tags"]["validation_status"] in EVER_IN_PRODUCTION
    ]
    expected = first.union(*(version["manifest"]["consumed"] for version in promoted)) - withdrawn
    if used != expected:
        yield f"used_data: {len(used - expected)} files too many, {len(expected - used)} missing"
    if withdrawn & (used | project.digests("new_data")):
        yield "a withdrawn file is in the inbox or the archive"


def _versions(registry: dict[str, Any]) -> Iterator[str]:
    waits, holder = registry["aliases"].get("challenger"), registry["aliases"].get("production")
    statuses = {
        number: version["tags"]["validation_status"]
        for number, version in registry["versions"].items()
    }
    pending = {number for number, status in statuses.items() if status == "pending"} - {waits}
    if pending:
        yield f"pending versions that nobody judges: {sorted(pending)}"
    if waits is not None and "retraining.verdict" not in registry["versions"][waits]["tags"]:
        yield f"v{waits} waits for a person without having been judged"
    if holder is not None and statuses[holder] != "approved":
        yield f"v{holder} is in production and tagged {statuses[holder]}"
    cycles = Counter(
        version["tags"]["retraining.cycle_id"] for version in registry["versions"].values()
    )
    if max(cycles.values(), default=0) > 1:
        yield f"a cycle made two versions: {cycles.most_common(1)}"
    before = registry["versions"].get(holder, {}).get("tags", {}).get("retraining.previous_version")
    # a person may have deleted it
    there = int(before) if before and int(before) in statuses else None
    if registry["aliases"].get("previous_production") != there:
        yield (
            f"previous_production is v{registry['aliases'].get('previous_production')}, v{holder}"
            f" replaced v{before}"
        )


def _nothing_left(project: ForkedProject, registry: dict[str, Any]) -> Iterator[str]:
    running = [run["name"] for run in registry["runs"] if run["status"] == "RUNNING"]
    if running:
        yield f"runs left RUNNING: {running}"
    left = [
        str(p.relative_to(project.folder))
        for pattern in LEFTOVERS
        for p in project.folder.rglob(pattern)
        if "artifacts" not in p.parts
    ]
    if left:
        yield f"temporary files are left: {sorted(left)}"


def _check_is_content(project: ForkedProject) -> Iterator[str]:
    said = project.start("check", "--deep", "--json").expect(0).json
    # a hold is a person's word
    problems = [one for one in said["problems"] if "retraining.hold" not in one["where"]]
    if not said["ok"] or problems:
        yield f"check --deep: {said['problems']}"


def _rests(project: ForkedProject) -> Iterator[str]:
    """A further run changes nothing."""
    before, stored = project.everything(), project.stored()
    ended = project.start("run", "--json")
    if ended.code != 0 or ended.json["ending"] not in ("unchanged", "too_few_files"):
        yield f"a further run did not end at the gate: {ended}"
    changed = {name for name, _ in before.items() ^ project.everything().items()}
    if changed or project.stored() != stored:
        yield f"a further run changed {sorted(changed) or 'the registry'}"


def _is_the_registrys(project: ForkedProject) -> Iterator[str]:
    """`.retraining/` may be deleted at any time: what is told afterwards is the same."""
    told = project.start("history", "--json").expect(0).json
    shutil.rmtree(project.folder / ".retraining")
    again = project.start("history", "--json").expect(0).json
    if told != again:
        yield (
            f"without .retraining/ another story is told: {json.dumps(told)[:1500]} !="
            f" {json.dumps(again)[:1500]}"
        )
