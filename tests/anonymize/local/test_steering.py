"""What is asked to be minimized steers every local recoding: against every cut there is, by hand, and against the plain search."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anonymize.brute_force import random_problem, searched
from tacit.anonymize.classes import Recoded
from tacit.anonymize.coding import code_table, distinct_tuples
from tacit.anonymize.hierarchies import IntervalHierarchy, TreeHierarchy
from tacit.anonymize.local import CellSuppression, Microaggregation, cutting, mondrian
from tacit.anonymize.local.mondrian import recode_parts
from tacit.anonymize.local.ranges import ordered_columns
from tacit.anonymize.privacy_models import AlphaKAnonymity, KAnonymity
from tacit.anonymize.recoding import as_recoded
from tacit.anonymize.release import anonymize
from tacit.anonymize.search import Deadline, put_off
from tacit.anonymize.search.put_off import PutOff
from tacit.anonymize.utility import (
    Ambiguity,
    AverageClassSize,
    Discernibility,
    EntropyLoss,
    Height,
    Loss,
    NonUniformEntropy,
    PrecisionLoss,
)
from tacit.errors import DataError

AGE = IntervalHierarchy.from_widths(0, 100, [10, 20])
SEX = TreeHierarchy(rows=(("m",), ("f",)))
PLACE = TreeHierarchy.from_groups({"north": {"coast": ["a", "b"], "hills": ["c"]}, "south": ["d", "e"]})


@pytest.mark.parametrize("weights", [{}, {"age": 5.0}, {"sex": 0.1, "place": 2.0}], ids=str)
@pytest.mark.parametrize("kind", [Loss, PrecisionLoss, Height])
def test_the_first_cut_of_mondrian_saves_most_of_all_cuts(kind: Any, weights: Any) -> None:
    """Half the rows must stay on each side, so there is one cut. What each saves is asked of the metric, recoding by recoding."""
    metric = kind() if kind is Height else kind(weights=weights)
    weigh = np.array([1.0 if kind is Height else weights.get(name, 1.0) for name in ("age", "sex", "place")])
    for seed in range(12):
        rng = np.random.default_rng(seed)
        table = pa.table({"age": rng.integers(20, 60, 9), "sex": rng.choice(["m", "f"], 9), "place": rng.choice([*"abcde"], 9)})
        coded = code_table(table, {"age": AGE, "sex": SEX, "place": PLACE})
        tuples, columns = distinct_tuples(coded), ordered_columns(coded)
        places = np.stack([column.place[raw] for column, raw in zip(columns, tuples.codes, strict=True)])

        def cost(parts: Any, coded: Any = coded, tuples: Any = tuples, columns: Any = columns, places: Any = places) -> Any:
            return metric.columns(as_recoded(coded, tuples, recode_parts(columns, places, parts)))

        whole = np.arange(len(tuples.weights))
        before = cost([whole])
        saved: dict[frozenset[int], float] = {}
        for i, place in enumerate(places):
            for end in np.unique(place)[:-1]:
                halves = [whole[place <= end], whole[place > end]]
                if min(tuples.weights[half].sum() for half in halves) >= 4:
                    left = frozenset(halves[0].tolist())
                    saved[left] = max(saved.get(left, -1.0), float((weigh * (before - cost(halves)))[i]))
        recoding = mondrian(coded, tuples, [KAnonymity(4)], cutting(metric, coded), deadline=Deadline())
        assert recoding is not None
        class_of = recoding.class_of()
        if saved and class_of.max() == 1:
            found = [frozenset(np.flatnonzero(class_of == number).tolist()) for number in (0, 1)]
            assert max(saved.get(half, -1.0) for half in found) == pytest.approx(max(saved.values()), abs=1e-9)


def test_weights_decide_what_microaggregation_takes_to_be_near() -> None:
    table = pa.table({"age": [10, 10, 90, 90], "place": ["a", "e", "a", "e"]})

    def ages(**weights: float) -> list[float]:
        how = Microaggregation(k=2, block=8)
        result = anonymize(
            table, quasi={"age": AGE, "place": PLACE}, require=[KAnonymity(2)], recoding=how, minimize=Loss(weights=weights)
        )
        return sorted(result.table["age"].to_pylist())

    assert ages(place=0.5) == [10, 10, 90, 90]
    assert ages(age=0.5) == [50] * 4


@pytest.mark.parametrize("kind", [Loss, PrecisionLoss, NonUniformEntropy])
def test_weights_decide_which_cells_are_given_up(kind: Any) -> None:
    """Four rows return as pairs, by age or by place."""
    table = pa.table({"age": ["15"] * 20 + ["25", "25", "35", "35"], "place": [*"a" * 20, *"cdcd"]})
    quasi = {"age": TreeHierarchy(rows=(("15",), ("25",), ("35",))), "place": TreeHierarchy(rows=(("a",), ("c",), ("d",)))}

    def starred(**weights: float) -> list[int]:
        result = anonymize(
            table,
            quasi=quasi,
            require=[KAnonymity(2)],
            suppression_limit=0.5,
            recoding=CellSuppression(limit=0.5),
            minimize=kind(weights=weights),
        )
        return [result.table[name].to_pylist().count("*") for name in ("age", "place")]

    assert starred(age=2.0) == [0, 4]
    assert starred(place=2.0) == [4, 0]


def test_cells_cost_the_levels_that_they_truly_rise() -> None:
    """Of two levels, "*" is one step; of the hierarchy's, a place given up rises by three levels and an age by one."""
    table = pa.table({"age": ["15"] * 20 + ["25", "25", "35", "35"], "place": [*"a" * 20, *"cdcd"]})
    quasi = {"age": TreeHierarchy(rows=(("15",), ("25",), ("35",))), "place": PLACE}
    result = anonymize(
        table,
        quasi=quasi,
        require=[KAnonymity(2)],
        suppression_limit=0.5,
        recoding=CellSuppression(limit=0.5),
        minimize=Height(),
    )
    assert [result.table[name].to_pylist().count("*") for name in ("age", "place")] == [4, 0]


METRICS: list[Any] = [
    Ambiguity(),
    AverageClassSize(),
    Discernibility(),
    EntropyLoss(),
    Height(),
    NonUniformEntropy(),
    PrecisionLoss(weights={"0": 3.0}),
    Loss(weights={"0": 3.0}),
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("seed", range(6))
def test_what_is_put_off_costs_as_if_it_were_released_and_the_bound_hides_no_answer(metric: Any, seed: int) -> None:
    """Against a search that knows no bound, and so looks at every combination."""
    problem = random_problem(seed)

    class Everyone:
        def score(self, recoded: Recoded) -> Any:
            return metric.score(Recoded(**{**vars(recoded), "kept": np.ones_like(recoded.kept)}))

    bounded, plain = (searched(problem, [KAnonymity(3)], one) for one in (put_off(metric), Everyone()))
    assert (bounded is None) == (plain is None)
    if bounded is not None:
        assert bounded.score == pytest.approx(plain.score, abs=1e-9)
        assert isinstance(metric, Loss) or isinstance(put_off(metric), PutOff)


def test_what_starts_from_one_class_says_so_when_that_fails() -> None:
    """Everybody together has x too often; without the three c, nobody has."""
    table = pa.table({"place": [*"aaaaeeeeccc"], "ill": [*"xxyyxxyyxxx"]})

    def released(how: Any) -> Any:
        return anonymize(
            table, quasi={"place": PLACE}, require=[AlphaKAnonymity("ill", 0.5, 2)], suppression_limit=0.3, recoding=how
        )

    assert released("full-domain").suppressed == released("local").suppressed == 3
    with pytest.raises(DataError, match=r"'mondrian' does not meet .* starts from all 11 rows as one class"):
        released("mondrian")
