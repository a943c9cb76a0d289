import random
from collections import Counter

import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import IntervalHierarchy
from tacit.anonymize.risk import measure_population_risk, measure_risk, measure_uniqueness
from tacit.errors import ConfigError, DataError
from tacit.models.finding import Basis

SAMPLE = pa.table({"a": ["x", "x", "y", None], "b": [1, 1, 1, 2]})
PEOPLE = pa.table({"b": [1] * 7 + [2, 2], "a": ["x"] * 5 + ["y", "y", None, None]})  # F: x 5, y 2, missing 2


def test_by_hand() -> None:
    risk = measure_population_risk(SAMPLE, PEOPLE, ["a", "b"], threshold=0.4)
    assert (risk.rows, risk.population_rows) == (4, 9)
    assert risk.highest == 1 / 2
    # classes / sum of F = 3 / 9; sum of |E| / F over rows = (2/5 + 1/2 + 1/2) / 4
    assert risk.marketer == pytest.approx(1.4 / 4)
    assert risk.average == pytest.approx(max(3 / 9, 1.4 / 4))
    assert risk.above == 2 / 4  # the rows with F = 2


@pytest.mark.parametrize(("threshold", "above"), [(0.5, 0.0), (0.49, 0.5), (0.2, 0.5), (0.19, 1.0), (1.0, 0.0)])
def test_a_class_of_exactly_k_people_is_not_above_one_over_k(threshold: float, above: float) -> None:
    assert measure_population_risk(SAMPLE, PEOPLE, ["a", "b"], threshold=threshold).above == above


def test_the_average_is_the_larger_of_the_two() -> None:
    thin = measure_population_risk(pa.table({"a": [1, 2]}), pa.table({"a": [1] * 2 + [2] * 1000}), ["a"], threshold=0.2)
    assert thin.average == thin.marketer == (1 / 2 + 1 / 1000) / 2  # 2 classes / 1002 people is less
    whole = measure_population_risk(pa.table({"a": [1] * 10 + [2]}), pa.table({"a": [1] * 10 + [2] * 2}), ["a"], threshold=0.2)
    assert whole.marketer == pytest.approx((10 / 10 + 1 / 2) / 11)
    assert whole.average == 2 / 12 > whole.marketer


@pytest.mark.parametrize("seed", range(10))
def test_the_figures_are_their_definitions_row_by_row(seed: int) -> None:
    generator = random.Random(seed)
    people = [(generator.randint(0, 3), generator.choice("abc")) for _ in range(60)]
    sample = generator.sample(people, 20)
    table, population = [pa.table({"n": [row[0] for row in rows], "c": [row[1] for row in rows]}) for rows in (sample, people)]
    risk = measure_population_risk(table, population, ["n", "c"], threshold=0.2)
    around, here = Counter(people), Counter(sample)
    assert risk.highest == max(1 / around[row] for row in sample)
    assert risk.above == sum(1 / around[row] > 0.2 for row in sample) / 20
    assert risk.marketer == pytest.approx(sum(1 / around[row] for row in sample) / 20)
    assert risk.average == pytest.approx(max(len(here) / sum(around[row] for row in here), risk.marketer))


def test_a_table_that_is_its_own_population_has_the_prosecutors_risk() -> None:
    ours, theirs = measure_risk(SAMPLE, ["a"], threshold=0.4), measure_population_risk(SAMPLE, SAMPLE, ["a"], threshold=0.4)
    assert (ours.highest, ours.average, ours.above) == (theirs.highest, theirs.average, theirs.above)
    assert theirs.marketer == ours.average


def test_a_release_is_measured_within_the_raw_population() -> None:
    """By hand: of 9 people 5 are in [20, 40) and 4 in [40, 60]; the release has 3 rows of the former and one of the latter."""
    ages = IntervalHierarchy.from_widths(20, 60, [20])
    everyone = pa.table({"age": [20, 21, 30, 35, 39, 40, 50, 59, 60]})
    release = pa.table({"age": ["[20, 40)"] * 3 + ["[40, 60]"]})
    risk = measure_population_risk(release, everyone, ["age"], threshold=0.22, hierarchies={"age": ages})
    assert (risk.rows, risk.population_rows, risk.highest, risk.above) == (4, 9, 1 / 4, 1 / 4)
    assert risk.marketer == pytest.approx((3 / 5 + 1 / 4) / 4)
    starred = pa.table({"age": ["*"] * 4})
    assert measure_population_risk(starred, everyone, ["age"], threshold=0.2, hierarchies={"age": ages}).highest == 1 / 9


@pytest.mark.parametrize("seed", range(5))
def test_a_release_within_a_recoded_population_has_the_same_risk(seed: int) -> None:
    """By another way: the population recoded like the release, and classes compared by equality."""
    chance, ages = random.Random(seed), IntervalHierarchy.from_widths(0, 100, [10])
    people = [(chance.randint(0, 100), chance.choice("ab")) for _ in range(80)]
    sample = chance.sample(people, 30)
    raw = [pa.table({"n [x]": [row[0] for row in rows], "c": [row[1] for row in rows]}) for rows in (sample, people)]
    coarse = [table.set_column(0, "n [x]", pa.array(ages.generalize(table.column(0).combine_chunks(), 1)[0])) for table in raw]
    quasi = ["n [x]", "c"]
    expected = measure_population_risk(coarse[0], coarse[1], quasi, threshold=0.2)
    assert measure_population_risk(coarse[0], raw[1], quasi, threshold=0.2, hierarchies={"n [x]": ages}) == expected


def test_findings_are_exact_stay_with_the_custodian_and_have_names_of_their_own() -> None:
    findings = [
        *measure_population_risk(SAMPLE, PEOPLE, ["a"], threshold=0.2).findings("after"),
        *measure_uniqueness(SAMPLE, ["a"], population_size=100).findings("after"),
    ]
    assert len({finding.name for finding in findings}) == len(findings) == 9
    assert all(finding.basis is Basis.EXACT and not finding.may_leave for finding in findings)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="1 of 3 classes have more rows in the table"):
        measure_population_risk(SAMPLE, PEOPLE.slice(0, 7), ["a", "b"], threshold=0.2)
    with pytest.raises(DataError, match="1 of 2 classes have more rows in the table"):
        measure_population_risk(pa.table({"a": [1, 1, 2]}), pa.table({"a": [1, 2, 2]}), ["a"], threshold=0.2)
    with pytest.raises(DataError, match="column 'b' is int64 in the table and string"):
        measure_population_risk(SAMPLE, PEOPLE.set_column(0, "b", pa.array(["1"] * 9)), ["a", "b"], threshold=0.2)
    with pytest.raises(DataError, match="no rows"):
        measure_population_risk(SAMPLE.slice(0, 0), PEOPLE, ["a"], threshold=0.2)
    with pytest.raises(DataError, match="'c' is not in the table"):
        measure_population_risk(SAMPLE, PEOPLE, ["c"], threshold=0.2)
    with pytest.raises(ConfigError, match="threshold"):
        measure_population_risk(SAMPLE, PEOPLE, ["a"], threshold=0)
    with pytest.raises(ConfigError, match="at least one"):
        measure_population_risk(SAMPLE, PEOPLE, [], threshold=0.2)
    with pytest.raises(ConfigError, match=r"\['a'\] are named more than once"):
        measure_risk(SAMPLE, ["a", "a"], threshold=0.2)


def test_uniqueness_by_hand_and_an_estimator_without_a_solution_says_so() -> None:
    found = measure_uniqueness(SAMPLE, ["a", "b"], population_size=4)
    assert found.sample == 2 / 4
    assert found.population["dankar"] == found.sample  # the sample is the population
    all_alone = measure_uniqueness(pa.table({"a": list(range(20))}), ["a"], population_size=1000)
    assert None in all_alone.population.values()
    assert {finding.value for finding in all_alone.findings("before")} >= {1.0, None}
    with pytest.raises(DataError, match="no rows"):
        measure_uniqueness(SAMPLE.slice(0, 0), ["a"], population_size=4)
    with pytest.raises(DataError, match="population_size"):
        measure_uniqueness(SAMPLE, ["a"], population_size=3)


@pytest.mark.data
@pytest.mark.parametrize(
    ("fraction", "estimator", "share"),
    # ARX 3.9.2, TestRiskMetrics.java, its Adult with all nine columns. At 0.2 ARX reports Zayatz's: its SNB does not converge (T11).
    [
        (0.1, "dankar", 0.27684993883653597),
        (0.2, "zayatz", 0.3577099234829125),
        (0.01, "dankar", 0.1446083531167384),
        (1.0, "dankar", 0.5142895033485844),
    ],
)
def test_adult_has_the_population_uniqueness_that_arx_asserts(
    adult: pa.Table, fraction: float, estimator: str, share: float
) -> None:
    found = measure_uniqueness(adult, adult.column_names, population_size=round(adult.num_rows / fraction))
    assert found.population[estimator] == pytest.approx(share, rel=1e-9)
    assert found.sample == pytest.approx(0.5142895033485844, rel=1e-12)
