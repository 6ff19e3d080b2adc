"""The templates, and the words that they may use."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from retraining.phrases import how_many
from retraining.report import words
from retraining.report.verdict import name

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATES = Path(__file__).parent / "templates"


def typeset(text: str) -> str:
    """Numbers as a page sets them: a minus sign for the hyphen, no line break inside `84.2 %` or `[81.0, 87.1]`, a dash for nothing."""
    if text == words.NOTHING:
        return "\N{EN DASH}"
    text = re.sub(r"(?<![\w-])-(?=\d)", "\N{MINUS SIGN}", text)
    text = re.sub(r"(\[\S+,) (\S+\])", "\\1\N{NO-BREAK SPACE}\\2", text)
    return re.sub(r"(?<=\d) (?=%|points\b)", "\N{NO-BREAK SPACE}", text)


def render_template(template: str, **context: Any) -> str:
    """The page that a template makes of a context; everything that is not markup of ours is escaped."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "value": _typeset(words.value_text),
        "gain": _typeset(words.gain_text),
        "count": how_many,
        "ending": words.ending_words,
        "printable": words.printable,
        "named": name,
        "script_policy": "",
    }
    return environment


def _typeset(tell: Callable[..., str]) -> Callable[..., str]:
    def told(*arguments: Any) -> str:
        return typeset(tell(*arguments))

    return told
