"""Put a version into the registry on a person's word: trained here, trained elsewhere, or registered by somebody else.

What is registered may have learned from everything that stands in the archive: it becomes the archive's lineage from here on.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.cycle.drifting import sketch_of
from retraining.cycle.gate import mark_the_end
from retraining.cycle.opening import reserve_from
from retraining.cycle.preflight import Model, check_the_archive, how_to_assign, public_uri
from retraining.cycle.recovery import add_to_ledger, finish_what_a_dead_cycle_left, leave, save_ledger
from retraining.cycle.rows import Section, leave_out_learned, predictions, whole_files
from retraining.cycle.training import candidate, needs_probabilities, sections_of, training_rows
from retraining.datasets import read_schema_from
from retraining.errors import PersonNeededError, UnreadableFileError, UsageError
from retraining.kill_points import kill_point
from retraining.ledger import REGISTERED, last_batches, runs_outside
from retraining.local_state import sha256_of
from retraining.records import Batch, BatchFile, CycleRecord, DataFile, Manifest, Outcome, Score, VersionFacts
from retraining.report.told import outcome_to_json
from retraining.scoring import coding
from retraining.serialisation import record_to_json
from retraining.statistics import metric, score, score_interval
from retraining.trainer import load_recipe, pip_requirements, train

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import datetime

    from retraining.cycle.job import Job
    from retraining.cycle.recovery import Recovered
    from retraining.records import Schema
    from retraining.statistics import Predictions


@dataclass(frozen=True)
class Request:
    """What a person asked to register."""

    model: Path | None = None
    train_from: Path | None = None
    adopt: int | None = None
    example: Path | None = None
    schema: Schema | None = None  # replay's, of the whole history: a class that the first rows lack is no new class


@dataclass(frozen=True)
class Papers:
    """Everything a registration is made of but the estimator: who, when, which files, which columns."""

    cycle_id: str
    started: datetime
    files: tuple[DataFile, ...]  # of the archive, by arrival
    batch: Batch | None
    schema: Schema
    manifest: Manifest
    tags: dict[str, str]


def register(job: Job, request: Request, asked: argparse.Namespace) -> Answer:
    """Register what was asked for; the same input again changes nothing.

    Raises:
        UsageError: there is nothing to register, or a pickle that nobody said is trusted.
        PersonNeededError: a file of the archive cannot be read, or the version to adopt is not there.
    """
    job.on_begin()
    recovered = finish_what_a_dead_cycle_left(job)
    check_the_archive(job, recovered.ledger)
    request = _what_to_register(job, request)
    if request.adopt is not None:
        return _adopt(job, recovered, request)
    if request.model is not None:
        return _register_pickle(job, recovered, request, set_alias=asked.set_alias, trusted=asked.trust_pickle)
    return _train(job, recovered, request, set_alias=asked.set_alias)


def _what_to_register(job: Job, request: Request) -> Request:
    if request.model or request.train_from or request.adopt is not None:
        return request
    models = sorted(path for path in (job.settings.project / "model").glob("*") if path.is_file() and not path.name.startswith("."))
    if len(models) == 1:
        return replace(request, model=models[0])
    if models:
        raise UsageError(f"{len(models)} files stand in {models[0].parent}.", remedy="Name one of them with --model FILE.")
    if any(not p.name.startswith(".") for p in job.settings.used_data_dir.glob("*")):
        return replace(request, train_from=job.settings.used_data_dir)
    raise UsageError(
        f"There is nothing to register: {job.settings.project / 'model'} and {job.settings.used_data_dir} are empty.",
        remedy="Put training files into used_data/ or a pickled estimator into model/, or name them (--train-from DIR, --model FILE).",
    )


# --- the three ways -----------------------------------------------------------------------------------------------------------


def _train(job: Job, recovered: Recovered, request: Request, *, set_alias: bool) -> Answer:
    recipe = load_recipe(job.settings.recipe_path)
    _bring_into_the_archive(job, job.settings.project / str(request.train_from))
    files = _archive_by_arrival(job, recovered)
    key = _digest(recipe.sha256, *sorted(file.sha256 for file in files))
    same = _registered_before(job, key)
    if same is not None:
        return _said_again(job, recovered, same, set_alias=set_alias)
    papers = _papers(job, recovered, files, request.schema or _schema(job, files), recipe.sha256, reserve=True, key=key)
    by_sha = {file.sha256: file for file in papers.files}
    with job.stage("training"):
        parts = [(by_sha[file.sha256], runs_outside(file.rows, file.reserved)) for file in _with_reservations(papers)]
        X, y, sampled = training_rows(job, parts, papers.schema)
        estimator = train(recipe, X, y, needs_probabilities=needs_probabilities(job.settings)).estimator
    papers = replace(papers, manifest=replace(papers.manifest, training_rows=len(X), sampled=sampled))
    sections = [Section(by_sha[file.sha256], run) for file in papers.manifest.held_out for run in file.reserved]
    return _put_in(job, recovered, papers, recipe.text, estimator, sections, set_alias=set_alias)


def _register_pickle(job: Job, recovered: Recovered, request: Request, *, set_alias: bool, trusted: bool) -> Answer:
    path = Path(str(request.model))
    if not path.is_file():
        raise UsageError(f"The model file {path} is not there.", remedy="Name a file with --model, relative to the working directory.")
    if not trusted:
        raise UsageError(
            f"{path} is a pickle, and loading a pickle runs whatever code is in it: it was not loaded.",
            remedy="If you trust where it comes from, say so with --trust-pickle.",
        )
    files = _archive_by_arrival(job, recovered)
    key = _digest(sha256_of(path), *sorted(file.sha256 for file in files))
    same = _registered_before(job, key)
    if same is not None:
        return _said_again(job, recovered, same, set_alias=set_alias)
    examples = (_data_file(request.example),) if request.example else files
    if not examples:
        raise UsageError(
            "A bare model says nothing of its columns.", remedy="Name a file of rows with --example, or put some into used_data/."
        )
    estimator = _unpickled(path)
    papers = _papers(job, recovered, files, _schema(job, examples), sha256_of(path), reserve=False, key=key)
    unseen = _unseen_files(job, papers)
    text = f"# registered from the pickle {path.name}, SHA-256 {sha256_of(path)}\n"
    return _put_in(job, recovered, papers, text, estimator, whole_files(unseen) if unseen else (), set_alias=set_alias)


def _adopt(job: Job, recovered: Recovered, request: Request) -> Answer:
    number = int(str(request.adopt))
    version = job.registry.version(number)
    if version is None:
        raise PersonNeededError(
            f"There is no version {number} of {job.settings.model_name!r}.", remedy="Look its number up in the MLflow UI."
        )
    if version.is_ours:
        text = f"v{number} is known to this job already; nothing was changed."
        mark_the_end(job, recovered)
        return Answer({"version": number, "changed": False}, text)
    files = _archive_by_arrival(job, recovered)
    examples = (_data_file(request.example),) if request.example else files
    if not examples:
        raise UsageError(
            "Adopting needs rows to take columns from.", remedy="Name a file of rows with --example, or put some into used_data/."
        )
    papers = _papers(job, recovered, files, _schema(job, examples), "", reserve=False, key=_digest("adopted", str(number)))
    run_id = job.registry.begin_cycle(papers.cycle_id, papers.started)
    manifest = replace(papers.manifest, origin="adopted")
    job.registry.adopt(version, manifest, {**papers.tags, "retraining.reason": "adopted by a person"})
    _finish(job, recovered, papers, run_id, number, None)
    text = f"Adopted v{number}: it is taken to have seen the {len(files)} files of {job.settings.used_data_dir}."
    return Answer({"version": number, "changed": True}, text)


# --- files --------------------------------------------------------------------------------------------------------------------


def _bring_into_the_archive(job: Job, folder: Path) -> None:
    """Files to train on stand in the archive: from the inbox they move there, from any other folder they are copied."""
    settings, inbox = job.settings, job.inbox
    if not folder.is_dir():
        raise UsageError(f"The folder {folder} is not there.", remedy="Name a folder of the project with --train-from.")
    if folder.resolve() == settings.used_data_dir.resolve():
        return
    settings.used_data_dir.mkdir(parents=True, exist_ok=True)
    from_inbox = folder.resolve() == settings.new_data_dir.resolve()
    source = inbox if from_inbox else replace(inbox, settings=replace(settings, new_data_dir=folder))
    there = inbox.archived()
    claimed = source.claim(source.listing().ready)
    for file, named in zip(claimed, inbox.with_archive_names(claimed), strict=True):
        if file.sha256 not in there:
            inbox.archive(named, file.name if from_inbox else None)
    inbox.release()


def _archive_by_arrival(job: Job, recovered: Recovered) -> tuple[DataFile, ...]:
    """Every file of the archive that was not withdrawn, each content once, oldest first."""
    folder = job.settings.used_data_dir
    folder.mkdir(parents=True, exist_ok=True)
    job.settings.new_data_dir.mkdir(parents=True, exist_ok=True)
    found = [
        DataFile(names[0], sha, folder / names[0]) for sha, names in job.inbox.archived().items() if sha not in recovered.ledger.withdrawn
    ]
    return tuple(sorted(found, key=lambda file: (file.path.stat().st_mtime_ns, file.name)))


def _data_file(path: Path) -> DataFile:
    if not path.is_file():
        raise UsageError(f"The file {path} is not there.", remedy="Name a CSV or Parquet file.")
    return DataFile(path.name, sha256_of(path), path)


def _unseen_files(job: Job, papers: Papers) -> tuple[DataFile, ...]:
    """Files of the inbox that can be read: a model from elsewhere has not seen them."""
    known = {file.sha256 for file in papers.files}
    claimed = [file for file in job.inbox.claim(job.inbox.listing().ready) if file.sha256 not in known]
    facts = zip(claimed, job.tables.validate_many(claimed, papers.schema), strict=True)
    return tuple(replace(file, rows=one.rows) for file, one in facts if not isinstance(one, UnreadableFileError) and not one.unknown_labels)


def _schema(job: Job, files: tuple[DataFile, ...]) -> Schema:
    if not files:
        raise UsageError(f"{job.settings.used_data_dir} holds no CSV or Parquet file.", remedy="Put training files there.")
    try:
        return read_schema_from(files, job.settings)
    except UnreadableFileError as error:
        raise PersonNeededError(
            f"The columns cannot be taken from the training files: {error}.", remedy="Mend that file or move it out of the folder."
        ) from error


# --- papers -------------------------------------------------------------------------------------------------------------------


def _papers(
    job: Job, recovered: Recovered, files: tuple[DataFile, ...], schema: Schema, made_by: str, *, reserve: bool, key: str
) -> Papers:
    """Read every file by the schema, put new ones into a batch, and write the manifest."""
    read = tuple(_read(job, files, schema))
    known = recovered.ledger.known_files()
    new = [file for file in read if file.sha256 not in known]
    number = recovered.ledger.next_number
    cut = reserve_from(new, job.settings.holdout_fraction) if reserve and new else tuple(BatchFile(f.name, f.sha256, f.rows) for f in new)
    batch = Batch(number, cut) if new else None
    started = job.now()
    cycle_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    batches = (*recovered.ledger.batches, batch) if batch is not None else recovered.ledger.batches
    testing = {one.number for one in last_batches(batches)} if reserve else set()
    here = {file.sha256: file.name for file in read}
    ordered = [
        replace(file, name=here[file.sha256], reserved=file.reserved if one.number in testing else ())
        for one in batches
        for file in one.files
        if file.sha256 in here
    ]
    holder = recovered.facts.aliases.get(job.settings.production_alias)
    manifest = Manifest(
        files=tuple(replace(file, reserved=()) for file in ordered if runs_outside(file.rows, file.reserved)),
        held_out=tuple(file for file in ordered if file.reserved),
        consumed=(),
        schema=schema,
        recipe_sha256=made_by,
        cycle_id=cycle_id,
        origin="registered",
        champion=holder,
        attempt_key=key,
    )
    tags = {"validation_status": "approved", "retraining.cycle_id": cycle_id, "retraining.attempt_key": key}
    if holder is not None:
        tags["retraining.previous_version"] = str(holder)
    return Papers(cycle_id, started, read, batch, schema, manifest, tags)


def _read(job: Job, files: tuple[DataFile, ...], schema: Schema) -> Iterator[DataFile]:
    for file, facts in zip(files, job.tables.validate_many(files, schema), strict=True):
        if isinstance(facts, UnreadableFileError):
            raise PersonNeededError(f"{file.path} cannot be learned: {facts}.", remedy="Mend it or move it out of the folder.")
        yield replace(file, rows=facts.rows)


def _with_reservations(papers: Papers) -> list[BatchFile]:
    reserved = {file.sha256: file.reserved for file in papers.manifest.held_out}
    return [replace(file, reserved=reserved.get(file.sha256, ())) for file in papers.manifest.files]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _registered_before(job: Job, key: str) -> VersionFacts | None:
    return next((v for v in job.registry.versions() if v.tags.get("retraining.attempt_key") == key), None)


def _unpickled(path: Path) -> Any:
    import joblib

    try:
        estimator = joblib.load(path)  # reads plain pickles too
    except (pickle.UnpicklingError, ImportError, AttributeError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        raise UsageError(
            f"{path} cannot be unpickled here: {type(error).__name__}: {error}.",
            remedy="It needs the packages, in the versions, that it was saved with; or train a first model with --train-from.",
        ) from error
    if not callable(getattr(estimator, "predict", None)):
        raise UsageError(f"{path} holds a {type(estimator).__name__}, which has no predict.", remedy="Pickle a fitted estimator.")
    return estimator


# --- the version --------------------------------------------------------------------------------------------------------------


def _put_in(job: Job, recovered: Recovered, papers: Papers, text: str, estimator: Any, sections: Any, *, set_alias: bool) -> Answer:
    """Register, score on rows that the model has not seen, and say how to go on."""
    baseline, answers = _baseline(job, papers, estimator, sections)
    run_id = job.registry.begin_cycle(papers.cycle_id, papers.started)
    recipe = load_recipe(job.settings.recipe_path)
    papers.tags.update({"retraining.parent_run_id": run_id, "retraining.reason": _reason(baseline)})
    record = _record(papers, run_id, baseline, None)
    job.registry.save_files(run_id, {"decision.json": json.dumps(record_to_json(record), indent=1)})
    by_sha = {file.sha256: file for file in papers.files}
    learned = [(by_sha[file.sha256], runs_outside(file.rows, file.reserved)) for file in _with_reservations(papers)]
    sketch = sketch_of(job, sections_of(learned), papers.schema, answers)
    wanted = replace(
        candidate(recipe, estimator, papers.manifest, papers.tags, sketch),
        recipe_text=text,
        pip_requirements=tuple(pip_requirements(recipe)),
    )
    version = job.registry.register(wanted, parent=run_id, run_name="FirstModel")
    kill_point("after_first_version")
    if baseline is not None and baseline.value is not None:
        job.registry.log_model_metrics(version, {baseline.metric: baseline.value})
    job.registry.tag_version(version, {}, _description(papers, baseline))
    holder = papers.manifest.champion
    if set_alias:
        job.registry.set_alias(job.settings.production_alias, version)
        holder = version
        kill_point("after_first_alias")
    _finish(job, recovered, papers, run_id, version, baseline, holder=holder)
    told = {"version": version, "changed": True, "alias": set_alias, "score": baseline.value if baseline else None}
    return Answer(told, _in_words(job, papers, version, baseline, set_alias=set_alias))


def _baseline(job: Job, papers: Papers, estimator: Any, sections: Any) -> tuple[Score | None, Predictions | None]:
    """The score on rows that the model has not learned; None where there are none."""
    if not sections:
        return None, None
    model = Model(VersionFacts(0, "", "", {}), papers.manifest, job.registry)
    files = {file.sha256: file for file in papers.files}
    kept, _ = leave_out_learned(job, sections, papers.schema, [model.learned], files)
    with job.stage("scoring"):
        answers = predictions(job, model, kept, estimator)
    chosen = metric(job.settings.metric)
    if not len(answers.truth):
        return None, None
    interval = score_interval(chosen, answers, job.settings.confidence)
    return Score(job.settings.metric, score(chosen, answers), len(answers.truth), interval), answers


def _record(papers: Papers, run_id: str, baseline: Score | None, version: int | None) -> CycleRecord:
    outcome = Outcome(REGISTERED, _reason(baseline), cycle_id=papers.cycle_id, run_id=run_id, challenger_version=version)
    number = papers.batch.number if papers.batch is not None else -1
    return CycleRecord(max(number, 0), papers.cycle_id, run_id, papers.started, outcome_to_json(outcome), batch=papers.batch)


def _finish(
    job: Job,
    recovered: Recovered,
    papers: Papers,
    run_id: str,
    version: int,
    baseline: Score | None,
    holder: int | None = None,
) -> None:
    """End the run, and leave registry and local notes as a cycle would."""
    number = recovered.ledger.next_number
    record = replace(_record(papers, run_id, baseline, version), number=number)
    job.registry.save_files(run_id, {"decision.json": json.dumps(record_to_json(record), indent=1)})
    name = f"{papers.started:%Y-%m-%dT%H:%M:%SZ} {REGISTERED} v{version}"
    tags = {"retraining.ending": REGISTERED, "retraining.reason": _reason(baseline), "retraining.cycle_id": papers.cycle_id}
    job.registry.end_cycle(record, name=name, status="FINISHED", tags=tags, metrics={})
    kill_point("after_run_ends")
    holder = holder if holder is not None else recovered.facts.aliases.get(job.settings.production_alias)
    leave(job, number=number, run_id=run_id, production_version=holder)
    kill_point("after_leaving")
    ledger = add_to_ledger(job, recovered.ledger, record)
    ledger = replace(ledger, archive={**ledger.archive, **{file.sha256: file.name for file in papers.files}})
    recovered = replace(recovered, facts=job.registry.facts(), ledger=ledger)
    save_ledger(job, recovered.facts, ledger)
    job.inbox.release()
    mark_the_end(job, recovered)


def _said_again(job: Job, recovered: Recovered, same: VersionFacts, *, set_alias: bool) -> Answer:
    alias = job.settings.production_alias
    holder = recovered.facts.aliases.get(alias)
    text = f"The same input is registered already as v{same.number}; no new version was made."
    if set_alias and holder is None:
        job.registry.set_alias(alias, same.number)
        left = recovered.left
        leave(job, number=int(left.get("number", 0)), run_id=str(left.get("run_id", "")), production_version=same.number)
        save_ledger(job, job.registry.facts(), recovered.ledger)
        text += f" It holds the alias {alias!r} now."
    mark_the_end(job, recovered)
    return Answer({"version": same.number, "changed": set_alias and holder is None}, text)


# --- words --------------------------------------------------------------------------------------------------------------------


def _reason(baseline: Score | None) -> str:
    if baseline is None or baseline.value is None:
        return "a first model; there were no rows that it had not seen to score it on"
    return f"a first model; {baseline.metric} {_with_interval(baseline)} on {baseline.rows:,} rows that it had not seen"


def _with_interval(baseline: Score) -> str:
    low_high = f" [{baseline.interval[0]:.4f}, {baseline.interval[1]:.4f}]" if baseline.interval else ""
    return f"{baseline.value:.4f}{low_high}"


def _description(papers: Papers, baseline: Score | None) -> str:
    learned = f"Registered by a person; it learned from {len(papers.manifest.files)} files."
    return f"{learned} It is {_reason(baseline)}. Undo: move the production alias to another version in the MLflow UI."


def _in_words(job: Job, papers: Papers, version: int, baseline: Score | None, *, set_alias: bool) -> str:
    settings = job.settings
    lines = [f"Registered v{version} of {settings.model_name!r} in {public_uri(settings.mlflow_tracking_uri)}: {_reason(baseline)}."]
    kinds = [column.kind for column in papers.schema.columns]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("number", "boolean", "string") if kind in kinds)
    lines.append(f"Columns: {counted}; classes of {papers.schema.target!r}: {', '.join(map(str, coding(papers.schema)))}.")
    if baseline is not None and baseline.value is not None:
        lines.append(f"Suggested: RETRAIN_THRESHOLD={suggested_threshold(baseline, greater_is_better=settings.greater_is_better):g}")
    if set_alias:
        lines.append(f"It holds the alias {settings.production_alias!r}.")
    else:
        lines.append(
            f"It does not hold the alias {settings.production_alias!r} yet. {how_to_assign(settings.production_alias, settings.model_name)}"
        )
    return "\n".join(lines)


def suggested_threshold(baseline: Score, *, greater_is_better: bool) -> float:
    """The worse end of the baseline's interval, rounded to two decimals: a fall below it is more than chance."""
    value = float(baseline.value or 0.0)
    low, high = baseline.interval or (value, value)
    return round(low if greater_is_better else high, 2)
