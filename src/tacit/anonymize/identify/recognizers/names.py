"""Names of people: the shape of a whole value, titles before a name, and a list that the user gives."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer
from tacit.errors import ConfigError

_WORD = r"\p{Lu}[\p{L}.'’-]*"
_TITLES = "M[rs]s?|Miss|Dr|Prof|Herr|Frau|Mme|Sr|Sra"
_PARTICLE = "van|von|der|den|de|da|del|della|di|du|la|le|el|al|bin|ibn|dos|y"
_ON = r"(?:[^\W\d_]|(?!['’][sS](?![^\W\d_]))['’-](?=[^\W\d_]))*"  # O'Hara is one word; of Smith's, Smith is
_IN_TEXT = rf"[^\W\d_]{_ON}"
_CAPITAL = rf"(?:[^\W\d_a-z]{_ON})"
_TOKEN = re.compile(_IN_TEXT)
_BETWEEN = re.compile(
    r"(?:,? {1,3})?(?:[^\W\d_]\. ?)?(?: ?(?:van|von|der|den|de|da|del|della|di|du|la|le|el|al|bin|ibn|dos|y) ){0,3}"
)

NAME = Recognizer(
    kind="name",
    whole=rf"{_WORD}( ({_WORD}|{_PARTICLE})){{0,3}} {_WORD}",
    alone=0.6,
)
TITLED_NAME = Recognizer(
    kind="name",
    name="name after a title",
    inside=rf"(?<![0-9A-Za-z])(?:{_TITLES})\.? (?P<find>{_CAPITAL}(?: (?:(?:van|von|der|de|da|del|di|du|la) )?{_CAPITAL})?)",
    screen=rf"(?:{_TITLES})\.? ",
    alone=0.6,
)


@dataclass(frozen=True, slots=True)
class NameList:
    """Names of people that the user gives, compared word by word without case and accents.

    words -- of first names, last names and whole names, folded; single letters left out.
    """

    words: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, names: "Iterable[str] | NameList | None") -> "NameList | None":
        """Return the list of these names, None when there are none. Raises ConfigError when they are not a list of texts."""
        if names is None or isinstance(names, NameList):
            return names
        given = [names] if isinstance(names, str) else list(names)
        if isinstance(names, str) or not all(isinstance(name, str) for name in given):
            raise ConfigError(
                "names must be a list of texts, got something else. One text would be taken letter by letter, and what is no text "
                'is no name. Write for example ["Ann Smith", "Li"].'
            )
        words = {folded(word) for name in given for word in _TOKEN.findall(name)}
        return cls(frozenset(word for word in words if len(word) > 1)) if words else None

    def hold(self, values: pa.Array) -> Mask:
        """Return which texts consist of names of the list alone, but for initials and particles, shape (values,)."""
        return np.array([self._all(text) for text in values.to_pylist()], dtype=bool)

    def _all(self, text: str) -> bool:
        found = list(self.find(text, any_case=True))
        return len(found) == 1 and not _TOKEN.search(text[: found[0][0]] + text[found[0][1] :])

    def find(self, text: str, *, any_case: bool) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of each run of names in a text; any_case -- names in small letters count too."""
        start = end = -1
        for token in _TOKEN.finditer(text):
            word = token.group()
            if (not any_case and word[0].islower()) or folded(word) not in self.words:
                continue
            if start >= 0 and _BETWEEN.fullmatch(text, end, token.start()):
                end = token.end()
                continue
            if start >= 0:
                yield start, end
            start, end = token.span()
        if start >= 0:
            yield start, end


def folded(word: str) -> str:
    """Return a word without case and accents."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
