"""Users as units: a drawn user's rows, and no other's, at most so many, by a random choice."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise.source import OsSource, SeededSource
from tacit.train.users import UserRows

OWNERS = np.array([2, 0, 2, 2, 1, 0, 2, 5], dtype=np.int64)


def users(rows_per_user: int = 2, owners: Any = OWNERS, source: Any = None) -> UserRows:
    return UserRows(owners, users=6, rows_per_user=rows_per_user, source=SeededSource(1) if source is None else source)


def test_a_line_holds_rows_of_its_user_alone_each_once_and_as_many_as_allowed() -> None:
    drawn = np.array([0, 2, 3, 5], dtype=np.int64)
    for most in (1, 2, 3, 9):
        lines = users(most).rows(drawn)
        assert lines.shape == (4, most)
        for user, line in zip(drawn, lines, strict=True):
            rows = line[line >= 0]
            assert len(set(rows.tolist())) == len(rows) == min(most, int((user == OWNERS).sum()))
            assert (OWNERS[rows] == user).all()
    assert users().rows(np.zeros(0, dtype=np.int64)).shape == (0, 2)


def test_each_row_of_a_user_is_as_likely_as_any_other() -> None:
    """3,000 draws of 2 of 4 rows: each row's count within exact binomial bounds; fails by chance with probability <= 1e-9."""
    chooser, counts = users(source=OsSource.from_os()), np.zeros(len(OWNERS))
    for _ in range(3000):
        counts[chooser.rows(np.array([2]))[0]] += 1
    low, high = (float(binom.ppf(share, 3000, 0.5)) for share in (1e-10, 1 - 1e-10))
    mine = counts[OWNERS == 2]
    assert ((low <= mine) & (mine <= high)).all()
    assert counts.sum() == mine.sum() == 6000


@pytest.mark.parametrize(
    ("owners", "error"),
    [
        (np.zeros((4, 2), dtype=np.int64), ShapeError),
        (np.array([0, 6]), DataError),
        (np.array([0, -1]), DataError),
        (np.array([0.0, 1.0]), DataError),
    ],
)
def test_a_row_with_two_owners_or_none_is_refused(owners: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        users(owners=owners)


@pytest.mark.parametrize("most", [0, -1, 1.5, True])
def test_rows_per_user_is_a_count(most: Any) -> None:
    with pytest.raises(ConfigError, match="rows_per_user"):
        users(most)
