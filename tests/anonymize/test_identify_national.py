"""National numbers of twenty-eight countries, cards, accounts and vehicles, as another program judges them."""

import pyarrow as pa
import pytest

from tacit.anonymize.identify import identify_columns
from tacit.anonymize.identify.recognizers import RECOGNIZERS, lettered, weighted
from tacit.anonymize.identify.recognizers.digits import luhn
from tacit.anonymize.identify.recognizers.money import iban
from tacit.anonymize.identify.recognizers.national import NATIONAL
from tacit.anonymize.identify.recognizers.vehicles import vin
from tacit.tables.schema import Role

# Invented numbers, judged by python-stdnum 2.2, which shares no code with tacit: check, three valid, two with one digit changed.
JUDGED = [
    ("nhs", "6091390996 9078666617 1163726516", "1163526516 1163726506"),
    ("steuer_id", "36921304370 10536744899 49184576304", "36921304371 35921304370"),
    ("bsn", "272389250 510043409 083696179", "272389950 272089250"),
    ("rijksregister", "58082468959 51121571884 49041349377", "58082448959 58082428959"),
    ("pesel", "56072808785 54012566582 91052703683", "56072808775 56172808785"),
    ("personnummer", "361214-6120 760803-6864 480111-7542", "361314-6120 361264-6120"),
    ("fodselsnummer", "08088029659 22107463910 03055106567", "03055106563 08068029659"),
    ("cpf", "97605423403 96247663803 58434338386", "97605723403 97405423403"),
    ("sin", "551039985 355840935 284288347", "355800935 284281347"),
    ("aadhaar", "531264850984 982624700953 969371038459", "982684700953 969373038459"),
    ("tfn", "999358755 702569110 282739496", "700569110 502569110"),
    ("resident_registration", "6808141133727 6012172116779 5507062842853", "6808141173727 6012170116779"),
    ("kimlik", "61476070652 33575578902 85138805536", "61376070652 61486070652"),
    ("ahv", "7563636957931 7564031910019 7569418113908", "7569498113908 7564031910017"),
    ("nif", "377598585 717138771 427562376", "427565376 377598185"),
    ("south_african", "9903126823083 5301048243189 9909045635185", "5301048263189 9903156823083"),
    ("rodne_cislo", "8411270824 3610171807 4503213616", "4403213616 4503253616"),
    ("cnp", "1450503015845 1450502014998 1721005126614", "1450503015245 1721005126654"),
    ("oib", "66059997056 94219026518 44259350745", "16059997056 44259350645"),
    ("my_number", "445120175515 130079225640 097317238910", "445120175516 130079275640"),
    ("nir", "166082A71495648 283022B40103003 193017585970385", "166082A71495640 283024B40103003"),
    ("dni", "88826727Z 95548829K 82855098J", "82655098J 88626727Z"),
    ("nie", "Y8814776V Z6601387R X8042434R", "Z6603387R Z6901387R"),
    ("codice_fiscale", "RSSMRA70A21J441W RSSMRA78R10B568C RSSMRA68B09W473R", "RSSMRA78R18B568C RSSMRA78R80B568C"),
    ("hetu", "121051+6564 100471A420J 281291-178Y", "171051+6564 288291-178Y"),
    ("resident_identity", "110105193203287758 110105199601192890 11010519350727477X", "118105193203287758 110105199601192880"),
    ("pps", "3432292GH 3900113CB 1450048EH", "3500113CB 5450048EH"),
]


@pytest.mark.parametrize(("name", "valid", "changed"), JUDGED, ids=[one[0] for one in JUDGED])
def test_the_check_of_a_national_number_agrees_with_another_program(name: str, valid: str, changed: str) -> None:
    check = getattr(weighted, name, None) or getattr(lettered, "dni" if name == "nie" else name)
    assert check(pa.array(valid.split())).tolist() == [True] * 3
    assert check(pa.array(changed.split())).tolist() == [False] * 2


@pytest.mark.parametrize(("name", "valid"), [one[:2] for one in JUDGED], ids=[one[0] for one in JUDGED])
def test_every_change_of_the_last_digit_is_noticed(name: str, valid: str) -> None:
    """True of each of these schemes: the last digit or letter is decided by the others."""
    check = getattr(weighted, name, None) or getattr(lettered, "dni" if name == "nie" else name)
    number = valid.split()[0]
    place = max(place for place, sign in enumerate(number) if sign.isdigit())
    others = [number[:place] + digit + number[place + 1 :] for digit in "0123456789" if digit != number[place]]
    assert not check(pa.array(others)).any()


def test_at_least_twelve_countries_have_a_check_and_every_number_has_one() -> None:
    countries = {one.name.partition("(")[2].partition(")")[0] for one in NATIONAL}
    assert len(countries) >= 12
    assert all(one.valid for one in NATIONAL)
    assert {name for name, *_ in JUDGED} - {"nie"} <= {one.valid.__name__ for one in NATIONAL if one.valid is not None}


def test_a_column_of_national_numbers_is_told_from_one_of_other_digits() -> None:
    for name, valid, changed in JUDGED:
        sign = {"resident_registration": "-", "rodne_cislo": "/"}.get(name, "")
        numbers = [one[:6] + sign + one[6:] for one in valid.split()]
        (found,) = identify_columns(pa.table({"x7": numbers * 4}))
        assert (found.role, found.kind) == (Role.IDENTIFIER, "national number"), name
        (other,) = identify_columns(pa.table({"x7": [*changed.split(), numbers[0][::-1]] * 4}))
        assert other.confidence < found.confidence, name


def test_digits_that_pass_a_check_as_often_as_chance_has_it_are_no_national_numbers() -> None:
    """Consecutive numbers of nine digits: every check passes one in ten or eleven of them."""
    (found,) = identify_columns(pa.table({"x7": [str(400_000_000 + 7 * place) for place in range(500)]}))
    assert found.kind == "identifier"
    assert "national" not in " ".join(found.reasons)


def test_whole_numbers_of_a_parquet_file_count_as_their_digits() -> None:
    (found,) = identify_columns(pa.table({"x7": [56072808785, 54012566582, 91052703683]}))
    assert found.kind == "national number"
    assert "PESEL" in found.reasons[0]


def test_the_vehicle_number_of_the_standard() -> None:
    # 49 CFR 565.15's worked example, the number of ones, and the first with one sign changed
    assert vin(pa.array(["1M8GDM9AXKP042788", "11111111111111111", "1M8GDM9AXKP042789"])).tolist() == [True, True, False]


def test_an_iban_of_the_wrong_length_fails_though_its_remainder_is_right() -> None:
    """The remainder modulo 97 of NO9386011117947 is 1; with three more digits it is made 1 again by trying all check digits."""
    longer = [f"NO{check:02d}86011117947000" for check in range(2, 99)]
    by_hand = [int("".join(str(int(sign, 36)) for sign in one[4:] + one[:4])) % 97 == 1 for one in longer]
    assert sum(by_hand) == 1
    assert not iban(pa.array(longer)).any()
    assert iban(pa.array(["NO9386011117947"])).all()


def test_checks_of_no_values_are_empty() -> None:
    nothing = pa.array([], pa.string())
    for one in RECOGNIZERS:
        assert one.passed(nothing).shape == (0,)
    assert luhn(nothing).shape == (0,)


def test_confidence_follows_bayes_rule_and_failing_a_check_clears_nothing() -> None:
    card = next(one for one in RECOGNIZERS if one.kind == "card")
    assert card.confidence(1, 1) == pytest.approx(0.4 / (0.4 + 0.6 * 0.1))  # one value: Bayes' rule by hand
    assert card.confidence(50, 50) == card.checked
    assert card.confidence(50, 0) == card.confidence(50, 1) == card.confidence(50, 5) == card.alone
    shares = [card.confidence(50, passed) for passed in range(5, 51)]
    assert shares == sorted(shares)
