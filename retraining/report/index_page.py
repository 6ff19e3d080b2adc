"""The index over all cycles: one static page, to be opened from a folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.endings import ENDINGS
from retraining.phrases import how_many
from retraining.report.figures import timeline
from retraining.report.past import (
    PastDecision,
    cycles_only,
    decision,
    served_scores,
    timeline_words,
)
from retraining.report.rendering import REPORT_POLICY, digest_source, render_template, typeset
from retraining.report.words import (
    ending_words,
    interval_text,
    name,
    printable,
    value_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.records import CycleRecord, Hindsight

# Without the script every cycle is listed and no button is shown. The page's policy names the
# script's digest, so nothing else runs.
FILTER_SCRIPT = """
const bar = document.querySelector(".filter");
const rows = [...document.querySelectorAll("tr[data-ending]")];
const buttons = [...bar.querySelectorAll("button")], shown = document.querySelector("#shown");
function show(ending) {
  for (const row of rows) row.hidden = ending !== "" && row.dataset.ending !== ending;
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.value === ending));
  }
  const left = rows.filter(row => !row.hidden).length;
  shown.textContent = left + (left === 1 ? " cycle" : " cycles") + " shown";
}
for (const button of buttons) button.addEventListener("click", () => show(button.value));
bar.hidden = false;
show("");
"""


@dataclass(frozen=True)
class IndexRow:
    """One cycle; `report`, `run_url` and `version_url` are addresses, None where there is none."""

    ending: str
    version: str
    score: str
    interval: str
    decision: PastDecision
    reason: str
    report: str | None
    run_url: str | None = None
    version_url: str | None = None


def render(
    records: Sequence[CycleRecord],
    hindsight: Mapping[str, Hindsight],
    reports: Mapping[str, str],
    model_name: str,
    serving: int | None,
) -> str:
    """The whole page, newest cycle first."""
    cycles = cycles_only(records)
    # one that failed has no score to draw
    last = next((record for record in reversed(cycles) if record.served is not None), None)
    metric = last.outcome.metric if last else None
    scored = served_scores(cycles)
    line = timeline(scored, last.outcome.threshold if last else None)
    counts = Counter(record.ending for record in cycles)
    return render_template(
        "index.html.j2",
        width="72rem",
        model_name=printable(model_name, 80),
        sentence=_sentence(cycles, serving),
        rows=[
            cycle_row(record, hindsight.get(record.cycle_id), reports.get(record.cycle_id))
            for record in reversed(cycles)
        ],
        endings=[
            (ending, ending_words(ending), counts[ending]) for ending in ENDINGS if counts[ending]
        ],
        total=len(cycles),
        line=line,
        metric=metric,
        line_label=timeline_words(metric, scored) if line else "",
        line_threshold=_threshold(last) if last and line and line.threshold is not None else "",
        script=FILTER_SCRIPT,
        policy=f"{REPORT_POLICY}; script-src {digest_source(FILTER_SCRIPT)}",
    )


def _sentence(cycles: Sequence[CycleRecord], serving: int | None) -> str:
    if not cycles:
        return "No cycle has run yet."
    ending = ending_words(cycles[-1].ending).lower()
    start = "No version" if serving is None else name(serving)
    return (
        f"{start} is in production after {how_many(len(cycles), 'cycle')}; the last one ended:"
        f" {ending}."
    )


def cycle_row(
    record: CycleRecord,
    hindsight: Hindsight | None,
    report: str | None,
    run_url: str | None = None,
    version_url: str | None = None,
) -> IndexRow:
    """One cycle as the table shows it."""
    outcome, score = record.outcome, record.served
    value = score.value if score else None
    interval = "" if score is None else interval_text(outcome.metric, score.interval)
    return IndexRow(
        ending=outcome.ending,
        version=name(outcome.production_version),
        score=typeset(value_text(outcome.metric, value)),
        interval="" if value is None else typeset(interval),
        decision=decision(record, hindsight),
        reason=printable(outcome.reason, 300),
        report=report,
        run_url=run_url,
        version_url=version_url,
    )


def _threshold(record: CycleRecord) -> str:
    return typeset(value_text(record.outcome.metric, record.outcome.threshold))
