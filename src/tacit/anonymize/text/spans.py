"""Where personal data stands in texts: spans, and how overlapping ones become one."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One find: text number `row`, characters start <= i < end, its kind and how sure that is, 0..1."""

    row: int
    start: int
    end: int
    kind: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """Finds in a column of texts, by row and then by place; no two overlap once `merged`.

    rows, starts, ends -- int64, shape (spans,): text number, first character and the one after the last, in code points.
    kinds  -- int64, shape (spans,): place in `names`. names -- the kinds. scores -- float64, shape (spans,), 0..1.
    """

    rows: NDArray[np.int64] = field(repr=False)
    starts: NDArray[np.int64] = field(repr=False)
    ends: NDArray[np.int64] = field(repr=False)
    kinds: NDArray[np.int64] = field(repr=False)
    names: tuple[str, ...]
    scores: NDArray[np.float64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Span]:
        columns = (self.rows.tolist(), self.starts.tolist(), self.ends.tolist(), self.kinds.tolist(), self.scores.tolist())
        for row, start, end, kind, score in zip(*columns, strict=True):
            yield Span(row=row, start=start, end=end, kind=self.names[kind], score=score)

    def shares(self, texts: int) -> dict[str, float]:
        """Return kind -> share of `texts` texts that hold at least one; kinds without a find are left out."""
        counts = {name: len(np.unique(self.rows[self.kinds == place])) for place, name in enumerate(self.names)}
        return {name: count / texts for name, count in counts.items() if count}


def spans_of(found: list[Span], names: tuple[str, ...]) -> Spans:
    """Return the columns of some spans, in the order given."""
    place = {name: number for number, name in enumerate(names)}
    return Spans(
        rows=np.array([one.row for one in found], dtype=np.int64),
        starts=np.array([one.start for one in found], dtype=np.int64),
        ends=np.array([one.end for one in found], dtype=np.int64),
        kinds=np.array([place[one.kind] for one in found], dtype=np.int64),
        names=names,
        scores=np.array([one.score for one in found], dtype=np.float64),
    )


def merged(spans: Spans) -> Spans:
    """Return spans of which no two overlap: those that do become one, from the first start to the last end.

    Its kind is that of the surest; of equally sure ones the longest, then the first of `names`, then the first in the text.
    The whole extent stays: of a long number that is partly something surer, no digit is left over. The order in which spans
    are given does not matter.
    """
    if not len(spans):
        return spans
    length = spans.ends - spans.starts
    order = np.lexsort((spans.kinds, -length, -spans.scores, spans.starts, spans.rows))
    rows, starts, ends = spans.rows[order], spans.starts[order], spans.ends[order]
    stride = int(ends.max()) + 1
    reach = np.maximum.accumulate(rows * stride + ends)  # one running end for all rows: a later row lies beyond any earlier
    fresh = np.concatenate([[True], rows[1:] * stride + starts[1:] >= reach[:-1]])
    group = np.cumsum(fresh) - 1
    best = np.lexsort((starts, spans.kinds[order], -length[order], -spans.scores[order], group))
    first = np.concatenate([[True], group[best][1:] != group[best][:-1]])
    winner = order[best[first]]
    last = np.concatenate([np.flatnonzero(fresh)[1:], [len(rows)]]) - 1
    return Spans(
        rows=rows[fresh],
        starts=starts[fresh],
        ends=reach[last] - rows[fresh] * stride,
        kinds=spans.kinds[winner],
        names=spans.names,
        scores=spans.scores[winner],
    )
