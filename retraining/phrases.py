"""How several things, and intervals, are put into one line of text.

Standard library only: settings and closed gates speak too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retraining.records import Copies

DELIVER_WHAT_IS_NEW = (
    "Deliver only what is new: no dump of the whole table, and no rows a second time."
)
WORTH_A_WORD = 0.01  # the share of copies from which people are told of them


def first_few(texts: Iterable[str], limit: int) -> str:
    """The first texts, separated by commas, and how many more there are.

    >>> first_few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    everything = list(texts)
    shown = ", ".join(everything[:limit])
    left_out = len(everything) - limit
    return f"{shown} and {left_out:,} more" if left_out > 0 else shown


def likely_meant(name: str, known: Iterable[str]) -> str | None:
    """The known name that a slip of the keyboard may have meant; capitals make no difference.

    >>> likely_meant("rocauc", ["accuracy", "roc_auc"])
    'roc_auc'
    """
    from difflib import get_close_matches  # a start whose names are right makes no guess

    by_small_letters = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), by_small_letters, n=1)
    return by_small_letters[near[0]] if near else None


def escaped(text: str) -> str:
    r"""The text with what cannot be printed shown by its code, such as control characters.

    >>> escaped("a\tb")
    'a\\tb'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text
    )


def how_many(number: int, one: str, several: str | None = None) -> str:
    """A number with its noun.

    >>> how_many(1, "batch", "batches"), how_many(1500, "row")
    ('1 batch', '1,500 rows')
    """
    noun = one if number == 1 else several or f"{one}s"
    return f"{number:,} {noun}"


def gained_or_lost(difference: float, interval: tuple[float, float] | None = None) -> str:
    """A difference in plain words.

    A negative difference is written as a loss, with its interval seen from that side.

    >>> gained_or_lost(0.012, (-0.003, 0.021)), gained_or_lost(-0.0205, (-0.03, -0.01))
    ('gained 0.0120 [-0.0030, +0.0210]', 'lost 0.0205 [+0.0100, +0.0300]')
    """
    verb = "lost" if difference < 0 else "gained"
    return f"{verb} {size_of(difference, interval)}"


def size_of(difference: float, interval: tuple[float, float] | None = None) -> str:
    """A difference without its sign, and its interval seen from the same side.

    >>> size_of(-0.0205, (-0.03, -0.01))
    '0.0205 [+0.0100, +0.0300]'
    """
    text = f"{abs(difference):.4f}"
    if interval is None:
        return text
    shown = interval if difference >= 0 else (-interval[1], -interval[0])
    return f"{text} {in_brackets(shown)}"


def in_brackets(interval: tuple[float, float], form: str = "+.4f") -> str:
    """Both ends of an interval in one format.

    >>> in_brackets((-0.01, 0.25)), in_brackets((0.8, 0.9), ".1f")
    ('[-0.0100, +0.2500]', '[0.8, 0.9]')
    """
    low, high = interval
    return f"[{low:{form}}, {high:{form}}]"


def copies_in_words(copies: Copies, which: str = "new") -> str:
    """How many rows a score left out as copies of learned ones, and how many it counts because
    their label is another now; empty where hardly any.

    >>> from retraining.records import Copies
    >>> words = copies_in_words(Copies(rows=90, of=120, files=2))
    >>> words.partition(", in 2 files, ")[0]
    '90 of 120 new rows (75 %)'
    >>> words.partition(": ")[2]
    'is each file a full dump?'
    >>> copies_in_words(Copies(of=120, relabelled=30))
    '30 of 120 new rows (25 %) were seen before with another label, and count as corrections'
    """
    facts = []
    if copies.share >= WORTH_A_WORD:
        copied = f"{_of_all(copies.rows, copies, which)}, in {how_many(copies.files, 'file')}"
        left_out = f"{copied}, are copies of rows seen before and were left out"
        facts.append(f"{left_out}: is each file a full dump?" if copies.most else left_out)
    if copies.relabelled and copies.relabelled >= WORTH_A_WORD * copies.of:
        relabelled = _of_all(copies.relabelled, copies, which)
        facts.append(f"{relabelled} were seen before with another label, and count as corrections")
    return "; ".join(facts)


def _of_all(rows: int, copies: Copies, which: str) -> str:
    share = f"{rows / copies.of:.0%}".replace("%", " %")
    return f"{rows:,} of {copies.of:,} {which} rows ({share})"


def traffic_in_words(rows: int, agreement: float | None, failures: int) -> str:
    """How a challenger answered the last rows of the prediction log."""
    fails = "it fails on none" if not failures else f"it fails on {failures:,}"
    same = (
        "" if agreement is None else f"the challenger answers {agreement:.1%} as production did, "
    )
    return f"of the last {how_many(rows, 'logged row')} {same}{fails}"
