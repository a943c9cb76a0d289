"""The page: offline, accessible, inert, and never saying more than was proved."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import tacit.report
from tacit.models.finding import Basis, Finding
from tacit.privacy.guarantee import Guarantee
from tacit.report import DatasetLedger, DpEntry, Edition, ListedEntry, Randomness, StatedGuarantee, Statement, StepSection
from tacit.report.html import page

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)> {{ 7*7 }} $\\frac{"


class Outline(HTMLParser):
    """Collects tags with their attributes, heading levels and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", params=list(Edition))
def outline(request: pytest.FixtureRequest, rendered: dict[Edition, str]) -> Outline:
    return Outline(rendered[request.param])


def test_headings_are_in_order_under_one_title(outline: Outline) -> None:
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_landmarks_tables_and_drawings_are_named(outline: Outline) -> None:
    for landmark in ("main", "header", "footer"):
        assert len(outline.named(landmark)) == 1
    assert outline.named("nav")[0]["aria-label"]
    assert outline.named("html")[0]["lang"] == "en"
    assert all(cell.get("scope") in ("col", "row") for cell in outline.named("th"))
    assert len(outline.named("caption")) == len(outline.named("table"))
    identifiers = {attributes["id"] for _, attributes in outline.tags if "id" in attributes}
    for drawing in outline.named("svg"):
        assert drawing["role"] == "img"
        assert {*str(drawing["aria-labelledby"]).split()} <= identifiers


def test_ids_are_unique_and_links_lead_somewhere(outline: Outline) -> None:
    identifiers = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    links = [str(attributes["href"]) for tag, attributes in outline.tags if tag in ("a", "use")]
    assert all(link.startswith("#") and link[1:] in identifiers for link in links)


@pytest.mark.parametrize("edition", list(Edition))
def test_nothing_is_fetched_and_nothing_runs(rendered: dict[Edition, str], edition: Edition) -> None:
    text = rendered[edition]
    policy = Outline(text).named("meta")[1]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\((?!#)|xmlns|<script|\son[a-z]+=", text)
    sources = [attributes.get(name) for _, attributes in Outline(text).tags for name in ("src", "href", "action", "data")]
    assert all(source is None or source.startswith("#") or source == "data:," for source in sources)


def hostile(make: Callable[..., Statement]) -> Statement:
    finding: dict[str, Any] = {"basis": Basis.PUBLIC, "method": HOSTILE, "assumption": HOSTILE, "unit": HOSTILE}
    kinds = ("accuracy", "audit", "personal-data", "guarantee", "membership-attack")
    found = tuple(
        Finding(kind=kind, name=HOSTILE, value=value, details={HOSTILE: HOSTILE, "threat_model": HOSTILE}, **finding)
        for kind in kinds
        for value in (0.5, HOSTILE)
    )
    entry = DpEntry(purpose=HOSTILE, epsilon=1.0, delta=1e-5, event={HOSTILE: {HOSTILE: HOSTILE}}, steps=1)
    listed = (ListedEntry(what=HOSTILE, details={HOSTILE: HOSTILE}),)
    amounts = {f"{name}_{unit}": 1.0 for name in ("granted", "spent", "left") for unit in ("epsilon", "delta")}
    return make(
        title=HOSTILE,
        run=HOSTILE,
        dataset=HOSTILE,
        settings={HOSTILE: {HOSTILE: [HOSTILE]}},
        guarantees=(StatedGuarantee(what=HOSTILE, guarantee=Guarantee(epsilon=1.0, delta=1e-5, unit=HOSTILE)),),
        ledgers=(DatasetLedger(dataset=HOSTILE, dp=(entry,), not_dp=listed, read_only=listed, **amounts),),
        head={HOSTILE: HOSTILE},
        randomness=Randomness(name=HOSTILE, private=False),
        steps=(
            StepSection(
                name=HOSTILE, title=HOSTILE, findings=found, settings={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE}, seconds=1.0
            ),
        ),
        answers={"trust-model": HOSTILE},
        verify_command=HOSTILE,
        created=HOSTILE,
        tacit_version=HOSTILE,
        input_hashes={HOSTILE: HOSTILE},
    )


@pytest.mark.parametrize("edition", list(Edition))
def test_hostile_names_are_shown_inert(make: Callable[..., Statement], edition: Edition) -> None:
    """Planted fault: `|safe` anywhere in the templates, or autoescape off."""
    outline = Outline(page(hostile(make), edition))
    assert not outline.named("script")
    assert not outline.named("img")
    assert not [name for _, attributes in outline.tags for name in attributes if name.startswith("on")]
    assert HOSTILE in outline.text


def test_the_total_never_stands_without_the_releases_that_have_no_epsilon(rendered: dict[Edition, str]) -> None:
    for edition in Edition:
        text = " ".join(Outline(rendered[edition]).text.split())
        sentence = (
            "epsilon 2.997 at delta 1e-5 over the dp entries, and these 3 releases that have no epsilon: "
            "the k-anonymized table (k = 5); the non-private twin, kept by the custodian; exact accuracy and attack figures"
        )
        assert text.count(sentence) >= 2  # on the first screen and in the ledger
        for found in re.finditer("over the dp entries", text):
            assert text[found.end() :].startswith(", and ")


def test_no_verdict_and_no_syntactic_model_is_called_differential_privacy(outline: Outline) -> None:
    words = outline.text.lower()
    assert "compliant" not in words
    assert not re.search(r"\b(is|are|now|fully) anonymous", words)
    for sentence in re.split(r"[.;\n]", words):
        if "k-anonym" in sentence or "anonymized table" in sentence:
            assert "differential" not in sentence
    assert "it has no epsilon" in words


def test_a_contradicted_claim_is_said_in_red_and_the_promise_is_taken_back(
    statement: Statement, make_audit: Callable[..., StepSection]
) -> None:
    broken = replace(statement, steps=(make_audit(4.05, contradicts=True),))
    for edition in Edition:
        text = page(broken, edition)
        assert 'class="banner bad" role="alert"' in text
        assert "An audit contradicts the claim" in text
        assert "The claim does not stand" in text
        assert "Claimed, but does not stand" in text


def test_a_seeded_run_is_not_a_private_release(make: Callable[..., Statement], rendered: dict[Edition, str]) -> None:
    seeded = make(randomness=Randomness(name="seeded-test", private=False), steps=())
    for edition in Edition:
        text = page(seeded, edition)
        assert "Not a private release" in text
        assert "Private: <strong>no</strong>" in text
    assert "Not a private release" not in rendered[Edition.RELEASE]


def test_without_a_head_the_page_says_not_protected_against_rollback(statement: Statement) -> None:
    assert "not protected against rollback" in page(replace(statement, head=None, steps=()), Edition.RELEASE)


def test_a_study_that_promises_nothing_still_has_its_page(make: Callable[..., Statement]) -> None:
    bare = make(guarantees=(), ledgers=(), steps=(), answers={}, settings={}, head=None)
    text = page(bare, Edition.CUSTODIAN)
    assert "nothing limits what can be learned about one person" in text
    assert "No ledger was given" in text


def test_every_chapter_of_the_journey_is_explained(outline: Outline) -> None:
    for title in ("Personal data found", "The anonymized table", "The private model", "Auditing the promise", "The ledger"):
        assert title in outline.text


STYLE = (Path(tacit.report.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
TEXTS = ("ink", "muted", "private", "plain", "limit", "bad")


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_is_readable_in_every_scheme(scheme: int) -> None:
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3 level AA)."""
    blocks = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    ]
    colours = {**blocks[0], **blocks[scheme]}
    pairs = [(text, ground) for text in TEXTS for ground in ("page", "surface")]
    pairs += [("ink", "sunk"), ("muted", "sunk"), ("bad", "bad-page"), ("note", "note-page")]
    for text, ground in pairs:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast("#777777", "#ffffff") < 4.5  # the test can fail


def contrast(one: str, two: str) -> float:
    darker, lighter = sorted(luminance(colour) for colour in (one, two))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of sRGB, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
