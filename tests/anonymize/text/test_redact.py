"""Redacted texts: nothing found is left, the same entity gets the same token in every text, table and run."""

import hmac
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize import Key, Pseudonyms, load_or_create_key
from tacit.anonymize.text import canonical, find_spans, redact
from tacit.anonymize.text.redact import FEW
from tacit.errors import ConfigError, PrivacyError

KEY = Key(secret=bytes(range(32)))
NOTES = [
    "Ann Smith (ann@example.org, 219-09-9999) paid with 4111 1111 1111 1111 on 3/4/2020.",
    None,
    "ANN  SMITH wrote from Ann@Example.org; card 4111111111111111; SSN 219 09 9999",
    "nothing here",
]


def tokens(**settings: Any) -> list[str | None]:
    return redact(NOTES, names=["Ann Smith"], replace=Pseudonyms(key=KEY), **settings).texts.to_pylist()  # type: ignore[no-any-return]


def test_what_is_found_is_replaced_by_its_kind_and_the_rest_stays() -> None:
    done = redact(NOTES, names=["Ann Smith"])
    assert done.texts.to_pylist() == [
        "[NAME] ([E-MAIL], [SSN]) paid with [CARD] on [DATE].",
        None,
        "[NAME] wrote from [E-MAIL]; card [CARD]; SSN [SSN]",
        "nothing here",
    ]
    assert done.counts == {"card": 2, "date": 1, "e-mail": 2, "name": 2, "ssn": 2}
    assert len(done.spans) == 9


def test_one_entity_has_one_token_however_it_is_written_and_in_every_run() -> None:
    first, missing, second, rest = tokens()
    assert (missing, rest) == (None, "nothing here")
    assert first is not None
    assert second is not None
    for kind in ("NAME", "E-MAIL", "CARD", "SSN"):
        one, other = (text.partition(f"[{kind} ")[2].partition("]")[0] for text in (first, second))
        assert len(one) == 32
        assert one == other
    assert tokens() == [first, None, second, rest]


def test_a_token_is_the_keyed_hash_of_kind_and_canonical_text() -> None:
    """HMAC-SHA256 by the standard library, over the length of the scope, the scope and the text; the first 16 bytes."""
    message = len(b"ssn").to_bytes(4, "big") + b"ssn" + b"219099999"
    expected = hmac.digest(KEY.secret, message, "sha256")[:16].hex()
    first = tokens()[0]
    assert first is not None
    assert f"[SSN {expected}]" in first
    other = redact(["219-09-9999"], replace=Pseudonyms(key=Key(secret=bytes(32)))).texts[0].as_py()
    assert expected not in other


def test_a_column_of_a_table_gets_the_tokens_of_the_text() -> None:
    column = pa.array([canonical("e-mail", "Ann@Example.org"), canonical("e-mail", "bo@example.org")])
    token = Pseudonyms(key=KEY).tokens(column, scope="e-mail").values[0].as_py()
    first = tokens()[0]
    assert first is not None
    assert f"[E-MAIL {token}]" in first


@pytest.mark.parametrize("kind", sorted(FEW))
def test_kinds_of_few_values_never_get_a_token(kind: str) -> None:
    text = {"age": "aged 44", "date": "on 3/4/2020", "postcode": "zip 02139", "location": "at 52.5200, 13.4050"}[kind]
    assert redact([text], replace=Pseudonyms(key=KEY)).texts[0].as_py() == redact([text]).texts[0].as_py()
    assert redact([text]).counts == {kind: 1}


STAFF = [f"Dr. {'Okafor' if i % 3 else 'Byrne'} saw patient{i}@example.org" for i in range(30)]


def test_entities_whose_counts_tell_who_they_are_get_no_token_unless_forced() -> None:
    """Two doctors in thirty notes: 20 and 10 of them. That each stands once in the list of entities hides nothing."""
    with pytest.raises(PrivacyError, match=r"'name' cannot be hidden.*2 distinct values in 30 rows"):
        redact(STAFF, replace=Pseudonyms(key=KEY))
    done = redact(STAFF, replace=Pseudonyms(key=KEY), force=True)
    assert done.forced == {"name": "2 distinct values in 30 rows"}
    assert len({text.partition("[NAME ")[2].partition("]")[0] for text in done.texts.to_pylist()}) == 2
    kept = redact(STAFF, kinds=["e-mail"], replace=Pseudonyms(key=KEY))
    assert kept.forced == {}
    assert len(set(kept.texts.to_pylist())) == 30


def test_an_entity_named_often_in_one_text_counts_once() -> None:
    long = " ".join(["ann@example.org"] * 50 + ["bo@example.org"])
    assert redact([long], replace=Pseudonyms(key=KEY)).forced == {}


def test_two_files_searched_apart_and_a_table_get_one_pseudonym_for_one_entity(tmp_path: Path) -> None:
    """The key is read again for each, as by another process."""
    (tmp_path / "a.txt").write_text("Ann Smith called.\nSSN 219-09-9999", encoding="utf-8")
    (tmp_path / "b.txt").write_text("219 09 9999 is ANN  SMITH's\n", encoding="utf-8")
    found = []
    for name in ("a.txt", "b.txt"):
        pseudonyms = Pseudonyms(key=load_or_create_key(tmp_path / "text.key"))
        lines = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        done = " ".join(redact(lines, names=["Ann Smith"], replace=pseudonyms).texts.to_pylist())
        found.append({kind: done.partition(f"[{kind} ")[2].partition("]")[0] for kind in ("NAME", "SSN")})
    assert found[0] == found[1]
    assert all(len(token) == 32 for token in found[0].values())
    column = pseudonyms.tokens(pa.array([canonical("name", "Ann Smith")]), scope="name")
    assert column.to_pylist() == [found[0]["NAME"]]


def test_a_function_is_called_once_for_each_entity() -> None:
    calls: list[tuple[str, str]] = []

    def fake(kind: str, text: str) -> str:
        calls.append((kind, text))
        return f"<{len(calls)}>"

    done = redact(NOTES, names=["Ann Smith"], replace=fake).texts.to_pylist()
    assert done[0] == "<1> (<2>, <3>) paid with <4> on <5>."
    assert done[2] == "<1> wrote from <2>; card <4>; SSN <3>"
    assert calls == [
        ("name", "ann smith"),
        ("e-mail", "ann@example.org"),
        ("ssn", "219099999"),
        ("card", "4111111111111111"),
        ("date", "3/4/2020"),
    ]


def test_a_redacted_text_holds_nothing_that_the_search_would_find() -> None:
    done = redact(NOTES, names=["Ann Smith"], replace="kind").texts
    assert len(find_spans(done, names=["Ann Smith"])) == 0


def test_t13_a_number_that_fails_its_check_is_redacted_and_kept_only_when_asked() -> None:
    note = ["her number 078-05-1120, card 4111111111111112"]
    assert redact(note).texts.to_pylist() == ["her number [SSN], card [CARD]"]
    assert redact(note, protective=False, kinds=["ssn", "card"]).texts.to_pylist() == note


def test_of_a_long_number_no_digit_is_left_over() -> None:
    """Something surer is found inside something longer (an e-mail address inside a web address): the whole extent goes."""
    for text in (
        "http://example.org/?u=ann@example.org&x=219099999",
        "4111 1111 1111 1111",
        "+1 202 555 0123 4567",
        "0049 30 1234567 12345",
    ):
        left = redact([f"call {text} now"]).texts[0].as_py()
        assert not any(sign.isdigit() for sign in left), left


def test_wrong_replacements_are_refused() -> None:
    with pytest.raises(ConfigError, match="replace must be"):
        redact(NOTES, replace="mask")
    with pytest.raises(ConfigError, match="returned int"):
        redact(NOTES, replace=lambda kind, text: 1)  # type: ignore[arg-type, return-value]


def test_large_text_types_and_dictionaries_are_texts_too() -> None:
    for given in (
        pa.array(NOTES, pa.large_string()),
        pa.array(NOTES).dictionary_encode(),
        pa.chunked_array([NOTES[:1], NOTES[1:]]),
    ):
        assert redact(given, names=["Ann Smith"]).texts.to_pylist() == redact(NOTES, names=["Ann Smith"]).texts.to_pylist()
    assert redact([], replace="kind").texts.to_pylist() == []
