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
        assert text.count(sentence) == 1  # on the first screen; everywhere else their number, and where they are listed
        assert "these 3 releases that have no epsilon, listed under item 7" in text
        assert "beside it stand 3 releases without one, listed below" in text
        for found in re.finditer("over the dp entries", text):
            assert text[found.end() :].startswith(", and ")


def test_the_same_release_made_twice_is_listed_once_and_counted(statement: Statement) -> None:
    """Planted fault: join the entries as they come."""
    again = (*statement.ledgers[0].not_dp, ListedEntry(what=statement.ledgers[0].not_dp[0].what, details={"suppressed": 230}))
    text = page(replace(statement, ledgers=(replace(statement.ledgers[0], not_dp=again),), steps=()), Edition.CUSTODIAN)
    outline = " ".join(Outline(text).text.split())
    assert "these 4 releases that have no epsilon: the k-anonymized table (k = 5) (2 times); the non-private twin" in outline
    assert "Not coveredthe k-anonymized table (k = 5) (2 times)" in outline
    assert text.count("<li>the k-anonymized table (k = 5) (2 times)") == 1
    assert ("<dd>231</dd>" in text, "<dd>230</dd>" in text) == (True, True), "the details of both are there"


def test_personal_data_stand_in_one_table(statement: Statement, rendered: dict[Edition, str]) -> None:
    details = {"role": "quasi", "suggested": "identifier", "certainty": 0.9, "reasons": ["its name says 'zip'", "five digits"]}
    found = (
        Finding(kind="personal-data", name="zip_code", value="postcode", basis=Basis.EXACT, method="patterns", details=details),
        Finding(kind="personal-data", name="mood", value="", basis=Basis.EXACT, method="patterns", assumption="they miss some"),
    )
    text = page(replace(statement, steps=(StepSection(name="scan", findings=found),)), Edition.CUSTODIAN)
    table = text[text.index('<table class="scan"') :].split("</table>")[0]
    cells = [re.sub(r"<[^>]+>", "|", row) for row in table.splitlines() if 'scope="row"' in row]
    assert (
        "|zip_code||postcode||quasi-identifier (suggested: identifier)||90%||its name says &#39;zip&#39;; five digits|"
        in cells[0]
    )
    assert "|mood||nothing found||–||–|" in cells[1]
    assert table.count("exact</span>") == table.count("patterns. Assumes: they miss some.") == 1
    assert 'class="finding"' not in text
    assert '<table class="scan"' not in rendered[Edition.RELEASE]


def test_what_was_not_set_is_left_out_and_versions_stand_once(make: Callable[..., Statement]) -> None:
    steps = tuple(
        StepSection(
            name=name, settings={"hidden": [], "clip_norm": 1.0, "batch_size": None}, versions={"numpy": "2.4", "torch": torch}
        )
        for name, torch in (("train", "2.12"), ("audit", "2.13"))
    )
    text = page(make(steps=steps, settings={"data": {"encoding": None, "rows_origin": "declared"}}, answers={}), Edition.RELEASE)
    assert text.count("<dt>hidden layers</dt><dd>none (logistic regression)</dd>") == 2
    assert "<dt>clip norm</dt><dd>1</dd>" in text
    assert "encoding" not in text
    assert "batch size" not in text
    assert "<dt>data: origin of the number of rows</dt><dd>declared</dd>" in text
    assert text.count("<dt>numpy</dt><dd>2.4</dd>") == 1
    assert "<dt>torch</dt><dd>2.12 (train); 2.13 (audit)</dd>" in text


def test_a_long_value_is_a_list_with_its_basis_beside_the_name(statement: Statement) -> None:
    name, value = "taken as public; declared", "bounds of age; bounds of score"
    found = Finding(kind="training", name=name, value=value, basis=Basis.PUBLIC)
    text = page(replace(statement, steps=(StepSection(name="train", findings=(found,)),)), Edition.RELEASE)
    assert '<dt>Taken as public, declared <span class="basis">public</span></dt>' in text
    assert "<li>bounds of age</li>" in text
    assert name not in text


def test_the_audit_says_what_it_did_not_test(
    outline: Outline, statement: Statement, make_audit: Callable[..., StepSection]
) -> None:
    """Planted fault: say of an audit on private rows that its rows were made up, or of one on made-up rows nothing."""
    assert (
        "on made-up rows: it tests the sampler, clipping, noise and accounting, not how the private rows were read"
        in outline.text
    )
    assert outline.text.count("not contradicted: only gross faults show at this number of runs (halved noise does not)") == 1
    assert "Not contradicted; only gross faults show at this number of runs (halved noise does not)." in outline.text
    private = page(replace(statement, steps=(make_audit(basis=Basis.EXACT),)), Edition.CUSTODIAN)
    assert "made-up rows: it tests" not in private
    assert "Twins trained with and without" in private


def test_the_text_beside_the_command_is_true_with_and_without_an_anchor(make: Callable[..., Statement]) -> None:
    for command in ("tacit ledger verify l.sqlite", "tacit ledger verify l.sqlite --anchor release.json"):
        text = page(make(verify_command=command, steps=()), Edition.RELEASE)
        assert "Given this report&#39;s JSON with" in text or "Given this report's JSON with" in text
        assert "without an anchor it cannot tell" in text


def test_small_numbers_are_written_one_way(rendered: dict[Edition, str], statement: Statement) -> None:
    for text in (*rendered.values(), page(replace(statement, rows=90_000, steps=()), Edition.RELEASE)):
        assert "1e-5" in text
        assert not re.search(r"\de-0\d", text)


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
