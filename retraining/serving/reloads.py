"""A version that cannot be served becomes a line of `alerts.jsonl`.

Once for each version and reason, also after a restart.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retraining.logs import log
from retraining.notices import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.serving.production import Outcome, Standing
    from retraining.settings import Settings

KIND = "reload_failed"


class ReloadAlerts:
    """Writes `reload_failed`; told by `Production` of every attempt."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def tried(self, version: int, outcome: Outcome, why: str) -> None:
        """Tell a person, unless the same was told before."""
        if outcome == "loaded" or (version, why) in set(self._alerts()):
            return
        settings = self._settings
        remedy = (
            f"Run `{settings.command} check`; until then the version before answers. "
            f"Move the alias {settings.production_alias!r} to another version to end this."
        )
        head = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "cycle": None}
        line = {**head, **alerts.alert(KIND, why, remedy, version=version)}
        try:
            alerts.append(settings.state_dir, [line])
        except OSError as error:
            log.warning("%s could not be written: %s", alerts.NAME, error)

    def stands(self, standing: Standing) -> None:
        """A look that changed nothing is no alert."""

    def _alerts(self) -> Iterator[tuple[int, str]]:
        """Version and reason of the alerts of this kind that are in the file."""
        with suppress(OSError):
            lines = (self._settings.state_dir / alerts.NAME).read_text().splitlines()
            for line in lines:
                with suppress(ValueError, KeyError, TypeError):
                    alert = json.loads(line)
                    if alert["kind"] == KIND:
                        yield alert["numbers"]["version"], alert["what"]
