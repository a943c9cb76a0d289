"""Find personal data inside texts, all texts at once.

RE2 screens the texts for each recognizer; those that pass are joined and searched in one go; checks run on all finds together.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tacit.anonymize.columns import is_text, plain
from tacit.anonymize.identify.recognizers import RECOGNIZERS
from tacit.anonymize.identify.recognizers.names import NameList
from tacit.anonymize.identify.recognizers.recognizer import Recognizer, matches
from tacit.anonymize.text.spans import Spans, merged
from tacit.errors import ConfigError, DataError

KINDS: tuple[str, ...] = tuple(dict.fromkeys(one.kind for one in RECOGNIZERS if one.inside))
"""The kinds that are searched inside texts; "name" by titles and by the list given."""

LEAST = 0.4
ANNOUNCED = 0.4
_REACH, _AFTER = 40, 15  # characters before and after a find in which a word announces it
_APART = "\n\x1e\n"  # between joined texts; no pattern runs across it
_AT_ONCE = 4_000_000  # characters searched in one go
_LISTED = 0.9  # how sure a name of the user's list is

_Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search:
    """What is asked of a search: recognizers, names, and whether failing a check excludes a find."""

    recognizers: tuple[Recognizer, ...]
    names: NameList | None
    protective: bool


def find_spans(
    texts: Any,
    *,
    kinds: Sequence[str] | None = None,
    names: Iterable[str] | NameList | None = None,
    protective: bool = True,
    engine: Any = "tacit",
    on_progress: Callable[[int, int], None] | None = None,
) -> Spans:
    """Return where personal data stands in texts; no two spans overlap, and the same texts give the same spans.

    texts      -- Arrow array or list of texts; missing ones hold nothing. Rows of the result are places in it.
    kinds      -- which of KINDS to look for; all when None.
    names      -- names of people to look for, first, last or whole, compared without case and accents.
    protective -- True: what has the shape but fails its check is found as well, and names of the list in any case. False: it is
        left, which is how numbers with a typing error leak.
    engine     -- "tacit"; "presidio" (extra [text]) for Presidio's analyzer on a blank English pipeline, without network; or an
        analyzer engine of Presidio's with models of your own. Of these, `names` and `protective` are not heard and are refused.
    on_progress -- called with (distinct texts done, distinct texts in all).
    Raises ConfigError for an unknown kind or engine, DataError when the values are not texts, MissingExtra without the extra.
    """
    distinct, indices = _distinct(texts)
    if engine == "tacit":
        listed = NameList.of(names)
        search = _Search(recognizers=_chosen(kinds), names=listed, protective=protective)
        found = _in_parts(distinct, search, KINDS if kinds is None else tuple(kinds), on_progress)
    else:
        from tacit.anonymize.text.presidio import presidio_spans

        if names is not None or not protective:
            raise ConfigError(
                "names and protective belong to tacit's own recognizers, got them with another engine. They would be ignored. "
                "Leave them out, or use engine='tacit'."
            )
        found = presidio_spans(distinct, engine=engine, kinds=kinds, on_progress=on_progress)
    return _spread(merged(found), indices)


def _distinct(texts: Any) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the distinct texts and for each text its place among them, -1 for a missing one."""
    array = plain(texts) if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(_listed(texts), pa.string())
    if not is_text(array.type) and not pa.types.is_null(array.type):
        raise DataError(f"texts must be a column of text, got {array.type}. Nothing was searched. Turn it into text first.")
    coded = array.cast(pa.string()).dictionary_encode()
    indices = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return coded.dictionary, np.asarray(indices, dtype=np.int64)


def _listed(texts: Any) -> list[str | None]:
    given = None if isinstance(texts, str) else list(texts)
    if given is None or not all(text is None or isinstance(text, str) for text in given):
        raise DataError("texts must be a list of texts or None, got something else. Nothing was searched. Turn each into a text.")
    return given


def _chosen(kinds: Sequence[str] | None) -> tuple[Recognizer, ...]:
    if kinds is not None and (isinstance(kinds, str) or not set(kinds) <= set(KINDS)):
        raise ConfigError(
            f"kinds must be some of {', '.join(KINDS)}, got {kinds!r}. What is not known cannot be found. Correct the list."
        )
    return tuple(one for one in RECOGNIZERS if one.inside and (kinds is None or one.kind in kinds))


def _in_parts(texts: pa.Array, search: _Search, kinds: tuple[str, ...], on_progress: Callable[[int, int], None] | None) -> Spans:
    """Search the texts in parts of bounded size, and join what was found."""
    until = np.cumsum(np.asarray(pc.utf8_length(texts).to_numpy(zero_copy_only=False), dtype=np.int64) + len(_APART))
    pieces, start = [(0, _nothing())], 0
    while start < len(texts):
        before = int(until[start - 1]) if start else 0
        end = max(int(np.searchsorted(until, before + _AT_ONCE, side="right")), start + 1)
        for kind, (rows, starts, ends, scores) in _in_part(texts[start:end], search):
            pieces.append((kinds.index(kind), (rows + start, starts, ends, scores)))
        start = end
        if on_progress:
            on_progress(start, len(texts))
    codes = [np.full(len(rows), code, dtype=np.int64) for code, (rows, *_) in pieces]
    return Spans(
        rows=np.concatenate([rows for _, (rows, _, _, _) in pieces]),
        starts=np.concatenate([starts for _, (_, starts, _, _) in pieces]),
        ends=np.concatenate([ends for _, (_, _, ends, _) in pieces]),
        kinds=np.concatenate(codes),
        names=kinds,
        scores=np.concatenate([scores for _, (_, _, _, scores) in pieces]),
    )


def _in_part(texts: pa.Array, search: _Search) -> list[tuple[str, _Found]]:
    found = []
    for one in search.recognizers:
        mask = matches(texts, one.screen)
        if one.said and one.valid is None:  # without a check only the words count
            mask[mask] = matches(texts.filter(pa.array(mask)), _announcing(one.said))
        rows = np.flatnonzero(mask)
        if len(rows):
            found.append((one.kind, _located(one, rows, texts.take(pa.array(rows)).to_pylist(), search.protective)))
    if search.names and any(one.kind == "name" for one in search.recognizers):
        found.append(("name", _named(search.names, texts.to_pylist(), any_case=search.protective)))
    return found


def _located(one: Recognizer, rows: NDArray[np.int64], texts: list[str], protective: bool) -> _Found:
    """Return the finds of one recognizer in the texts of these rows: rows, starts, ends, scores."""
    joined = "\n" + _APART.join(texts)
    pattern = _pattern(one.inside)
    group = "find" if "find" in pattern.groupindex else 0
    places = [match.span(group) for match in pattern.finditer(joined)]
    if not places:
        return _nothing()
    starts, ends = np.array(places, dtype=np.int64).T
    began = np.cumsum([1, *(len(text) + len(_APART) for text in texts[:-1])])
    row = np.searchsorted(began, starts, side="right") - 1
    passed = one.passed(pa.array([joined[start:end] for start, end in places], pa.string()))
    scores = np.where(passed, one.confidence(1, 1), one.alone)
    if one.said:
        ends_of_rows = began[row] + [len(texts[place]) for place in row]
        near = pa.array(
            [
                joined[max(start - _REACH, low) - 1 : start] + "\n" + joined[end : min(end + _AFTER, high) + 1]
                for (start, end), low, high in zip(places, began[row], ends_of_rows, strict=True)
            ],
            pa.string(),
        )
        scores = np.where(matches(near, _announcing(one.said)), np.minimum(scores + ANNOUNCED, 0.99), scores)
    kept = scores >= LEAST
    if one.valid and not protective:
        kept &= passed
    return rows[row][kept], (starts - began[row])[kept], (ends - began[row])[kept], scores[kept]


def _named(names: NameList, texts: list[str], *, any_case: bool) -> _Found:
    places = [(row, *place) for row, text in enumerate(texts) for place in names.find(text, any_case=any_case)]
    if not places:
        return _nothing()
    rows, starts, ends = np.array(places, dtype=np.int64).T
    return rows, starts, ends, np.full(len(rows), _LISTED)


def _nothing() -> _Found:
    none = np.zeros(0, dtype=np.int64)
    return none, none, none, none.astype(np.float64)


@cache
def _pattern(inside: str) -> re.Pattern[str]:
    return re.compile(inside)


@cache
def _announcing(said: tuple[str, ...]) -> str:
    """Return the RE2 pattern of a text in which one of these phrases stands, as words."""
    return r"(?i)(?:^|[^\p{L}0-9])(?:" + "|".join(re.escape(one) for one in said) + r")(?:$|[^\p{L}])"


def _spread(spans: Spans, indices: NDArray[np.int64]) -> Spans:
    """Return the spans of distinct texts as those of every text that is one of them."""
    first = np.searchsorted(spans.rows, np.arange(indices.max(initial=-1) + 2))
    counts = np.where(indices >= 0, np.diff(first)[indices] if len(first) > 1 else 0, 0)
    rows = np.repeat(np.arange(len(indices)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    source = np.repeat(np.where(indices >= 0, first[indices], 0), counts) + within
    return Spans(
        rows=rows,
        starts=spans.starts[source],
        ends=spans.ends[source],
        kinds=spans.kinds[source],
        names=spans.names,
        scores=spans.scores[source],
    )
