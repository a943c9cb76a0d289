"""The fourteen items a privacy report owes its reader; what is missing shows as not stated.

A synthesis of NIST SP 800-226, "How to DP-fy ML" (Ponomareva et al. 2023, arXiv:2303.00654) and a deployment-registry
schema (arXiv:2509.13509).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tacit.errors import ConfigError
from tacit.models.finding import Basis
from tacit.report.editions import claims_hold
from tacit.report.reading import PRIVATE, Audit, audits, findings, number, of_model, strictest
from tacit.report.statement import Statement
from tacit.report.writing import (
    confidence,
    counted,
    evidence_of,
    gross_faults,
    lower,
    plain,
    spent_beside,
    upper,
    value_of,
)

__all__ = ["ITEMS", "PARTS", "Item", "Part", "checklist", "missing"]

ITEMS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("The promise", (("promise", "Variant, epsilon, delta"), ("delta-and-n", "Delta against 1/n"), ("curve", "Full curve"))),
    ("Unit of privacy", (("unit", "Who is protected"), ("records-per-unit", "Most records per unit"))),
    ("Neighbouring data sets", (("neighbours", "Relation"),)),
    ("Trust model", (("trust-model", "Model"), ("raw-data-access", "Who sees raw data"))),
    (
        "Accounting",
        (
            ("accountant", "Accountant and version"),
            ("sampling-assumed", "Sampling assumed"),
            ("sampling-actual", "Sampling that ran"),
            ("mechanism", "Steps, rate, noise"),
            ("clipping", "Clip norm"),
        ),
    ),
    ("What is released", (("released", "Released"), ("intermediate-models", "Intermediate models"))),
    (
        "Accesses to private data",
        (
            ("covered", "Covered by the epsilon"),
            ("not-covered", "Not covered"),
            ("read-only", "Read only, nothing released"),
            ("preprocessing", "Preprocessing, vocabulary, feature selection"),
            ("early-stopping", "Early stopping and evaluation"),
            ("public-pretraining", "Public pretraining"),
        ),
    ),
    ("Budget", (("total", "Total"), ("remaining", "Remaining"), ("renewal", "Renewal"))),
    ("Tuning", (("tuning-runs", "Runs and selection rule"), ("tuning-cost", "Cost"))),
    (
        "Implementation",
        (
            ("generator", "Source of randomness"),
            ("floating-point", "Floating-point noise"),
            ("per-example-gradients", "Per-example gradients"),
            ("side-channels", "Side channels"),
            ("test-evidence", "Test evidence"),
        ),
    ),
    ("Utility and bias", (("accuracy", "Accuracy"), ("subgroups", "Error by subgroup"))),
    (
        "Empirical audit",
        (
            ("audits", "Audits"),
            ("attacks", "Attacks"),
            ("threat-model", "Threat model"),
            ("audit-record", "Date, version, seeds, code"),
        ),
    ),
    (
        "Data handling",
        (
            ("collection", "Collection and minimization"),
            ("retention", "Retention"),
            ("access", "Access and security"),
            ("legal-basis", "Legal basis"),
        ),
    ),
    ("What differential privacy does not protect", (("limits", "Limits"),)),
)
"""(title, ((part key, label), ...)): `Statement.answers` may declare any part by its key."""

PARTS: frozenset[str] = frozenset(key for _, parts in ITEMS for key, _ in parts)

_LIMITS = (
    "What is true of a group can be learned and used about its members, whether or not they took part. "
    "Facts about one person that others' rows reveal stay inferable. The raw table itself, its accuracy and integrity, "
    "and everything released without an epsilon are outside the promise."
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an item; text None: not stated. basis: of the findings it tells of."""

    key: str
    label: str
    text: str | None
    basis: Basis = Basis.PUBLIC


@dataclass(frozen=True, slots=True)
class Item:
    """One of the fourteen."""

    number: int
    title: str
    parts: tuple[Part, ...]


def checklist(statement: Statement) -> tuple[Item, ...]:
    """Return the fourteen items: what the run knows, then what was declared.

    Raises ConfigError for an answer to a part that does not exist.
    """
    unknown = sorted(set(statement.answers) - PARTS)
    if unknown:
        raise ConfigError(
            f"no report item has a part named {unknown[0]!r}, so its answer would be lost. "
            f"Known parts: {', '.join(sorted(PARTS))}."
        )
    known = {**_promise(statement), **_accounting(statement), **_spending(statement), **_evidence(statement), "limits": _LIMITS}
    bases = _bases(statement)
    return tuple(
        Item(
            at,
            title,
            tuple(
                Part(key, label, _joined(known.get(key), statement.answers.get(key)), bases.get(key, Basis.PUBLIC))
                for key, label in parts
            ),
        )
        for at, (title, parts) in enumerate(ITEMS, start=1)
    )


def missing(statement: Statement) -> list[str]:
    """Return the keys of the parts that are not stated."""
    return [part.key for item in checklist(statement) for part in item.parts if part.text is None]


def _bases(statement: Statement) -> dict[str, Basis]:
    """Return the basis of each part that tells of findings."""
    audited = strictest(finding for _, finding in findings(statement, "audit"))
    attacked = strictest(finding for _, finding in findings(statement, "membership-attack"))
    accuracy = of_model(statement, "accuracy", PRIVATE)
    return {
        "audits": audited,
        "threat-model": audited,
        "attacks": attacked,
        "public-pretraining": strictest(finding for _, finding in findings(statement, "pretraining")),
        "accuracy": strictest([accuracy] if accuracy else []),
    }


def _joined(*texts: str | None) -> str | None:
    return " ".join(text.strip() for text in texts if text and text.strip()) or None


def _promise(statement: Statement) -> dict[str, str | None]:
    if not statement.guarantees:
        return {}
    promised = [stated.guarantee for stated in statement.guarantees]
    delta, unit = max(one.delta for one in promised), promised[0].unit
    verdict = "below" if delta < 1 / statement.rows else "not below"
    visible = {True: "visible: the promise covers every noisy step", False: "not visible", None: None}
    lines = [(stated.what, visible[stated.intermediate_models_visible]) for stated in statement.guarantees]
    return {
        "promise": ("" if claims_hold(statement) else "Claimed, but does not stand: ")
        + "; ".join(
            f"({upper(one.guarantee.epsilon)}, {upper(one.guarantee.delta)})-differential privacy for {one.what}"
            for one in statement.guarantees
        )
        + ".",
        "delta-and-n": f"{upper(delta)} is {verdict} 1/{statement.rows:,} = {plain(1 / statement.rows, 3)}.",
        "curve": "Follows from the events listed in the ledger." if any(ledger.dp for ledger in statement.ledgers) else None,
        "unit": f"One {unit}." if unit == "row" else f'All rows of one "{unit}".',
        "records-per-unit": "1, since each row is its own unit." if unit == "row" else None,
        "neighbours": "; ".join(sorted({one.neighbours.value for one in promised})) + f", n = {statement.rows:,} being public.",
        "intermediate-models": "; ".join(f"{what}: {text}" for what, text in lines if text) + "."
        if any(text for _, text in lines)
        else None,
        "released": "; ".join(what for what, _ in lines) + ".",
    }


def _accounting(statement: Statement) -> dict[str, str | None]:
    versions = {name: version for step in statement.steps for name, version in step.versions.items()}
    version = versions.get("dp-accounting") or versions.get("dp_accounting")
    events = [event for ledger in statement.ledgers for entry in ledger.dp for event in _leaves(entry.event)]
    clips = [value for step in statement.steps for key, value in step.settings.items() if key in ("clip_norm", "clip-norm")]
    clips = [str(value) if number(value) is None else plain(value) for value in clips]
    sampled = any(rate is not None for _, rate in events)
    described = [
        f"noise multiplier {plain(noise, 6)}" + (f", rate {plain(rate)}" if rate is not None else "") for noise, rate in events
    ]
    counts = [f"{entry.steps:,} steps and {entry.spare_steps:,} spare" for ledger in statement.ledgers for entry in ledger.dp]
    return {
        "accountant": f"dp-accounting {version}." if version else None,
        "sampling-assumed": "Poisson: each unit drawn independently." if sampled else "None." if events else None,
        "mechanism": "; ".join(counts) + ": Gaussian, " + "; ".join(described) + "." if events else None,
        "clipping": "; ".join(dict.fromkeys(clips)) + "." if clips else None,
    }


def _leaves(event: object, rate: float | None = None) -> Iterator[tuple[float, float | None]]:
    """Yield (noise multiplier, sampling rate) of every mechanism in an event's JSON form."""
    if isinstance(event, list | tuple):
        for inner in event:
            yield from _leaves(inner, rate)
    elif isinstance(event, Mapping):
        rate = event.get("probability", rate)
        if isinstance(event.get("noise_multiplier"), int | float):
            yield float(event["noise_multiplier"]), rate
        yield from _leaves(event.get("of"), rate)


def _spending(statement: Statement) -> dict[str, str | None]:
    ledgers = statement.ledgers
    if not ledgers:
        return {}
    return {
        "covered": _listed([entry.purpose for ledger in ledgers for entry in ledger.dp], "Nothing was charged."),
        "not-covered": _listed([entry.what for ledger in ledgers for entry in ledger.not_dp], "No other release is recorded."),
        "read-only": _listed([entry.what for ledger in ledgers for entry in ledger.read_only], "None recorded."),
        "total": "; ".join(
            f"{ledger.dataset}: {spent_beside(ledger)}{', listed under item 7' if ledger.not_dp else ''}" for ledger in ledgers
        )
        + ".",
        "remaining": "; ".join(
            f"{ledger.dataset}: epsilon {lower(ledger.left_epsilon)}, delta {lower(ledger.left_delta)}" for ledger in ledgers
        )
        + ".",
    }


def _listed(texts: list[str], otherwise: str) -> str:
    return "; ".join(counted(texts)) + "." if texts else otherwise


def _evidence(statement: Statement) -> dict[str, str | None]:
    accuracy = of_model(statement, "accuracy", PRIVATE)
    attacks = list(dict.fromkeys(finding.name.partition(":")[0] for _, finding in findings(statement, "membership-attack")))
    found = audits(statement)
    lines = [
        f"{audit.finding.name}: at least {lower(audit.lower)}"
        + (f" at {confidence(audit.confidence)}" if audit.confidence else "")
        for audit in found
    ]
    before = [finding for _, finding in findings(statement, "pretraining")]
    threats = dict.fromkeys(
        str(audit.finding.details["threat_model"]) for audit in found if audit.finding.details.get("threat_model")
    )
    source = statement.randomness
    return {
        "public-pretraining": "; ".join(f"{one.value}: {one.assumption or one.name}" for one in before) + "." if before else None,
        "generator": f"{source.name}." if source.private else f"{source.name}: not private.",
        "accuracy": " ".join([f"Private model {value_of(accuracy)};", ", ".join(evidence_of(accuracy))]) + "."
        if accuracy
        else None,
        "audits": "; ".join(lines) + f". {_verdict(found)}" if lines else None,
        "attacks": "; ".join(attacks) + "." if attacks else None,
        "threat-model": "; ".join(threats) + "." if threats else None,
        "audit-record": f"{statement.created[:10]}, tacit {statement.tacit_version}"
        + (f", run {statement.run}." if statement.run else "."),
    }


def _verdict(found: list[Audit]) -> str:
    """Say what the audits that may contradict the claim found, on what rows, and what they cannot see."""
    if any(audit.contradicts for audit in found):
        return "The claim is contradicted."
    able = [audit for audit in found if audit.acted_on and audit.finding.details.get("can_contradict") is not False]
    if not able:
        return "None of them could have contradicted the claim."
    runs = [number(audit.finding.details.get("runs")) for audit in able]
    return f"Not contradicted; {gross_faults(max((many for many in runs if many is not None), default=None))}."
