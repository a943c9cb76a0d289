"""Replace personal data inside texts; the same entity gets the same replacement in every text."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tacit.anonymize.columns import plain
from tacit.anonymize.identify.recognizers.names import NameList
from tacit.anonymize.text.find import find_spans
from tacit.anonymize.text.spans import Spans
from tacit.errors import ConfigError

if TYPE_CHECKING:
    from tacit.anonymize.pseudonymize import Pseudonyms

FEW = frozenset({"age", "date", "postcode", "location"})
"""Kinds of so few values that a token could be guessed by how often it occurs: never tokens, always the kind's name."""

Replacement = Callable[[str, str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Redaction:
    """Texts with what was found in them replaced.

    texts  -- Arrow strings, shape (n,), in order; missing ones stay missing.
    spans  -- what was replaced, as places in the original texts: for the custodian alone.
    counts -- kind -> finds replaced; exact statistics of private texts.
    What no recognizer knows is still there: a redacted text is not anonymous.
    """

    texts: pa.Array = field(repr=False)
    spans: Spans = field(repr=False)
    counts: Mapping[str, int]


def redact(
    texts: Any,
    *,
    replace: "str | Pseudonyms | Replacement" = "kind",
    kinds: Sequence[str] | None = None,
    names: Iterable[str] | NameList | None = None,
    protective: bool = True,
    engine: Any = "tacit",
) -> Redaction:
    """Return texts with the personal data found in them replaced.

    texts, kinds, names, protective, engine -- as in `find_spans`.
    replace -- "kind": by the kind in brackets, "[E-MAIL]". Pseudonyms: by the kind and a keyed token, "[E-MAIL 3f...]"; one
        entity gets one token in every text, table and run of that key (columns: take the tokens of `canonical` values with the
        kind as scope), but kinds of few values (age, date, postcode, location) get the kind alone. A function of (kind, canonical
        text): what it returns; called once for each entity.
    Raises as `find_spans`, and ConfigError for another `replace`.
    """
    spans = find_spans(texts, kinds=kinds, names=names, protective=protective, engine=engine)
    array = plain(texts) if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.string())
    found = [(one.row, one.start, one.end, one.kind) for one in spans]
    held = {row: array[row].as_py() for row in dict.fromkeys(row for row, *_ in found)}
    entities = [(kind, canonical(kind, held[row][start:end])) for row, start, end, kind in found]
    written = _replacements(dict.fromkeys(entities), replace)
    pieces: dict[int, list[str]] = {row: [] for row in held}
    reached = dict.fromkeys(held, 0)
    for (row, start, end, _), entity in zip(found, entities, strict=True):
        pieces[row] += [held[row][reached[row] : start], written[entity]]
        reached[row] = end
    made = {row: "".join(parts) + held[row][reached[row] :] for row, parts in pieces.items()}
    out = array.cast(pa.string()).to_pylist()
    for row, text in made.items():
        out[row] = text
    counts = Counter(kind for *_, kind in found)
    return Redaction(texts=pa.array(out, pa.string()), spans=spans, counts=dict(sorted(counts.items())))


def canonical(kind: str, text: str) -> str:
    """Return the one spelling of an entity: Unicode NFKC without case, and of numbers the letters and digits alone.

    So "078-05-1120" and "078 05 1120" are one social security number, "Ann  Smith" and "ANN SMITH" one name.
    """
    plain_text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if kind in {"name", "e-mail", "url", "ip", "date", "location", "user name"}:
        return plain_text
    return re.sub(r"[\W_]", "", plain_text)


def _replacements(entities: Iterable[tuple[str, str]], replace: "str | Pseudonyms | Replacement") -> dict[tuple[str, str], str]:
    if replace == "kind":
        return {(kind, text): _bracketed(kind) for kind, text in entities}
    if hasattr(replace, "tokens"):
        return _tokens(entities, replace)
    if callable(replace):
        return {(kind, text): _checked(replace(kind, text)) for kind, text in entities}
    raise ConfigError(
        f'replace must be "kind", pseudonyms or a function, got {replace!r}. It says what stands in place of what was found. '
        "Write for example replace=Pseudonyms(key=load_or_create_key(path))."
    )


def _tokens(entities: Iterable[tuple[str, str]], pseudonyms: Any) -> dict[tuple[str, str], str]:
    by_kind: dict[str, list[str]] = {}
    for kind, text in entities:
        by_kind.setdefault(kind, []).append(text)
    written = {}
    for kind, texts in by_kind.items():
        tokens = None if kind in FEW else pseudonyms.tokens(pa.array(texts, pa.string()), scope=kind).values.to_pylist()
        for place, text in enumerate(texts):
            written[kind, text] = _bracketed(kind, tokens[place] if tokens else "")
    return written


def _bracketed(kind: str, token: str = "") -> str:
    return f"[{kind.upper()} {token}]" if token else f"[{kind.upper()}]"


def _checked(made: object) -> str:
    if not isinstance(made, str):
        raise ConfigError(
            f"the function given as replace returned {type(made).__name__}, not a text. A text would be cut apart by it. "
            "Return a text for every kind."
        )
    return made
