"""The headline figures: what was proved, what was audited, what the model is worth, what attacks found."""

from dataclasses import dataclass

from tacit.models.finding import Finding
from tacit.report.editions import Edition
from tacit.report.reading import PLAIN, PRIVATE, Audit, audits, findings, first, model_of, number, of_model, risk, strictest
from tacit.report.statement import Statement
from tacit.report.writing import confidence, evidence_of, lower, plain, upper, value_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One figure: what it is, what to compare it with, what stands behind it. tone: "", "bad" or "quiet"."""

    label: str
    figure: str
    lines: tuple[str, ...] = ()
    basis: str = "public"
    tone: str = ""


def cards(statement: Statement, edition: Edition, *, stands: bool) -> list[Card]:
    """Return the headline figures of an edition, in order, and last a card that names those it does not show.

    stands -- whether the claims hold, judged on the whole statement.
    """
    optional = {
        "accuracy of the models": _accuracy(statement),
        "success of the attacks": _attack(statement),
        "re-identification risk of the table": _risk(statement),
    }
    shown = [_proved(statement, stands), _audited(statement), *(card for card in optional.values() if card is not None)]
    absent = [name for name, card in optional.items() if card is None]
    return [*shown, _absent(absent, edition)] if absent else shown


def _proved(statement: Statement, stands: bool) -> Card:
    if not statement.guarantees:
        return Card(label="Proved epsilon", figure="none", lines=("Nothing is promised.",), tone="quiet")
    promise = statement.guarantees[0].guarantee
    others = sum(len(ledger.not_dp) for ledger in statement.ledgers)
    beside = {0: "no release without an epsilon", 1: "beside 1 release without an epsilon"}
    lines = (
        *(() if stands else ("does not stand: see the warning",)),
        f"at delta {upper(promise.delta)}, for one {promise.unit}",
        beside.get(others, f"beside {others} releases without an epsilon"),
    )
    return Card(label="Proved epsilon, at most", figure=upper(promise.epsilon), lines=lines, tone="" if stands else "bad")


def _audited(statement: Statement) -> Card:
    found = audits(statement)
    if not found:
        return Card(label="Audited epsilon, at least", figure="not audited", tone="quiet")
    best = next((audit for audit in found if audit.contradicts), found[0])
    second = _less_sure(best, found)
    lines = [f"at confidence {confidence(best.confidence)}"] if best.confidence else []
    lines += [f"{lower(second.lower)} at confidence {confidence(second.confidence or 0)}"] if second else []
    if best.ceiling is not None:
        lines.append(f"could have shown up to {_ceilings(best, second)}")
    lines += ["more than was proved"] if best.contradicts else []
    return Card(
        label="Audited epsilon, at least",
        figure=lower(best.lower),
        lines=tuple(lines),
        basis=best.finding.basis.value,
        tone="bad" if best.contradicts else "",
    )


def _less_sure(best: Audit, found: list[Audit]) -> Audit | None:
    """Return the same audit at a lower confidence, which shows more and is not acted on."""
    name = best.finding.name.partition(",")[0]
    others = (one for one in found if one.confidence and one.confidence < (best.confidence or 0))
    return next((one for one in others if one.finding.name.partition(",")[0] == name), None)


def _ceilings(best: Audit, second: Audit | None) -> str:
    both = [one.ceiling for one in (best, second) if one is not None and one.ceiling is not None]
    return " and ".join(lower(ceiling) for ceiling in both)


def _accuracy(statement: Statement) -> Card | None:
    private, other = (of_model(statement, "accuracy", model) for model in (PRIVATE, PLAIN))
    majority = first(statement, "majority")
    if private is None or number(private.value) is None:
        return None
    lines = [f"{value_of(other)} without privacy"] if other else []
    lines += [f"{value_of(majority)} for always answering the most common label"] if majority else []
    lines += evidence_of(private)[:1]
    basis = strictest(found for found in (private, other, majority) if found)
    return Card(label="Accuracy, private model", figure=value_of(private), lines=tuple(lines), basis=basis.value)


def _attack(statement: Statement) -> Card | None:
    """Compare the area under the attack's ROC curve on both models; 0.5 is guessing."""
    areas = {model: _area(statement, model) for model in (PRIVATE, PLAIN)}
    private, other = areas[PRIVATE], areas[PLAIN]
    if private is None:
        return None
    lines = [f"{value_of(other)} without privacy"] if other else []
    lines += ["0.5 is guessing, 1 is certainty", *evidence_of(private)[:1]]
    basis = strictest(found for found in (private, other) if found)
    return Card(label="Membership attack, AUC", figure=value_of(private), lines=tuple(lines), basis=basis.value)


def _area(statement: Statement, model: str) -> Finding | None:
    found = (finding for step, finding in findings(statement, "membership-attack") if model_of(step, finding) == model)
    return next((finding for finding in found if "AUC" in finding.name and number(finding.value) is not None), None)


def _risk(statement: Statement) -> Card | None:
    before, after = risk(statement, "before"), risk(statement, "after")
    if before is None or after is None:
        return None
    figure = " → ".join(f"{plain(100 * (number(found.value) or 0), 2)}%" for found in (before, after))
    lines = ("highest in the table, before and after anonymizing", "a rule about this table: no epsilon")
    return Card(label="Re-identification risk", figure=figure, lines=lines, basis=strictest((before, after)).value)


def _absent(names: list[str], edition: Edition) -> Card:
    if edition is Edition.RELEASE:
        why = f"Kept by the custodian, being exact statistics of private rows: {', '.join(names)}."
        return Card(label="Not in this edition", figure="", lines=(why,), tone="quiet")
    return Card(
        label="Not measured", figure="", lines=(f"This study has no figure for the {', the '.join(names)}.",), tone="quiet"
    )
