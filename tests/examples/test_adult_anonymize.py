"""The example of a census extract: what it prints is true of the tables it returns."""

import runpy
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

_EXAMPLE = Path(__file__).parents[2] / "examples" / "adult_anonymize.py"


def classes(result: Any) -> dict[tuple[Any, ...], Counter[str]]:
    """Return the incomes in each class of equal quasi-identifiers."""
    found: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in result.table.to_pylist():
        found[tuple(row[name] for name in result.levels)][row["salary-class"]] += 1
    return found


def test_each_release_of_made_up_people_keeps_its_models_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(_EXAMPLE))
    plain, near, local = example["main"]().values()
    for result in (plain, near, local):
        assert min(one.total() for one in classes(result).values()) >= 5
        assert result.suppressed <= 0.04 * 1500
        assert result.table.num_rows == 1500 - result.suppressed
    people, _ = example["made_up"]()
    rich = people.column("salary-class").to_pylist().count(">50K") / 1500
    for one in classes(near).values():
        assert len(one) == 2
        assert abs(one[">50K"] / one.total() - rich) <= 0.2 + 1e-9
    assert local.score < plain.score < near.score
    assert capsys.readouterr().out.count("none alone") == 3


@pytest.mark.data
@pytest.mark.slow
def test_arxs_own_benchmark_gives_arxs_own_optimum(real_data: Path) -> None:
    """ARX 3.9.2: loss 0.2608358758, 1,038 rows suppressed, 327 classes."""
    plain, *_ = runpy.run_path(str(_EXAMPLE))["main"](real_data / "arx").values()
    assert plain.score == pytest.approx(0.2608358758, abs=1e-10)
    assert (plain.suppressed, plain.classes) == (1038, 327)
