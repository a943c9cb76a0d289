"""What is measured of the released table beside the original: risk, attacks, what was lost. All of it exact, for the custodian."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tacit.anonymize import Anonymization, Hierarchy, Loss, downstream_accuracy, measure_risk
from tacit.anonymize.risk import attack_release
from tacit.anonymize.utility import measure_utility, unchanged
from tacit.errors import DataError, MissingExtra
from tacit.models import Basis, Finding


def measures(
    original: pa.Table,
    result: Anonymization,
    control: pa.Table | None,
    hierarchies: Mapping[str, Hierarchy],
    *,
    k: int,
    secrets: Sequence[str],
    label: str | None,
    moved: Callable[[int, int], None],
) -> list[Finding]:
    """Return risk, attacks and utility, before and after.

    original -- the rows the release was made of; control -- rows held back from it, None: without. hierarchies -- of each
    quasi-identifier. k -- rows above a risk of 1 / k are counted. secrets -- columns that an attacker infers. label -- the column
    that a classifier learns to predict from each table. moved -- called with (attacks done, in all).
    """
    quasi = list(hierarchies)
    found: list[Finding] = []
    sides: tuple[tuple[str, pa.Table, Mapping[str, Hierarchy]], ...] = (
        ("before", original, {}),
        ("after", result.table, hierarchies),
    )
    for half, (when, table, known) in enumerate(sides):

        def tried(done: int, total: int, half: int = half) -> None:
            moved(half * total + done, 2 * total)

        found += measure_risk(table, quasi, threshold=1 / k).findings(when)
        attacks = attack_release(original, table, control, quasi=quasi, secrets=secrets, hierarchies=known, on_progress=tried)
        found += [finding for attack in attacks for finding in attack.findings(when)]
    recoded = result.recoded
    found += [*measure_utility(unchanged(recoded)).findings("before"), *measure_utility(recoded).findings("after")]
    if label is not None:
        found += _learned(original, result, quasi, label)
    return [*found, _loses_most(result)]


def _learned(original: pa.Table, result: Anonymization, quasi: Sequence[str], label: str) -> list[Finding]:
    """Return what a classifier learns from each table, or one finding without a value that says why it was not tried."""
    try:
        learned = downstream_accuracy(original, result.table, origin=result.origins, features=quasi, target=label)
    except (DataError, MissingExtra) as error:
        return [_exact("accuracy of a classifier, after", None, method=str(error), details={"when": "after"})]
    return list(learned.findings())


def _loses_most(result: Anonymization) -> Finding:
    recoded = result.recoded
    lost = dict(zip(recoded.names, (round(float(loss), 4) for loss in Loss().columns(recoded)), strict=True))
    return _exact("column that loses most", max(lost, key=lambda name: lost[name]), details={"lost": lost})


def _exact(name: str, value: Any, **more: Any) -> Finding:
    return Finding(kind="anonymization-utility", name=name, value=value, basis=Basis.EXACT, **more)
