"""One private training on handcrafted features, through the library's public gesture and an ordinary loop."""

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from handcrafted.images import Split
from tacit import Ledger, make_private
from tacit.noise.grid import clip_norm_for
from tacit.noise.source import OsSource
from tacit.train.releases import Releases, vector_block

EPSILON, DELTA = 3.0, 1e-5
_MEAN_DELTA = 1e-6  # of the mean's release, where there is one


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a training uses; every value was fixed before the set it is used on was trained on.

    batch_size    -- expected rows in a step; epochs -- expected times a row is drawn.
    learning_rate -- of SGD with momentum; clip_norm -- in gradient units.
    centering     -- epsilon, out of the 3, spent on the mean of all rows' features, which is then taken off each; 0 for none.
    """

    batch_size: int
    epochs: float
    learning_rate: float
    clip_norm: float = 0.1
    momentum: float = 0.9
    centering: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """accuracy -- share of the test rows; epsilon -- as the ledger adds it up; seconds -- of the training alone."""

    accuracy: float
    epsilon: float
    seconds: float


def train(features: Split, build: Callable[[], nn.Module], setting: Setting) -> Outcome:
    """Train build()'s model at epsilon 3 and delta 1e-5 with fresh noise and a fresh draw of rows, and measure it on the test rows."""
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=setting.learning_rate, momentum=setting.momentum)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as here, Ledger.open(Path(here) / "ledger.sqlite") as ledger:
        ledger.grant("images", epsilon=EPSILON, delta=DELTA, note="a public benchmark")
        center = private_mean(features.train, setting.centering, ledger) if setting.centering else torch.zeros(())
        private = make_private(
            model,
            optimizer,
            (features.train, features.train_labels),
            epsilon=EPSILON - setting.centering,
            delta=DELTA if setting.centering == 0 else DELTA - _MEAN_DELTA,
            clip_norm=setting.clip_norm,
            batch_size=setting.batch_size,
            epochs=setting.epochs,
            ledger=ledger,
            budget="images",
            request_id="training",
            max_physical_batch=1_024,
        )
        for rows, labels in private.batches():
            private.backward(nn.functional.cross_entropy(model(rows.float() - center), labels, reduction="none"))
            optimizer.step()
        private.finish()
        spent = ledger.spent("images").epsilon
    seconds = time.perf_counter() - started
    with torch.no_grad():
        guesses = torch.cat([model(rows.float() - center).argmax(dim=1) for rows in features.test.split(1_000)])
    right = float((guesses == features.test_labels).float().mean())
    return Outcome(accuracy=right, epsilon=spent, seconds=seconds)


def private_mean(rows: Tensor, epsilon: float, ledger: Ledger) -> Tensor:
    """Return the mean of the rows, shape (...), released once for this epsilon and charged.

    rows -- shape (n, ...): group-normalized, so a row of d values has length at most sqrt(d); float16 may add a thousandth.
    """
    length = math.sqrt(rows[0].numel()) * 1.001
    total = torch.stack([part.double().sum(dim=0) for part in rows.split(1_000)]).sum(dim=0)
    releases = Releases(
        block=vector_block(epsilon=epsilon, delta=_MEAN_DELTA, length=rows[0].numel()),
        ledger=ledger,
        budget="images",
        request_id="mean",
        purpose="mean of the features",
        source=OsSource.from_os(),
    )
    with releases as paid:
        noisy = paid.release(total.flatten().numpy(), clip_norm=clip_norm_for(length))
    return torch.from_numpy(noisy / len(rows)).float().view(rows.shape[1:])
