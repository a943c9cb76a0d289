"""One private training on handcrafted features, through the library's public gesture and an ordinary loop."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from handcrafted.images import Split
from handcrafted.preparation import Preparation, Price
from tacit import Ledger, make_private
from tacit.train import Average

EPSILON, DELTA = 3.0, 1e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a training uses; every value was fixed before the runs that are reported (bench/accuracy.py says which were tried out before).

    batch_size    -- expected rows in a step; epochs -- expected times a row is drawn.
    learning_rate -- of SGD with momentum; clip_norm -- in gradient units.
    preparation   -- the statistics of all rows by which every row is shifted and scaled, and what they cost out of the 3; none by default.
    average       -- decay of the average of the weights that is measured (post-processing, hence free); 0 for the last weights.
    """

    batch_size: int
    epochs: float
    learning_rate: float
    clip_norm: float = 0.1
    momentum: float = 0.9
    preparation: Preparation | None = None
    average: float = 0.0


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
        prepare, spare = _prepared(setting.preparation, features.train, ledger)
        private = make_private(
            model,
            optimizer,
            (features.train, features.train_labels),
            epsilon=EPSILON - spare.epsilon,
            delta=DELTA - spare.delta,
            clip_norm=setting.clip_norm,
            batch_size=setting.batch_size,
            epochs=setting.epochs,
            ledger=ledger,
            budget="images",
            request_id="training",
            max_physical_batch=1_024,
        )
        average = Average(model, decay=setting.average)
        for rows, labels in private.batches():
            private.backward(nn.functional.cross_entropy(model(prepare(rows)), labels, reduction="none"))
            optimizer.step()
            average.update()
        private.finish()
        spent = ledger.spent("images").epsilon
    seconds = time.perf_counter() - started
    average.copy_to_model()
    with torch.no_grad():
        guesses = torch.cat([model(prepare(rows)).argmax(dim=1) for rows in features.test.split(1_000)])
    right = float((guesses == features.test_labels).float().mean())
    return Outcome(accuracy=right, epsilon=spent, seconds=seconds)


def _prepared(preparation: Preparation | None, rows: Tensor, ledger: Ledger) -> tuple[Callable[[Tensor], Tensor], Price]:
    """Return what a row goes through before the model, and what finding it out cost."""
    if preparation is None:
        return Tensor.float, Price(epsilon=0.0, delta=0.0)
    shift, factor = preparation.measure(rows, ledger)
    return lambda part: (part.float() - shift) * factor, preparation.price
