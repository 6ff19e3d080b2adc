"""The gate: looks in this machine's files whether enough files wait for a cycle.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from retraining.decisions import enough_files, enough_rows
from retraining.outcomes import Decision, FileCounts, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.cycle.job import Job, Recovered
    from retraining.inbox import Waiting
    from retraining.ledger import Ledger
    from retraining.outcomes import EndingName
    from retraining.project import Project
    from retraining.records import RegistryFacts

TABLE = "gate"
NOT_READ = "not_read"  # entries that an alert told of: name -> when, in seconds


class Gate(NamedTuple):
    """What waits, and whether that is enough."""

    waiting: Waiting
    decision: Decision
    ending: EndingName  # what the cycle ends with if the gate stays shut


def ask_the_gate(job: Job) -> Gate:
    """Count what waits, from the folders and the last cycle's notes on them.

    Raises:
        FolderGoneError: the inbox is not there.
    """
    waiting = what_waits(job, judge_again=job.force)
    fresh = len(waiting.fresh)
    ending: EndingName = "too_few_files" if fresh else "unchanged"
    if job.force:
        forced = "no new files: --force needs one"
        if fresh:
            forced = f"--force opens the gate for {fresh} files"
        return Gate(waiting, Decision(fresh > 0, forced), ending)
    return Gate(waiting, enough_files(fresh, job.settings, judged=len(waiting.judged)), ending)


def what_waits(project: Project, *, judge_again: bool = False) -> Waiting:
    """Sort the ready files by what the last cycle noted of their bytes."""
    notes = notes_of_files(project)
    judged = notes.get("judged")
    judged = judged.get(project.deciding, ()) if judged and not judge_again else ()
    return project.inbox.waiting(
        set(judged), {*notes.get("archive", ()), *notes.get("withdrawn", ())}
    )


def notes_of_files(project: Project) -> Mapping[str, Any]:
    """What the last cycle noted of files' bytes; nothing where MODEL_NAME was changed since.

    The store is not asked for: a project that was moved keeps its notes.
    """
    notes: dict[str, Any] = project.state.read(TABLE) or {}
    model = project.settings.model_name
    return notes if notes.get("model", model) == model else {}


def note_for_the_gate(project: Project, ledger: Ledger) -> None:
    """Write down what the gate needs to know: which of the waiting bytes were judged under which
    settings, and what is archived.
    """
    stamps = project.inbox.listing().stamps
    here = set(project.state.digests_by_stamp(project.settings.new_data_dir, stamps).values())
    judged: dict[str, list[str]] = {}
    for record in ledger.records:
        known = here.intersection(record.judged)
        if known:
            judged.setdefault(record.deciding, []).extend(known)
    notes = {
        "model": project.settings.model_name,
        "judged": judged,
        "archive": sorted(ledger.archive),
        "withdrawn": sorted(ledger.withdrawn),
    }
    with project.state.if_possible():  # older notes only open the gate more often
        project.state.write(TABLE, notes)


def ask_again(job: Job, gate: Gate, files: int, rows: int) -> Gate:
    """Ask the gate once more with what was accepted: refused files do not count."""
    if job.force:
        return gate
    for answer in (enough_files(files, job.settings), enough_rows(rows, job.settings)):
        if not answer.act:
            return Gate(gate.waiting, answer, "too_few_files" if files else "unchanged")
    return gate


def ended_at_the_gate(job: Job, gate: Gate, recovered: Recovered | None = None) -> Outcome:
    """End a start that found too little to do: no run is made."""
    production = recovered.facts.aliases.get(job.settings.production_alias) if recovered else None
    if recovered is not None:
        note_for_the_gate(job, recovered.ledger)
        mark_the_end(job, recovered.facts)
    reason = gate.decision.reason
    if job.tally.archived:
        reason = (
            f"archived {job.tally.archived} files of v{production}, which a person approved or a"
            f" dead cycle left; then {reason}"
        )
    challenger = recovered.facts.challenger if recovered else None
    if challenger not in (None, production):
        reason = f"{reason}; v{challenger} won and waits for a person to approve it"
    waiting = gate.waiting if recovered is None else what_waits(job)
    not_read = tell_what_is_not_read(job, _passed_over(waiting))
    if not_read:
        reason = f"{reason}; {not_read}"
    return Outcome(
        ending=gate.ending,
        reason=reason,
        dry_run=job.dry_run,
        production_version=production,
        previous_version=production,
        files=counts_of(job, waiting),
        seconds=job.tally.seconds,
    )


def _passed_over(waiting: Waiting) -> Mapping[str, str]:
    if not (waiting.listing.skipped or waiting.listing.links or waiting.copies):
        return {}  # as nearly always: nothing is imported to say so
    from retraining.inbox.passed_over import passed_over

    return passed_over(waiting)


def tell_what_is_not_read(job: Job, entries: Mapping[str, str]) -> str:
    """Entries of the inbox (name -> why) in words.

    An alert, once a day, where some have lain there for a day.
    """
    if not entries:
        return ""
    from retraining.inbox.listing import A_DAY
    from retraining.inbox.passed_over import in_words, older_than_a_day

    now = job.now().timestamp()
    old = older_than_a_day(entries, job.settings.new_data_dir, now)
    alerted = job.state.read(NOT_READ) or {}
    if any(now - alerted.get(name, 0.0) > A_DAY for name in old) and not job.dry_run:
        _alert_of({name: entries[name] for name in old}, job)
        with job.state.if_possible():
            job.state.write(NOT_READ, dict.fromkeys(old, now))
    return in_words(entries)


def _alert_of(entries: Mapping[str, str], job: Job) -> None:
    from retraining import notices
    from retraining.inbox.passed_over import in_words

    what = f"in {job.settings.new_data_dir} for over a day, {in_words(entries)}"
    remedy = (
        "Deliver CSV (.csv, .csv.gz) or Parquet files, not folders or links, into the inbox itself;"
        " move away what is not meant for the job. Where the same bytes, or none, come again and"
        " again, look at the sender's export."
    )
    notices.send_alert(job.settings, "not_read", what, remedy, job.now(), entries=len(entries))


def counts_of(job: Job, waiting: Waiting) -> FileCounts:
    """What stands in the inbox, and what was moved: a dry run counts what it would refuse as
    refused, by name and bytes.
    """
    refused = {(name, sha256) for name, sha256, _ in job.tally.refused}
    fresh = waiting.fresh.items() - refused
    judged = waiting.judged.items() - refused
    return FileCounts(len(fresh), len(judged), job.tally.archived, len(job.tally.refused))


def mark_the_end(project: Project, facts: RegistryFacts) -> None:
    """Let the next start be answered from here, unless a version waits for a person: their answer
    must be looked for.
    """
    if facts.challenger is None:
        project.state.mark_clean()
