"""Before files are touched: who holds the alias, is it ours, and is the archive what the registry
says.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from retraining.cycle.books import HEAD, files_archived_by
from retraining.cycle.fitting_settings import problems_of_names
from retraining.errors import (
    ArchiveMismatchError,
    DamagedModelError,
    NoProductionModelError,
    SettingsError,
    UnknownVersionError,
)
from retraining.logs import log
from retraining.model_registry.production import Model, load_model
from retraining.phrases import first_few

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from retraining.cycle.job import Recovered
    from retraining.ledger import Ledger
    from retraining.model_registry.interface import Registry
    from retraining.project import Project
    from retraining.records import Manifest, RegistryFacts, Version
    from retraining.settings import Settings

ORCHESTRATOR = "python pipeline_orchestrator.py"
REGISTER = "python register_first_model.py"
NAMES_SHOWN = 5
RESTORE_MODEL = "UPDATE logged_models SET lifecycle_stage = 'active' WHERE model_id = '{}'"
GONE_WITH_GC = "`mlflow gc` would remove its files for good."
NOT_THERE = "a file that is not there: was it moved, is its disk mounted?"


def find_production(project: Project, recovered: Recovered) -> Model:
    """The version that holds the production alias.

    Raises:
        NoProductionModelError: nobody holds it.
        UnknownVersionError: the version that holds it is not one of this job's.
        ArchiveMismatchError: a file that past versions were made from is missing from the archive.
    """
    version = _holder_of_the_alias(project, recovered)
    model = Model.of(version, project.registry)
    for deleted in deleted_of(project, version):
        log.warning("%s %s", *deleted)
    _settings_must_fit(project.settings, model)
    check_the_archive(
        project,
        recovered.ledger,
        unless=left_to_archive(recovered.facts, model.version, model.manifest),
    )
    return model


def _holder_of_the_alias(project: Project, recovered: Recovered) -> Version:
    settings = project.settings
    alias, name = settings.production_alias, settings.model_name
    holder = recovered.facts.aliases.get(alias)
    # MLflow 3.14 leaves an alias on a version that was deleted; later ones drop it with the
    # version.
    version = None if holder is None else project.registry.version(holder)
    if version is None:
        if recovered.facts.left is None and store_is_away(settings):
            raise no_store(settings)
        if not project.registry.versions():
            raise no_model(project)
        store = public_uri(settings.mlflow_tracking_uri)
        raise NoProductionModelError(
            f"No version of the registered model {name!r} holds the alias {alias!r} in {store}.",
            remedy=how_to_assign(alias, name, *best_to_hold_it(project, recovered)),
        )
    if not version.is_ours:
        raise UnknownVersionError(
            f"The alias {alias!r} of {name!r} is on version {holder}, which this job does not"
            " know.",
            remedy=(
                f"Adopt it with `{REGISTER} --adopt {holder}`, or move the alias back to a"
                " version of this job."
            ),
        )
    return version


def _settings_must_fit(settings: Settings, model: Model) -> None:
    """The columns and classes that settings name are the version's, and METRIC can score it."""
    from retraining.statistics import check_metric, metric

    problems = problems_of_names(settings, model.schema, model.number)
    if problems:
        raise SettingsError(problems, where=str(settings.project))
    try:
        check_metric(metric(settings.metric), len(model.schema.classes))
    except ValueError as error:
        raise SettingsError((f"METRIC: {error}",), where=str(settings.project)) from error


class Deleted(NamedTuple):
    """What a person deleted, and how it is restored."""

    what: str
    remedy: str


def deleted_of(project: Project, version: Version) -> tuple[Deleted, ...]:
    """What to say where the run or the logged model of a version lies in MLflow's bin."""
    found = (_deleted_run(project.registry, version), _deleted_model(project, version))
    return tuple(deleted for deleted in found if deleted is not None)


def _deleted_run(registry: Registry, version: Version) -> Deleted | None:
    run_id = registry.run_in_bin(version)
    if run_id is None:
        return None
    remedy = f"`mlflow runs restore --run-id {run_id}`, with MLFLOW_TRACKING_URI set to this store."
    return Deleted(f"The run of v{version.number} was deleted; {GONE_WITH_GC}", remedy)


def _deleted_model(project: Project, version: Version) -> Deleted | None:
    model_id = project.registry.model_in_bin(version)
    if model_id is None:
        return None
    what = f"The logged model of v{version.number} ({model_id}) was deleted; {GONE_WITH_GC}"
    restore = _in_the_database(project.settings, RESTORE_MODEL.format(model_id))
    return Deleted(what, f"MLflow has no command that restores it. In its database: `{restore}`.")


def _in_the_database(settings: Settings, statement: str) -> str:
    """How to run a statement; the bare one where the store is no sqlite file."""
    store = settings.mlflow_tracking_uri
    file = store.removeprefix("sqlite:///")
    return statement if file == store else shlex.join(["sqlite3", unquote(file), statement])


def store_is_away(settings: Settings) -> bool:
    """Whether the store is a sqlite file that is not there: a folder that was moved, a disk that is
    not mounted, or a project that has registered nothing yet.
    """
    store = settings.mlflow_tracking_uri
    path = store.removeprefix("sqlite:///")
    return path != store and not Path(unquote(path.partition("?")[0])).is_file()


def store_was_lost(project: Project) -> bool:
    """Whether the store is away though this project had one: a cycle or a registration left its
    note here, or the service logged predictions of a version.

    Raises:
        PredictionLogError: the log cannot be reached or read.
    """
    if not store_is_away(project.settings):
        return False
    if project.state.read(HEAD):
        return True
    from retraining.sources.predictions import looking  # loads the log's driver

    logged = looking.counts(project.settings, None)
    return logged is not None and logged.logged > 0


def no_store(settings: Settings) -> NoProductionModelError:
    """What to say where the store is away."""
    store = public_uri(settings.mlflow_tracking_uri)
    return NoProductionModelError(
        f"No version of the registered model {settings.model_name!r} holds the alias"
        f" {settings.production_alias!r} in {store}, {NOT_THERE}",
        remedy=(
            "Bring it back; or, if it moved for good, set MLFLOW_TRACKING_URI to where it is now"
            f" and run `{ORCHESTRATOR} relocate`. Only a project that never had a model:"
            f" `{REGISTER} --set-alias` registers a first one."
        ),
    )


def no_model(project: Project) -> NoProductionModelError:
    """What to say where the store has no version at all under this name: the project is new, or a
    person renamed or deleted the model.
    """
    settings = project.settings
    name, first = settings.model_name, f"`{REGISTER} --set-alias`"
    others = project.registry.models_of_this_job()
    remedy = (
        f"Run {first}, which registers a first model; but if this project had one, it was deleted"
        " in MLflow, or this is another store: then restore the store's backup, or correct"
        " MLFLOW_TRACKING_URI."
    )
    there = ""
    if others:
        there = f"; there are models of this job called {first_few(others, NAMES_SHOWN)}"
        remedy = (
            f"If {name!r} was given another name in MLflow, set MODEL_NAME to it, or give it its"
            f" name back. Only a project that never had a model: {first} registers a first one."
        )
    store = public_uri(settings.mlflow_tracking_uri)
    return NoProductionModelError(
        f"No version of the registered model {name!r} holds the alias"
        f" {settings.production_alias!r} in {store}: it has no version there{there}.",
        remedy=remedy,
    )


def best_to_hold_it(project: Project, recovered: Recovered) -> tuple[int | None, str]:
    """The version to give the alias to, and why that one: it was loaded just now.

    None where there is none to name.
    """
    last = recovered.left.production_version
    if last is None or can_be_loaded(project.registry, last):
        return last, "it held the alias last"
    is_there = project.registry.version(last) is not None
    fate = "cannot be loaded" if is_there else "was deleted"
    number = another_that_loads(project.registry, last, recovered.facts.previous_production)
    return number, "" if number is None else f"version {last} held the alias last and {fate}"


def another_that_loads(registry: Registry, but: int | None, first: int | None = None) -> int | None:
    """A version that may be put into production in place of `but`: it served before and is loaded.

    `first` is tried before all others, then the newest.
    """
    approved = [version.number for version in registry.versions("approved")]
    candidates = dict.fromkeys((first, *reversed(approved)))
    for number in candidates:
        if number is not None and number != but and can_be_loaded(registry, number):
            return number
    return None


def can_be_loaded(registry: Registry, number: int) -> bool:
    """Whether a version is one of ours whose model is there, whole, and loads."""
    try:
        model = load_model(registry, number)
        estimator = None if model is None else model.estimator
    except DamagedModelError:
        return False
    return estimator is not None


def how_to_assign(alias: str, name: str, best: int | None = None, why: str = "") -> str:
    """The advice of `register_first_model.py` and of a cycle that finds no alias.

    `best` is the version to name first.
    """
    if best is not None:
        return (
            f"Open the MLflow UI, Models > {name} > version {best} ({why}) or another > Aliases,"
            f" and add {alias!r}; or run `{ORCHESTRATOR} rollback --to {best}`."
        )
    return (
        f"Open the MLflow UI, Models > {name} > a version > Aliases, and add {alias!r}; or run"
        f" `{REGISTER} --set-alias`, which gives it to the newest, and registers a first model"
        " where there is none."
    )


def left_to_archive(
    facts: RegistryFacts, production: Version, manifest: Manifest
) -> Mapping[str, str]:
    """SHA-256 -> name of what the next start archives: its version got the alias, and its promotion
    was not finished.

    Only those who look without recovering first, such as `check` and a dry run, ever find any.
    """
    last = facts.left.production_version if facts.left is not None else None
    finished = production.status in ("approved", "rolled_back") and (
        last is None or production.number <= last
    )
    return {} if finished else files_archived_by(manifest)


def check_the_archive(project: Project, ledger: Ledger, unless: Container[str] = ()) -> None:
    """Every file that registrations found and promotions consumed must still be in the archive,
    byte for byte.
    """
    present = project.inbox.archived()
    missing = {
        sha: name
        for sha, name in ledger.archive.items()
        if sha not in present and sha not in unless
    }
    if missing:
        named = [f"{name} ({sha[:12]})" for sha, name in missing.items()]
        shown = first_few(named, 5)
        if len(missing) == len(ledger.archive):
            raise _not_one_is_here(project, missing, shown)
        raise ArchiveMismatchError(
            f"{len(missing)} learned files are missing from {project.settings.used_data_dir}, or"
            f" were changed there: {shown}.",
            remedy=_moved_by_hand(project, missing)
            or (
                f"Restore them from a backup, or withdraw each with `{ORCHESTRATOR} forget SHA"
                " --why TEXT`."
            ),
        )


def _not_one_is_here(
    project: Project, missing: Mapping[str, str], shown: str
) -> ArchiveMismatchError:
    """Two projects under one name, most likely: `forget` would withdraw the other one's files."""
    settings = project.settings
    store = public_uri(settings.mlflow_tracking_uri)
    return ArchiveMismatchError(
        f"The registered model {settings.model_name!r} in {store} may belong to another project:"
        f" not one of its {len(missing)} learned files is in {settings.used_data_dir}, or they were"
        f" all changed there: {shown}.",
        remedy=_moved_by_hand(project, missing)
        or (
            "If it is another project's, set MODEL_NAME to a name of this project's own. If it is"
            " this project's, restore the files from a backup."
        ),
    )


def _moved_by_hand(project: Project, missing: Mapping[str, str]) -> str | None:
    """What to do where files of the same names lie in another folder of the project: a person moved
    them there, perhaps to have them learned again.
    """
    settings = project.settings
    for folder in (settings.new_data_dir, settings.quarantine_dir):
        there = [name for name in missing.values() if (folder / name).is_file()]
        if there:
            return (
                f"Files with the names of {len(there)} of them lie in {folder}, such as"
                f" {there[0]!r}: move them back to {settings.used_data_dir} if they are the same."
                " A learned file is learned again without being moved."
            )
    return None


def strangers_in_the_archive(project: Project, ledger: Ledger) -> tuple[str, ...]:
    """Names in the archive that no registration found and no promotion brought: reported, never
    learned.
    """
    strangers: list[str] = []
    for sha, names in project.inbox.archived().items():
        if sha not in ledger.archive:
            strangers += names
    return tuple(strangers)


def public_uri(uri: str) -> str:
    """An address without its user and password."""
    scheme, separator, rest = uri.partition("://")
    host, _, _ = rest.partition("/")
    if "@" not in host:
        return uri
    _, _, public = rest.rpartition("@")
    return f"{scheme}{separator}{public}"
