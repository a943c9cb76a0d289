"""A statement as a real study would fill it, with every kind of finding the report knows."""

import errno
import math
import os
from collections.abc import Callable
from typing import Any

import pytest

from tacit.models.finding import Basis, Finding
from tacit.privacy.guarantee import Guarantee
from tacit.report import DatasetLedger, DpEntry, Edition, ListedEntry, Randomness, StatedGuarantee, Statement, StepSection
from tacit.report.html import page

EPSILON, DELTA, ROWS = 2.9963, 1e-5, 6366


@pytest.fixture
def statement() -> Statement:
    return make_statement()


@pytest.fixture
def make() -> Callable[..., Statement]:
    """Return make(**changes): the statement with fields changed."""
    return make_statement


@pytest.fixture(scope="session")
def rendered() -> dict[Edition, str]:
    """Return both editions' pages of the unchanged statement, drawn once."""
    return {edition: page(make_statement(), edition) for edition in Edition}


@pytest.fixture
def make_audit() -> Callable[..., StepSection]:
    """Return make_audit(lower, contradicts=..., basis=...): the audit's step with another outcome."""
    return audit


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every sync to disk fail as it does when the disk is full; nothing short of a real full disk does so otherwise."""

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


def make_statement(**changes: Any) -> Statement:
    fields: dict[str, Any] = {
        "title": "Redbook survey, 1974",
        "run": "demo-7f3a91",
        "dataset": "fair",
        "rows": ROWS,
        "settings": {"data": {"kind": "table", "rows": ROWS}, "privacy": {"epsilon": 3.0, "delta": DELTA, "unit": "row"}},
        "guarantees": (
            StatedGuarantee(
                what="the private model",
                guarantee=Guarantee(epsilon=EPSILON, delta=DELTA),
                intermediate_models_visible=True,
            ),
        ),
        "ledgers": (ledger(),),
        "head": {"ledger_id": "5e" * 16, "count": 9, "hash": "3f" * 32, "public_key": "a1" * 32, "signature": "9c" * 64},
        "randomness": Randomness(name="os-aes256-ctr", private=True),
        "steps": (scan(), anonymized(), train(), twin(), attack(), audit()),
        "answers": {
            "trust-model": "Central: one custodian holds the rows and trains.",
            "raw-data-access": "The custodian's analysts.",
            "floating-point": "Noise and sums lie on one grid, in integers.",
        },
        "verify_command": "tacit ledger verify runs/demo/ledger.sqlite --anchor runs/demo/report/release.json",
        "created": "2026-11-21T18:30:05+00:00",
        "tacit_version": "0.1.0",
        "input_hashes": {"fair.csv": "be" * 32},
    }
    return Statement(**{**fields, **changes})


def ledger(**changes: Any) -> DatasetLedger:
    fields: dict[str, Any] = {
        "dataset": "fair",
        "granted_epsilon": 3.0,
        "granted_delta": DELTA,
        "spent_epsilon": EPSILON,
        "spent_delta": DELTA,
        "left_epsilon": 3.0 - EPSILON,
        "left_delta": 0.0,
        "dp": (
            DpEntry(
                purpose="train the private model",
                epsilon=EPSILON,
                delta=DELTA,
                event={
                    "event": "repeated",
                    "count": 210,
                    "of": {
                        "event": "poisson-sampled",
                        "probability": 0.1,
                        "of": {"event": "gaussian", "noise_multiplier": 2.6125},
                    },
                },
                steps=200,
                spare_steps=10,
            ),
        ),
        "not_dp": (
            ListedEntry(what="the k-anonymized table (k = 5)", details={"suppressed": 231}),
            ListedEntry(what="the non-private twin, kept by the custodian", details={"rows": 5093}),
            ListedEntry(what="exact accuracy and attack figures, in the custodian's edition"),
        ),
        "read_only": (ListedEntry(what="looked for personal data", details={"columns": 14}),),
    }
    return DatasetLedger(**{**fields, **changes})


def scan(name_cells: int = 6366) -> StepSection:
    columns = [
        ("name", "a person's name", name_cells, "identifier"),
        ("e-mail", "e-mail address", 6366, "identifier"),
        ("phone", "phone number", 6366, "identifier"),
        ("note", "free text that names people", 1507, "identifier"),
        ("age", "date of birth or age", 6366, "quasi"),
    ]
    found = tuple(
        Finding(
            kind="personal-data",
            name=column,
            value=kind,
            basis=Basis.EXACT,
            n=cells,
            method="pattern and column name agree",
            details={"role": role, "matching": cells},
        )
        for column, kind, cells, role in columns
    )
    return StepSection(name="scan", findings=found, seconds=0.41, versions={"tacit": "0.1.0", "pyarrow": "21.0"})


def anonymized(unique: int = 1873) -> StepSection:
    sizes = {
        "before": [[1, unique], [2, 620], [3, 280], [4, 150], [6, 130], [12, 50], [30, 8]],
        "after": [[5, 31], [8, 40], [14, 45], [33, 40], [90, 35]],
    }
    risks = []
    for when, highest, average in (("before", 1.0, unique / 6000), ("after", 0.2, 0.0311)):
        rows = sum(size * count for size, count in sizes[when])
        for name, value, unit in (
            ("highest risk", highest, "share"),
            ("average risk", average, "share"),
            ("unique rows", unique if when == "before" else 0, "rows"),
        ):
            details = {"class_sizes": sizes[when]} if name == "highest risk" else {}
            risks.append(
                Finding(
                    kind="reidentification-risk",
                    name=f"{name}, {when}",
                    value=value,
                    unit=unit,
                    basis=Basis.EXACT,
                    n=rows,
                    method="prosecutor risk: 1 / rows of the class of equal quasi-identifiers",
                    assumption="the attacker knows that the person is in the table and knows all quasi-identifiers",
                    details=details,
                )
            )
    public = Finding(
        kind="anonymization", name="k, declared", value=5, basis=Basis.PUBLIC, method="as written in the study", details={"k": 5}
    )
    levels = Finding(
        kind="anonymization",
        name="rows suppressed",
        value=231,
        unit="rows",
        basis=Basis.EXACT,
        n=6366,
        method="exact search, proved optimal",
        details={"levels": {"age": 2, "educ": 1, "children": 1}, "loss": 0.372},
    )
    settings = {"k": 5, "suppression_limit": 0.05, "quasi": ["age", "yrs_married", "children", "educ", "occupation"]}
    return StepSection(name="anonymize", findings=(public, levels, *risks), seconds=2.2, settings=settings)


def train() -> StepSection:
    guarantee = Finding(
        kind="guarantee",
        name="proved epsilon of the private model",
        value=EPSILON,
        unit="epsilon",
        basis=Basis.PUBLIC,
        method="privacy-loss distribution of 210 Poisson-sampled Gaussian steps (dp-accounting)",
        details={"epsilon": EPSILON, "delta": DELTA, "unit": "row", "neighbours": "zero-out-one"},
    )
    noise = Finding(
        kind="training",
        name="noise multiplier",
        value=2.6125,
        basis=Basis.PUBLIC,
        method="smallest that meets the target",
        details={"noise_multiplier": 2.6125, "probability": 0.1, "steps": 200, "loss": 0.5512},
    )
    found = (guarantee, noise, *scores("private", 0.7298, 0.7371))
    settings = {"clip_norm": 1.0, "expected_batch_size": 509, "epochs": 20, "model": "linear"}
    return StepSection(
        name="train", findings=found, seconds=5.8, settings=settings, versions={"torch": "2.13.0", "dp-accounting": "0.6.0"}
    )


def twin(accuracy: float = 0.7345) -> StepSection:
    return StepSection(name="twin", findings=scores("non-private", accuracy, 0.7440), seconds=1.9)


def scores(model: str, accuracy: float, auc: float) -> tuple[Finding, ...]:
    common: dict[str, Any] = {"basis": Basis.EXACT, "confidence": 0.95, "n": 1273}
    share: dict[str, Any] = {**common, "unit": "share", "method": "share of rows; Wilson 1927 interval"}
    details = {"model": model, "classes": ["0", "1"]}
    return (
        Finding(
            kind="accuracy",
            name=f"accuracy of the {model} model",
            value=accuracy,
            interval=(accuracy - 0.0248, accuracy + 0.0241),
            details=details,
            **share,
        ),
        Finding(
            kind="majority",
            name=f"majority class beside the {model} model",
            value=0.6779,
            interval=(0.6517, 0.703),
            details={"model": model, "class": "0"},
            **share,
        ),
        Finding(
            kind="auc",
            name=f"AUC of the {model} model",
            value=auc,
            interval=(auc - 0.028, auc + 0.027),
            method="DeLong 1988",
            details=details,
            **common,
        ),
    )


def attack(advantage: float = 0.35) -> StepSection:
    rates = [10 ** (-3 + 3 * at / 120) for at in range(121)]
    found = []
    for model, power in (("private", 0.985), ("non-private", 1 - advantage)):
        details: dict[str, Any] = {"model": model, "roc": [[0.0, 0.0], *([rate, rate**power] for rate in rates)]}
        if model == "private":
            details["limit"] = [[rate, min(1.0, math.exp(EPSILON) * rate + DELTA)] for rate in rates]
        auc = 1 / (1 + power)
        found.append(
            Finding(
                kind="membership-attack",
                name=f"loss attack on the {model} model: AUC",
                value=auc,
                basis=Basis.EXACT,
                interval=(auc - 0.014, auc + 0.014),
                confidence=0.95,
                n=6366,
                ceiling=1.0,
                method="area under the ROC curve",
                assumption="members and non-members drawn from one distribution (checked on features)",
                details=details,
            )
        )
    return StepSection(name="attack", findings=tuple(found), seconds=0.7)


def audit(lower: float = 0.871, *, contradicts: bool = False, basis: Basis = Basis.PUBLIC) -> StepSection:
    edges = [-30 + at * 2.0 for at in range(41)]
    bell = [[round(900 * math.exp(-(((edge + 1 - center) / 7.5) ** 2))) for edge in edges[:-1]] for center in (20, 0)]
    threat = "an observer of every noisy sum, with one gradient canary of full clip norm in a coordinate no record uses"

    def one(name: str, value: float, confidence: float, ceiling: float, **details: Any) -> Finding:
        return Finding(
            kind="audit",
            name=name,
            value=value,
            unit="epsilon",
            basis=basis,
            confidence=confidence,
            n=1000,
            ceiling=ceiling,
            method="one-sided lower bound, Clopper-Pearson on both rates, threshold fixed beforehand (arXiv:2006.07709)",
            assumption=f"twins independent of one another; {threat}",
            details={"proved": EPSILON, "delta": DELTA, "runs": 1000, "threat_model": threat, **details},
        )

    histogram = {"edges": edges, "present": bell[0], "absent": bell[1]}
    found = (
        one("canary audit, acted on", lower, 1 - 1e-6, 4.22, contradicts=contradicts, histogram=histogram, threshold=10.0),
        one("canary audit, shown", lower + 0.6, 0.95, 5.6),
        one("one-run audit, shown", 0.41, 0.95, 4.16),
    )
    return StepSection(name="audit", findings=found, seconds=31.0, settings={"runs": 1000, "canaries": 1})
