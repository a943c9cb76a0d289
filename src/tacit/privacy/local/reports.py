"""What leaves the devices: reports, with the mechanism that made them."""

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from tacit.errors import ConfigError
from tacit.privacy.guarantee import Guarantee, Neighbours


class LocalMechanism(Protocol):
    """Turns one person's value into a report that no value makes more than e^epsilon times likelier than another.

    epsilon -- what one report costs its person, replace-one neighbours, delta 0.
    """

    @property
    def epsilon(self) -> float: ...

    def checked_reports(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return collected reports, one per entry of axis 0. Raises ShapeError or DataError for what no device sends."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reports:
    """Collected reports, one person each; what a server holds and all that it sees.

    values    -- one report per entry of axis 0, as the mechanism's `randomize` returns them; kept as a read-only copy.
    mechanism -- what the devices ran.
    private   -- whether every device drew from a source that protects (Source.private).
    Raises ShapeError or DataError when a report is none that the mechanism makes, or there is none.
    """

    values: NDArray[Any]
    mechanism: LocalMechanism
    private: bool

    def __post_init__(self) -> None:
        if not isinstance(self.private, bool):
            raise ConfigError(
                f"private must be True or False, got {self.private!r}: it says whether the reports protect anyone. "
                "Take it from the source that the devices drew from."
            )
        values = self.mechanism.checked_reports(self.values).copy()
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def guarantee(self) -> Guarantee | None:
        """What each person is promised for one report, against everyone, the server included; None for a source for tests."""
        return local_guarantee(self.mechanism.epsilon) if self.private else None


def local_guarantee(epsilon: float) -> Guarantee:
    """Return the guarantee of one report: any value of the person against any other, delta 0."""
    return Guarantee(epsilon=epsilon, delta=0.0, unit="row", neighbours=Neighbours.REPLACE_ONE)
