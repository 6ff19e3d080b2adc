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
    """Export what is new; of sources that fail the first is remembered, and the files at hand are served all the same."""
    for source in job.sources:
        if source.has_news():
            _fetch_from(job, source)


def _fetch_from(job: Job, source: Source) -> None:
    from retraining.errors import CredentialsRefusedError, UnreachableError
    from retraining.logs import log
    from retraining.serialisation import schema_from_json

    content = job.state.read(SCHEMA)
    schema = None if content is None else schema_from_json(content)
    try:
        with job.stage(f"export from {source.name}"):
            found = source.fetch(schema, job.now)
    except (UnreachableError, CredentialsRefusedError) as error:
        log.warning("%s", error.what)
        job.tally.source_error = job.tally.source_error or error
        return
    log.info(
        "%s: %d rows in %d files, %d refused",
        source.name,
        found.rows,
        len(found.files),
        found.refused,
    )
