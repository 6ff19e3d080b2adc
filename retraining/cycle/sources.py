"""Before the gate: let the sources put their new rows into the inbox as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.project import Project
    from retraining.records import Schema
    from retraining.sources import Source


SCHEMA = "schema"  # this machine's copy of the production version's


def note_the_schema(project: Project, schema: Schema) -> None:
    """Keep the production version's schema, so that an export need not ask the registry."""
    from retraining.serialisation import schema_to_json

    project.state.write(SCHEMA, schema_to_json(schema))


def fetch(job: Job) -> None:
    """Export what is new; a dry run only says where that is.

    Of sources that fail the first is remembered, and the files at hand are served all the same.
    """
    if job.dry_run:
        _say_what_a_dry_run_leaves(job)
    if not job.sources:
        return
    schema = noted_schema(job)
    for source in job.sources:
        if not source.has_news(schema, job.now):
            continue
        if schema is None and source.needs_schema:
            schema = _schema_in_registry(job)
        _fetch_from(job, source, schema)


def _say_what_a_dry_run_leaves(job: Job) -> None:
    from retraining.logs import log
    from retraining.sources import sources_of

    schema = noted_schema(job)
    for source in sources_of(job.settings):
        if source.has_news(schema, job.now):
            what = "may have new rows, which a cycle exports first: a dry run decides without them"
            log.warning("%s %s", source.name, what)


def noted_schema(project: Project) -> Schema | None:
    """The production version's schema as this machine noted it, where it did."""
    from retraining.serialisation import schema_from_json

    content = project.state.read(SCHEMA)
    return None if content is None else schema_from_json(content)


def _schema_in_registry(project: Project) -> Schema | None:
    """The production version's schema, noted for the next start; None if it is not known."""
    from retraining.errors import RetrainingError
    from retraining.logs import log

    registry = project.registry
    try:
        holder = registry.facts().aliases.get(project.settings.production_alias)
        version = None if holder is None else registry.version(holder)
        if version is None or not version.is_ours:
            return None
        schema = registry.manifest(version).schema
    except RetrainingError as error:
        log.warning("the schema of production is not known: %s", error.what)
        return None
    note_the_schema(project, schema)
    return schema


def _fetch_from(job: Job, source: Source, schema: Schema | None) -> None:
    from retraining.errors import CredentialsRefusedError, UnreachableError
    from retraining.logs import log

    try:
        with job.stage(f"export from {source.name}"):
            fetched = source.fetch(schema, job.now)
    except (UnreachableError, CredentialsRefusedError) as error:
        log.warning("%s", error.what)
        job.tally.source_error = job.tally.source_error or error
        return
    job.tally.exported += len(fetched.files)
    log.info(
        "%s: %d rows in %d files, %d refused",
        source.name,
        fetched.rows,
        len(fetched.files),
        fetched.refused,
    )
