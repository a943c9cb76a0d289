"""A backtracking matcher that counts its steps, since Python's tells only seconds: slow, and the same finds.

It walks the tree that `re` itself parses a pattern into, tries what `re` tries in the order in which `re` does, and counts every
node it comes to. What takes `re` a square or an exponent of a text's length takes this as many steps.
"""

import re._constants as op  # type: ignore[import-not-found, unused-ignore]
import re._parser as parser  # type: ignore[import-not-found, unused-ignore]
from collections.abc import Callable
from typing import Any

_Then = Callable[[int], int | None]
_SINGLE = {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN}
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdecimal,
    op.CATEGORY_NOT_DIGIT: lambda sign: not sign.isdecimal(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda sign: not sign.isspace(),
    op.CATEGORY_WORD: lambda sign: sign.isalnum() or sign == "_",
    op.CATEGORY_NOT_WORD: lambda sign: not (sign.isalnum() or sign == "_"),
}


class Steps:
    """Finds of one pattern in a text, as `re.finditer` gives them, and the steps that they took."""

    def __init__(self, pattern: str, text: str, most: int) -> None:
        self.tree, self.text, self.most, self.count = list(parser.parse(pattern)), text, most, 0
        self.groups: dict[int, tuple[int, int]] = {}

    def finds(self) -> list[tuple[int, int]]:
        """Return (start, end) of each match. Raises OverflowError after `most` steps."""
        found, start = [], 0
        while start <= len(self.text):
            self.groups = {}
            end = self._match(self.tree, 0, start, lambda place: place)
            if end is not None and end > start:
                found.append((start, end))
                start = end
            else:
                start += 1
        return found

    def _match(self, nodes: Any, number: int, at: int, then: _Then) -> int | None:
        """Return where the nodes from `number` on and all that follows end, when they start at `at`; None for no match."""
        self.count += 1
        if self.count > self.most:
            raise OverflowError
        if number == len(nodes):
            return then(at)
        kind, what = nodes[number]

        def rest(place: int) -> int | None:
            return self._match(nodes, number + 1, place, then)

        if kind in _SINGLE:
            return rest(at + 1) if self._is(kind, what, at) else None
        if kind is op.BRANCH:
            return self._first(lambda part: self._match(list(part), 0, at, rest), what[1])
        if kind is op.SUBPATTERN:
            return self._match(list(what[3]), 0, at, lambda end: self._kept(what[0], at, end, rest))
        if kind in (op.ASSERT, op.ASSERT_NOT):
            return rest(at) if self._looked(what[0], list(what[1]), at) is (kind is op.ASSERT) else None
        if kind is op.MAX_REPEAT:
            return self._repeat(what[0], what[1], list(what[2]), at, rest)
        if kind is op.GROUPREF:
            start, end = self.groups[what]
            same = self.text.startswith(self.text[start:end], at)
            return rest(at + end - start) if same else None
        if kind is op.AT and what is op.AT_BOUNDARY:
            return rest(at) if self._word(at - 1) != self._word(at) else None
        raise NotImplementedError(f"{kind} {what}")

    def _first(self, attempt: Callable[[Any], int | None], parts: Any) -> int | None:
        for part in parts:
            if (end := attempt(part)) is not None:
                return end
        return None

    def _kept(self, group: int | None, start: int, end: int, rest: _Then) -> int | None:
        if group is None:
            return rest(end)
        before, self.groups[group] = self.groups.get(group), (start, end)
        if (found := rest(end)) is None and before is not None:
            self.groups[group] = before
        return found

    def _looked(self, direction: int, nodes: Any, at: int) -> bool:
        if direction > 0:
            return self._match(nodes, 0, at, lambda end: end) is not None
        starts = at - parser.SubPattern(parser.State(), nodes).getwidth()[0]
        return starts >= 0 and self._match(nodes, 0, starts, lambda end: end if end == at else None) is not None

    def _repeat(self, least: int, most: int, nodes: Any, at: int, rest: _Then) -> int | None:
        if len(nodes) == 1 and nodes[0][0] in _SINGLE:
            (kind, what), end = nodes[0], at
            while end - at < most and self._is(kind, what, end):
                end += 1
            return self._first(rest, range(end, at + least - 1, -1))

        def again(times: int, place: int) -> int | None:
            if times < most:
                end = self._match(nodes, 0, place, lambda end: again(times + 1, end) if end > place else None)
                if end is not None:
                    return end
            return rest(place) if times >= least else None

        return again(0, at)

    def _is(self, kind: Any, what: Any, at: int) -> bool:
        self.count += 1
        if at >= len(self.text):
            return False
        sign = self.text[at]
        if kind is op.ANY:
            return sign != "\n"
        if kind is not op.IN:
            return (ord(sign) == what) is (kind is op.LITERAL)
        negated = what[0][0] is op.NEGATE
        return any(_among(one, sign) for one in what[negated:]) is not negated

    def _word(self, at: int) -> bool:
        return 0 <= at < len(self.text) and _CATEGORIES[op.CATEGORY_WORD](self.text[at])


def _among(one: Any, sign: str) -> bool:
    kind, what = one
    if kind is op.RANGE:
        return bool(what[0] <= ord(sign) <= what[1])
    return _CATEGORIES[what](sign) if kind is op.CATEGORY else ord(sign) == what
