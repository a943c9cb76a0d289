import datetime
import random
import socket
from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.identify import identify_columns
from tacit.anonymize.identify.column_names import kind_by_name, words
from tacit.anonymize.identify.recognizers.digits import luhn
from tacit.anonymize.identify.recognizers.money import iban
from tacit.anonymize.identify.recognizers.weighted import ssn
from tacit.tables.schema import Role

FIRST = ["Ann", "Bo", "Carla", "Dmitri", "Eve", "Farid", "Grace", "Hao", "Inés", "Jürgen"]
LAST = ["Smith", "O'Brien", "Müller", "Nguyen", "van Dyk", "Rossi", "Lopez-Ruiz", "Kim", "Khan", "Silva"]
NAMES = [f"{first} {last}" for first in FIRST for last in LAST]
NOTES = [f"Called on day {i}; she said that the children were ill again and asked for another date." for i in range(100)]


def one(name: str, values: Any) -> Any:
    (finding,) = identify_columns(pa.table({name: values}))
    return finding


def luhn_number(i: int) -> str:
    """A 16-digit number with the check digit computed one digit at a time."""
    body = f"4{i:014d}"
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return body + str(-total % 10)


def test_the_columns_of_a_survey_with_identifiers() -> None:
    rng = random.Random(5)
    table = pa.table(
        {
            "full_name": NAMES,
            "contact": [f"{n.split()[0].lower()}{i}@mail.example" for i, n in enumerate(NAMES)],
            "phoneNumber": [f"+1 202 555 {i:04d}" for i in range(100)],
            "note": NOTES,
            "age": [rng.choice([17.5, 22.0, 27.0]) for _ in NAMES],
            "yrs_married": [rng.choice([0.5, 2.5]) for _ in NAMES],
            "educ": [rng.choice([9.0, 12.0, 14.0]) for _ in NAMES],
            "occupation": [rng.choice([1.0, 2.0]) for _ in NAMES],
            "rate_marriage": [rng.choice([1.0, 2.0, 5.0]) for _ in NAMES],
            "affairs": [rng.choice([0.0, 0.3]) for _ in NAMES],
            "outcome": [rng.choice(["yes", "no"]) for _ in NAMES],
        }
    )
    found = {finding.column: (finding.role, finding.kind, finding.remedy) for finding in identify_columns(table)}
    assert found == {
        "full_name": (Role.IDENTIFIER, "name", "pseudonymize"),
        "contact": (Role.IDENTIFIER, "e-mail", "pseudonymize"),
        "phoneNumber": (Role.IDENTIFIER, "phone", "pseudonymize"),
        "note": (Role.IDENTIFIER, "free text", "drop"),
        "age": (Role.QUASI, "age", "generalize"),
        "yrs_married": (Role.QUASI, "marital status", "generalize"),
        "educ": (Role.QUASI, "education", "generalize"),
        "occupation": (Role.QUASI, "occupation", "generalize"),
        "rate_marriage": (Role.FEATURE, "", "keep"),
        "affairs": (Role.SENSITIVE, "sex life", "keep"),
        "outcome": (Role.FEATURE, "", "keep"),
    }


@pytest.mark.parametrize(
    ("values", "kind", "role"),
    [
        ([f"user{i}@example.org" for i in range(30)], "e-mail", Role.IDENTIFIER),
        ([f"10.0.{i}.255" for i in range(30)], "ip", Role.IDENTIFIER),
        ([f"2001:db8:0:0:0:0:0:{i:x}" for i in range(30)], "ip", Role.IDENTIFIER),
        ([f"{i:08x}-0000-4000-8000-000000000000" for i in range(30)], "identifier", Role.IDENTIFIER),
        ([luhn_number(i) for i in range(30)], "card", Role.IDENTIFIER),
        ([int(luhn_number(i)) for i in range(30)], "card", Role.IDENTIFIER),
        ([f"219-09-{i:04d}" for i in range(1, 31)], "ssn", Role.IDENTIFIER),
        ([f"+44 20 7946 {i:04d}" for i in range(30)], "phone", Role.IDENTIFIER),
        ([f"(202) 555-{i:04d}" for i in range(30)], "phone", Role.IDENTIFIER),
        ([f"19{50 + i}-02-03" for i in range(30)], "date", Role.QUASI),
        ([f"3/{1 + i}/1970" for i in range(30)], "date", Role.QUASI),
        ([datetime.date(1970, 1, 1 + i) for i in range(30)], "date", Role.QUASI),
        ([f"SW1A {i % 10}AA" for i in range(30)], "postcode", Role.QUASI),
        (NAMES[:30], "name", Role.IDENTIFIER),
        (NOTES, "free text", Role.IDENTIFIER),
        (list(range(1000, 1030)), "identifier", Role.IDENTIFIER),
    ],
)
def test_values_alone_tell_the_kind(values: Any, kind: str, role: Any) -> None:
    finding = one("x7", values)
    assert (finding.kind, finding.role) == (kind, role)
    assert 0.3 < finding.confidence < 1
    assert finding.reasons


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dateOfBirth", "date of birth"),
        ("Geburtsdatum", "date of birth"),
        ("E-Mail-Adresse", "e-mail"),
        ("prénom", "name"),
        ("apellido1", "name"),
        ("customer name", "name"),
        ("native-country", "place"),
        ("PLZ", "postcode"),
        ("zip_code", "postcode"),
        ("Alter", "age"),
        ("marital-status", "marital status"),
        ("education-num", "education"),
        ("patient_id", "identifier"),
        ("salary-class", "income"),
        ("user_name", "user name"),
        ("ip_address", "ip"),
    ],
)
def test_names_tell_the_kind_in_several_spellings_and_languages(name: str, kind: str) -> None:
    told = kind_by_name(name)
    assert told is not None
    assert told[0] == kind


@pytest.mark.parametrize("name", ["page", "average", "wager", "ratio", "x", "", "humidity", "Ratings2"])
def test_a_word_inside_a_word_tells_nothing(name: str) -> None:
    assert kind_by_name(name) is None


def test_words_of_a_name() -> None:
    assert words("dateOfBirth") == words("date-of-birth") == words("DATE_OF_BIRTH") == "date of birth"
    assert words("IPAddress") == "ip address"


def test_t13_numbers_that_fail_their_checksum_are_still_identifiers() -> None:
    never_issued = [
        f"{area}-{group}-{serial}" for area in ("000", "666", "900") for group in ("00", "12") for serial in ("0000", "1234", "9")
    ]
    shaped = [text for text in never_issued if len(text) == 11] + ["078-05-1120"]
    assert (one("x7", shaped).role, one("x7", shaped).kind) == (Role.IDENTIFIER, "ssn")
    broken = [luhn_number(i)[:-1] + str((int(luhn_number(i)[-1]) + 1) % 10) for i in range(30)]
    assert one("x7", broken).role is Role.IDENTIFIER
    assert one("x7", broken).confidence < one("x7", [luhn_number(i) for i in range(30)]).confidence


def test_t14_a_social_security_number_is_not_a_phone_number_and_an_address_not_a_url() -> None:
    assert one("x7", ["078-05-1120"] * 3).kind == "ssn"
    assert one("x7", [f"www.{i}@example.org" for i in range(9)]).kind == "e-mail"
    assert "url" not in str(one("x7", [f"www.{i}@example.org" for i in range(9)]).reasons)


def test_t14_the_same_table_gives_the_same_findings_in_any_row_order() -> None:
    table = pa.table({"a": NAMES, "b": NOTES, "c": [luhn_number(i) for i in range(100)]})
    assert identify_columns(table) == identify_columns(table.take(list(reversed(range(100)))))


def test_t15_nothing_reaches_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert one("contact", [f"user{i}@example.org" for i in range(9)]).kind == "e-mail"


def test_reasons_hold_no_value_of_the_data() -> None:
    for finding in identify_columns(pa.table({"a": NAMES, "b": NOTES, "c": [f"secret{i}@example.org" for i in range(100)]})):
        assert not any(word in " ".join(finding.reasons) for word in ("Smith", "children", "secret"))


def test_a_few_addresses_among_other_texts_are_noticed() -> None:
    assert one("remark_code", [f"code{i}" for i in range(90)] + [f"u{i}@example.org" for i in range(10)]).role is Role.IDENTIFIER


def test_a_column_named_for_an_identifier_that_only_says_yes_or_no_is_a_feature() -> None:
    assert one("has_phone", [True, False] * 10).role is Role.FEATURE
    assert one("email sent", ["yes", "no"] * 10).role is Role.FEATURE


def test_a_label_is_only_guessed_when_the_name_can_mean_nothing_else() -> None:
    assert one("target", [0, 1] * 20).role is Role.LABEL
    for name in ("outcome", "class", "status", "result", "approved"):
        assert one(name, [0, 1] * 20).role is Role.FEATURE
    assert one("target", [i / 7 for i in range(40)]).role is Role.FEATURE
    both = identify_columns(pa.table({"target": [0, 1] * 20, "label": [0, 1] * 20}))
    assert [finding.role for finding in both] == [Role.FEATURE, Role.FEATURE]


def test_an_age_beyond_a_life_is_doubted() -> None:
    assert one("age", [20, 900]).confidence < one("age", [20, 90]).confidence


def test_odd_columns_do_not_stop_the_search() -> None:
    table = pa.table({"none": pa.nulls(5), "list": [[1]] * 5, "bytes": [b"x"] * 5, "empty": [""] * 5, "": range(5)})
    assert len(identify_columns(table)) == 5
    assert len(identify_columns(table.slice(0, 0))) == 5


def test_progress_counts_columns() -> None:
    seen: list[tuple[int, int]] = []
    identify_columns(pa.table({"a": [1], "b": [2]}), on_progress=lambda *at: seen.append(at))
    assert seen == [(1, 2), (2, 2)]


def test_checksums_against_published_numbers() -> None:
    # card networks' public test numbers; the last two have one digit changed
    cards = [
        "4111 1111 1111 1111",
        "5555555555554444",
        "378282246310005",
        "6011-1111-1111-1117",
        "4111111111111112",
        "378282246310006",
    ]
    assert luhn(pa.array(cards)).tolist() == [True, True, True, True, False, False]
    # the IBAN registry's examples for the United Kingdom, Germany and Norway; the last has two digits swapped
    ibans = ["GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NO9386011117947", "DE89370400440532010300"]
    assert iban(pa.array(ibans)).tolist() == [True, True, True, False]
    assert (
        ssn(pa.array(["219-09-9999", "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000"])).tolist()
        == [True] + [False] * 5
    )
