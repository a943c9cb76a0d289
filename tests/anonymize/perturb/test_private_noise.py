from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pyarrow as pa
import pytest

from anonymize.perturb.tables import FEW, dkw, largest_cdf_gap, people, values
from tacit.anonymize.perturb import Linkage, Perturbed, add_private_noise, private_noise
from tacit.errors import BudgetExceeded, ConfigError, DataError
from tacit.noise import GridVector, OsSource, SeededSource, Source, Zeros, clip_target
from tacit.privacy import Ledger, Reservation
from tacit.tables import Bounds

SOURCE = OsSource.from_os()
BOUNDS = {"age": Bounds(low=0, high=120), "income": Bounds(low=-20_000, high=80_000)}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite", key_folder=tmp_path / "keys") as opened:
        opened.grant("survey", epsilon=2.0, delta=2e-6)
        yield opened


def noisy(table: pa.Table, ledger: Ledger, *, bounds: Any = BOUNDS, source: Source = SOURCE, request: str = "one") -> Perturbed:
    return add_private_noise(
        table,
        bounds,
        epsilon=1.0,
        delta=1e-6,
        ledger=ledger,
        budget="survey",
        request_id=request,
        source=source,
        attacker=FEW,
    )


def least_multiplier(epsilon: float, delta: float) -> float:
    """Return the least s.d. of a Gaussian mechanism of sensitivity 1: Balle & Wang 2018, Theorem 8, bisected at 40 digits."""
    with mpmath.workdps(40):
        low, high = mpmath.mpf(1), mpmath.mpf(20)
        for _ in range(100):
            sigma = (low + high) / 2
            a, b = 1 / (2 * sigma), epsilon * sigma
            private = mpmath.ncdf(a - b) - mpmath.exp(epsilon) * mpmath.ncdf(-a - b) <= delta
            low, high = (low, sigma) if private else (sigma, high)
        return float(high)


def test_the_noise_is_what_the_theorem_asks_for_over_the_length_of_a_row(ledger: Ledger) -> None:
    """The multiplier by another method; the noise itself fails by chance with probability <= 2e-9 (DKW-Massart on two columns)."""
    made = noisy(people(50_000), ledger)
    multiplier, least = made.parameters["noise_multiplier"], least_multiplier(1.0, 1e-6)
    assert least <= multiplier <= 1.001 * least
    for name, half in (("age", 60.0), ("income", 50_000.0)):
        expected = multiplier * np.sqrt(2) / (1 - 2**-9) * half
        assert made.parameters["noise"][name] == pytest.approx(expected, rel=1e-9)
        clipped = np.clip(values(people(50_000), name), BOUNDS[name].low, BOUNDS[name].high)
        added = values(made.table, name) - clipped
        assert largest_cdf_gap(added, expected) <= dkw(50_000, 1e-9)
        assert largest_cdf_gap(added, expected * 1.15) > dkw(50_000, 1e-9)


def sums(table: pa.Table, columns: int) -> GridVector:
    names = list(table.column_names)
    scaled = np.column_stack([private_noise._scaled(table, name, Bounds(low=-3, high=5)) for name in names])
    return GridVector.from_sum(scaled.reshape(-1), private_noise._clip_norm(columns))


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
def test_zeroing_any_row_moves_the_rounded_vector_by_at_most_the_clip_norm(columns: int) -> None:
    """Exactly, in fractions, at the corners too; a zeroed row is one whose values are missing."""
    generator = np.random.default_rng(columns)
    for low, high in ((-3, 5), (-100, 100), (5, 5), (4.99999, 5)):
        data = generator.uniform(low, high, (9, columns))
        table = pa.table({str(at): data[:, at] for at in range(columns)})
        zeroed = pa.table({str(at): pa.array(data[:, at], mask=np.arange(9) == 4) for at in range(columns)})
        one, two = sums(table, columns), sums(zeroed, columns)
        square = sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(one.values.tolist(), two.values.tolist(), strict=True))
        assert square <= Fraction(one.clip_norm) ** 2
    assert square > Fraction(clip_target(one.clip_norm)) ** 2 * Fraction(99, 100)  # at the corner nothing is given away
    assert (
        columns == 1 or square > Fraction(private_noise._clip_norm(columns - 1)) ** 2
    )  # a clip norm for one column less would fail


@pytest.mark.parametrize("columns", range(1, 40))
def test_the_clip_norm_leaves_a_whole_row_unclipped_and_is_the_least_that_does(columns: int) -> None:
    norm = private_noise._clip_norm(columns)
    assert Fraction(clip_target(norm)) ** 2 >= columns
    assert Fraction(clip_target(float(np.nextafter(norm, 0)))) ** 2 < columns


def test_values_are_clipped_missing_ones_are_the_middle_and_other_columns_are_left_out(ledger: Ledger) -> None:
    table = pa.table({"age": [0.0, 130.0, -7.0, None, float("nan"), float("inf"), 33.0], "town": ["a"] * 7})
    made = noisy(table, ledger, bounds={"age": Bounds(low=0, high=120)}, source=Zeros())
    assert made.table.column_names == ["age"]
    assert made.table.column("age").null_count == 0
    assert values(made.table, "age") == pytest.approx([0, 120, 0, 60, 60, 120, 33], abs=60 * 2**-10)
    assert made.guarantee is None
    assert not made.protects


def test_it_is_charged_before_a_value_is_read_or_noise_is_drawn(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    scaled, draws = private_noise._scaled, SeededSource.draws

    def spy(*arguments: Any) -> Any:
        seen.append(ledger.spent("survey").epsilon)
        return scaled(*arguments)

    def drawn(*arguments: Any, **more: Any) -> Any:
        seen.append(ledger.spent("survey").epsilon)
        return draws(*arguments, **more)

    monkeypatch.setattr(private_noise, "_scaled", spy)
    monkeypatch.setattr(SeededSource, "draws", drawn)
    noisy(people(50), ledger, source=SeededSource(1))
    assert len(seen) == 3
    assert all(0.99 <= spent <= 1.0 for spent in seen)


def test_the_one_paid_step_is_counted_before_a_value_is_read(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    count, scaled = Reservation.count_step, private_noise._scaled

    def counted(reservation: Reservation) -> None:
        order.append("counted")
        count(reservation)

    def read(table: pa.Table, name: str, bounds: Bounds) -> Any:
        order.append("read")
        return scaled(table, name, bounds)

    monkeypatch.setattr(Reservation, "count_step", counted)
    monkeypatch.setattr(private_noise, "_scaled", read)
    noisy(people(50), ledger)
    assert order == ["counted", "read", "read"]


def test_without_budget_nothing_is_read_or_released(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy(people(50), ledger, request="one")
    noisy(people(50), ledger, request="two")
    monkeypatch.setattr(private_noise, "_scaled", lambda *_: pytest.fail("a value was read"))
    with pytest.raises(BudgetExceeded):
        noisy(people(50), ledger, request="three")
    with pytest.raises(ConfigError, match="one"):
        noisy(people(50), ledger, request="one")
    assert [entry.request_id for entry in ledger.entries() if entry.kind == "dp"] == ["one", "two"]


def test_the_record_says_what_is_promised_and_a_seeded_source_promises_nothing(ledger: Ledger) -> None:
    made = noisy(people(50), ledger)
    assert made.guarantee is not None
    assert (made.guarantee.unit, made.guarantee.neighbours.value, made.guarantee.delta) == ("row", "zero-out-one", 1e-6)
    assert made.guarantee.epsilon <= 1.0
    assert made.to_json()["claim"].startswith("differential privacy of these columns, released alone: epsilon 1 at delta")
    assert ledger.spent("survey").epsilon == pytest.approx(made.guarantee.epsilon, abs=1e-8)
    seeded = noisy(people(50), ledger, source=SeededSource(1), request="two")
    assert seeded.guarantee is None
    assert "not differential privacy" in seeded.to_json()["claim"]


@pytest.mark.parametrize("missing", [True, False])
def test_no_error_depends_on_a_value(ledger: Ledger, missing: bool) -> None:
    column = pa.array([None, None, None] if missing else [1.0, 1.0, 1.0], pa.float64())
    made = noisy(pa.table({"age": column}), ledger, bounds={"age": BOUNDS["age"]})
    assert made.table.num_rows == 3


def test_wrong_settings_cost_nothing(ledger: Ledger) -> None:
    table = people(20)
    for bounds, error in (
        ({}, ConfigError),
        ({"age": (0, 120)}, ConfigError),
        ({"town": BOUNDS["age"]}, DataError),
        ({"shoe": BOUNDS["age"]}, DataError),
    ):
        with pytest.raises(error):
            noisy(table, ledger, bounds=bounds)
    with pytest.raises(DataError, match="no rows"):
        noisy(table.slice(0, 0), ledger)
    with pytest.raises(ConfigError, match="will not be released"):
        add_private_noise(
            table,
            BOUNDS,
            epsilon=1.0,
            delta=1e-6,
            ledger=ledger,
            budget="survey",
            request_id="one",
            source=SOURCE,
            attacker=Linkage(known=["town"]),
        )
    assert ledger.spent("survey").epsilon == 0.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("one", [1e308, 1e200, float("inf"), float("nan"), None])
def test_whether_it_fails_or_warns_depends_on_no_row(one: float | None, ledger: Ledger) -> None:
    """Numbers too large to be squared break no measurement of the effect, which comes after the charge."""
    table = pa.table({"age": [20.0, 30.0, 40.0, one], "income": [1.0, None, 3.0, one]})
    assert noisy(table, ledger).table.num_rows == 4
