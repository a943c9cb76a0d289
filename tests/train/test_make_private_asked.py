"""What make_private is asked for: plans made beforehand, rows that the model cannot take, what is told when it is asked again."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from simple_training import cross_entropy
from tacit.errors import ConfigError, ShapeError, UnsupportedModel
from tacit.noise.source import SeededSource
from tacit.privacy.ledger import Ledger
from tacit.train.clipping import FlatClipping
from tacit.train.planning import plan_for
from tacit.train.torch.private import PrivateTraining, make_private

NUMBERS: dict[str, Any] = {"epsilon": 2.0, "delta": 1e-5, "clip_norm": 1.0, "batch_size": 16, "epochs": 3}


def data(n: int = 64) -> tuple[Tensor, Tensor]:
    rows = torch.rand(n, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return rows, (rows[:, 0] > 0).long()


def made(ledger: Ledger, *, model: nn.Module | None = None, **more: Any) -> PrivateTraining:
    torch.manual_seed(1)
    model = nn.Linear(3, 2) if model is None else model
    settings: dict[str, Any] = {"dataset": data(), "ledger": ledger, "budget": "people", "request_id": "one"} | more
    settings.setdefault("optimizer", torch.optim.SGD(model.parameters(), lr=0.5))
    if "plan" not in settings:
        settings = NUMBERS | settings
    return make_private(model, source=SeededSource(1), **settings)


def weights(private: PrivateTraining) -> dict[str, Tensor]:
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        private.optimizer.step()
    return copy.deepcopy(private.finish().state_dict())


def spent_nothing(ledger: Ledger) -> bool:
    return ledger.spent("people").epsilon == 0 and ledger.find("one") is None


def test_a_plan_made_beforehand_trains_the_same_model_as_its_numbers(ledger: Ledger) -> None:
    plan = plan_for(**NUMBERS, n=64, parameters=8)
    by_numbers, by_plan = weights(made(ledger, request_id="a")), weights(made(ledger, request_id="b", plan=plan))
    assert all(torch.equal(value, by_plan[name]) for name, value in by_numbers.items())
    fixed = plan_for(noise_multiplier=3.0, delta=1e-5, clip_norm=1.0, batch_size=16, epochs=1, n=64, parameters=8)
    private = made(ledger, request_id="c", plan=fixed)
    assert private.plan is fixed
    before = ledger.spent("people").epsilon
    next(private.batches())
    assert ledger.spent("people").epsilon - before == pytest.approx(fixed.guarantee.epsilon, abs=1e-8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(({name: value}, f"a plan is given and {name} too") for name, value in NUMBERS.items()),
        ({"mechanism": "dp-sgd"}, "a plan is given and mechanism too"),
        ({"sampling": "poisson"}, "a plan is given and sampling too"),
        ({"unit": "row"}, "a plan is given and unit too"),
        ({"clipping": FlatClipping(clip_norm=1.0)}, "a plan is given and clipping too"),
        ({"rows_per_user": 2}, "a plan is given and rows_per_user too"),
        ({"n": 65}, "made for n = 64 units, and n says 65"),
        ({"dataset": data(60)}, "made for n = 64 units, and the data set has 60"),
        ({"dataset": data(130), "n": 64}, "n says 64 units, each a row, and the data set has 130"),
        ({"plan": "dp-sgd"}, "plan must be a Plan"),
        ({"model": nn.Linear(3, 3)}, "12 trained values, and the plan was priced for 8"),
    ],
)
def test_a_plan_excludes_the_numbers_it_was_made_of_and_other_data(ledger: Ledger, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(ledger, **{"plan": plan_for(**NUMBERS, n=64, parameters=8)} | change)
    assert spent_nothing(ledger)


def test_a_plan_for_a_public_number_of_units_takes_fewer_rows_when_it_is_declared(ledger: Ledger) -> None:
    plan = plan_for(**NUMBERS, n=64, parameters=8)
    assert made(ledger, plan=plan, dataset=data(60), n=64).plan is plan


def test_a_second_training_of_one_request_is_told_of_checkpoints(ledger: Ledger) -> None:
    next(made(ledger).batches())
    with pytest.raises(ConfigError, match=r"request id 'one' is taken.*checkpoints="):
        next(made(ledger).batches())


def test_a_model_in_training_says_how_to_free_it(ledger: Ledger) -> None:
    private = made(ledger)
    with pytest.raises(UnsupportedModel, match=r"private\.finish\(\)"):
        made(ledger, model=private.model, optimizer=private.optimizer)
    private.finish()
    assert made(ledger, model=private.model, optimizer=private.optimizer).plan == private.plan


def test_a_model_that_cannot_take_the_rows_is_refused_before_anything_is_paid(ledger: Ledger) -> None:
    private = made(ledger, model=nn.Linear(5, 2))
    with pytest.raises(ConfigError, match=r"zeros of shape \(7, 3\), it raised RuntimeError: mat1 and mat2.*private\.check"):
        next(private.batches())
    assert spent_nothing(ledger)


def test_a_loop_that_alters_the_rows_shows_how_it_calls_the_model(ledger: Ledger) -> None:
    private = made(ledger, model=nn.Linear(6, 2))

    def doubled(x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(private.model(torch.cat([x, x], dim=1)), y)

    private.check(doubled)
    private.backward(doubled(*next(private.batches())))
    assert private.step == 1


def test_bytes_that_the_loop_makes_numbers_of_need_no_check(ledger: Ledger) -> None:
    x, y = data()
    private = made(ledger, dataset=((x * 100).to(torch.int8), y))
    rows, targets = next(private.batches())
    private.backward(cross_entropy(private.model(rows.float() / 100), targets))
    assert private.step == 1


def test_a_scalar_loss_is_told_what_costs_nothing(ledger: Ledger) -> None:
    private = made(ledger)

    def scalar(x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(private.model(x), y)

    told = r"`private\.check\(\.\.\.\)` before the loop tries this at no cost\.$"
    with pytest.raises(ShapeError, match=told):
        private.check(scalar)
    assert spent_nothing(ledger)
    with pytest.raises(ShapeError, match=told):
        private.backward(scalar(*next(private.batches())))


class Rows(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Rows by number, as many data sets give them."""

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        x, y = data()
        return x[number], y[number]


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (tuple(one.numpy() for one in data()), r"tuple of numpy\.ndarray\..*torch\.from_numpy"),
        (list(data()), r"list of torch\.Tensor.*tuple"),
        (
            torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data())),
            "got DataLoader.*the data set that it was made of",
        ),
        (Rows(), r"got Rows.*torch\.stack"),
    ],
)
def test_a_data_set_of_another_kind_is_told_what_to_make_of_it(ledger: Ledger, dataset: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(ledger, dataset=dataset)


def test_a_ledgers_path_is_told_to_be_opened() -> None:
    path: Any = "x.sqlite"
    with pytest.raises(ConfigError, match=r"got str: give Ledger\.open"):
        made(path)
