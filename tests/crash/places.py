"""Places that surround a verb of the job: there a start is killed, or a person acts.

Places inside a verb, such as between two files, are kill points in the code itself.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from retraining.kill_points import kill_point

if TYPE_CHECKING:
    from collections.abc import Callable


class Beside(NamedTuple):
    """Just before or after each call of a verb; `verb` is `module:name` as its caller finds it."""

    when: Literal["before", "after"]
    verb: str


CYCLE, COMMANDS = "retraining.cycle", "retraining.commands"
MODEL = "retraining.model_registry.registered_model:RegisteredModel"
VERSIONS = "retraining.model_registry.registration:Registration"

PLACES: dict[str, tuple[Beside, ...]] = {
    # the way to the gate
    "after_lock": (Beside("before", f"{COMMANDS}.run:_tell_the_start"),),
    "after_recovery": (Beside("after", f"{CYCLE}.recovery:save_ledger"),),
    "after_claim": (Beside("after", f"{CYCLE}.claiming:claim_as_seen"),),
    "after_run_creation": (
        Beside("after", f"{CYCLE}.opening:begin_run"),
        Beside("after", f"{CYCLE}.books:begin_run"),
    ),
    # deciding
    "after_scoring": (Beside("after", f"{CYCLE}.monitoring:monitor"),),
    "mid_training": (
        Beside("before", f"{CYCLE}.learning:train"),
        Beside("before", f"{CYCLE}.learning:train_in_parts"),
    ),
    "after_version_creation": (Beside("after", f"{CYCLE}.training:train_challenger"),),
    "after_comparison": (Beside("after", f"{CYCLE}.comparing:compare_on"),),
    # the one act
    "before_losing_tag": (Beside("before", f"{MODEL}.mark"),),
    "after_losing_tag": (Beside("after", f"{MODEL}.mark"),),
    "before_winning_tag": (Beside("before", f"{MODEL}.mark"),),
    "after_winning_tag": (Beside("after", f"{MODEL}.mark"),),
    "before_challenger": (Beside("before", f"{MODEL}.set_alias"),),
    "after_challenger": (Beside("after", f"{MODEL}.set_alias"),),
    "before_commit": (Beside("after", f"{CYCLE}.promotion:_mark_challenger"),),
    "after_commit": (Beside("after", f"{MODEL}.set_alias"),),
    "after_approved": (Beside("before", f"{CYCLE}.commit:point_back"),),
    "before_roll_back": (Beside("before", f"{CYCLE}.promotion:put_back"),),
    "mid_roll_back": (Beside("after", f"{MODEL}.set_alias"),),
    "after_roll_back": (
        Beside("after", f"{CYCLE}.promotion:put_back"),
        Beside("after", f"{COMMANDS}.rollback:put_back"),
    ),
    # the end
    "before_run_ends": (Beside("before", f"{CYCLE}.books:end_run"),),
    "after_run_ends": (Beside("after", f"{CYCLE}.books:end_run"),),
    "after_leaving": (Beside("after", f"{MODEL}.leave"),),
    "before_unlock": (Beside("after", f"{CYCLE}.closing:close"),),
    "before_notices": (Beside("before", f"{COMMANDS}.run:_tell_the_end"),),
    # commands and registrations
    "rollback_after_hold": (Beside("after", f"{MODEL}.hold"),),
    "rollback_after_tag": (Beside("before", f"{COMMANDS}.rollback:put_back"),),
    "forget_after_tag": (Beside("after", f"{MODEL}.withdraw"),),
    "after_withdrawal": (Beside("before", f"{COMMANDS}.forget:save_ledger"),),
    "before_approval": (Beside("before", f"{MODEL}.set_alias"),),
    "after_approval": (Beside("after", f"{MODEL}.set_alias"),),
    "reject_after_tag": (Beside("before", f"{MODEL}.drop_alias"),),
    "after_rejection": (Beside("after", f"{MODEL}.drop_alias"),),
    "after_first_version": (Beside("after", f"{VERSIONS}.register"),),
    "after_first_alias": (Beside("before", "retraining.registering.adding:finish"),),
}


def surround(place: str) -> None:
    """Make a place a kill point in this process; nothing where the code has one of that name."""
    for beside in PLACES.get(place.partition(":")[0], ()):
        _wrap(beside, place.partition(":")[0])


def _wrap(beside: Beside, place: str) -> None:
    owner, name = find(beside.verb)
    setattr(owner, name, _marked(getattr(owner, name), beside.when, place))


def find(verb: str) -> tuple[Any, str]:
    """The module or class that holds a verb, and the verb's name in it."""
    module, _, path = verb.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    return owner, name


def _marked(verb: Callable[..., Any], when: str, place: str) -> Callable[..., Any]:
    @functools.wraps(verb)
    def marked(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            kill_point(place)
        answer = verb(*arguments, **named)
        if when == "after":
            kill_point(place)
        return answer

    return marked
