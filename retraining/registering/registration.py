"""The three ways to a first model: trained here, trained elsewhere, registered by somebody else."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.commands import Answer
from retraining.cycle.books import begin_run
from retraining.cycle.gate import mark_the_end
from retraining.cycle.learning import rows_to_learn
from retraining.cycle.production import check_the_archive
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.cycle.rows import Section, whole_files
from retraining.cycle.shapes import changes_since, shape_of
from retraining.errors import (
    ArchiveMismatchError,
    DamagedModelError,
    PersonNeededError,
    UnreadableFileError,
    UsageError,
)
from retraining.folders.local_state import sha256_of
from retraining.ledger import ranges_outside
from retraining.model_registry.production import load_model
from retraining.registering.adding import Made, add_version, finish, say_again
from retraining.registering.archive import (
    archive_by_arrival,
    bring_into_the_archive,
    data_file,
    in_the_archive,
    named_files,
    schema_of,
    unseen_files,
    with_named_files,
)
from retraining.registering.choosing import Choice, choose
from retraining.registering.pickled import load_pickle, packages_of
from retraining.registering.plan import make_plan, with_reservations
from retraining.scoring import predict
from retraining.trainer import load_recipe, pip_requirements, requirements_of_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from retraining.cycle.job import Job, Recovered
    from retraining.records import DataFile, Schema, Shape, Version
    from retraining.registering.plan import Plan
    from retraining.trainer import Recipe

ROWS_TRIED = 200


@dataclass(frozen=True)
class Request:
    """What a person asked to register."""

    model: Path | None = None
    train_from: Path | None = None
    adopt: int | None = None
    example: Path | None = None
    set_alias: bool = False
    trust_pickle: bool = False
    schema: Schema | None = (
        None  # replay's, of the whole history: a class that the first rows lack is no new class
    )

    @property
    def names_a_source(self) -> bool:
        """Whether it says what to make a version of."""
        return self.model is not None or self.train_from is not None or self.adopt is not None


def _check_the_archive(job: Job, recovered: Recovered) -> None:
    """As a cycle does.

    Before the first cycle there is a shorter way out of files mended in the archive.
    """
    try:
        check_the_archive(job, recovered.ledger)
    except ArchiveMismatchError as error:
        if recovered.ledger.cycles:
            raise
        begin_again = (
            "If you mended them, and nothing uses the model yet, begin again:"
            " docs/first-hour.md, 4."
        )
        raise ArchiveMismatchError(error.what, remedy=f"{error.remedy} {begin_again}") from error


def register(job: Job, request: Request) -> Answer:
    """Register what was asked for; the same input again changes nothing.

    Raises:
        UsageError: there is nothing to register, or a pickle that nobody said is trusted.
        PersonNeededError: a file of the archive cannot be read, or the version to adopt is not
            there.
    """
    job.begin()
    for folder in (job.settings.new_data_dir, job.settings.used_data_dir):
        folder.mkdir(parents=True, exist_ok=True)
    recovered = finish_what_a_dead_cycle_left(job, replacing=request.names_a_source)
    if recovered.lost is not None:
        recovered = _without_production(job, recovered)
    _check_the_archive(job, recovered)
    if not request.names_a_source:
        request = replace(request, model=_model_in_its_folder(job))
    if not request.names_a_source:
        newest = next(reversed(job.registry.versions("approved")), None)
        if newest is not None and _nothing_changed_since(job, recovered, newest):
            return say_again(job, recovered, newest, set_alias=request.set_alias)
        request = replace(request, train_from=_archive_to_train_on(job))
    if request.adopt is not None:
        return _adopt(job, recovered, request)
    if request.model is not None:
        return _register_pickle(job, recovered, request)
    return _train(job, recovered, request)


def _nothing_changed_since(job: Job, recovered: Recovered, version: Version) -> bool:
    """Whether training from the archive now would make the version that is there: the same files,
    settings and recipe.
    """
    archived = {file.sha256 for file in archive_by_arrival(job, recovered)}
    if not archived:
        return True  # there is nothing to make another one of
    recipe = load_recipe(job.settings.recipe_path)
    try:
        manifest = job.registry.manifest(version)
    except DamagedModelError:
        return False  # nobody can say; a new version is a way on
    if archived - {*recovered.ledger.archive, *manifest.left_out}:
        return False
    return not changes_since(manifest, shape_of(job.settings, recipe.code_sha256))


def _without_production(job: Job, recovered: Recovered) -> Recovered:
    """A new beginning: nothing is compared with, or rolled back to, a version whose manifest is
    gone.
    """
    kept = dict(recovered.facts.aliases)
    del kept[job.settings.production_alias]
    return recovered._replace(facts=replace(recovered.facts, aliases=kept))


def _model_in_its_folder(job: Job) -> Path | None:
    models = sorted(
        path
        for path in (job.settings.project / "model").glob("*")
        if path.is_file() and not path.name.startswith(".")
    )
    if len(models) > 1:
        raise UsageError(
            f"{len(models)} files are in {models[0].parent}.",
            remedy="Name one of them with --model FILE.",
        )
    return models[0] if models else None


def _archive_to_train_on(job: Job) -> Path:
    if any(not p.name.startswith(".") for p in job.settings.used_data_dir.glob("*")):
        return job.settings.used_data_dir
    raise UsageError(
        f"There is nothing to register: {job.settings.project / 'model'} and"
        f" {job.settings.used_data_dir} are empty.",
        remedy=(
            "Put training files into used_data/ or a pickled estimator into model/, or name them"
            " (--train-from DIR, --model FILE)."
        ),
    )


def _train(job: Job, recovered: Recovered, request: Request) -> Answer:
    recipe = load_recipe(job.settings.recipe_path)
    folder = job.settings.project / str(request.train_from)
    with named_files(job, folder) as named:
        if request.schema:
            choice = Choice(request.schema)
        else:
            archived = archive_by_arrival(job, recovered)
            choice = choose(job, archived, named, _production_schema(job, recovered))
        together = with_named_files(job, recovered, named)
        files = tuple(file for file in together if file.sha256 not in choice.left_out)
        shape = shape_of(job.settings, recipe.code_sha256)
        key = _digest_of(shape, sorted(file.sha256 for file in files))
        same = _registered_before(job, key)
        if same is not None:
            return say_again(job, recovered, same, set_alias=request.set_alias)
        plan = make_plan(job, recovered, files, choice, recipe.sha256, shape, reserve=True, key=key)
        plan, estimator = _trained(job, recipe, plan)
        # a recipe that fails has moved no file
        bring_into_the_archive(job, folder, named)
    plan = replace(plan, files=in_the_archive(job, plan.files))
    by_sha = {file.sha256: file for file in plan.files}
    reserved: list[Section] = []
    for file in plan.manifest.held_out:
        reserved += [Section(by_sha[file.sha256], rows) for rows in file.reserved]
    sections = reserved or whole_files(unseen_files(job, plan.files, plan.schema))
    made = Made(estimator, recipe.text, tuple(pip_requirements(recipe)))
    return add_version(job, recovered, plan, made, sections, set_alias=request.set_alias)


def _production_schema(job: Job, recovered: Recovered) -> Schema | None:
    """How production reads files; None where nothing serves."""
    holder = recovered.facts.aliases.get(job.settings.production_alias)
    production = None if holder is None else load_model(job.registry, holder)
    return None if production is None else production.schema


def _trained(job: Job, recipe: Recipe, plan: Plan) -> tuple[Plan, Any]:
    """The estimator that the recipe makes of the learned rows, and the plan with their number."""
    by_sha = {file.sha256: file for file in plan.files}
    with job.stage("training"):
        parts = [
            (by_sha[file.sha256], ranges_outside(file.rows, file.reserved))
            for file in with_reservations(plan)
        ]
        learned = rows_to_learn(job, recipe, parts, plan.schema)
        needs_probabilities = job.settings.needs_probabilities
        estimator = learned.fit(recipe, needs_probabilities=needs_probabilities).estimator
    manifest = replace(
        plan.manifest,
        training_rows=learned.rows,
        sampled=learned.sampled,
        in_parts=learned.in_parts,
        row_limit=job.settings.max_training_rows,
    )
    return replace(plan, manifest=manifest), estimator


def _trusted_pickle(request: Request) -> Path:
    """The file that was named, unless nobody said that its code may run."""
    path = Path(str(request.model))
    if not path.is_file():
        raise UsageError(
            f"The model file {path} is not there.",
            remedy="Name a file with --model, relative to the working directory.",
        )
    if not request.trust_pickle:
        raise UsageError(
            f"{path} is a pickle, and loading a pickle runs the code in it: it was not loaded.",
            remedy="If you trust where it comes from, say so with --trust-pickle.",
        )
    return path


def _register_pickle(job: Job, recovered: Recovered, request: Request) -> Answer:
    path = _trusted_pickle(request)
    from retraining.model_registry.clean_process import try_in_a_clean_process  # brings MLflow

    files = archive_by_arrival(job, recovered)
    named = (data_file(request.example),) if request.example else ()
    shape = shape_of(job.settings, None)
    key = _digest_of(shape, [sha256_of(path), *(file.sha256 for file in named)])
    same = _registered_before(job, key)
    if same is not None:
        return say_again(job, recovered, same, set_alias=request.set_alias)
    examples = named or files
    if not examples:
        raise UsageError(
            "A pickled model does not say which columns it takes.",
            remedy="Name a file of rows with --example, or put some into used_data/.",
        )
    estimator = load_pickle(path, job.settings.project)
    plan = make_plan(
        job,
        recovered,
        files,
        Choice(schema_of(job, examples)),
        sha256_of(path),
        shape,
        reserve=False,
        key=key,
    )
    requirements = requirements_of_packages(packages_of(estimator))
    rows = _some_rows(job, examples, plan.schema)
    unseen = unseen_files(job, plan.files, plan.schema)
    text = f"# registered from the pickle {path.name}, SHA-256 {sha256_of(path)}\n"
    _refuse_one_that_does_not_fit(str(path), estimator, rows, plan.schema, with_probabilities=False)
    try_in_a_clean_process(estimator, plan.schema, requirements, rows)
    made = Made(estimator, text, tuple(requirements))
    return add_version(job, recovered, plan, made, whole_files(unseen), set_alias=request.set_alias)


def _some_rows(job: Job, files: Sequence[DataFile], schema: Schema) -> pd.DataFrame:
    """The first rows of each file, labelled ones, some two hundred together."""
    each = math.ceil(ROWS_TRIED / len(files))
    facts = job.tables.validate_many(files, schema)
    counts = [0 if isinstance(one, UnreadableFileError) else one.rows for one in facts]
    parts = [
        (file, [(0, min(count, each))]) for file, count in zip(files, counts, strict=True) if count
    ]
    rows, _ = job.tables.features_and_labels(parts, schema)
    return rows


def _refuse_one_that_does_not_fit(
    name: str,
    estimator: Any,
    rows: pd.DataFrame,
    schema: Schema,
    *,
    with_probabilities: bool,
) -> None:
    """Raise UsageError where the model fails on rows of the schema, or answers by what is none of
    its classes.
    """
    # true labels and blocks, which are not asked for
    nobody_knows = np.zeros(len(rows), dtype=np.int64)
    try:
        chunks = [(rows, nobody_knows, nobody_knows)]
        predict(estimator, chunks, schema, with_probabilities=with_probabilities)
    except DamagedModelError as error:
        raise UsageError(
            f"{name} does not fit the data. {error}",
            remedy=(
                "Name a file of rows that it can predict with --example, and in IGNORE_COLUMNS what"
                " it does not take."
            ),
        ) from error


def _adopt(job: Job, recovered: Recovered, request: Request) -> Answer:
    number = int(str(request.adopt))
    version = job.registry.version(number)
    if version is None:
        raise PersonNeededError(
            f"There is no version {number} of {job.settings.model_name!r}.",
            remedy="Look its number up in the MLflow UI.",
        )
    if version.is_ours and recovered.lost != number:
        text = f"v{number} is known to this job already; nothing was changed."
        mark_the_end(job, recovered.facts)
        return Answer({"version": number, "changed": False}, text)
    files = archive_by_arrival(job, recovered)
    examples = (data_file(request.example),) if request.example else files
    if not examples:
        raise UsageError(
            "Adopting needs rows to take columns from.",
            remedy="Name a file of rows with --example, or put some into used_data/.",
        )
    plan = make_plan(
        job,
        recovered,
        files,
        Choice(schema_of(job, examples)),
        "",
        shape_of(job.settings, None),
        reserve=False,
        key=_digest_of(shape_of(job.settings, None), ["adopted", str(number)]),
    )
    _try_on_rows(job, version, examples, plan.schema)
    run_id = begin_run(job, plan.cycle_id, plan.started)
    before = recovered.left.production_version
    previous = before if before != number else None
    marks = replace(plan.marks, previous=previous, reason="adopted by a person")
    manifest = replace(plan.manifest, origin="adopted", champion=before)
    job.registry.adopt(version, manifest, marks)
    finish(job, recovered, plan, run_id, number, None)
    text = (
        f"Adopted v{number}: it is assumed to have learned the {len(files)} files of"
        f" {job.settings.used_data_dir}."
    )
    return Answer({"version": number, "changed": True}, text)


def _try_on_rows(job: Job, version: Version, files: Sequence[DataFile], schema: Schema) -> None:
    """Ask the version for what a cycle will ask it for, before anything is written.

    Raises:
        DamagedModelError: it cannot be loaded; or it is ours, and its files are not those that were
            registered.
        UsageError: it cannot predict these rows.
    """
    registry = job.registry
    load = registry.model if version.is_ours else registry.model_of_another
    _refuse_one_that_does_not_fit(
        f"v{version.number}",
        load(version),
        _some_rows(job, files, schema),
        schema,
        with_probabilities=job.settings.needs_probabilities,
    )


def _digest_of(shape: Shape, made_of: Sequence[str]) -> str:
    """What tells a registration from another: the settings and recipe that shape it, and what it is
    made of.
    """
    content = json.dumps([asdict(shape), list(made_of)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _registered_before(job: Job, key: str) -> Version | None:
    """The version that was made of the same; one whose manifest is gone is no use to anybody."""
    for version in job.registry.versions(attempt_key=key):
        try:
            job.registry.manifest(version)
        except DamagedModelError:
            continue
        return version
    return None
