"""The work of a search, in steps and not in seconds: it grows as the texts do, whatever is in them."""

import re
import sys
from collections import Counter
from typing import Any

import pytest

from anonymize.text.regex_steps import Steps
from anonymize.text.test_find import texts_of_pieces
from tacit.anonymize.identify.recognizers import RECOGNIZERS
from tacit.anonymize.text import find, find_spans

PATTERNS = {number: one.inside for number, one in enumerate(RECOGNIZERS) if one.inside}
PIECES = ("a", "a.", "1 ", "a@", "A1", "+(1) ")


@pytest.fixture(autouse=True)
def deep_recursion() -> Any:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(before)


def growth(pattern: str, piece: str) -> float:
    """Return how many times as many steps a text of 256 signs takes as its first half; infinite from 2,000 steps a sign on."""
    counts = []
    for length in (128, 256):
        steps = Steps(pattern, piece * (length // len(piece)), most=2_000 * length)
        try:
            steps.finds()
        except OverflowError:
            return float("inf")
        counts.append(steps.count)
    return counts[1] / counts[0]


def test_the_matcher_that_counts_finds_what_re_finds() -> None:
    text = "\n".join(texts_of_pieces(12))
    found = {name: Steps(pattern, text, most=10**7).finds() for name, pattern in PATTERNS.items()}
    assert found == {name: [match.span() for match in re.finditer(pattern, text)] for name, pattern in PATTERNS.items()}
    assert sum(map(len, found.values())) > 20


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_twice_as_long_takes_twice_the_steps(piece: str) -> None:
    """What backtracks over a whole text would take four times as many, or without end: a long line would stop a search."""
    assert max(growth(pattern, piece) for pattern in PATTERNS.values()) <= 2.2


@pytest.mark.parametrize(("pattern", "piece"), [("(?:a+)+@", "a"), ("[a.]+@", "a."), ("[0-9]+(?: [0-9]+)*x", "1 ")])
def test_a_pattern_that_backtracks_is_seen(pattern: str, piece: str) -> None:
    assert growth(pattern, piece) > 3


def test_each_recognizer_goes_once_over_all_texts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    scans: list[str] = []

    class Counted:
        def __init__(self, inside: str) -> None:
            self.pattern = re.compile(inside)
            self.groupindex = self.pattern.groupindex

        def finditer(self, text: str) -> Any:
            scans.append(self.pattern.pattern)
            return self.pattern.finditer(text)

    monkeypatch.setattr(find, "_pattern", Counted)
    assert len(find_spans(texts_of_pieces(120))) > 80
    assert len(scans) > 20
    assert Counter(scans) <= Counter(PATTERNS.values())


def test_a_text_of_fifty_thousand_signs_is_searched() -> None:
    for piece in PIECES:
        find_spans([piece * (50_000 // len(piece))])
