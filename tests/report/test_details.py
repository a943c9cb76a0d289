"""Names and details in words, while the data keep theirs."""

import json

import pytest

from tacit.models.finding import Basis, Finding
from tacit.report import Edition, Statement
from tacit.report.details import shown_details, shown_name
from tacit.report.document import document


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [
        ("training", "spare_steps", "Spare steps"),
        ("training", "batch_size", "Expected batch size"),
        ("training", "taken as public; declared", "Taken as public, declared"),
        ("training", "taken as public; public: the law on pensions", "Taken as public: the law on pensions"),
        ("training", "taken as public; charged: bounds", "Taken as public, charged: bounds"),
        ("anonymization", "k, declared", "k, declared"),
        ("auc", "AUC of the private model", "AUC of the private model"),
    ],
)
def test_a_name_is_written_in_words(kind: str, name: str, shown: str) -> None:
    assert shown_name(Finding(kind=kind, name=name, value=1, basis=Basis.PUBLIC)) == shown


def test_details_are_rounded_and_worded() -> None:
    details = {
        "proved": 2.99935734623086,
        "delta": 1e-5,
        "can_contradict": False,
        "share_correct": [0.8, 0.7377736354103998, 0.8531055117842412],
        "false_positive_interval": [0.0017520715679, 0.0163569551374],
        "p_value": 0.9999999999999977,
        "threat_model": "an observer of every noisy sum",
        "histogram": {"edges": [0, 1]},
        "whatever": 0.123456789,
    }
    assumption = "twins independent; an observer of every noisy sum"
    audit = Finding(kind="audit", name="a", value=1.0, basis=Basis.PUBLIC, assumption=assumption, details=details)
    assert shown_details(audit) == [
        ("proved epsilon, at most", "2.9994"),
        ("delta", "1e-5"),
        ("share of guesses that were right, and its interval", "80.0%, 73.8% to 85.3%"),
        ("interval of the false-positive rate", "0.2% to 1.6%"),
        ("p-value", "above 0.999"),
        ("whatever", "0.123457"),
    ]


@pytest.mark.parametrize(("unit", "text"), [("share", "32.9%"), ("", "0.3284")])
def test_the_limit_of_any_attack_is_rounded_up(unit: str, text: str) -> None:
    """Planted fault: round it to the nearest, and promise a little more than was proved."""
    found = Finding(kind="membership-attack", name="a", value=0.1, unit=unit, basis=Basis.EXACT, details={"limit": 0.32833715})
    assert shown_details(found) == [("most any attack can reach", text)]


def test_the_data_keep_their_names(statement: Statement) -> None:
    text = document(statement, Edition.CUSTODIAN)
    steps = {step["name"]: step for step in json.loads(text)["steps"]}
    assert steps["train"]["settings"]["clip_norm"] == 1.0
    assert steps["audit"]["findings"][0]["details"]["threat_model"]
