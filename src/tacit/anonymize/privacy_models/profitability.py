"""Profitability: to publish a row brings its publisher more than the attack that it invites is expected to cost."""

from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from tacit.anonymize.classes import Classes
from tacit.anonymize.privacy_models.comparison import TOLERANCE
from tacit.anonymize.privacy_models.no_profitable_attack import Attacker, candidates, deterring_rows
from tacit.anonymize.privacy_models.parameters import check_choice, check_number
from tacit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Profitability:
    """In every class benefit * (1 - IL) - [gain * r > cost] * loss * r > 0: a row is released only where that pays.

    benefit  -- what a row as it was is worth to the publisher, > 0; loss -- what a person found costs the publisher, >= 0.
    gain     -- what a person found is worth to the adversary, > 0; cost -- of one attempt, > 0. All four in one currency.
    attacker -- "prosecutor": r = 1 / |E|; "journalist": r = 1 / rows of the class in a population table; without one it fails.

    IL is the share of a row's information that its class loses, 1 + log(product of shares) / log(product of the domains' sizes).
    The adversary attacks when that pays: gain * r > cost, decided exactly. The bound is strict: a payoff within 1e-9 of the
    benefit from 0 fails, and so does a class of "*" alone. It weighs costs and promises no smallest class: with a small loss
    unique rows are released.
    Source: Wan et al. 2015 (PLoS ONE 10(3) e0120592), the publisher's payoff; ARX 3.9.2 ("Profitability").

    Not monotonic: a coarser class may tell too little to be worth its risk. Its information lost is known at the levels of a
    lattice: local recodings cannot ask for it.
    """

    monotonic: ClassVar[bool] = False
    contextual: ClassVar[bool] = True  # asked with the classes' codes and information lost; its verdict looks at no other class
    columns: ClassVar[tuple[str, ...]] = ()

    benefit: float
    loss: float
    gain: float
    cost: float
    attacker: Attacker = "prosecutor"

    def __post_init__(self) -> None:
        check_number("benefit", self.benefit, "(0, inf)", why="nothing is published for nothing. Try 1200.")
        check_number("loss", self.loss, "[0, inf)", why="it is what a person found costs the publisher. Try 300.")
        check_number("gain", self.gain, "(0, inf)", why="it is what a person found is worth to the adversary. Try 300.")
        check_number("cost", self.cost, "(0, inf)", why="an attempt that costs nothing always pays. Try 4.")
        check_choice("attacker", self.attacker, get_args(Attacker), why="it says among whose rows the person is looked for.")

    def holds(self, classes: Classes) -> NDArray[np.bool_]:
        if classes.lost is None:
            raise ConfigError(
                f"{self} needs to know how much information each class loses, which is measured at the levels of the full-domain "
                "search alone. A local recoding could promise it and not keep it. Leave the model out, or the local recoding."
            )
        rows = candidates(classes, self.attacker, str(self))
        pays = rows < deterring_rows(self.gain, self.cost)
        risk = np.where(pays, self.loss / self.benefit / np.maximum(rows, 1), 0.0)
        return np.asarray(((1.0 - classes.lost) - risk > TOLERANCE) & (rows > 0))  # payoffs in units of the benefit

    def to_json(self) -> dict[str, Any]:
        amounts = {name: getattr(self, name) for name in ("benefit", "loss", "gain", "cost")}
        return {"model": "profitability", **amounts, "attacker": self.attacker}

    def __str__(self) -> str:
        amounts = f"benefit {self.benefit:g}, loss {self.loss:g}, gain {self.gain:g}, cost {self.cost:g}"
        return f"profitability ({amounts}, {self.attacker})"
