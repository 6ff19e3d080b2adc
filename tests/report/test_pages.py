"""report.html and the index: whole, safe, small, and readable by machines that read aloud."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from retraining.records import (
    ClassResult,
    DataFile,
    Drift,
    FeatureDrift,
    Hindsight,
    Outcome,
    Score,
    SliceResult,
)
from retraining.report import index, page
from retraining.report.material import Distribution, RefusedFile, ReportMaterial
from tests.report import samples


class Reader(HTMLParser):
    """What a browser would see: tags with attributes, visible text, and whether every tag was
    closed in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.open = "", []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "input", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " " if tag in {"td", "th"} else ""

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def words_of(html: str) -> str:
    return re.sub(r"\s+", " ", Reader(html).text.replace("\u00a0", " "))


def full_page(**changes: object) -> str:
    return page(samples.promoted(), material=replace(samples.material(), **changes))


def test_the_page_tells_the_verdict_with_its_numbers() -> None:
    text = words_of(full_page())
    for words in (
        "v8 replaces v7",
        "84.2 % [81.2, 87.2]",
        "+3.1 points [+0.4, +5.8]",
        "1,432 test rows",
        (
            "of the last 1,000 logged rows the challenger answers 93.4% as production did, it fails"
            " on none"
        ),
        "python pipeline_orchestrator.py rollback",
    ):
        assert words in text
    for heading in (
        "By class",
        "By slice",
        "Right and wrong",
        "Probabilities",
        "Drift of the inputs",
        "Files refused",
        "Served score",
        "what became of them",
    ):
        assert heading in text


@pytest.mark.parametrize(
    "html",
    [full_page(), index(samples.records(), reports={"cycle-3": "reports/cycle-3.html"})],
    ids=["report", "index"],
)
def test_pages_are_self_contained_and_read_aloud(html: str) -> None:
    reader = Reader(html)
    assert len(html.encode()) < 1_000_000
    loaded = [
        value
        for _, attributes in reader.tags
        for key, value in attributes.items()
        if key in {"src", "srcset", "xlink:href", "data"}
    ]
    assert not loaded, f"the page would load {loaded}"
    links = [attributes.get("href") for attributes in reader.all("a")]
    assert all(link and "//" not in link for link in links), links
    assert "url(" not in html
    assert "@import" not in html
    assert html.count("<caption") == html.count("<table")
    assert all(attributes.get("scope") in {"col", "row"} for attributes in reader.all("th"))
    pictures = [
        attributes for attributes in reader.all("svg") if attributes.get("aria-hidden") != "true"
    ]
    assert pictures
    assert all(
        attributes.get("role") == "img" and attributes.get("aria-label") for attributes in pictures
    )
    identifiers = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {attributes["aria-labelledby"] for attributes in reader.all("section")} <= set(
        identifiers
    )


@pytest.mark.parametrize(
    "ending",
    [
        "promoted",
        "kept",
        "rejected",
        "awaiting_approval",
        "rolled_back",
        "superseded",
        "failed",
        "too_few_files",
    ],
)
def test_parts_without_material_are_left_out(ending: str) -> None:
    reader = Reader(page(Outcome(ending, "why"), material=ReportMaterial()))
    headings = [attributes["id"] for attributes in reader.all("h2")]
    assert headings == ["undo"]
    assert "Undefined" not in reader.text
    assert "None" not in reader.text
    assert words_of(page(samples.of_ending(ending)))


def test_names_of_strangers_are_text_and_nothing_else() -> None:
    hostile = "</td><script>alert(1)</script><img src=x onerror=alert(2)>"
    html = full_page(
        used=(DataFile(hostile, "0" * 64, samples.Path("x"), 5),),
        refused=(RefusedFile(hostile, "1" * 64, hostile),),
        model_name=hostile,
        test_set=samples.rows_compared((hostile, "up")),
        distributions={hostile: Distribution(("a", hostile), (1, 2), (2, 1))},
    )
    strange = FeatureDrift(hostile, 0.0, None, None, 0.0, 0.0, detected=None, material=None)
    outcome = samples.promoted()._replace(
        reason=hostile,
        drift=Drift(detected=True, material=True, features=(strange,)),
    )
    for text in (
        html,
        page(outcome, material=samples.material()),
        index([replace(samples.records()[0], outcome=Outcome(hostile, hostile))]),
    ):
        reader = Reader(text)
        assert not [
            name for name, attributes in reader.tags if name == "img" or "onerror" in attributes
        ]
        assert len(reader.all("script")) <= 1
    assert "script-src" not in html, "nothing may run in a cycle's page"
    assert "alert(1)" in words_of(html)


def test_the_page_stays_small_with_thousands_of_everything() -> None:
    many = 3000
    drift = Drift(
        detected=True,
        material=True,
        features=tuple(
            FeatureDrift(f"f{i}", 0.5, 0.01, 0.01, 0.0, i / many, detected=True, material=True)
            for i in range(many)
        ),
    )
    names = tuple(f"class {i}" for i in range(60))
    comparison = replace(
        samples.comparison(),
        per_class=tuple(ClassResult(f"c{i}", 3, *([None] * 6)) for i in range(many)),
        slices=tuple(SliceResult(f"s{i}", 200, 9, 0.1, 0.5, vetoes=False) for i in range(many)),
    )
    html = page(
        samples.promoted()._replace(drift=drift, comparison=comparison),
        material=ReportMaterial(
            test_set=samples.rows_compared(names, 20_000),
            distributions={
                f"f{i}": Distribution(("x",) * 500, tuple(range(500)), tuple(range(500)))
                for i in range(many)
            },
            used=tuple(
                DataFile("n" * 300 + str(i), "0" * 64, samples.Path("x"), 5) for i in range(many)
            ),
            refused=tuple(
                RefusedFile("q" * 300 + str(i), "0" * 64, "r" * 5000) for i in range(many)
            ),
            history=samples.records(800),
        ),
    )
    assert len(html.encode()) < 1_000_000
    text = words_of(html)
    assert text.index("f2999") < text.index("f2998"), "worst first"
    assert "2,940 calmer features left out here" in text
    assert "Frequent mistakes" in text


def test_a_probation_of_which_only_the_difference_is_known_shows_that() -> None:
    unknown = Score("accuracy", None, 1008)
    probation = replace(samples.comparison(0.023, 1008), champion=unknown, challenger=unknown)
    outcome = samples.of_ending("kept")._replace(
        probation=probation,
        hindsight=Hindsight(7, 6, True, 0.023, (-0.007, 0.053), 1008),
    )
    text = words_of(page(outcome))
    assert "Probation of v7" in text
    assert "v7 minus v6 +2.3 points" in text
    assert "1,008 fresh rows in 11 blocks" in text
    rolled_back = words_of(page(samples.of_ending("rolled_back")._replace(probation=probation)))
    assert "on 1,008 fresh rows the accuracy of v8 minus that of v7 is +2.3 points" in rolled_back


def test_equal_material_makes_an_equal_page() -> None:
    assert full_page() == full_page()


def test_a_model_without_probabilities_or_scores_still_has_a_page() -> None:
    compared = samples.rows_compared()
    bare = replace(
        compared,
        champion=replace(compared.champion, probabilities=None),
        challenger=replace(compared.challenger, probabilities=None),
    )
    nothing = Score("roc_auc", None, 10)
    comparison = replace(
        samples.comparison(),
        champion=nothing,
        challenger=nothing,
        improvement=None,
        interval=None,
        verdict="not_enough_evidence",
    )
    text = words_of(
        page(
            samples.promoted()._replace(comparison=comparison, metric="roc_auc"),
            material=ReportMaterial(test_set=bare),
        )
    )
    assert "Right and wrong" in text
    assert "Probabilities" not in text


@pytest.mark.parametrize("probability", [np.nan, 0.0, 1.0])
def test_degenerate_probabilities_draw_no_nonsense(probability: float) -> None:
    compared = samples.rows_compared()
    rows = compared.champion.truth.size
    flat = replace(
        compared.champion,
        probabilities=np.column_stack((np.full(rows, 1 - probability), np.full(rows, probability))),
    )
    assert "nan" not in full_page(test_set=replace(compared, champion=flat)).lower().replace(
        "pima", ""
    )


def test_the_index_lists_every_cycle_with_hindsight_beside_it_and_links_its_report() -> None:
    html = index(
        samples.records(),
        hindsight=samples.hindsight(),
        reports={"cycle-7": "reports/cycle-7.html"},
        model_name="classifier",
    )
    reader = Reader(html)
    rows = [attributes for attributes in reader.all("tr") if "data-ending" in attributes]
    assert len(rows) == 30
    assert [attributes["href"] for attributes in reader.all("a")] == ["reports/cycle-7.html"]
    text = words_of(html)
    assert "+2.1 points [+0.4, +3.8] on 4,500 later rows" in text
    table = text[text.index("All cycles") :]
    assert table.index("19 Nov 2026 02:17 UTC") < table.index("18 Nov 2026 02:17 UTC"), (
        "newest first"
    )


def test_a_failed_cycle_at_the_end_hides_neither_the_version_that_serves_nor_the_scores_unit() -> (
    None
):
    records = samples.records()
    failed = replace(
        records[-1],
        number=31,
        cycle_id="cycle-31",
        outcome=Outcome("failed", "the disk"),
        served=None,
    )
    text = words_of(index([*records, failed], serving=4))
    assert "v4 is in production after 31 cycles; the last one ended: failed." in text
    assert "threshold 80.0 %" in text


def test_the_index_of_nothing_says_so() -> None:
    assert "No cycle has run yet." in words_of(index([]))


def test_registrations_are_no_cycles() -> None:
    registered = replace(samples.records()[0], outcome=Outcome("registered", "why"), number=0)
    assert "after 30 cycles" in words_of(index([registered, *samples.records()]))
