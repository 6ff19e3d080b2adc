"""The templates, and the words that they may use."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from retraining.phrases import how_many
from retraining.report import words
from retraining.report.words import name

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATES = Path(__file__).parent / "templates"
# Pictures of reports place their marks by style attributes, which no digest can name.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def typeset(text: str) -> str:
    """Numbers as a page sets them: a minus sign for the hyphen, no line break inside `84.2 %` or
    `[81.0, 87.1]`, a dash for nothing.
    """
    if text == words.NOTHING:
        return "\N{EN DASH}"
    text = re.sub(r"(?<![\w-])-(?=\d)", "\N{MINUS SIGN}", text)
    text = re.sub(r"(\[\S+,) (\S+\])", "\\1\N{NO-BREAK SPACE}\\2", text)
    return re.sub(r"(?<=\d) (?=%|points\b)", "\N{NO-BREAK SPACE}", text)


def render_template(template: str, *, width: str = "", **context: Any) -> str:
    """The page that a template makes of a context.

    Everything that is not markup of ours is escaped.

    Args:
        template: its name.
        width: of the page, as CSS; empty for a part of a page.
        context: what the template may use.
    """
    if width:
        context.setdefault("style", stylesheet("layout.css.j2", width=width))
    return _environment().get_template(template).render(context)


def stylesheet(*templates: str, width: str) -> str:
    """The rules of a page that is so wide."""
    return "".join(_environment().get_template(name).render(width=width) for name in templates)


def script_text(name: str) -> str:
    """A script of ours, as it stands in a page."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def digest_source(text: str) -> str:
    """What a Content-Security-Policy calls a script or style of exactly this text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


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
        "policy": REPORT_POLICY,
    }
    return environment


def _typeset(tell: Callable[..., str]) -> Callable[..., str]:
    def rendered(*arguments: Any) -> str:
        return typeset(tell(*arguments))

    return rendered
