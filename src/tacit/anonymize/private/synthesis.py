"""Synthetic tables: a model fitted to noisy marginals, paid for as one block, and rows drawn from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from tacit.anonymize.private.aim import AIM
from tacit.anonymize.private.domain import Domain
from tacit.anonymize.private.graphical_model import GraphicalModel
from tacit.anonymize.private.junction_tree import Attributes
from tacit.anonymize.private.marginals import Marginals
from tacit.anonymize.private.spending import Spending, steps_block
from tacit.errors import ConfigError
from tacit.noise.source import OsSource, Source
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger
from tacit.tables.table import Table


class Method(Protocol):
    """A way to choose and measure marginals within the steps of one block; MST or AIM."""

    def steps(self, sizes: tuple[int, ...]) -> int: ...

    def fit(
        self, marginals: Marginals, spending: Spending, *, total: float, on_round: Callable[[int], None]
    ) -> tuple[GraphicalModel, tuple[Attributes, ...]]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Synthetic:
    """Synthetic rows and the model they came from. All of it was paid for and may be released.

    domain    -- declared bins and categories. model -- the fitted distribution: more rows cost nothing.
    chosen    -- the columns of each marginal that was chosen, in order; all single columns were measured besides.
    guarantee -- for one row of the original table.
    private   -- whether the noise protects anyone (False for seeded test noise).
    """

    domain: Domain
    model: GraphicalModel = field(repr=False)
    chosen: tuple[tuple[str, ...], ...]
    guarantee: Guarantee
    private: bool

    def table(self, rows: int | None = None, *, source: Source | None = None) -> pa.Table:
        """Return synthetic rows as a table: post-processing, free of charge.

        rows -- how many; the model's total by default. source -- where chance comes from; the operating system by default.
        """
        count = round(self.model.total) if rows is None else rows
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ConfigError(f"rows must be a whole number >= 0, got {rows!r}. Leave it away for as many as the original.")
        chance = OsSource.from_os() if source is None else source
        return self.domain.decode(self.model.sample(count, chance), chance)

    def to_json(self) -> dict[str, Any]:
        """Return the record of the release without its rows."""
        return {
            "columns": [one.to_json() for one in self.domain.attributes],
            "marginals": [list(one) for one in self.chosen],
            "guarantee": self.guarantee.to_json(),
            "private": self.private,
            "claim": "differential privacy for a row of the original table",
        }


def synthesize(
    table: Table,
    domain: Domain,
    *,
    epsilon: float,
    delta: float,
    ledger: Ledger,
    budget: str,
    method: Method | None = None,
    request_id: str | None = None,
    source: Source | None = None,
    on_round: Callable[[int], None] = lambda _: None,
) -> Synthetic:
    """Pay, then fit a model to noisy marginals of the table and return it; rows come from its `table`.

    table    -- original rows; their number is taken as public. domain -- declared bins and categories.
    epsilon, delta -- of the whole release, for one row, zero-out neighbours; charged to `budget` in the ledger as one block.
    method   -- AIM() by default, MST() for less time. request_id -- unique in the ledger; drawn at random when None.
    source   -- where noise and chance come from; the operating system by default.
    on_round -- called after each choice with their number so far.
    Raises ConfigError, DataError or BudgetExceeded before anything is counted.
    """
    if table.n_rows < 1:
        raise ConfigError("the table has no rows, so there is nothing to imitate. Give the original rows.")
    chosen_method, chance = AIM() if method is None else method, OsSource.from_os() if source is None else source
    block = steps_block(epsilon=epsilon, delta=delta, steps=chosen_method.steps(domain.sizes))
    marginals = Marginals(codes=domain.encode(table), sizes=domain.sizes)
    purpose = f"synthetic rows of {len(domain.attributes)} columns by {type(chosen_method).__name__}"
    with Spending(block=block, ledger=ledger, budget=budget, request_id=request_id, purpose=purpose, source=chance) as spending:
        model, chosen = chosen_method.fit(marginals, spending, total=float(table.n_rows), on_round=on_round)
    names = tuple(tuple(domain.names[one] for one in attributes) for attributes in chosen)
    return Synthetic(domain=domain, model=model, chosen=names, guarantee=block.guarantee, private=chance.private)
