from typing import Any

import pyarrow as pa
import pytest

from anonymize.pseudonymize.by_definition import hmac_by_definition
from tacit.anonymize.pseudonymize import FAMILY_NAMES, GIVEN_NAMES, PLACES, FakeValues, Key, Pseudonyms
from tacit.anonymize.pseudonymize import fake_values as module
from tacit.errors import ConfigError, DataError, PrivacyError

KEY = Key(secret=bytes(range(32)))
NAMES = FakeValues(key=KEY, words=(GIVEN_NAMES, FAMILY_NAMES))
PEOPLE = [f"person {number}" for number in range(5_000)]


def fakes(column: Any, scope: str = "person", made_by: FakeValues = NAMES) -> Any:
    return made_by.values(pa.array(column), scope=scope).to_pylist()


def test_the_words_are_the_digits_of_hmac_sha256_in_the_lists_radices() -> None:
    message = (6).to_bytes(4, "big") + b"person" + b"person 0"
    number = int(hmac_by_definition(KEY.derive("fake values"), message)[:32], 16)
    expected = GIVEN_NAMES[number % len(GIVEN_NAMES)] + " " + FAMILY_NAMES[number // len(GIVEN_NAMES) % len(FAMILY_NAMES)]
    assert fakes(PEOPLE)[0] == expected


def test_t17_one_value_key_and_scope_give_one_fake_in_every_table_and_run() -> None:
    first = fakes(PEOPLE)
    assert fakes(["x", " person 1 ", None, "person 0"])[1:] == [first[1], None, first[0]]
    assert fakes(PEOPLE, scope="patient") != first
    assert fakes(PEOPLE, made_by=FakeValues(key=Key(secret=bytes(32)), words=NAMES.words)) != first


def test_every_word_is_chosen_equally_often() -> None:
    """Over keys fails with probability <= 1e-8: 64 words, each off by Hoeffding's 0.05 with probability <= 2 exp(-2 n 0.05^2) = 3e-11."""
    for part, words in enumerate(NAMES.words):
        chosen = [fake.split()[part] for fake in fakes(PEOPLE)]
        assert max(abs(chosen.count(word) / len(chosen) - 1 / len(words)) for word in words) <= 0.05
        assert set(chosen) == set(words)


def test_two_persons_can_share_one_fake_and_the_record_says_how_many_do() -> None:
    made = NAMES.values(pa.array(PEOPLE), scope="person")
    values = made.to_pylist()
    shared = sum(1 for fake in set(values) if values.count(fake) > 1)
    assert shared > 0
    assert (made.settings["shared"], made.settings["possible"], made.distinct) == (shared, 64 * 64, 5_000)
    assert "two values can share one" in made.method


def test_unique_fakes_are_unique_and_start_with_the_words() -> None:
    unique = FakeValues(key=KEY, words=(PLACES,), unique=True)
    made = unique.values(pa.array(PEOPLE), scope="place")
    assert len(set(made.to_pylist())) == 5_000
    assert made.settings["shared"] == 0
    word, suffix = made.to_pylist()[0].split()
    assert word in PLACES
    assert len(suffix) == 16
    assert fakes(PEOPLE[:1], scope="place", made_by=FakeValues(key=KEY, words=(PLACES,))) == [word]


def test_unique_fakes_that_collide_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SUFFIX", 1)
    with pytest.raises(PrivacyError, match="would stand for two values"):
        FakeValues(key=KEY, words=(PLACES,), unique=True).values(pa.array(PEOPLE), scope="place")


def test_values_equal_as_text_share_their_fake_and_do_not_count_as_shared() -> None:
    made = FakeValues(key=KEY, words=(PLACES,), unique=True).values(pa.array(["Kiel", " Kiel", "Jena", "Gera"]), scope="place")
    assert made.to_pylist()[0] == made.to_pylist()[1]


def test_the_lists_at_hand_are_of_different_words() -> None:
    for words in (GIVEN_NAMES, FAMILY_NAMES, PLACES):
        assert len(words) == len(set(words)) == 64


def test_a_fake_says_nothing_about_the_token_of_the_same_value() -> None:
    token = Pseudonyms(key=KEY).tokens(pa.array(PEOPLE), scope="person").to_pylist()
    number = [int(text, 16) % 64 for text in token]
    agree = sum(GIVEN_NAMES[place] == fake.split()[0] for place, fake in zip(number, fakes(PEOPLE), strict=True))
    assert (
        agree <= 200
    )  # 78 expected; more than 200 of 5,000 by chance: below 1e-9 over keys (Hoeffding gives 2.6e-3 only; Chernoff 1e-31)


@pytest.mark.parametrize(
    "words", ["Ada", [["Ada"]], [["Ada", "Ada"]], [[], ["a", "b"]], [["Ada", ""]], [], ["Ada", "Bo"], [["Ada", 3]]]
)
def test_lists_that_hide_nothing_are_refused(words: Any) -> None:
    with pytest.raises(ConfigError, match="words"):
        FakeValues(key=KEY, words=words)


def test_few_values_are_refused_unless_forced_and_missing_columns_always() -> None:
    few = pa.array(["f", "m"] * 20)
    with pytest.raises(PrivacyError, match="Drop the column, or generalize"):
        NAMES.values(few, scope="sex")
    assert NAMES.values(few, scope="sex", force=True).forced is not None
    with pytest.raises(DataError, match="nothing to replace"):
        NAMES.values(pa.nulls(4), scope="person")
