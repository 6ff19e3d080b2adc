"""Before the gate: let the sources put their new rows into the inbox as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.records import Schema


SCHEMA = "schema"  # this machine's copy of the production version's


def note_the_schema(job: Job, schema: Schema) -> None:
    """Keep the production version's schema, so that an export need not ask the registry."""
    from retraining.serialisation import schema_to_json

    job.state.write(SCHEMA, schema_to_json(schema))


def fetch(job: Job) -> None:
    """Export what is new, once a start; a source that fails is remembered, and the files at hand are served all the same."""
    if not job.settings.uses_mongodb or job.dry_run or job.fetched:
        return
    from retraining.errors import CredentialsRefusedError, UnreachableError
    from retraining.logs import log
    from retraining.serialisation import schema_from_json
    from retraining.sources import mongodb

    job.fetched = True
    content = job.state.read(SCHEMA)
    try:
        with job.stage("export from MongoDB"):
            schema = None if content is None else schema_from_json(content)
            found = mongodb.fetch(job.settings, schema, job.settings.new_data_dir, clock=job.now)
        log.info(
            "MongoDB: %d documents in %d files, %d refused",
            found.documents,
            len(found.files),
            found.refused,
        )
    except (UnreachableError, CredentialsRefusedError) as error:
        log.warning("%s", error.what)
        job.source_error = error
