"""What of the traffic a person should act on between two cycles, each with what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from retraining.notices.alerts import alert

if TYPE_CHECKING:
    from collections.abc import Mapping

TrafficAlertKind = Literal["data_drift", "concept_drift", "estimate_low"]


@dataclass(frozen=True)
class TrafficAlert:
    """Something that holds now; `numbers` are those that it rests on."""

    kind: TrafficAlertKind
    what: str
    action_required: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a line of `alerts.jsonl` has it, without time and cycle; `try` is what all alerts have."""
        line = alert(self.kind, self.what, self.action_required, **self.numbers)
        return {**line, "action_required": self.action_required}
