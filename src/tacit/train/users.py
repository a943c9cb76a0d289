"""Users as the unit of privacy: which rows a drawn user brings."""

import numpy as np
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.noise.source import Source


class UserRows:
    """Turns drawn users into rows: at most `rows_per_user` of each, chosen at random anew in every draw.

    owners        -- shape (rows,): the user number of each row, 0 .. users - 1. One owner a row; a user may own no row at all.
    users         -- number of users: the n of the plan; >= 1.
    rows_per_user -- most rows of one user in one step; >= 1. They are summed before clipping, so more rows cost no privacy.
    source        -- where the choice comes from.
    Raises ShapeError when a row has two owners, DataError when one has none.
    """

    def __init__(self, owners: NDArray[np.int64], *, users: int, rows_per_user: int, source: Source) -> None:
        if owners.ndim != 1:
            raise ShapeError(
                f"owners must have shape (rows,), one user for each row, got {owners.shape}. A row of two users would be protected for "
                "neither: assign it to one of them, or leave it out, by a rule fixed beforehand."
            )
        if not np.issubdtype(owners.dtype, np.integer) or (len(owners) and not 0 <= owners.min() <= owners.max() < users):
            raise DataError(
                f"owners must hold whole user numbers from 0 to {users - 1}. A row without a user is protected for nobody: "
                "number the users, and leave out rows that have none by a rule fixed beforehand."
            )
        if isinstance(rows_per_user, bool) or not isinstance(rows_per_user, int) or rows_per_user < 1:
            raise ConfigError(f"rows_per_user must be a whole number >= 1, got {rows_per_user!r}.")
        self.users, self.rows_per_user = users, rows_per_user
        self._source = source
        self._rows = np.argsort(owners, kind="stable").astype(np.int64)
        self._starts = np.searchsorted(owners[self._rows], np.arange(users + 1))

    def rows(self, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of the drawn users, shape (len(drawn), rows_per_user); -1 where a user has fewer.

        One line is one unit: keep it in one micro-batch and one process, and sum its rows' gradients before clipping.
        """
        counts = self._starts[drawn + 1] - self._starts[drawn]
        owner = np.repeat(np.arange(len(drawn)), counts)
        places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        mine = self._rows[np.repeat(self._starts[drawn], counts) + places]
        order = np.lexsort((self._source.uniform_words(len(mine)), owner))  # each user's rows in random order
        kept = order[places < self.rows_per_user]
        lines = np.full((len(drawn), self.rows_per_user), -1, dtype=np.int64)
        lines[owner[kept], places[places < self.rows_per_user]] = mine[kept]
        return lines
