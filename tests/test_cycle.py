"""The story, by real cycles on a real sqlite store: each ending, what it leaves, and what the next
start makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mlflow import MlflowClient

from tests.projects import tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.projects import Project

ALWAYS = {"RETRAIN_WHEN": "always", "PROMOTE_WHEN": "unless_worse"}


def client(project: Project) -> MlflowClient:
    uri = f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def aliases(project: Project) -> dict[str, int]:
    return {
        alias: int(version)
        for alias, version in client(project).get_registered_model("classifier").aliases.items()
    }


def tags(project: Project, version: int) -> dict[str, str]:
    return dict(client(project).get_model_version("classifier", str(version)).tags)


@pytest.fixture(scope="module")
def promoted_once(tmp_path_factory: pytest.TempPathFactory, first_model: Project) -> Project:
    made = first_model.copied(tmp_path_factory.mktemp("promoted") / "project")
    made.deliver(*tables(12, seed=2, turned=True))
    seen = made.cycle()
    assert seen["ending"] == "promoted", seen
    return made


@pytest.fixture
def promoted(tmp_path: Path, promoted_once: Project) -> Project:
    """Version 2 has replaced version 1 on a turned concept."""
    return promoted_once.copied(tmp_path / "project")


def test_a_new_version_that_does_worse_on_the_first_fresh_batch_is_rolled_back(
    promoted: Project,
) -> None:
    assert tags(promoted, 2)["retraining.probation"] == "open"
    promoted.deliver(*tables(12, seed=3))  # the concept turned back: version 1 is right again
    seen = promoted.cycle()
    assert (seen["ending"], seen["production_version"], seen["previous_version"]) == (
        "rolled_back",
        1,
        2,
    ), seen
    assert aliases(promoted)["production"] == 1
    assert tags(promoted, 2)["validation_status"] == "rolled_back"
    assert "probation" in tags(promoted, 2)["retraining.reason"]
    assert (seen["files"]["judged"], seen["files"]["waiting"]) == (12, 0), seen["files"]
    assert "retraining.hold" not in client(promoted).get_registered_model("classifier").tags, (
        "a roll-back by probation holds nothing"
    )


def test_after_a_roll_back_the_next_attempt_waits_for_twice_the_files(promoted: Project) -> None:
    promoted.deliver(*tables(12, seed=3))
    assert promoted.cycle()["ending"] == "rolled_back"
    # another deciding setting: the judged files count again, but the back-off stands
    promoted.configure(RETRAIN_WHEN="always")
    promoted.deliver(*tables(3, seed=4))
    seen = promoted.cycle()
    assert (seen["ending"], seen["challenger_version"]) == ("kept", None), seen
    assert "3 of 6 files since the roll-back" in seen["reason"], seen["reason"]
    promoted.deliver(*tables(3, seed=5))
    assert promoted.cycle()["challenger_version"] == 3, "twice the files have come"


def test_a_version_that_passes_probation_says_so_and_is_graded(promoted: Project) -> None:
    promoted.deliver(*tables(12, seed=6, turned=True))
    seen = promoted.cycle()
    assert seen["ending"] == "kept", seen
    assert tags(promoted, 2)["retraining.probation"] == "passed"
    history = promoted.start("history", "--json").expect(0).json
    graded = next(cycle for cycle in history if cycle["challenger_version"] == 2)["hindsight"]
    assert graded["promoted"] is True
    assert graded["gain"] > 0.1
    assert graded["rows"] == 12 * 40
    assert "v2 gained 0." in promoted.start("explain", "v2").expect(0).out


def test_a_version_that_a_person_approved_is_not_rolled_back(registered: Project) -> None:
    registered.configure(PROMOTE_WHEN="manual")
    registered.deliver(*tables(12, seed=2, turned=True))
    assert registered.cycle()["ending"] == "awaiting_approval"
    client(registered).set_registered_model_alias("classifier", "production", "2")
    assert registered.cycle()["files"]["archived"] == 12
    registered.deliver(*tables(12, seed=3))
    seen = registered.cycle()
    assert seen["ending"] != "rolled_back", "a person's alias move is not undone by the job"


def test_a_batch_of_one_class_leaves_probation_to_the_next_one(registered: Project) -> None:
    registered.configure(METRIC="roc_auc", RETRAIN_THRESHOLD="0.9")
    registered.deliver(*tables(12, seed=2, turned=True))
    assert registered.cycle()["ending"] == "promoted"
    registered.configure(RETRAIN_THRESHOLD="0.1")
    registered.deliver(*(of_one_class(text) for text in tables(12, seed=4, turned=True)))
    seen = registered.cycle()
    assert (seen["ending"], seen["scores"]["production_on_new"]) == ("kept", None)
    assert tags(registered, 2)["retraining.probation"] == "open"
    registered.deliver(*tables(12, seed=3))  # the concept turned back
    assert registered.cycle()["ending"] == "rolled_back"


def of_one_class(text: str) -> str:
    """The rows of a table that have the label 1."""
    head, *rows = text.splitlines()
    return "\n".join([head, *(row for row in rows if row.endswith(",1"))]) + "\n"


def test_a_previous_version_that_cannot_be_loaded_skips_probation_and_says_so(
    promoted: Project,
) -> None:
    version = client(promoted).get_model_version("classifier", "1")
    folder = promoted.folder / "mlflow_server" / "artifacts"
    for path in folder.rglob("model.pkl"):
        if version.source.split("/")[-2] in str(path):
            path.write_bytes(b"not what was registered")
    promoted.deliver(*tables(12, seed=3))
    seen = promoted.cycle()
    assert seen["ending"] != "rolled_back"
    assert "cannot be loaded" in tags(promoted, 2)["retraining.probation"]


def test_with_the_production_version_deleted_the_advice_names_one_that_is_there(
    promoted: Project,
) -> None:
    client(promoted).delete_model_version("classifier", "2")
    promoted.deliver(*tables(3, seed=3))
    remedy = promoted.start("run").expect(3).error[2]
    assert "> version 1 (version 2 held the alias last and was deleted) or another" in remedy
    assert promoted.start("check", "--json").expect(3).json["problems"][0]["try"] == remedy
    assert promoted.start("status", "--json").expect(0).json["previous_version"] == 1


def test_a_class_never_seen_in_two_files_needs_a_person_and_they_stay(registered: Project) -> None:
    registered.deliver(*tables(3, seed=2))
    for name in ("first.csv", "second.csv"):
        registered.put(name, f"speed,load,city,target\n1,{len(name)},north,7\n")
    registered.put("odd.csv", "speed,load,city,target\n1,1,north,8\n")
    what, unchanged, _ = registered.start("run").expect(3).error
    assert what.startswith("2 files bring a class of 'target'")
    assert all(
        part in what
        for part in (
            "'7' in 2 rows",
            "the files are 'first.csv', 'second.csv', the classes known are 0, 1",
        )
    )
    assert unchanged.startswith("These files are still in")
    assert {"first.csv", "second.csv", "odd.csv"} <= registered.names("new_data")


def test_files_that_each_bring_another_class_never_seen_are_refused_one_by_one(
    registered: Project,
) -> None:
    registered.deliver(*tables(3, seed=2))
    for place in range(2):
        registered.put(f"typo-{place}.csv", f"speed,load,city,target\n1,1,north,{7 + place}\n")
    seen = registered.cycle()
    assert (seen["files"]["quarantined"], seen["new_rows"]) == (2, 120)
    assert registered.names("quarantine") == {"typo-0.csv", "typo-1.csv"}


def test_a_floor_refuses_a_challenger_whatever_the_champion_scores(registered: Project) -> None:
    registered.configure(MIN_MODEL_ACCURACY="0.999", MIN_MODEL_ROC_AUC="0.5", MIN_MODEL_F1="0.5")
    registered.deliver(*tables(12, seed=2, turned=True))
    seen = registered.cycle()
    assert seen["ending"] == "rejected", seen
    assert "MIN_MODEL_ACCURACY" in seen["reason"]
    assert tags(registered, 2)["validation_status"] == "rejected"


def test_a_cycle_of_copies_alone_has_no_row_to_score_production_on(registered: Project) -> None:
    """The files are new, and each of their rows was learned, label and all."""
    learned = sorted((registered.folder / "used_data").glob("*.csv"))
    for place in range(3):
        head, rows = "", []
        for path in learned[place::3]:
            head, *its = path.read_text().splitlines()
            rows += its
        registered.put(f"again-{place}.csv", "\n".join([head, *reversed(rows)]) + "\n")
    seen = registered.cycle()
    assert (seen["ending"], seen["new_rows"], seen["copied_rows"]) == ("kept", 0, 480)
    assert "no new row to score production on" in seen["reason"]
    assert "480 of 480 new rows (100 %), in 3 files, are copies" in seen["reason"]


def test_relabelled_copies_are_news_to_the_trigger_and_never_test_both_models(
    project: Project, registered: Project
) -> None:
    """The only new rows are copies, under other labels, of rows that production was made with."""
    learned = sorted((registered.folder / "used_data").glob("*.csv"))
    for place, path in enumerate(learned):
        lines = path.read_text().splitlines()
        flipped = [line[:-1] + ("0" if line.endswith("1") else "1") for line in lines[1:]]
        registered.put(f"relabelled-{place}.csv", "\n".join([lines[0], *flipped]) + "\n")
    seen = registered.cycle()
    assert (seen["new_rows"], seen["copied_rows"]) == (480, 0)
    assert seen["scores"]["production_on_new"] < 0.3
    assert "480 of 480 new rows (100 %) were seen before with another label" in seen["reason"]
    held_out = {file["name"] for file in manifest(registered, 1)["held_out"]}
    assert seen["test_rows"] is None or seen["test_rows"] <= 40 * len(held_out) * 2
    if seen["test_rows"] is None:
        assert "no row is comparable" in seen["reason"]


def manifest(project: Project, version: int) -> Any:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db")
    run_id = client(project).get_model_version("classifier", str(version)).run_id
    return mlflow.artifacts.load_dict(f"runs:/{run_id}/manifest.json")


def test_a_pickled_model_with_nothing_unseen_to_test_on_keeps_until_blocks_are_reserved(
    registered: Project,
) -> None:
    registered.configure(HOLDOUT_FRACTION="0.2")
    registered.deliver(*tables(3, seed=7, turned=True))
    seen = registered.cycle()
    assert seen["test_rows"], "three files are cut into ten blocks, of which two test"


def test_alpha_is_spent_over_attempts_against_the_same_champion(registered: Project) -> None:
    # a floor that nobody reaches
    registered.configure(PROMOTE_WHEN="significant", RETRAIN_WHEN="always", MIN_MODEL_ACCURACY="1")
    levels = []
    for seed in (8, 9, 10):
        registered.deliver(*tables(12, seed=seed))
        seen = registered.cycle()
        assert seen["ending"] == "rejected", seen
        levels.append(seen["confidence"])
    assert levels[0] == pytest.approx(1 - 0.05 * 6 / 3.141592653589793**2)
    assert levels == sorted(levels)
    assert len(set(levels)) == 3


def test_a_slice_that_loses_too_much_vetoes(registered: Project) -> None:
    registered.configure(SLICE_COLUMNS="city", SLICE_MAX_LOSS="0.05", **ALWAYS)
    registered.deliver(*tables(12, seed=2, turned=True))
    seen = registered.cycle()
    assert seen["ending"] == "promoted", "no slice loses where the challenger is better everywhere"


def test_retraining_on_an_interval_waits_for_the_interval(registered: Project) -> None:
    registered.configure(RETRAIN_WHEN="interval", RETRAIN_INTERVAL_DAYS="30")
    registered.deliver(*tables(3, seed=2, turned=True))
    seen = registered.cycle()
    assert seen["ending"] == "kept"
    assert "trained today, next due after 30 days" in seen["reason"]


def test_a_sampled_training_says_so_and_keeps_recent_rows(registered: Project) -> None:
    registered.configure(MAX_TRAINING_ROWS="100")
    registered.deliver(*tables(12, seed=2, turned=True))
    assert registered.cycle()["challenger_version"] == 2
    found = manifest(registered, 2)
    assert found["sampled"] is True
    assert 98 <= found["training_rows"] <= 100


def test_a_window_learns_the_last_batches_only(promoted: Project) -> None:
    promoted.configure(TRAIN_WINDOW="1", **ALWAYS)
    promoted.deliver(*tables(12, seed=12, turned=True))
    promoted.cycle()
    used = {file["name"] for file in manifest(promoted, 1)["files"]}
    learned = {file["name"] for file in manifest(promoted, 3)["files"]}
    assert learned
    assert not learned & used, "the first batch is out of the window"


def test_a_window_with_a_sample_learns_some_rows_of_older_batches(promoted: Project) -> None:
    promoted.configure(TRAIN_WINDOW="1+1", **ALWAYS)
    new = tables(12, seed=12, turned=True)
    promoted.deliver(*new)
    promoted.cycle()
    found = manifest(promoted, 3)
    batch_rows = sum(
        file["rows"]
        for file in found["files"]
        if file["name"] not in {old["name"] for old in manifest(promoted, 2)["files"]}
    )
    assert {file["name"] for file in manifest(promoted, 1)["files"]} <= {
        file["name"] for file in found["files"]
    }, "seen, so named"
    assert found["sampled"] is True
    assert batch_rows < found["training_rows"] < 2.2 * batch_rows


def test_drift_is_told_in_numbers_and_only_material_drift_triggers(registered: Project) -> None:
    registered.configure(RETRAIN_WHEN="drift")
    moved = [text.replace("north", "west") for text in tables(12, seed=13)]
    registered.deliver(*moved)
    seen = registered.cycle()
    assert seen["drift"]["detected"] is True
    assert seen["drift"]["material"] is True
    worst = seen["drift"]["features"][0]
    assert (worst["name"], worst["material"]) == ("city", True)
    assert seen["trigger"] == "drift"
    registered.deliver(*tables(12, seed=14))
    assert registered.cycle()["drift"]["material"] in (True, False)


def test_thirty_nights_of_an_unchanged_inbox_train_once(registered: Project) -> None:
    registered.configure(RETRAIN_THRESHOLD="0.999", MIN_IMPROVEMENT="0.9")
    registered.deliver(*tables(3, seed=2, turned=True))
    assert registered.cycle()["ending"] == "rejected"
    for _ in range(29):
        assert registered.cycle()["ending"] == "unchanged"
    assert len(client(registered).search_model_versions("name='classifier'")) == 2


def test_the_record_survives_the_loss_of_everything_local(promoted: Project) -> None:
    import shutil

    before = promoted.start("history", "--json").expect(0).json
    status = promoted.start("status", "--json").expect(0).json
    shutil.rmtree(promoted.folder / ".retraining")
    assert promoted.start("history", "--json").expect(0).json == before
    assert promoted.start("status", "--json").expect(0).json == status
    assert promoted.cycle()["ending"] == "unchanged"


def test_going_forward_again_after_a_roll_back_is_not_undone_by_the_next_start(
    promoted: Project,
) -> None:
    promoted.start("rollback").expect(0)
    assert aliases(promoted) == {"production": 1}
    promoted.start("rollback", "--to", "2").expect(0)
    promoted.deliver(*tables(3, seed=15, turned=True))
    assert promoted.cycle()["production_version"] == 2
    assert tags(promoted, 2)["validation_status"] == "approved"
    promoted.start("rollback").expect(0)
    assert promoted.start("rollback").code == 3, "there is none before version 1"
    assert aliases(promoted)["production"] == 1


def test_another_target_column_than_productions_is_a_wrong_setting(registered: Project) -> None:
    registered.configure(TARGET_COLUMN="nonsense")
    registered.deliver(*tables(3, seed=16))
    done = registered.start("run").expect(2)
    assert "TARGET_COLUMN" in done.err
    assert "'target'" in done.err


def test_after_several_roll_backs_status_tells_the_last_one_and_why_the_version_was_made(
    promoted: Project,
) -> None:
    made_for = tags(promoted, 2)["retraining.reason"]
    promoted.start("rollback", "--why", "the labels were late").expect(0)
    promoted.start("rollback", "--to", "2", "--why", "they were not").expect(0)
    told = promoted.start("status", "--json").expect(0).json["reason"]
    assert told.startswith("put back in place of v1 (by ")
    assert told.endswith(f": rolled back from v1 to v2: they were not); it had come as: {made_for}")
    promoted.start("rollback", "--why", "late after all").expect(0)
    told = promoted.start("status", "--json").expect(0).json["reason"]
    assert told.startswith("put back in place of v2 (by ")
    assert "late after all); it had come as: registered by a person" in told
    client(promoted).set_registered_model_alias("classifier", "production", "2")
    (promoted.folder / ".retraining" / "clean").unlink()  # a closed gate does not look at the alias
    promoted.start("run").expect(0)
    told = promoted.start("status", "--json").expect(0).json["reason"]
    assert told == f"put back in place of v1 (a person moved the alias); it had come as: {made_for}"


def test_a_version_that_was_rolled_back_and_that_a_person_puts_back_stays(
    promoted: Project,
) -> None:
    """Rolled back from v2, then v3 is promoted, then a person prefers v2: that is no roll-back of
    v2 left half-done.
    """
    promoted.start("rollback").expect(0)
    promoted.start("rollback", "--resume").expect(0)
    promoted.configure(RETRAIN_WHEN="always")
    promoted.deliver(*tables(12, seed=4, turned=True))
    assert promoted.cycle()["production_version"] == 3
    client(promoted).set_registered_model_alias("classifier", "production", "2")
    for _ in range(2):
        (promoted.folder / ".retraining" / "clean").unlink()
        promoted.start("run").expect(0)
        assert aliases(promoted)["production"] == 2
    assert tags(promoted, 2)["validation_status"] == "approved"
    told = promoted.start("status", "--json").expect(0).json["reason"]
    assert told.startswith("put back in place of v3 (a person moved the alias); it had come as: ")
