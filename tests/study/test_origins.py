"""Everything a mechanism takes as public carries its origin (SOUNDNESS 2)."""

from pathlib import Path

import pytest

from command_line import grant, tacit
from small_study import TEXT, write_small_study


def study(folder: Path, old: str, new: str) -> None:
    assert old in TEXT
    write_small_study(folder, TEXT.replace(old, new))
    grant(folder)


def test_the_report_says_where_public_values_come_from(tmp_path: Path) -> None:
    study(tmp_path, "bounds = [20, 80]", 'bounds = [20, 80]\norigin = "public: the law on pensions"')
    assert tacit("run", folder=tmp_path).code == 0
    page = (tmp_path / "runs/small/report/release.html").read_text()
    assert "Taken as public: the law on pensions" in page
    for what in ("number of rows", "categories of town", "bounds of score", "classes of ill"):
        assert f"<li>{what}</li>" in page


@pytest.mark.parametrize(
    ("origin", "code", "words"),
    [
        ("charged: no-such-request", 1, "which the ledger does not have"),
        ("public", 2, "name its source"),
        ("guessed", 2, "declared"),
    ],
)
def test_an_origin_that_is_not_true_is_refused(tmp_path: Path, origin: str, code: int, words: str) -> None:
    study(tmp_path, "bounds = [20, 80]", f'bounds = [20, 80]\norigin = "{origin}"')
    answer = tacit("run", folder=tmp_path)
    assert answer.code == code, answer.error
    assert words in answer.error
    assert not (tmp_path / "runs/small/train").exists()


def test_bounds_are_never_taken_from_the_data(tmp_path: Path) -> None:
    study(tmp_path, "bounds = [0, 10]", "")
    answer = tacit("run", folder=tmp_path)
    assert answer.code == 2
    assert "not from the data" in answer.error
