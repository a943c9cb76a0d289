"""Spans of personal data in texts: each kind, the fast search beside a slow one, T13 and T14."""

import itertools
import random
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tacit.anonymize.identify.recognizers import RECOGNIZERS
from tacit.anonymize.text import KINDS, Span, Spans, find_spans
from tacit.anonymize.text.find import ANNOUNCED, LEAST
from tacit.anonymize.text.spans import merged, spans_of
from tacit.errors import ConfigError, DataError


def found(text: str, **settings: Any) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find_spans([text], **settings)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to ann.o'hara+x@mail.example.org.", "e-mail", "ann.o'hara+x@mail.example.org"),
        ("write to jürgen@müller.example, please", "e-mail", "jürgen@müller.example"),
        ("see https://example.org/a?b=1, and", "url", "https://example.org/a?b=1"),
        ("from 192.168.0.17.", "ip", "192.168.0.17"),
        ("from 2001:db8::1 today", "ip", "2001:db8::1"),
        ("on 00:1A:2B:3C:4D:5E", "device", "00:1A:2B:3C:4D:5E"),
        ("key 123e4567-e89b-12d3-a456-426614174000 lost", "identifier", "123e4567-e89b-12d3-a456-426614174000"),
        ("card 4111 1111 1111 1111 refused", "card", "4111 1111 1111 1111"),
        ("to GB29 NWBK 6016 1331 9268 19 call me", "iban", "GB29 NWBK 6016 1331 9268 19"),
        ("to de89370400440532013000", "iban", "de89370400440532013000"),
        ("SSN 219-09-9999", "ssn", "219-09-9999"),
        ("social security number: 219099999", "ssn", "219099999"),
        ("PESEL 56072808785", "national number", "56072808785"),
        ("DNI 88826727Z", "national number", "88826727Z"),
        ("on 2020-02-29 11:34:35 it", "date", "2020-02-29 11:34:35"),
        ("born 3/14/1959.", "date", "3/14/1959"),
        ("born March 14th, 1959 in", "date", "March 14th, 1959"),
        ("am 14. März 1959", "date", "14. März 1959"),
        ("a 74 years old man", "age", "74"),
        ("aged 91, alone", "age", "91"),
        ("tel. +44 20 7946 0018", "phone", "+44 20 7946 0018"),
        ("(202) 555-0123 x45", "phone", "(202) 555-0123 x45"),
        ("Office\\,001-748-088-2851", "phone", "001-748-088-2851"),
        ("Ruf 030/12/34/56/7 an", "phone", "030/12/34/56/7"),
        ("please call 2025550123 now", "phone", "2025550123"),
        ("lives in SW1A 1AA now", "postcode", "SW1A 1AA"),
        ("zip code is 02139", "postcode", "02139"),
        ("at 52.5200, 13.4050 then", "location", "52.5200, 13.4050"),
        ("VIN 1M8GDM9AXKP042788", "vehicle", "1M8GDM9AXKP042788"),
        ("licence plate AB12 CDE seen", "vehicle", "AB12 CDE"),
        ("driver's license is A12345678", "licence", "A12345678"),
        ("passport C01X00T47", "passport", "C01X00T47"),
        ("MRN: 00482913", "medical record", "00482913"),
        ("member ID XYZ123456789", "health plan", "XYZ123456789"),
        ("account number 12345678", "account", "12345678"),
        ("said Dr. Okafor twice", "name", "Okafor"),
        ("said Mrs Ann Smith-Jones", "name", "Ann Smith-Jones"),
    ],
)
def test_each_kind_is_found_inside_a_text(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text", ["", "nothing here at all", "chapter 12, page 345", "pi is 3.14159", "the year 1977", "at 12:34:56"]
)
def test_nothing_is_found_where_nothing_is(text: str) -> None:
    assert found(text) == []


def test_every_kind_that_is_searched_is_tried_above() -> None:
    mark = next(one for one in test_each_kind_is_found_inside_a_text.pytestmark if one.name == "parametrize")  # type: ignore[attr-defined]
    assert {kind for _, kind, _ in mark.args[1]} == set(KINDS)


# --- The fast search beside a slow one -----------------------------------------------------------------------------------

PIECES = [
    *("ann@example.org", "4111111111111111", "4111111111111112", "219-09-9999", "078-05-1120", "+44 20 7946 0018", "3/4/2020"),
    *("GB29 NWBK 6016 1331 9268 19", "10.0.0.1", "http://a.org/b", "56072808785", "Mrs. Ash", "call 9469 9966", "zip 02139"),
    *("\n", " ", ", ", "\x1e", "。", "x", "-", "12", "74 years old", "SW1A 1AA", "电话13800138000", "é", "MRN 12345", "\u00a0"),
]


def texts_of_pieces(count: int) -> list[str]:
    pick = random.Random(9)
    return ["".join(pick.choices(PIECES, k=pick.randrange(7))) for _ in range(count)]


def slow(text: str, row: int, protective: bool) -> list[Span]:
    """Every recognizer on this one text alone, with no screen, one find at a time."""
    spans = []
    for one in RECOGNIZERS:
        pattern = re.compile(one.inside) if one.inside else None
        for match in pattern.finditer(text) if pattern else ():
            start, end = match.span("find" if "find" in match.re.groupindex else 0)
            passed = bool(one.passed(pa.array([text[start:end]]))[0])
            score = one.confidence(1, 1) if passed else one.alone
            words = [
                word
                for said in one.said
                for word in re.finditer(rf"(?<![^\W_]){re.escape(said)}(?![^\W\d_])", text, re.IGNORECASE)
            ]
            if any(
                (start - 40 <= word.start() and word.end() <= start) or (end <= word.start() and word.end() <= end + 15)
                for word in words
            ):
                score = min(score + ANNOUNCED, 0.99)
            if score >= LEAST and (passed or protective or not one.valid):
                spans.append(Span(row=row, start=start, end=end, kind=one.kind, score=score))
    return spans


def united(spans: list[Span]) -> list[Span]:
    """One span for each set of spans that hang together, by taking them together until nothing changes."""
    groups = [[one] for one in spans]
    while True:
        pair = next(
            (
                (a, b)
                for a, b in itertools.combinations(groups, 2)
                if any(x.start < y.end and y.start < x.end for x in a for y in b)
            ),
            None,
        )
        if pair is None:
            break
        groups = [group for group in groups if group not in pair] + [pair[0] + pair[1]]
    out = []
    for group in groups:
        best = min(group, key=lambda one: (-one.score, one.start - one.end, KINDS.index(one.kind), one.start))
        start, end = min(one.start for one in group), max(one.end for one in group)
        out.append(Span(row=best.row, start=start, end=end, kind=best.kind, score=best.score))
    return sorted(out, key=lambda one: one.start)


@pytest.mark.parametrize("protective", [True, False])
def test_all_texts_at_once_give_what_each_alone_gives_without_screens(protective: bool) -> None:
    texts = texts_of_pieces(400)
    expected = [one for row, text in enumerate(texts) for one in united(slow(text, row, protective))]
    got = list(find_spans(texts, protective=protective))
    assert [(one.row, one.start, one.end, one.kind) for one in got] == [
        (one.row, one.start, one.end, one.kind) for one in expected
    ]
    assert [one.score for one in got] == pytest.approx([one.score for one in expected])
    assert len(got) > 200


def test_parts_of_bounded_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of_pieces(12)
    whole = list(find_spans(texts))
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr("tacit.anonymize.text.find._AT_ONCE", 50)
    assert list(find_spans(texts, on_progress=lambda *at: seen.append(at))) == whole
    assert len(seen) > 5
    assert seen[-1] == (len(set(texts)), len(set(texts)))


def test_a_word_in_one_text_announces_nothing_in_the_next() -> None:
    """The second number fails its check, so that only an announcement would count."""
    spans = find_spans(["56072808785 is my PESEL", "56072808784 apples", "PESEL 56072808784"], kinds=["national number"])
    assert [one.row for one in spans] == [0, 2]


def test_texts_that_repeat_and_missing_ones_keep_their_places() -> None:
    spans = find_spans(pa.chunked_array([["a@b.org", None], ["x", "a@b.org", None]]))
    assert [(one.row, one.start, one.end) for one in spans] == [(0, 0, 7), (3, 0, 7)]
    assert len(find_spans([])) == len(find_spans([None])) == len(find_spans(pa.nulls(3))) == 0
    assert len(find_spans(pa.array(["a@b.org"] * 3).dictionary_encode())) == 3


# --- T13, T14 ------------------------------------------------------------------------------------------------------------

INVALID = ["078-05-1120", "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "219-09-9999"]


@pytest.mark.parametrize("number", INVALID)
def test_t13_a_social_security_number_that_was_never_issued_is_still_found(number: str) -> None:
    assert found(f"her number {number} is on file") == [("ssn", number)]
    valid = number == "219-09-9999"
    assert found(f"her number {number} is on file", protective=False, kinds=["ssn"]) == ([("ssn", number)] if valid else [])


def test_t13_a_card_or_account_with_a_typing_error_is_still_found() -> None:
    assert found("paid with 4111111111111112") == [("card", "4111111111111112")]
    assert found("to DE89370400440532013001 today") == [("iban", "DE89370400440532013001")]
    assert found("paid with 4111111111111112", protective=False) == []


def test_t14_overlapping_finds_become_one_whatever_their_order() -> None:
    given = [
        Span(row=0, start=0, end=4, kind="date", score=0.9),
        Span(row=0, start=3, end=9, kind="phone", score=0.6),
        Span(row=0, start=9, end=12, kind="ssn", score=0.5),
        Span(row=1, start=0, end=5, kind="phone", score=0.7),
        Span(row=1, start=2, end=7, kind="ssn", score=0.7),
        Span(row=1, start=0, end=6, kind="ssn", score=0.7),
        Span(row=2, start=0, end=3, kind="phone", score=0.7),
        Span(row=2, start=0, end=3, kind="ssn", score=0.7),
    ]
    expected = [(0, 0, 9, "date"), (0, 9, 12, "ssn"), (1, 0, 7, "ssn"), (2, 0, 3, "ssn")]
    for seed in range(30):
        shuffled = random.Random(seed).sample(given, len(given))
        spans = merged(spans_of(shuffled, ("ssn", "phone", "date")))
        assert [(one.row, one.start, one.end, one.kind) for one in spans] == expected


def test_t14_a_social_security_number_is_no_phone_and_an_address_no_url() -> None:
    assert found("id 078-05-1120, mail www.ann@example.org") == [("ssn", "078-05-1120"), ("e-mail", "www.ann@example.org")]


# --- Settings ------------------------------------------------------------------------------------------------------------


def test_only_the_kinds_asked_for_are_looked_for() -> None:
    text = "a@b.org 10.0.0.1"
    assert found(text, kinds=["ip"]) == [("ip", "10.0.0.1")]
    assert find_spans([text], kinds=["ip"]).names == ("ip",)


def test_names_of_a_list_are_found_with_initials_and_particles_between() -> None:
    listed = ["Ann Smith", "Ludwig van Beethoven", "José"]
    text = "ANN B. Smith met Ludwig van Beethoven and jose; the annual smithy stayed."
    assert found(text, names=listed) == [("name", "ANN B. Smith"), ("name", "Ludwig van Beethoven"), ("name", "jose")]
    assert found(text, names=listed, protective=False) == [("name", "ANN B. Smith"), ("name", "Ludwig van Beethoven")]
    assert found(text, names=[]) == []


@pytest.mark.parametrize("text", ["Ann Smith's dog", "ANN SMITH’S dog", "Mrs. Smith's dog", "of Ann Smith’s, or Smith's"])
def test_a_name_that_owns_something_is_the_name(text: str) -> None:
    """Whole, and without the 's: else its pseudonym would be another's, or the last name would stay."""
    names = found(text, names=["Ann Smith"])
    assert {value.lower() for _, value in names} <= {"ann smith", "smith"}
    assert "smith" not in "".join(re.split("|".join(re.escape(value) for _, value in names), text)).lower()
    assert found("O'Hara's and Ann-Lee's", names=["Ann-Lee O'Hara"]) == [("name", "O'Hara"), ("name", "Ann-Lee")]


def test_wrong_settings_and_values_that_are_no_texts_are_refused() -> None:
    for settings in ({"kinds": ["shoe size"]}, {"kinds": "ip"}, {"engine": "nothing"}, {"names": "Ann"}, {"names": [1]}):
        with pytest.raises(ConfigError):
            find_spans(["x"], **settings)
    for texts in ("one text", [1, 2], pa.array([1, 2]), pa.array([b"x"])):
        with pytest.raises(DataError) as refused:
            find_spans(texts)
        assert "one text" not in str(refused.value)


def test_shares_count_texts_and_not_finds() -> None:
    spans = find_spans(["a@b.org c@d.org", "nothing", "10.0.0.1 a@b.org", ""])
    assert spans.shares(4) == {"e-mail": 0.5, "ip": 0.25}
    assert isinstance(spans, Spans)
    assert spans.rows.dtype == np.int64
