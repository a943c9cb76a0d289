"""Plans: one sampler, one noise, one price; what does not go together is refused, and the whole is printed beforehand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.noise import GridVector
from tacit.noise.source import SeededSource, Zeros
from tacit.privacy import GaussianEvent, Ledger, PoissonSampled, Repeated, epsilon, verify
from tacit.privacy.events import MatrixEvent
from tacit.privacy.ledger.blocks import block_from_json, block_to_json
from tacit.privacy.participation import squared_sensitivity
from tacit.privacy.strategies import Banded
from tacit.train.clipping import AdaptiveClipping, AutomaticClipping
from tacit.train.cycles import BallsInBinsSampler, CyclicPoissonSampler, ShuffleSampler
from tacit.train.plan import Plan
from tacit.train.planning import plan_for
from tacit.train.samplers import PoissonSampler

BASE: dict[str, Any] = {
    "epsilon": 3.0,
    "delta": 1e-5,
    "n": 400,
    "batch_size": 40,
    "epochs": 4,
    "clip_norm": 1.0,
    "parameters": 30,
}
CHOICES: list[dict[str, Any]] = [
    {},
    {"sampling": "shuffle"},
    {"sampling": "balls-in-bins"},
    {"mechanism": "banded", "bands": 4},
    {"mechanism": "banded", "bands": 4, "sampling": "shuffle"},
    {"mechanism": "blt", "buffers": 2},
    {"mechanism": "tree"},
]


def solved(**more: Any) -> Plan:
    return Plan.solve(**(BASE | more))


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_protocol_has_the_least_noise_for_its_price(choice: dict[str, Any]) -> None:
    plan = solved(**choice)
    assert 2.97 < plan.guarantee.epsilon <= 3.0
    assert epsilon(plan.block.total_event, 1e-5) <= plan.guarantee.epsilon
    plan.refuse_underpriced()
    assert solved(**choice) == plan


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_ledger_keeps_and_verifies_every_protocol(choice: dict[str, Any], tmp_path: Path) -> None:
    block = solved(**choice).block
    assert block_from_json(block_to_json(block)) == block
    keys = tmp_path / "keys"
    with Ledger.open(tmp_path / "l.sqlite", key_folder=keys) as ledger:
        ledger.grant("people", epsilon=3.0, delta=1e-5)
        with ledger.reserve(block, dataset="people", request_id="r", purpose="train") as reservation:
            for _ in range(block.paid_steps):
                reservation.count_step()
    found = verify(tmp_path / "l.sqlite", key_folder=keys)
    assert found.ok, found.problems
    assert found.datasets["people"].epsilon == pytest.approx(block.guarantee.epsilon, rel=1e-6)


def test_a_ledger_sees_a_run_that_claims_too_little(tmp_path: Path) -> None:
    block = solved(mechanism="banded", bands=4).block
    cheap = replace(block, guarantee=replace(block.guarantee, epsilon=2.5))
    keys = tmp_path / "keys"
    with Ledger.open(tmp_path / "l.sqlite", key_folder=keys) as ledger:
        ledger.grant("people", epsilon=3.0, delta=1e-5)
        ledger.reserve(cheap, dataset="people", request_id="r", purpose="train")
    assert "its event costs" in "".join(verify(tmp_path / "l.sqlite", key_folder=keys).problems)
    with pytest.raises(ConfigError, match="too little"):
        replace(solved(mechanism="banded", bands=4), block=cheap).refuse_underpriced()


def test_no_amplification_without_poisson_coins() -> None:
    """SOUNDNESS 13: shuffled batches cost as many full releases as a unit takes part in, never what Poisson batches cost."""
    plan = solved(sampling="shuffle", spare_steps=0)
    released = Repeated(event=GaussianEvent(noise_multiplier=plan.noise_multiplier), count=4)
    assert plan.guarantee.epsilon == pytest.approx(epsilon(released, 1e-5), rel=1e-6)
    poisson = Repeated(
        event=PoissonSampled(probability=0.1, event=GaussianEvent(noise_multiplier=plan.noise_multiplier)), count=40
    )
    assert plan.guarantee.epsilon > 2 * epsilon(poisson, 1e-5)


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ({}, PoissonSampler),
        ({"sampling": "shuffle"}, ShuffleSampler),
        ({"sampling": "balls-in-bins"}, BallsInBinsSampler),
        ({"mechanism": "banded", "bands": 4}, CyclicPoissonSampler),
    ],
)
def test_the_sampler_is_the_one_that_was_priced(choice: dict[str, Any], kind: type) -> None:
    plan = solved(**choice)
    sampler = plan.sampler(SeededSource(1))
    assert type(sampler) is kind
    assert sampler.size == 400
    assert plan.sampler(SeededSource(1), size=7).size == 7
    if isinstance(sampler, CyclicPoissonSampler):
        assert (sampler.period, sampler.probability) == (4, 0.4)
    elif isinstance(sampler, ShuffleSampler | BallsInBinsSampler):
        assert sampler.period == 10
    assert np.mean([len(plan.sampler(SeededSource(seed)).draw()) for seed in range(50)]) == pytest.approx(40, abs=8)


def test_an_epsilon_holds_only_for_the_sampler_and_the_noise_that_run() -> None:
    plans = {name: solved(**choice) for name, choice in zip("abcd", CHOICES, strict=False)}
    for one, other in (("a", "b"), ("b", "a"), ("b", "d"), ("d", "b"), ("d", "a")):
        with pytest.raises(ConfigError, match="only for the sampler that runs"):
            replace(plans[one], block=plans[other].block)
    for change in ({"n": 500}, {"batch_size": 80}):
        for name in "bd":
            with pytest.raises(ConfigError, match="only for the sampler that runs"):
                replace(plans[name], **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"mechanism": "tree", "sampling": "poisson"}, "no theorem"),
        ({"mechanism": "blt", "sampling": "poisson"}, "no theorem"),
        ({"mechanism": "banded", "sampling": "poisson"}, "no theorem"),
        ({"mechanism": "blt", "sampling": "cyclic-poisson"}, "no theorem"),
        ({"mechanism": "dp-ftrl"}, "unknown mechanism"),
        ({"sampling": "random"}, "unknown sampling"),
        ({"bands": 4}, "bands = 4 is for"),
        ({"mechanism": "banded", "buffers": 4}, "buffers = 4 is for"),
        ({"mechanism": "blt", "tree_height": 2}, "tree_height = 2 is for"),
        ({"mechanism": "banded", "bands": 11}, "bands must be"),
        ({"mechanism": "banded", "bands": 0}, "bands must be"),
        ({"delta": 1 / 400}, "chosen at random"),
        ({"delta": 0.5}, "chosen at random"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_norm": float("inf")}, "clip_norm"),
        ({"clip_norm": float("nan")}, "clip_norm"),
        ({"batch_size": 401}, "more than n"),
        ({"unit": "user_id"}, "rows_per_user"),
        ({"rows_per_user": 3}, "unit column"),
        ({"unit": "user_id", "rows_per_user": 0}, "rows_per_user"),
        ({"clipping": AutomaticClipping(clip_norm=2.0)}, "another length"),
        ({"clipping": AdaptiveClipping(clip_norm=1.0), "sampling": "shuffle"}, "one for the whole run"),
        ({"clipping": AdaptiveClipping(clip_norm=1.0, bit_noise=0.1)}, "alone cost more"),
    ],
)
def test_what_has_no_theorem_or_no_sense_is_refused_with_a_remedy(choice: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        solved(**choice)


def test_users_are_the_unit_when_they_are_drawn() -> None:
    plan = solved(unit="user_id", rows_per_user=5)
    assert (plan.guarantee.unit, plan.rows_per_user) == ("user_id", 5)
    assert "400 users, at most 5 rows of each" in plan.describe()
    with pytest.raises(ConfigError, match="user_id"):
        replace(plan, rows_per_user=None)
    with pytest.raises(ConfigError, match="unit column"):
        replace(solved(), rows_per_user=5)


def test_adaptive_clipping_pays_for_its_bits_with_more_noise_on_the_sum() -> None:
    """Andrew et al. 2021, Theorem 1: z^-2 = z_sum^-2 + (2 s)^-2, s the bits' deviation; the event is the plain one."""
    plain, adaptive = solved(), solved(clipping=AdaptiveClipping(clip_norm=1.0, bit_noise=4.0))
    assert adaptive.block.event == plain.block.event
    assert adaptive.noise_multiplier > plain.noise_multiplier
    together = (adaptive.noise_multiplier**-2 + (2 * 4.0) ** -2) ** -0.5
    assert together == pytest.approx(plain.noise_multiplier, rel=1e-12)
    assert adaptive.mechanism.noise_multiplier == adaptive.noise_multiplier
    assert adaptive.tracker(Zeros()) is not None
    assert plain.tracker(Zeros()) is None


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_noise_of_a_step_has_the_printed_deviation(choice: dict[str, Any]) -> None:
    """Zero gradients: deviation of the mean gradient, root mean square over the run, within 1% (4e6 draws; 9 deviations of its error)."""
    from tacit.train.describing import gradient_noise

    plan = solved(**choice, clip_norm=0.5)
    noising = plan.noising(SeededSource(1))
    squares = [
        np.square(noising.release(GridVector.from_sum(np.zeros(100_000), 0.5)).values / 40).mean() for _ in range(plan.steps)
    ]
    assert np.sqrt(np.mean(squares)) == pytest.approx(gradient_noise(plan), rel=0.01)
    assert np.sqrt(np.mean(squares)) != pytest.approx(1.03 * gradient_noise(plan), rel=0.01)


def test_one_band_is_dp_sgd_bit_for_bit_and_costs_the_same() -> None:
    plain, banded = solved(), solved(mechanism="banded", bands=1)
    assert banded.sampling == "cyclic-poisson"
    assert banded.noise_multiplier == plain.noise_multiplier
    assert banded.guarantee.epsilon == plain.guarantee.epsilon
    runs = []
    for plan in (plain, banded):
        source = SeededSource(7)
        sampler, noising = plan.sampler(source), plan.noising(source)
        run = []
        for _ in range(5):
            drawn = sampler.draw()
            run.append((drawn.tolist(), noising.release(GridVector.from_sum(np.full(50, float(len(drawn))), 1.0)).units.tolist()))
        runs.append(run)
    assert runs[0] == runs[1]


def test_correlated_noise_has_no_single_release() -> None:
    with pytest.raises(ConfigError, match=r"plan\.noising"):
        _ = solved(mechanism="blt", buffers=2).mechanism


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_plan_prints_itself_in_eighty_columns(choice: dict[str, Any]) -> None:
    text = str(solved(**choice))
    assert max(len(line) for line in text.splitlines()) <= 80
    for words in (
        "n = 400",
        "40 rows",
        "4 epochs",
        "spare steps",
        "clip norm 1",
        "epsilon 3",
        "delta 1e-05",
        "zero-out-one",
        "memory",
    ):
        assert words in text or (words == "epsilon 3" and "epsilon 2.9" in text), words
    assert (choice.get("sampling") or {"banded": "cyclic-poisson"}.get(choice.get("mechanism", ""), "")) in text


def test_a_resumed_run_takes_no_more_than_its_price_holds() -> None:
    free = solved(checkpoint_every=5, spare_steps=10)  # independent steps: whatever is paid for
    assert free.further_steps(first_step=20, claimed=25) == 20
    assert free.further_steps(first_step=3, claimed=40) == 10
    tied = solved(mechanism="blt", buffers=2, checkpoint_every=5, spare_steps=10)
    assert tied.further_steps(first_step=20, claimed=20) == 20
    assert tied.further_steps(first_step=20, claimed=30) == 20
    assert tied.further_steps(first_step=20, claimed=35) == 0, "three windows lost, two are paid for"
    assert tied.further_steps(first_step=22, claimed=25) == 0, "not a checkpoint of the schedule"
    assert tied.further_steps(first_step=40, claimed=45) == 0
    event = tied.block.event
    assert isinstance(event, MatrixEvent)
    assert (event.replays, event.replay_steps) == (2, 5)


def test_replays_are_in_the_price() -> None:
    for choice in ({"sampling": "shuffle"}, {"mechanism": "tree"}, {"mechanism": "banded", "bands": 4}):
        with_spare, without = solved(**choice), solved(**choice, spare_steps=0)
        assert with_spare.noise_multiplier > without.noise_multiplier


@pytest.mark.parametrize(
    "choice",
    [{"sampling": "shuffle"}, *(pytest.param(one, marks=pytest.mark.slow) for one in ({}, {"mechanism": "banded", "bands": 2}))],
)
def test_a_plan_is_solved_for_whichever_of_three_is_left_out(choice: dict[str, Any]) -> None:
    rest = {name: value for name, value in BASE.items() if name not in ("epsilon", "epochs")}
    noise = plan_for(epsilon=3.0, epochs=4, **rest, **choice)
    assert noise == solved(**choice)
    price = plan_for(noise_multiplier=noise.noise_multiplier, epochs=4, **rest, **choice)
    assert price.guarantee == noise.guarantee
    steps = plan_for(noise_multiplier=noise.noise_multiplier, epsilon=3.0, **rest, **choice, spare_steps=0)
    assert steps.steps >= 40
    assert steps.guarantee.epsilon <= 3.0
    longer = plan_for(noise_multiplier=noise.noise_multiplier, epochs=(steps.steps + 10.5) / 10, **rest, **choice, spare_steps=0)
    assert longer.guarantee.epsilon > 3.0


def test_a_plan_without_exactly_one_gap_or_with_too_little_noise_is_refused() -> None:
    rest = {name: value for name, value in BASE.items() if name not in ("epsilon", "epochs")}
    wrongs: list[dict[str, Any]] = [{}, {"epsilon": 3.0}, {"epsilon": 3.0, "epochs": 4, "noise_multiplier": 1.0}]
    for wrong in wrongs:
        with pytest.raises(ConfigError, match="left out"):
            plan_for(**rest, **wrong)
    with pytest.raises(ConfigError, match="not even 1 step"):
        plan_for(epsilon=0.01, noise_multiplier=0.5, **rest)
    for noise in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="noise_multiplier must be finite"):
            plan_for(epochs=1, noise_multiplier=noise, **rest)


def test_banded_noise_beats_independent_noise_in_the_model() -> None:
    """At 20 epochs of 10 batches, in the sum of all updates; Choquette-Choo et al. 2023's claim at large epsilon and many epochs."""
    from tacit.train.describing import model_noise

    plain, banded = (solved(epochs=20, epsilon=8.0, **more) for more in ({}, {"mechanism": "banded", "bands": 4}))
    assert model_noise(banded) < 0.95 * model_noise(plain)
    event = banded.block.event
    assert isinstance(event, MatrixEvent)
    assert isinstance(event.strategy, Banded)
    assert squared_sensitivity(event.strategy, steps=200, period=200) < 3


@pytest.mark.slow
def test_without_a_number_of_bands_banded_noise_is_never_worse_than_dp_sgd() -> None:
    from tacit.train.describing import model_noise

    for more in ({"epochs": 20, "epsilon": 8.0}, {"epochs": 1, "epsilon": 0.5}):
        chosen, plain = solved(mechanism="banded", **more), solved(**more)
        assert model_noise(chosen) <= model_noise(plain) * (1 + 1e-12)
        assert model_noise(chosen) <= model_noise(solved(mechanism="banded", bands=2, **more)) * (1 + 1e-12)
