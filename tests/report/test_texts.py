"""The note, the version's description, the terminal block and quarantine.csv."""

import csv
import io
import re

import pytest

from retraining.endings import CYCLE_ENDINGS
from retraining.records import FileCounts, Outcome, Score
from retraining.report import (
    description,
    note,
    quarantine_csv,
    undo,
    verdict_block,
    verdict_sentence,
)
from retraining.report.ending_texts import TEXTS
from retraining.report.material import RefusedFile
from retraining.report.words import difference_text, gain_text, printable, score_text, value_text
from tests.report.samples import HOSTILE, of_ending, promoted

AT_THE_GATE = {"too_few_files", "unchanged"}  # these end before a page is made


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (value_text("accuracy", 0.84249), "84.2 %"),
        (value_text("f1_macro", 0.5), "50.0 %"),
        (value_text("neg_log_loss", -0.34567), "-0.3457"),
        (value_text("roc_auc", None), "-"),
        (difference_text("accuracy", 0.031), "+3.1 points"),
        (difference_text("accuracy", -0.0001), "0.0 points"),
        (difference_text("roc_auc", -0.01), "-0.0100"),
        (gain_text("accuracy", 0.031, (-0.004, 0.066)), "+3.1 points [-0.4, +6.6]"),
        (score_text(Score("accuracy", 0.8, 10)), "80.0 %"),
        (score_text(Score("roc_auc", None, 10)), "-"),
        (score_text(Score("accuracy", 0.958, 120, (0.913, 1.004))), "95.8 % [91.3, 100.0]"),
    ],
)
def test_numbers_read_as_percent_and_points_where_the_metric_is_a_share(
    told: str, expected: str
) -> None:
    assert told == expected


def test_every_ending_past_the_gate_has_sentences_of_its_own() -> None:
    assert TEXTS.keys() == set(CYCLE_ENDINGS) - AT_THE_GATE


@pytest.mark.parametrize("ending", CYCLE_ENDINGS)
def test_the_terminal_block_keeps_to_its_width_and_says_what_why_and_how_to_undo(
    ending: str,
) -> None:
    outcome = of_ending(ending)._replace(run_url=None, reason="a reason of many words " * 12)
    for width in (80, 50):
        block = verdict_block(outcome, width)
        too_long = [
            line
            for line in block.splitlines()
            if len(line) > width and "pipeline_orchestrator.py" not in line
        ]
        assert not too_long, too_long
        labels = re.findall(r"^  (\w+) ", block, re.MULTILINE)
        assert {"what", "why", "files", "see", "undo"} <= set(labels), block


@pytest.mark.parametrize(
    ("ending", "what"),
    [
        ("promoted", "a challenger would replace v7 in production"),
        ("rejected", "the challenger would be rejected, v7 would stay in production"),
        ("awaiting_approval", "the challenger would wait for approval, v7 would stay"),
        ("kept", "v7 would stay in production"),
    ],
)
def test_a_dry_run_says_what_would_happen_and_names_no_version_that_was_not_made(
    ending: str, what: str
) -> None:
    outcome = of_ending(ending)._replace(
        dry_run=True,
        previous_version=7,
        production_version=7,
        challenger_version=None,
    )
    for text in (verdict_block(outcome, 200), verdict_sentence(outcome)):
        assert what.lower() in text.lower()
        assert "no version" not in text


def test_a_command_or_address_is_never_broken_over_lines() -> None:
    block = verdict_block(
        promoted(),
        40,
        command=".venv/bin/python pipeline_orchestrator.py --project /srv/retraining",
    )
    assert ".venv/bin/python pipeline_orchestrator.py --project /srv/retraining rollback" in block
    assert promoted().run_url in block


def test_a_version_that_waits_is_told_with_the_commands_to_copy() -> None:
    waits = of_ending("awaiting_approval")
    lines = verdict_block(waits, command="python x.py --project /srv/a").splitlines()
    version = f"v{waits.challenger_version}"
    assert f"  approve   python x.py --project /srv/a approve {version}" in lines
    assert f"  reject    python x.py --project /srv/a reject {version} --why TEXT" in lines


def test_the_terminal_block_shows_no_control_characters_of_strangers() -> None:
    block = verdict_block(promoted()._replace(reason="file \x1b[2J\x07evil\r.csv was refused"))
    assert "\x1b" not in block
    assert "\\x1b[2J\\x07evil\\r.csv" in block


@pytest.mark.parametrize("ending", CYCLE_ENDINGS)
def test_the_note_is_a_table_whatever_the_ending(ending: str) -> None:
    text = note(of_ending(ending))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert text.count("|") >= 8
    assert any(set(line) <= set("| -:") for line in table)
    assert len({line.count("|") for line in table}) == 1, table


def test_the_note_says_what_a_person_can_do_about_it() -> None:
    assert "`python x.py --project /srv/a rollback`" in note(
        promoted(), "python x.py --project /srv/a"
    )
    assert "moving the production alias" in note(of_ending("awaiting_approval"))


def test_a_reason_cannot_break_out_of_the_note() -> None:
    text = note(
        promoted()._replace(
            reason=(
                "a | b <img src=x onerror=alert(1)> [x](javascript:alert(1)) **bold** \n| new |"
                " row |"
            ),
        )
    )
    assert "<img" not in text
    assert "](" not in text.replace("]\\(", "")
    assert not [line for line in text.splitlines() if line.startswith("| new")]


def test_the_description_says_what_was_replaced_by_how_much_on_what_and_how_to_undo_it() -> None:
    text = description(promoted(), command="python pipeline_orchestrator.py --project /srv/a")
    for words in (
        "Replaced v7",
        "84.2 %",
        "81.1 %",
        "+3.1 points [+0.4, +5.8]",
        "1,432 test rows",
        "95 %",
    ):
        assert words in text
    assert "`python pipeline_orchestrator.py --project /srv/a rollback`" in text
    assert "\n" not in text


def test_the_description_of_a_loser_says_that_nothing_was_replaced() -> None:
    text = description(of_ending("rejected"))
    assert text.startswith("Did not replace v7")
    assert "no rollback is needed" in text


def test_the_description_of_a_version_that_failed_its_probation_says_what_serves_instead() -> None:
    outcome = of_ending("rolled_back")
    text = description(outcome)
    assert text.startswith(
        f"v{outcome.production_version} is back in production, because v{outcome.previous_version}"
        " failed its probation"
    )


def test_only_a_moved_alias_is_undone_by_a_command() -> None:
    commands = {ending: undo(of_ending(ending)).command for ending in CYCLE_ENDINGS}
    assert commands.pop("promoted") == "python pipeline_orchestrator.py rollback"
    assert not any(commands.values()), commands
    assert "--dry-run" in undo(promoted()._replace(dry_run=True)).text


def test_every_ending_has_a_sentence_and_a_dry_run_says_that_it_is_one() -> None:
    sentences = [verdict_sentence(of_ending(ending)) for ending in CYCLE_ENDINGS]
    assert len(set(sentences)) == len(CYCLE_ENDINGS)
    assert verdict_sentence(promoted()._replace(dry_run=True)).startswith(
        "Dry run, nothing was changed."
    )


def test_texts_do_without_anything_that_did_not_happen() -> None:
    bare = [Outcome(ending, "why") for ending in CYCLE_ENDINGS]
    for outcome in bare:
        assert all(tell(outcome) for tell in (note, description, verdict_block, verdict_sentence))


def test_quarantine_csv_neutralises_formulas_and_reads_back() -> None:
    rows = [
        RefusedFile(HOSTILE, "a" * 64, "-1+1: 'x', \"y\"\nrow 2", 12),
        RefusedFile("plain.csv", "b" * 64, "no rows"),
    ]
    read = list(csv.DictReader(io.StringIO(quarantine_csv(rows))))
    assert [row["file"] for row in read] == ["'" + printable(HOSTILE), "plain.csv"]
    assert read[0]["reason"] == "'-1+1: 'x', \"y\"\\nrow 2"
    assert [row["rows"] for row in read] == ["12", ""]
    cells = [cell for row in read for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_untrusted_text_is_shown_on_one_line_of_bounded_length() -> None:
    assert printable("a\u202eb\udcff\n") == "a\\u202eb\\udcff\\n"
    assert len(printable("x" * 10_000, 100)) == 100


def test_counts_are_shown_whatever_they_are() -> None:
    assert "1 waiting, 2 judged, 3 archived, 4 quarantined" in verdict_block(
        promoted()._replace(files=FileCounts(1, 2, 3, 4))
    )
