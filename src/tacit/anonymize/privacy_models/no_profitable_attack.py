"""No profitable attack: to look for a person costs at least what finding that person is expected to gain."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.parameters import check_choice, check_number
from tacit.errors import ConfigError

Attacker = Literal["prosecutor", "journalist"]
"""Who looks: one who knows that the person is in the release, among its class's rows, or does not, among the population's."""


@dataclass(frozen=True, slots=True)
class NoProfitableAttack:
    """In every class gain * r <= cost, r being the chance to pick the right row: the adversary of the game never attacks.

    gain     -- what a person found is worth to the adversary, > 0; cost -- of one attempt, > 0. In one currency, each read as the
                decimal it is written as.
    attacker -- "prosecutor": r = 1 / |E|; "journalist": r = 1 / rows of the class in a population table.
    Source: Wan et al. 2015 (PLoS ONE 10(3) e0120592), the no-attack variant of their game. With equality the adversary gains
    nothing and stays away, as in `Profitability`; ARX 3.9.2 asks for one row more where gain / cost is whole.

    Monotonic: it is k-anonymity, or k-map, with k = gain / cost rounded up.
    """

    monotonic: ClassVar[bool] = True
    contextual: ClassVar[bool] = False
    columns: ClassVar[tuple[str, ...]] = ()

    gain: float
    cost: float
    attacker: Attacker = "prosecutor"

    def __post_init__(self) -> None:
        check_number("gain", self.gain, "(0, inf)", why="it is what a person found is worth to the adversary. Try 300.")
        check_number("cost", self.cost, "(0, inf)", why="an attempt that costs nothing always pays. Try 4.")
        check_choice("attacker", self.attacker, get_args(Attacker), why="it says among whose rows the person is looked for.")

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        return np.asarray(candidates(classes, self.attacker, str(self)) >= deterring_rows(self.gain, self.cost))

    def to_json(self) -> dict[str, Any]:
        return {"model": "no-profitable-attack", "gain": self.gain, "cost": self.cost, "attacker": self.attacker}

    def __str__(self) -> str:
        return f"no profitable attack (gain {self.gain:g}, cost {self.cost:g}, {self.attacker})"


def deterring_rows(gain: float, cost: float) -> int:
    """Return the fewest rows s among which an attack does not pay: gain / s <= cost; cost > 0, gain >= 0."""
    return math.ceil(Fraction(str(gain)) / Fraction(str(cost)))


def candidates(classes: Classes, attacker: Attacker, model: str) -> NDArray[np.int64]:
    """Return for each class, shape (c,), among how many rows an attacker looks; ConfigError without the population they need."""
    if attacker == "prosecutor":
        return classes.sizes
    if classes.population is None:
        raise ConfigError(
            f"{model} needs a population table, and none was given: a journalist looks among the rows there that are like a class. "
            'Give one as `population`, or take attacker="prosecutor".'
        )
    return classes.population
