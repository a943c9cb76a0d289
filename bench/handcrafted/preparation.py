"""What is learned of all rows before the training, privately and charged: a mean, or every channel's mean and spread."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tacit import Ledger
from tacit.noise.grid import clip_norm_for
from tacit.noise.source import OsSource
from tacit.train.releases import Releases, vector_block

_AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What a preparation costs."""

    epsilon: float
    delta: float


class Preparation(Protocol):
    """Statistics of all rows, by which every row is shifted and scaled."""

    @property
    def price(self) -> Price: ...

    def measure(self, rows: Tensor, ledger: Ledger) -> tuple[Tensor, Tensor]:
        """Release the statistics once, charged to the budget "images"; return shift and factor: a row x becomes (x - shift) * factor.

        rows -- shape (n, channels, side, side).
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Centering:
    """The mean of rows whose channels were normalized by groups: a row of d values then has length at most sqrt(d)."""

    epsilon: float
    delta: float = 1e-6

    @property
    def price(self) -> Price:
        return Price(epsilon=self.epsilon, delta=self.delta)

    def measure(self, rows: Tensor, ledger: Ledger) -> tuple[Tensor, Tensor]:
        length = math.sqrt(rows[0].numel()) * 1.001  # float16 may add a thousandth
        total = torch.stack([part.double().flatten(1).sum(dim=0) for part in rows.split(_AT_ONCE)]).sum(dim=0)
        mean = _released(total, length, self.price, ledger) / len(rows)
        return mean.view(rows.shape[1:]), torch.ones(())


@dataclass(frozen=True, kw_only=True, slots=True)
class Channels:
    """Every channel's mean and standard deviation over rows and positions; channels then get the deviations asked for.

    weights    -- what a channel is multiplied by before it is measured, by its order in the scattering: 0, 1, 2. Higher orders are smaller.
    most       -- lengths that one row's vectors of channel means and of channel mean squares, so weighted, are clipped to.
    least      -- smallest variance, in weighted units, that a channel is taken to have: noise can make an estimate negative.
    deviations -- what channels of each order are given.
    """

    epsilon: float
    delta: float = 1e-6
    weights: tuple[float, float, float]
    most: tuple[float, float]
    least: float
    deviations: tuple[float, float, float]

    @property
    def price(self) -> Price:
        return Price(epsilon=self.epsilon, delta=self.delta)

    def measure(self, rows: Tensor, ledger: Ledger) -> tuple[Tensor, Tensor]:
        weights = by_order(self.weights, rows.shape[1])
        sums = [torch.cat(self._moments(part, weights), dim=1).double().sum(dim=0) for part in rows.split(_AT_ONCE)]
        means = _released(torch.stack(sums).sum(dim=0), math.sqrt(2.0), self.price, ledger) / len(rows)
        first, second = (moment * most for moment, most in zip(means.chunk(2), self.most, strict=True))
        spread = (second - first.square()).clamp(min=self.least).sqrt() / weights
        factor = by_order(self.deviations, rows.shape[1]) / spread
        return (first / weights)[:, None, None], factor[:, None, None]

    def _moments(self, part: Tensor, weights: Tensor) -> list[Tensor]:
        """Return each row's channel means and mean squares, shapes (rows, channels), each clipped and divided by its clip length."""
        weighted = part.float() * weights[:, None, None]
        moments = (weighted.mean(dim=(2, 3)), weighted.square().mean(dim=(2, 3)))
        return [
            moment / moment.norm(dim=1, keepdim=True).clamp(min=most) for moment, most in zip(moments, self.most, strict=True)
        ]


def by_order(values: tuple[float, float, float], channels: int) -> Tensor:
    """Return each channel's value, shape (channels,): 1, 16 and 64 channels of orders 0, 1 and 2 for each colour."""
    one = torch.cat([torch.full((count,), value) for count, value in zip((1, 16, 64), values, strict=True)])
    return one.repeat(channels // len(one))


def _released(total: Tensor, length: float, price: Price, ledger: Ledger) -> Tensor:
    """Return a sum, flat and float32, released once with the noise that its price buys; length -- most that one row adds to it."""
    releases = Releases(
        block=vector_block(epsilon=price.epsilon, delta=price.delta, length=total.numel()),
        ledger=ledger,
        budget="images",
        request_id="statistics",
        purpose="statistics of the features",
        source=OsSource.from_os(),
    )
    with releases as paid:
        noisy = paid.release(total.numpy(), clip_norm=clip_norm_for(length * (1 + 1e-6)))  # clipped in float32
    return torch.from_numpy(noisy).float()
