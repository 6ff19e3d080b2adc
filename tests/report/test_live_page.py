"""The live page: its sentence, its cards, its charts with their tables, and a stranger's words in
every field.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from retraining.report.live import page as drawing
from retraining.report.live.cards import cards
from retraining.report.live.charts import charts
from retraining.report.live.lists import web_address
from retraining.report.live.material import Age, AlertLine, Doing, LiveFacts, Part, Serving
from retraining.report.live.seen import seen_traffic
from retraining.report.live.verdict import LiveVerdict, verdict
from retraining.report.rendering import TEMPLATES, typeset
from retraining.report.words import NOTHING
from tests.report import live_samples as samples
from tests.report.samples import of_ending
from tests.report.test_pages import Reader, words_of

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any


def judged(**changes: Any) -> LiveVerdict:
    return verdict(samples.facts(**changes))


def of_version_five(part: Part) -> LiveVerdict:
    return judged(seen=samples.seen(by_version={5: part}))


# --- the sentence ---------------------------------------------------------------------------------
def test_when_all_is_well_the_sentence_says_how_right_and_that_nothing_is_to_do() -> None:
    found = judged()
    assert found.state == "well"
    assert (
        found.sentence == "v5 serves; 84.2 % right on 3,024 labelled rows of the last 30 days, "
        "as promised at its promotion; nothing to do."
    )


@pytest.mark.parametrize(
    ("changes", "state", "said", "typed"),
    [
        (
            {"serving": Serving(), "books": samples.books(holder=None)},
            "wrong",
            "No version serves; no version holds the alias production",
            "register_first_model.py --project /srv/retraining --set-alias",
        ),
        ({"serving": Serving(store_ok=False)}, "wrong", "the registry does not answer", "check"),
        ({"serving": samples.serving(unserved="v6 is damaged")}, "wrong", "v6 is damaged", "check"),
        (
            {"serving": samples.serving(store_ok=False)},
            "look",
            "does not answer (since 11 Nov 2026, 14:17 UTC); the page shows what it read before",
            "check",
        ),
        (
            {"serving": samples.serving(store_ok=False, unserved="it forgot version 5.")},
            "look",
            "it forgot version 5 (since 11 Nov 2026",
            "check",
        ),
        (
            {"serving": samples.serving(settings_changed=True)},
            "look",
            "the settings were changed after the service started",
            "",
        ),
        ({"serving": samples.serving(log_ok=False)}, "wrong", "log cannot be written", "check"),
        ({"books": samples.books(awaiting_approval=6)}, "look", "v6 won and waits", "approve v6"),
        ({"books": samples.books(hold="by ann")}, "look", "held: by ann", "rollback --resume"),
        ({"books": samples.books(quarantined=2)}, "look", "2 files in quarantine", "requeue FILE"),
        ({"seen": None}, "unknown", "the traffic was not looked at yet", ""),
        ({"books": None}, "unknown", "the registry is being read", ""),
        (
            {"seen": samples.seen(made=samples.NOW - timedelta(hours=2))},
            "look",
            "the traffic was not looked at since",
            "monitor",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_to_type(
    changes: Any, state: str, said: str, typed: str
) -> None:
    found = judged(**changes)
    assert found.state == state
    assert said in found.sentence
    assert found.command.endswith(typed)


LONG_AGO = samples.NOW - timedelta(hours=1)


@pytest.mark.parametrize("by_version", [{}, {5: Part()}, {4: Part(10, 10)}])
def test_a_look_that_found_no_prediction_is_never_all_well(by_version: dict[int, Part]) -> None:
    empty = samples.seen(whole=Part(), by_version=by_version, drift=None)
    found = judged(seen=empty, rows=())
    assert (found.state, found.words) == ("unknown", "Not known yet")
    assert "no prediction in the last 30 days as of" in found.sentence
    assert "without predictions of its own it is not known" in found.sentence
    assert "predictions came since" in judged(seen=empty).sentence


def alert(kind: str, made: datetime, **changes: Any) -> AlertLine:
    return replace(AlertLine(kind, f"{kind} is told", "Do this.", made), **changes)


def test_an_alert_that_came_after_the_last_look_is_told_with_what_to_do() -> None:
    since = samples.NOW - timedelta(minutes=1)
    drifted = judged(alerts=(alert("data_drift", since), alert("data_drift", LONG_AGO)))
    assert (drifted.state, drifted.others) == ("look", ())
    assert drifted.sentence.endswith("; data_drift is told.")
    assert drifted.advice == "Do this."
    assert drifted.command.endswith("monitor")
    both = judged(alerts=(alert("data_drift", since), alert("concept_drift", since)))
    assert both.state == "wrong"
    assert [one.state for one in both.others] == ["look"]


def test_the_command_in_an_advice_is_the_one_to_type() -> None:
    line = replace(alert("concept_drift", samples.NOW), remedy="Learn: `run --force`.")
    found = judged(alerts=(line,))
    assert (found.advice, found.command) == ("Learn: `run --force`.", "")
    html = drawing.parts(samples.facts(alerts=(line,)))
    assert html.count("Learn: <code>run --force</code>.") == 2, (
        "under the first line, and in the list"
    )


def test_a_look_at_another_version_says_nothing_of_the_one_that_serves() -> None:
    of_four = samples.seen(
        reference_version=4,
        by_version={4: Part(9_000, 8_000, samples.measured(0.7, 8_000))},
        alerts=(alert("concept_drift", LONG_AGO),),
    )
    found = judged(seen=of_four)
    assert found.state == "unknown"
    assert "it answered none of the " in found.sentence
    assert "the last look was at v4: v5 serves since" in found.sentence
    assert found.others == ()
    refused = samples.serving(version=5, alias_version=6, unserved="v6 is damaged")
    of_six = samples.seen(reference_version=6)
    found = judged(seen=of_six, serving=refused)
    assert "the last look was at" not in " ".join(one.text for one in found.others)


def test_an_alert_of_a_version_that_was_replaced_is_over() -> None:
    last = samples.books().cycles[-1]
    promoted = replace(last, outcome=of_ending("promoted"), started=samples.NOW)
    books = samples.books(cycles=(promoted,))
    told = (alert("concept_drift", LONG_AGO),)
    assert judged(alerts=told, seen=None).state == "wrong"
    assert judged(alerts=told, seen=None, books=books).state == "unknown"


def test_what_no_look_has_seen_yet_is_not_called_absent() -> None:
    bare = samples.seen(by_day=(), coverage=(), drift=None)
    text = words_of(drawing.parts(samples.facts(seen=bare)))
    assert "No label had come at the last look, 20 Nov 2026" in text
    assert "No prediction was logged at the last look, 20 Nov 2026" in text
    assert "too few predictions to judge" in text
    assert cards(samples.facts(seen=bare))[4].value == typeset(NOTHING)
    text = words_of(drawing.parts(samples.facts(seen=None)))
    assert text.count("The traffic was not looked at yet.") == 2


def test_books_that_cannot_be_read_are_not_called_unread() -> None:
    text = words_of(drawing.parts(samples.facts(books=None, not_read="No folder.")))
    assert "not read yet" not in text
    assert "What past cycles left cannot be read now." in text


def test_an_alert_ends_with_a_later_look_only_if_that_found_predictions() -> None:
    alerts = (alert("estimate_low", LONG_AGO),)
    assert judged(alerts=alerts).state == "well"
    for seen in (None, samples.seen(whole=Part(), by_version={}, drift=None)):
        assert judged(alerts=alerts, seen=seen).state == "look"
        years = (alert("estimate_low", samples.NOW - timedelta(days=31)),)
        assert judged(alerts=years, seen=seen).state == "unknown"


@pytest.mark.parametrize(
    "line",
    [
        alert("promotion", samples.NOW),
        alert("concept_drift", samples.NOW, cycle_id="cycle-30"),
        alert("concept_drift", samples.NOW, time=None),
    ],
)
def test_what_a_cycle_told_or_bears_no_time_is_no_alert_of_the_traffic(line: AlertLine) -> None:
    assert judged(alerts=(line,)).state == "well"


def test_an_alert_that_the_look_itself_found_is_told_once() -> None:
    line = alert("data_drift", samples.NOW)
    found = judged(alerts=(line,), seen=samples.seen(alerts=(line,)))
    assert (found.state, found.others) == ("look", ())


def test_a_score_under_the_threshold_is_wrong_only_by_more_than_chance() -> None:
    low = of_version_five(Part(4000, 3000, samples.measured(0.77, 3000, 0.02)))
    assert low.state == "wrong"
    assert "worse than the 85.0 % promised" in low.sentence
    assert "by its labels v5 is worse than the threshold 80.0 %" in low.sentence
    near = of_version_five(Part(4000, 300, samples.measured(0.79, 300, 0.04)))
    assert near.state == "well"
    too_few = replace(samples.measured(0.5, 10), interval=None)
    assert of_version_five(Part(4000, 10, too_few)).state == "well"


def test_for_an_error_lower_is_better() -> None:
    settings = samples.page_settings(metric="error_rate", threshold=0.3, greater_is_better=False)
    seen = samples.seen(by_version={5: Part(9, 9, samples.measured(0.2, 900))})
    good = judged(settings=settings, seen=seen, books=samples.books(promised=0.25))
    assert good.state == "well"
    assert "better than the 25.0 % promised" in good.sentence


def test_without_labels_the_estimate_is_told_and_without_both_nobody_knows() -> None:
    estimated = of_version_five(Part(500, 0, None, samples.measured(0.83, 500)))
    assert estimated.state == "well"
    assert "estimated at 83.0 % without labels" in estimated.sentence
    nothing = of_version_five(Part(500, 0))
    assert nothing.state == "unknown"
    assert "none of them labelled yet; it is not known yet" in nothing.sentence


def test_the_worst_comes_first_and_the_others_are_listed() -> None:
    found = verdict(samples.in_trouble())
    assert found.state == "wrong"
    assert "the last cycle failed: The disk is full" in found.sentence
    texts = " ".join(one.text for one in found.others)
    assert [one.state for one in found.others] == ["wrong", *["look"] * (len(found.others) - 1)]
    assert "v6 won" in texts
    assert "inputs drifted" in texts


# --- the page -------------------------------------------------------------------------------------
def test_every_plot_says_the_same_in_a_table() -> None:
    reader = Reader(drawing.page(samples.facts()))
    pictures = [one for one in reader.all("div") if one.get("role") == "img"]
    assert len(pictures) == 5
    assert all(one["aria-label"] for one in pictures)
    assert len(reader.all("details")) == len(pictures) + 1, "and the commands"
    text = words_of(drawing.page(samples.facts()))
    for head in ("Realised", "Estimated", "p99", "Labelled", "Training"):
        assert head in text


def test_bars_stand_at_their_ages_and_requests_and_times_share_an_axis() -> None:
    ages = (Age(0, 100, 20), Age(4, 100, 90))
    drawn = {one.key: one for one in charts(samples.facts(seen=samples.seen(coverage=ages)))}
    labels = drawn["labels"]
    assert labels.plot is not None
    assert [round(bar.height) > 0 for bar in labels.plot.columns] == [True, *[False] * 3, True]
    assert [row[0] for row in labels.rows] == ["0 days", "4 days"]
    quiet = tuple(replace(one, p50=None, p99=None) for one in samples.pulse(9))
    pulse = (*quiet, *samples.pulse(10)[9:], *quiet)
    drawn = {one.key: one for one in charts(samples.facts(pulse=pulse))}
    requests, latency = drawn["requests"].plot, drawn["latency"].plot
    assert requests is not None
    assert latency is not None
    assert (requests.first, requests.last) == (latency.first, latency.last)


def test_each_id_is_there_once_and_each_part_of_the_fragment_is_a_part_of_the_page() -> None:
    whole = Reader(drawing.page(samples.facts()))
    ids = [one["id"] for _, one in whole.tags if one.get("id")]
    assert len(ids) == len(set(ids))
    parts = Reader(drawing.parts(samples.facts()))
    of_parts = {one["id"] for _, one in parts.tags if "data-part" in one}
    of_page = {one["id"] for _, one in whole.tags if "data-part" in one}
    assert of_parts == of_page
    assert len(of_page) == 8


def test_what_can_be_scrolled_or_opened_has_an_id_by_which_it_is_found_again() -> None:
    parts = Reader(drawing.parts(samples.facts()))
    kept = [one for tag, one in parts.tags if tag in ("details", "summary") or "tabindex" in one]
    assert kept
    assert all(one.get("id") for one in kept)


def test_a_strangers_words_are_text_everywhere() -> None:
    for html in (drawing.page(samples.hostile()), drawing.parts(samples.hostile())):
        reader = Reader(html)
        assert not [one for tag, one in reader.tags if tag == "img" or "onerror" in one]
        assert len(reader.all("script")) <= 1
        assert "\u202e" not in html
        assert "\x1b" not in html
        assert not re.search(r'href="\s*javascript', html, re.IGNORECASE)
        assert reader.text.count("<script>window.ran=1</script>") > 20


def test_only_addresses_of_the_web_are_linked() -> None:
    assert web_address("http://127.0.0.1:5000/#/x") is not None
    for text in ("javascript:alert(1)", "data:text/html,x", "//evil", " http://x", None):
        assert web_address(text) is None


def test_the_policy_names_style_and_script_by_their_digests() -> None:
    policy = drawing.policy(live=True)
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    html = drawing.page(samples.facts())
    assert html.count("<style>") == html.count("<script>") == 1
    assert not re.search(r'\sstyle="', html), "an attribute cannot be named by a digest"


def test_the_script_is_short() -> None:
    lines = (TEMPLATES / "live.js").read_text().splitlines()
    assert len(lines) <= 100


def test_drawn_once_it_has_no_script_no_form_and_nothing_to_start() -> None:
    html = drawing.page(samples.facts(doing=None, pulse=None, serving=Serving(5, 5)))
    reader = Reader(html)
    assert not reader.all("script")
    assert not reader.all("form")
    assert "script-src" not in html
    assert "once; no service was asked" in words_of(html)


@pytest.mark.parametrize("what", ["nothing", "no model", "no labels", "one day"])
def test_the_page_is_whole_whatever_is_missing(what: str) -> None:
    bare: dict[str, LiveFacts] = {
        "nothing": LiveFacts(
            samples.NOW, samples.page_settings(), Serving(), rows=None, doing=Doing()
        ),
        "no model": samples.facts(serving=Serving(), books=samples.books(cycles=(), holder=None)),
        "no labels": samples.facts(
            seen=samples.seen(by_version={5: Part(10)}, by_day=(), coverage=(), answers=())
        ),
        "one day": samples.facts(seen=samples.seen(by_day=samples.days(1)), pulse=samples.pulse(1)),
    }
    text = words_of(drawing.page(bare[what]))
    assert "None" not in text
    assert "nan" not in text


def test_a_cycle_that_runs_and_one_that_ended_are_told() -> None:
    running = drawing.parts(samples.in_trouble())
    assert "A cycle has been running for 50 min: training a challenger" in words_of(running)
    ended = words_of(drawing.parts(samples.facts()))
    assert "20 Nov 2026, 13:27 UTC: kept; production scored" in ended
    held = samples.facts(doing=Doing(cycle_runs=True))
    assert "cron or a person started it" in words_of(drawing.parts(held))


def test_cycles_link_report_run_and_version() -> None:
    html = drawing.parts(samples.facts())
    assert 'href="page/reports/cycle-30"' in html
    assert "http://127.0.0.1:5000/#/models/classifier/versions/" in html


def test_what_an_older_monitor_wrote_is_read_too() -> None:
    told = {"metric": "accuracy", "predictions": 3, "labelled": 0, "realised": None}
    found = seen_traffic({**told, "estimated": None}, samples.NOW, 30)
    assert (found.whole.predictions, found.alerts, found.drift) == (3, (), None)


def test_a_promise_is_told_only_of_the_version_that_serves() -> None:
    assert "promised" not in judged(books=samples.books(holder=4)).sentence
    without = replace(samples.measured(0.84, 30), interval=None)
    assert "(85.0 % at its promotion)" in of_version_five(Part(30, 30, without)).sentence
