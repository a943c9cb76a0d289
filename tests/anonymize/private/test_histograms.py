"""Histograms: unbiased counts, noise for all of them together, and post-processing that agrees with other methods."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonymize.private.conftest import people
from tacit.anonymize.private.domain import Domain
from tacit.anonymize.private.histograms import Histograms, joint_sensitivity, nearest_counts, private_histograms
from tacit.anonymize.private.marginals import Marginals
from tacit.anonymize.private.spending import steps_block
from tacit.errors import BudgetExceeded, ConfigError
from tacit.noise.source import OsSource, SeededSource, Zeros
from tacit.privacy.events import GaussianEvent
from tacit.privacy.ledger import Ledger
from tacit.tables import Bounds, Column, Kind, Role, Schema, Table

QUESTIONS = [["age"], ["town", "sex"], ["sex"]]


def release(table: Table, domain: Domain, ledger: Ledger, questions: list[list[str]] | None = None, **more: Any) -> Histograms:
    settings: dict[str, Any] = {"epsilon": 1.0, "delta": 1e-5, "budget": "people", "source": SeededSource(0)} | more
    return private_histograms(table, domain, QUESTIONS if questions is None else questions, ledger=ledger, **settings)


@pytest.mark.parametrize("row", [0, 3, 17])
def test_zeroing_a_row_moves_one_cell_of_each_histogram_by_one(table: Table, domain: Domain, row: int) -> None:
    codes = domain.encode(table)
    full, less = (Marginals(codes=one, sizes=domain.sizes) for one in (codes, np.delete(codes, row, axis=0)))
    moved = []
    for question in ((0,), (1, 3), (1,), (0, 1, 2, 3)):
        gap = (full.counts(question) - less.counts(question)).ravel()
        assert sorted(gap)[-1] == 1
        assert np.count_nonzero(gap) == 1
        assert np.argmax(gap) == np.ravel_multi_index(codes[row, list(question)], [domain.sizes[one] for one in question])
        moved.append(gap)
    together = float(np.linalg.norm(np.concatenate(moved)))
    assert together <= joint_sensitivity(4) <= together * (1 + 1e-12)


def test_counts_without_noise_are_those_of_a_loop(table: Table, domain: Domain, ledger: Ledger) -> None:
    made = release(table, domain, ledger, source=Zeros())
    age, pair, sex = made.histograms
    rows = table.data.select(["sex", "town"]).to_pylist()
    assert pair.columns == ("sex", "town")
    assert pair.labels == (("f", "m", None), ("a", "b", "c", None))
    for i, one in enumerate(pair.labels[0]):
        for j, other in enumerate(pair.labels[1]):
            known = ("elsewhere",) if other is None else (other,)
            assert pair.noisy[i, j] == sum(row["sex"] == one and row["town"] in known for row in rows)
    assert np.array_equal(sex.noisy, pair.noisy.sum(axis=1))
    assert age.noisy.sum() == table.n_rows
    assert np.allclose(age.counts, age.noisy)
    assert not made.private


def test_noise_is_that_of_all_histograms_together(table: Table, domain: Domain, ledger: Ledger) -> None:
    event = steps_block(epsilon=1.0, delta=1e-5, steps=1).event
    assert isinstance(event, GaussianEvent)
    made = release(table, domain, ledger)
    for one in made.histograms:
        assert one.deviation == pytest.approx(event.noise_multiplier * math.sqrt(3) / (1 - 2.0**-9), rel=1e-9)
    assert made.guarantee.epsilon <= 1.0
    assert ledger.spent("people").delta == 1e-5


def test_noisy_counts_are_unbiased_and_the_cut_off_ones_are_not(table: Table, ledger: Ledger) -> None:
    """Fails by chance with probability <= 1e-9: the mean of d normal values beyond 6.2 of its deviations."""
    fine = Domain.of(table.schema, ["age"], bins={"age": 4000})
    made = release(table, fine, ledger, [["age"]], source=OsSource.from_os()).histograms[0]
    exact = Marginals(codes=fine.encode(table), sizes=fine.sizes).counts((0,))
    bound = 6.2 * made.deviation / math.sqrt(len(exact))
    assert abs(float((made.noisy - exact).mean())) <= bound
    empty = exact == 0
    assert abs(float((made.noisy - exact)[empty].mean())) <= bound * math.sqrt(len(exact) / empty.sum())
    cut = np.maximum(made.noisy, 0.0)
    assert float((cut - exact).mean()) > bound


COUNTS = st.lists(st.floats(-50, 50), min_size=1, max_size=8)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(COUNTS, st.floats(0, 200))
def test_the_nearest_counts_are_those_that_halving_finds(noisy: list[float], total: float) -> None:
    """Another method: the number to subtract is where the sum of what is left, which falls, passes the total."""
    values = np.array(noisy)
    found = nearest_counts(values, total)
    low, high = values.min() - total - 1, values.max() + 1
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(values - middle, 0).sum() > total else (low, middle)
    assert np.allclose(found, np.maximum(values - high, 0), atol=1e-6)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(total, abs=1e-6)


def test_consistent_counts_agree_where_columns_are_shared(table: Table, domain: Domain, ledger: Ledger) -> None:
    made = release(table, domain, ledger, epsilon=5.0)
    model = made.consistent()
    pair, sex = model.marginal(domain.places(["sex", "town"])), model.marginal(domain.places(["sex"]))
    assert np.allclose(pair.sum(axis=1), sex)
    assert pair.min() >= 0
    assert pair.sum() == pytest.approx(table.n_rows)
    assert np.abs(pair - made.histograms[1].noisy).max() < 8 * made.histograms[1].deviation


def test_what_no_distribution_of_reasonable_size_agrees_with_is_refused(ledger: Ledger) -> None:
    schema = Schema.of([Column(name=name, role=Role.FEATURE, kind=Kind.NUMERIC, bounds=Bounds(low=0, high=1)) for name in "ab"])
    table = Table.from_arrow(pa.table({"a": [0.1, 0.9], "b": [0.2, 0.4]}), schema)
    made = release(table, Domain.of(schema, "ab", bins=1500), ledger, [["a", "b"]])
    assert made.histograms[0].counts.sum() == pytest.approx(2)
    with pytest.raises(ConfigError, match="2253001 cells"):
        made.consistent()


def test_bad_questions_are_refused_before_anything_is_charged(table: Table, domain: Domain, ledger: Ledger) -> None:
    repeated: list[Any] = [[["age", "age"]], [["age"], ["age"]], [["sex", "age"], ["age", "sex"]]]
    for questions in ([], "age", ["age"], [["agge"]], [[]], *repeated):
        with pytest.raises(ConfigError):
            release(table, domain, ledger, questions)
    refused: list[dict[str, Any]] = [{"epsilon": 0.0}, {"delta": 0.0}, {"delta": 1.0}]
    for wrong in refused:
        with pytest.raises(ConfigError):
            release(table, domain, ledger, **wrong)
    with pytest.raises(BudgetExceeded):
        release(table, domain, ledger, budget="nobody")
    assert ledger.spent("people").epsilon == 0


def test_many_cells_take_several_steps_of_one_block(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("histograms", "spending"):
        monkeypatch.setattr(f"tacit.anonymize.private.{module}.DRAWS", 4096)
    table = people(50)
    fine = Domain.of(table.schema, ["age"], bins={"age": 9000})
    made = release(table, fine, ledger, [["age"]], request_id="fine")
    entry = ledger.find("fine")
    assert entry is not None
    assert entry.content["block"]["steps"] == 3
    event = steps_block(epsilon=1.0, delta=1e-5, steps=3).event
    assert isinstance(event, GaussianEvent)
    assert made.histograms[0].deviation == pytest.approx(event.noise_multiplier / math.sqrt(3) / (1 - 2.0**-9), rel=1e-9)
