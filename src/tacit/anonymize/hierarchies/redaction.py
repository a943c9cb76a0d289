"""Codes shortened to prefixes or suffixes: postcodes, telephone areas, classification codes."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tacit.anonymize.columns import as_text
from tacit.anonymize.hierarchies.hierarchy import ANY, HierarchyOrigin, check_origin, origin_json, outline, outside
from tacit.errors import ConfigError, DataError

Side = Literal["left", "right"]


@dataclass(frozen=True, kw_only=True)
class RedactionHierarchy:
    """Texts whose characters are replaced by "*" from one side, more on each level.

    length   -- most characters of a value; shorter values are filled with `pad` to this length, longer ones refused; >= 1.
    redact   -- for each level between raw and "*" how many characters are replaced; ascending, 1 <= number < length.
    side     -- where characters are replaced first: from the "right" keeps prefixes (02139 -> 021**), from the "left" suffixes.
    align    -- the side that values of different lengths share: "left" fills on the right, "right" on the left (numbers).
    pad      -- the character that fills; "0" gives codes read as numbers their zeros back (2139 -> 02139).
    alphabet -- how many characters may stand at a position; >= 2. Ten for digits, 36 for digits and letters.
    origin   -- "data" when length and alphabet were taken from the rows.

    The share of a label with r characters replaced is alphabet^(r - length), of a raw value alphabet^-length: the part of all
    texts of this length that it covers, as ARX counts it for redaction without a list of values.
    """

    length: int
    redact: tuple[int, ...]
    side: Side = "right"
    align: Side = "left"
    pad: str = " "
    alphabet: int = 10
    origin: HierarchyOrigin = "declared"

    def __post_init__(self) -> None:
        check_origin(self.origin)
        object.__setattr__(self, "redact", tuple(self.redact))
        numbers = [("length", self.length, 1), ("alphabet", self.alphabet, 2), *(("redact", count, 1) for count in self.redact)]
        for name, number, least in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise ConfigError(
                    f"{name} of a redaction must be a whole number >= {least}, got {number!r}: it counts characters. "
                    "Write for example length = 5, redact = [1, 2, 3], alphabet = 10."
                )
        if list(self.redact) != sorted(set(self.redact)) or (self.redact and self.redact[-1] >= self.length):
            raise ConfigError(
                f"redact must ascend and stay below the length {self.length}, got {list(self.redact)}: each level replaces more "
                'characters, and "*" comes after the last by itself. Write for example redact = [1, 2, 3] for length = 5.'
            )
        if self.side not in ("left", "right") or self.align not in ("left", "right"):
            raise ConfigError(
                f'side and align of a redaction are "left" or "right", got {self.side!r} and {self.align!r}. Postcodes: "right" '
                'and "left".'
            )
        if not isinstance(self.pad, str) or len(self.pad) != 1:
            raise ConfigError(
                f'pad of a redaction must be one character, got {self.pad!r}: it fills position by position. Use " ".'
            )

    @property
    def levels(self) -> int:
        return len(self.redact) + 2

    @property
    def leaf_share(self) -> float:
        return float(self.alphabet) ** -self.length

    def check(self, values: pa.Array) -> None:
        self._filled(values)

    def generalize(self, values: pa.Array, level: int) -> tuple[list[str], NDArray[np.float64]]:
        count = self.redact[level - 1]
        filled, stars = self._filled(values), ANY * count
        labels = [text[:-count] + stars if self.side == "right" else stars + text[count:] for text in filled]
        return labels, np.full(len(labels), float(self.alphabet) ** (count - self.length))

    def describe(self) -> str:
        between = []
        for count in self.redact:
            kept, stars = "x" * (self.length - count), ANY * count
            shape = kept + stars if self.side == "right" else stars + kept
            between.append(f"{self.length - count} of {self.length} characters: {shape}")
        return outline(f"texts of up to {self.length} characters, replaced from the {self.side}", self.origin, between)

    def to_json(self) -> dict[str, Any]:
        names = ("length", "side", "align", "pad", "alphabet")
        form = {"redact": list(self.redact), **{name: getattr(self, name) for name in names}}
        return {**form, **origin_json(self.origin)}

    def _filled(self, values: pa.Array) -> list[str]:
        texts = [as_text(value) for value in values.to_pylist()]
        long = sum(len(text) > self.length for text in texts)
        if long:
            length = (
                f"the length of {self.length} characters that its redaction declares. Raise length, or mark or correct such values (they are not "
                "shown here: they are private)."
            )
            raise DataError(outside(f"{long} of its {len(texts)} distinct values are", self.origin, length))
        return [
            text.ljust(self.length, self.pad) if self.align == "left" else text.rjust(self.length, self.pad) for text in texts
        ]
