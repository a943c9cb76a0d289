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
"""Kinds of small public domains: never tokens, always the kind's name."""

Replacement = Callable[[str, str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Redaction:
    """Texts with what was found in them replaced.

    texts  -- Arrow strings, shape (n,), in order; missing ones stay missing.
    spans  -- what was replaced, as places in the original texts: for the custodian alone.
    counts -- kind -> finds replaced; exact statistics of private texts.
    forced -- kind -> why its tokens would have been refused without force=True; for the record.
    What no recognizer knows is still there: a redacted text is not anonymous.
    """

    texts: pa.Array = field(repr=False)
    spans: Spans = field(repr=False)
    counts: Mapping[str, int]
    forced: Mapping[str, str] = field(default_factory=dict)


def redact(
    texts: Any,
    *,
    replace: "str | Pseudonyms | Replacement" = "kind",
    kinds: Sequence[str] | None = None,
    names: Iterable[str] | NameList | None = None,
    protective: bool = True,
    engine: Any = "tacit",
    force: bool = False,
) -> Redaction:
    """Return texts with the personal data found in them replaced.

    texts, kinds, names, protective, engine -- as in `find_spans`.
    replace -- "kind": by the kind in brackets, "[E-MAIL]". Pseudonyms: by the kind and a keyed token, "[E-MAIL 3f...]"; one
        entity gets one token in every text, table and run of that key (columns: take the tokens of `canonical` values with the
        kind as scope), but kinds of few values (age, date, postcode, location) get the kind alone. A function of (kind, canonical
        text): what it returns; called once for each entity.
    force   -- make tokens of a kind all the same when they would give its entities away; the reason then stands in the result.
    Raises as `find_spans`, ConfigError for another `replace`, and PrivacyError for tokens of a kind that `check_entropy` refuses,
    a row being a text in which an entity stands.
    """
    spans = find_spans(texts, kinds=kinds, names=names, protective=protective, engine=engine)
    array = plain(texts) if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.string())
    found = [(one.row, one.start, one.end, one.kind) for one in spans]
    held = {row: array[row].as_py() for row in dict.fromkeys(row for row, *_ in found)}
    entities = [(kind, canonical(kind, held[row][start:end])) for row, start, end, kind in found]
    forced: dict[str, str] = {}
    if replace == "kind":
        written = {(kind, text): _bracketed(kind) for kind, text in entities}
    elif hasattr(replace, "tokens"):
        in_texts = dict.fromkeys((row, *entity) for (row, *_), entity in zip(found, entities, strict=True))
        written, forced = _tokens([(kind, text) for _, kind, text in in_texts], replace, force)
    else:
        written = _by_function(dict.fromkeys(entities), replace)
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
    return Redaction(texts=pa.array(out, pa.string()), spans=spans, counts=dict(sorted(counts.items())), forced=forced)


def canonical(kind: str, text: str) -> str:
    """Return the one spelling of an entity: Unicode NFKC without case, and of numbers the letters and digits alone.

    So "078-05-1120" and "078 05 1120" are one social security number, "Ann  Smith" and "ANN SMITH" one name.
    """
    plain_text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if kind in {"name", "e-mail", "url", "ip", "date", "location", "user name"}:
        return plain_text
    return re.sub(r"[\W_]", "", plain_text)


def _tokens(
    entities: Iterable[tuple[str, str]], pseudonyms: Any, force: bool
) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Return what stands for each entity, and per kind why its tokens were forced.

    entities -- (kind, canonical text), as often as there are texts that hold it: how often a token occurs is what gives it away.
    """
    by_kind: dict[str, list[str]] = {}
    for kind, text in entities:
        by_kind.setdefault(kind, []).append(text)
    written: dict[tuple[str, str], str] = {}
    forced: dict[str, str] = {}
    for kind, texts in by_kind.items():
        if kind in FEW:
            written |= {(kind, text): _bracketed(kind) for text in texts}
            continue
        made = pseudonyms.tokens(pa.array(texts, pa.string()), scope=kind, force=force)
        written |= {(kind, text): _bracketed(kind, token) for text, token in zip(texts, made.to_pylist(), strict=True)}
        if made.forced:
            forced[kind] = made.forced
    return written, forced


def _by_function(entities: Iterable[tuple[str, str]], replace: Any) -> dict[tuple[str, str], str]:
    if not callable(replace):
        raise ConfigError(
            f'replace must be "kind", pseudonyms or a function, got {replace!r}. It says what stands in place of what was found. '
            "Write for example replace=Pseudonyms(key=load_or_create_key(path))."
        )
    return {(kind, text): _checked(replace(kind, text)) for kind, text in entities}


def _bracketed(kind: str, token: str = "") -> str:
    return f"[{kind.upper()} {token}]" if token else f"[{kind.upper()}]"


def _checked(made: object) -> str:
    if not isinstance(made, str):
        raise ConfigError(
            f"the function given as replace returned {type(made).__name__}, not a text. A text would be cut apart by it. "
            "Return a text for every kind."
        )
    return made
