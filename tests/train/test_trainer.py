"""The trainer: pays first, learns, resumes after a kill without ever running more steps than were paid."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from simple_training import claiming, plan, priced
from tacit.errors import BudgetExceeded, ConfigError, RunError, ShapeError
from tacit.noise.source import OsSource, SeededSource
from tacit.privacy.guarantee import Guarantee
from tacit.privacy.ledger import Ledger
from tacit.train.plan import Plan
from tacit.train.trainer import Checkpoints, Network, Trainer

KEY = bytes(range(32))


def rows(n: int = 400) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    generator = np.random.default_rng(3)
    features = generator.uniform(-1, 1, size=(n, 4))
    return features, (features @ [2.0, -1.0, 0.5, 0.0] > 0).astype(np.int64)


def fit(trainer: Trainer, ledger: Ledger, **more: object) -> object:
    features, labels = rows()
    return trainer.fit(features, labels, ["no", "yes"], ledger=ledger, budget="people", request_id="one", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("hidden", [(), (8,)])
def test_it_learns_what_is_true_of_everyone(ledger: Ledger, hidden: tuple[int, ...]) -> None:
    trainer = Trainer(plan=priced(400, 80, steps=120, noise=2.0), network=Network(hidden=hidden))
    network = fit(trainer, ledger)
    features, labels = rows()
    right = network.predict_proba(features).argmax(axis=1) == labels  # type: ignore[attr-defined]
    assert right.mean() > 0.85


def test_the_block_is_paid_for_before_a_row_is_read(ledger: Ledger) -> None:
    """A budget that is too small leaves the ledger as it was, and no step runs."""
    ledger.reserve(claiming(plan(400, 80), 1.0).block, dataset="people", request_id="rest", purpose="takes 1 of 10")
    big = Plan.solve(epsilon=9.5, delta=1e-5, n=400, batch_size=80, epochs=2, clip_norm=1.0, parameters=10)
    before, steps = ledger.head(), []
    with pytest.raises(BudgetExceeded):
        fit(Trainer(plan=big, network=Network()), ledger, on_step=lambda step, _: steps.append(step))
    assert (ledger.head().count, ledger.head().hash, steps) == (before.count, before.hash, [])


class _Killed(BaseException):
    """Stands for the death of the process: nothing may catch it."""


def killed_at(step: int) -> object:
    def on_step(now: int, _steps: int) -> None:
        if now == step:
            raise _Killed

    return on_step


def test_a_killed_training_resumes_from_its_checkpoint_and_pays_for_the_replay_from_the_spare(
    ledger: Ledger, tmp_path: Path
) -> None:
    a_plan = priced(400, 80, steps=20, noise=1.0, every=4, spare=8)
    checkpoints = Checkpoints(path=tmp_path / "c", key=KEY)
    with pytest.raises(_Killed):
        fit(Trainer(plan=a_plan, network=Network()), ledger, checkpoints=checkpoints, on_step=killed_at(10))
    spent, seen = ledger.spent("people"), []
    fit(Trainer(plan=a_plan, network=Network()), ledger, checkpoints=checkpoints, on_step=lambda step, _: seen.append(step))
    assert seen == list(range(9, 21)), "steps 9 and 10 are replayed from the checkpoint of step 8, with fresh noise"
    assert ledger.spent("people") == spent, "the block was paid for once"


def test_when_the_spare_is_used_up_training_ends_with_fewer_steps(ledger: Ledger, tmp_path: Path) -> None:
    a_plan = priced(400, 80, steps=20, noise=1.0, every=4, spare=4)
    checkpoints = Checkpoints(path=tmp_path / "c", key=KEY)
    ran: list[int] = []
    for stop in (6, 6, 6, 6, 6):
        try:
            fit(
                Trainer(plan=a_plan, network=Network()),
                ledger,
                checkpoints=checkpoints,
                on_step=lambda s, _, at=stop: _stop(ran, s, at),
            )
        except _Killed:
            continue
    assert len(ran) <= a_plan.block.paid_steps, "never more steps than were paid for"
    last = Trainer(plan=a_plan, network=Network())
    fit(last, ledger, checkpoints=checkpoints)
    assert 0 < last.steps_run < a_plan.steps, "what is left of the block is used, and the trainer says how far it came"


def _stop(ran: list[int], step: int, at: int) -> None:
    ran.append(step)
    if step == at:
        raise _Killed


def test_a_block_used_up_without_a_checkpoint_trains_nothing(ledger: Ledger, tmp_path: Path) -> None:
    a_plan = priced(400, 80, steps=3, noise=1.0, every=3, spare=0)
    with pytest.raises(_Killed):
        fit(Trainer(plan=a_plan, network=Network()), ledger, on_step=killed_at(1))
    rows_before = ledger.head().count
    with pytest.raises(RunError, match="new request"):
        fit(Trainer(plan=a_plan, network=Network()), ledger, checkpoints=Checkpoints(path=tmp_path / "c", key=KEY))
    assert ledger.head().count == rows_before, "a refusal claims no step"
    with pytest.raises(ConfigError, match="taken"):
        fit(Trainer(plan=a_plan, network=Network()), ledger)


def test_another_plan_or_budget_may_not_continue_a_block(ledger: Ledger, tmp_path: Path) -> None:
    checkpoints = Checkpoints(path=tmp_path / "c", key=KEY)
    first = priced(400, 80, steps=5, noise=2.0, spare=2)
    with pytest.raises(_Killed):
        fit(Trainer(plan=first, network=Network()), ledger, checkpoints=checkpoints, on_step=killed_at(1))
    with pytest.raises(RunError, match="did not pay for this plan"):
        fit(Trainer(plan=priced(400, 80, steps=5, noise=1.5, spare=2), network=Network()), ledger, checkpoints=checkpoints)
    features, labels = rows()
    with pytest.raises(RunError, match="from the budget 'others'"):
        Trainer(plan=first, network=Network()).fit(
            features, labels, ["no", "yes"], ledger=ledger, budget="others", request_id="one", checkpoints=checkpoints
        )
    assert ledger.spent("others").epsilon == 0


def test_a_block_that_claims_less_than_it_costs_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match="cost"):
        Trainer(plan=claiming(plan(400, 80, steps=20, noise=2.0), 1.0), network=Network())


def test_a_plan_for_users_is_refused_while_rows_are_drawn() -> None:
    block = replace(plan(400, 80).block, guarantee=Guarantee(epsilon=1.0, delta=1e-5, unit="user_id"))
    with pytest.raises(ConfigError, match="user_id"):
        replace(plan(400, 80), block=block)


def test_a_model_larger_than_the_plan_was_priced_for_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match="priced for 100"):
        fit(Trainer(plan=priced(400, 80, steps=2), network=Network(hidden=(50,))), ledger)


def test_noise_that_protects_nobody_is_called_so_in_the_ledger(ledger: Ledger) -> None:
    fit(Trainer(plan=priced(400, 80, steps=2, noise=2.0), network=Network(), source=SeededSource(1)), ledger)
    entry = ledger.find("one")
    assert entry is not None
    assert entry.content["purpose"] == "train with noise that protects nobody (seeded-test)"


def test_a_checkpoint_is_encrypted_for_its_owner_and_bound_to_its_run(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "c"
    a_plan = priced(400, 80, steps=6, noise=1.0, every=2, spare=4)
    with pytest.raises(_Killed):
        fit(Trainer(plan=a_plan, network=Network()), ledger, checkpoints=Checkpoints(path=path, key=KEY), on_step=killed_at(5))
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert b"weight" not in path.read_bytes(), "names of tensors would be readable in plain safetensors"
    with pytest.raises(RunError, match="another run or key"):
        fit(Trainer(plan=a_plan, network=Network()), ledger, checkpoints=Checkpoints(path=path, key=bytes(32)))
    spoiled = bytearray(path.read_bytes())
    spoiled[40] ^= 1
    path.write_bytes(spoiled)
    with pytest.raises(RunError, match="altered"):
        fit(Trainer(plan=a_plan, network=Network()), ledger, checkpoints=Checkpoints(path=path, key=KEY))


def test_rows_and_settings_that_do_not_fit_are_refused(ledger: Ledger) -> None:
    trainer = Trainer(plan=priced(400, 80, steps=1), network=Network(), source=OsSource.from_os())
    features, labels = rows()
    with pytest.raises(ShapeError):
        trainer.fit(features[:, 0], labels, ["a", "b"], ledger=ledger, budget="people", request_id="x")
    with pytest.raises(ConfigError, match="two declared classes"):
        trainer.fit(features, labels, ["a"], ledger=ledger, budget="people", request_id="x")
    with pytest.raises(ConfigError, match="class numbers"):
        trainer.fit(features, labels + 1, ["a", "b"], ledger=ledger, budget="people", request_id="x")
    for wrong in ({"hidden": (0,)}, {"activation": "step"}, {"learning_rate": 0.0}, {"momentum": 1.0}):
        with pytest.raises(ConfigError):
            Network(**wrong)


def test_a_plan_refuses_a_block_priced_for_another_sampler() -> None:
    block = plan(400, 80).block
    with pytest.raises(ConfigError, match="only for the sampler that runs"):
        Plan(n=400, batch_size=81, clip_norm=1.0, block=block, parameters=9)
    for wrong in ({"n": 0}, {"batch_size": 0}, {"batch_size": 401}, {"clip_norm": 0.0}, {"epochs": 0.0}):
        settings = {
            "epsilon": 1.0,
            "delta": 1e-5,
            "n": 400,
            "batch_size": 80,
            "epochs": 1.0,
            "clip_norm": 1.0,
            "parameters": 9,
        } | wrong
        with pytest.raises(ConfigError):
            Plan.solve(**settings)
