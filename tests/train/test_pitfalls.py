"""Eighteen defects found in other libraries for differentially private training, each a test by its number."""

import copy
import math
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import Tensor, nn

from simple_training import Still, cross_entropy, one_at_a_time, plan, priced, training
from tacit.errors import BudgetExceeded, ConfigError, PrivacyError, RunError, ShapeError, TacitError, UnsupportedModel
from tacit.noise.grid import clip_target, grid_step
from tacit.noise.source import OsSource, SeededSource, Source
from tacit.privacy.ledger import Ledger
from tacit.privacy.mechanisms.correlated import IndependentNoising
from tacit.privacy.mechanisms.gaussian import Gaussian
from tacit.train.plan import Plan
from tacit.train.samplers import PoissonSampler
from tacit.train.torch.adam import DPAdam
from tacit.train.torch.private import PrivateTraining
from tacit.train.torch.processes import SharedReleaser, group, weights_of
from tacit.train.torch.sums import RunningSum
from train.estimators import estimator, people
from train.test_resume import run, same

F = nn.functional


def test_every_one_of_the_eighteen_is_tried_here() -> None:
    tried = {name[6:8] for name in globals() if re.match(r"test_c\d\d_", name)}
    assert tried == {f"{number:02}" for number in range(1, 19)}


def fresh(seed: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def data(n: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(n, 3, generator=generator) * 3, torch.randint(0, 2, (n,), generator=generator)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def one_update(
    ledger: Ledger,
    model: nn.Module,
    tensors: tuple[Tensor, ...],
    loss: Callable[..., Tensor] = cross_entropy,
    name: str = "r",
    **more: int,
) -> dict[str, Tensor]:
    """Return the update of one noiseless step on all rows."""
    n = len(tensors[0])
    private, _ = training(model, tensors, plan(n, n), ledger, Still(3), name=name, **more)
    for x, *others in private.batches():
        private.backward(loss(private.model(x), *others))
    return gradients(model)


def test_c01_the_sampler_that_is_accounted_for_is_the_one_that_runs() -> None:
    """The block's event names its sampler, and a plan makes the sampler of its block: there is no other way to batches."""
    sampler = priced(400, 40, steps=5).sampler(SeededSource(1))
    assert isinstance(sampler, PoissonSampler)
    sizes = [len(sampler.draw()) for _ in range(200)]
    assert len(set(sizes)) > 10, "a fixed batch size is not Poisson sampling"
    # 200 draws of Binomial(400, 0.1): the mean misses 40 by 6 / sqrt(200) * 7 = 3 with probability 3e-12
    assert abs(float(np.mean(sizes)) - 40) < 3


def test_c01_a_shuffle_costs_no_less_than_batches_without_sampling() -> None:
    """One epoch in fixed batches uses each row once: the price of one Gaussian release, however small the batches."""
    options: dict[str, Any] = {
        "epsilon": 2.0,
        "delta": 1e-6,
        "n": 1000,
        "epochs": 1,
        "clip_norm": 1.0,
        "parameters": 10,
        "spare_steps": 0,
    }
    poisson = Plan.solve(batch_size=50, **options)
    shuffled = Plan.solve(batch_size=50, mechanism="dp-sgd", sampling="shuffle", **options)
    whole = Plan.solve(batch_size=1000, mechanism="dp-sgd", sampling="shuffle", **options)
    assert shuffled.noise_multiplier == pytest.approx(whole.noise_multiplier, rel=1e-3)
    assert poisson.noise_multiplier < shuffled.noise_multiplier


def test_c02_examples_coupled_through_ignore_index_are_refused(ledger: Ledger) -> None:
    """Mean cross-entropy over the tokens that are not ignored divides by how many others ignore."""

    def coupled(logits: Tensor, targets: Tensor) -> Tensor:
        each = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=0)
        return each.sum(dim=1) / (targets != 0).sum()

    tokens, targets = torch.randn(6, 4, 3), torch.randint(0, 3, (6, 4))
    private, _ = training(nn.Linear(3, 3), (tokens, targets), plan(6, 6), ledger, Still(3))
    with pytest.raises(PrivacyError, match=r"batch-wide normalizer.*`tacit design fix`"):
        private.check(lambda x, y: coupled(private.model(x), y))

    def apart(logits: Tensor, targets: Tensor) -> Tensor:
        each = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=0)
        return each.sum(dim=1) / (targets != 0).sum(dim=1).clamp(min=1)

    private.check(lambda x, y: apart(private.model(x), y))


def test_c02_the_load_loss_of_a_mixture_of_experts_is_refused(ledger: Ledger) -> None:
    """It squares the batch's mean share of each expert: every row's gradient depends on all rows' gates (Shazeer et al. 2017)."""

    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.gate, self.experts = nn.Linear(3, 2), nn.ModuleList(nn.Linear(3, 2) for _ in range(2))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            shares = self.gate(x).softmax(dim=1)
            each = torch.stack([one(x) for one in self.experts], dim=1)
            return (shares.unsqueeze(2) * each).sum(dim=1), shares

    private, _ = training(Mixture(), data(), plan(12, 12), ledger, Still(3))

    def losses(x: Tensor, y: Tensor, load: float) -> Tensor:
        out, shares = private.model(x)
        each: Tensor = cross_entropy(out, y)
        return each + load * shares.mean(dim=0).square().sum() if load else each

    private.check(lambda x, y: losses(x, y, 0.0))
    with pytest.raises(PrivacyError, match=r"another (record|example)"):
        private.check(lambda x, y: losses(x, y, 0.1))
    with pytest.raises(PrivacyError, match="another example"):
        for x, y in private.batches():
            private.backward(losses(x, y, 0.1))


def test_c02_one_example_s_mask_moves_no_other_example_s_gradient(ledger: Ledger) -> None:
    model, (x, y) = fresh(), data()
    weights = torch.ones(12)
    weights[3:] = 0.5
    private, _ = training(model, (x, y, weights), plan(12, 12), ledger, Still(3))
    private.check(lambda rows, targets, w: w * cross_entropy(private.model(rows), targets))
    with pytest.raises(PrivacyError, match="another record"):
        private.check(lambda rows, targets, w: w / w.sum() * cross_entropy(private.model(rows), targets))
    with pytest.raises(PrivacyError, match="another record"):
        private.check(lambda rows, targets, w: cross_entropy(private.model(rows - rows.mean(dim=0)), targets))


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(4), nn.BatchNorm1d(4, affine=False), nn.BatchNorm1d(4, track_running_stats=False)]
)
def test_c02_batch_norm_is_refused_with_the_remedy(layer: nn.Module, ledger: Ledger) -> None:
    model = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2))
    with pytest.raises(UnsupportedModel, match=r"GroupNorm.*tacit design fix"):
        training(model, data(), plan(12, 12), ledger, Still(3))


def test_c02_in_batch_negatives_are_refused_with_the_remedy(ledger: Ledger) -> None:
    model, (x, _) = nn.Linear(3, 4), data()
    private, _ = training(model, (x,), plan(12, 12), ledger, Still(3))

    def contrastive(rows: Tensor) -> Tensor:
        out = private.model(rows)
        return cross_entropy(out @ out.T, torch.arange(len(out)))

    with pytest.raises(PrivacyError, match=r"in-batch negatives.*tacit design fix"):
        private.check(contrastive)
    with pytest.raises(PrivacyError, match="in-batch negatives"):
        for (rows,) in private.batches():
            private.backward(contrastive(rows))


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_c03_an_infinite_input_contributes_exactly_nothing(poison: float, ledger: Ledger) -> None:
    x, y = data()
    spoiled = x.clone()
    spoiled[4, 1] = poison
    others = [place for place in range(12) if place != 4]
    update = one_update(ledger, fresh(), (spoiled, y))
    expected = one_at_a_time(fresh(), x[others], y[others], cross_entropy, clip_target(1.0))
    for name, one in update.items():
        torch.testing.assert_close(one.double() * 12, expected[name], rtol=1e-5, atol=1e-4)


def test_c04_a_flattened_model_still_counts_sequences_and_not_tokens(ledger: Ledger) -> None:
    """(B, T, d) flattened to (B T, d): two sequences are two units, whose gradients are sums over their tokens."""

    class Flattened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            flat: Tensor = self.layer(x.flatten(0, 1))
            return flat.view(len(x), -1, 2)

    x, y = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(2)) * 3, torch.zeros(6, 5, dtype=torch.long)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none").sum(dim=1)

    update = one_update(ledger, Flattened(), (x, y), loss)
    expected = one_at_a_time(Flattened(), x, y, loss, clip_target(1.0))
    for name, one in update.items():
        torch.testing.assert_close(one.double() * 6, expected[name], rtol=1e-5, atol=1e-4)
    private, _ = training(Flattened(), (x, y), plan(6, 6), ledger, Still(3), name="tokens")
    with pytest.raises(ShapeError, match="one per example"):
        for rows, targets in private.batches():
            private.backward(F.cross_entropy(private.model(rows).flatten(0, 1), targets.flatten(), reduction="none"))


def test_c05_norms_are_exact_for_reused_raw_and_unordered_parameters(ledger: Ledger) -> None:
    """Layers registered in another order than they run, one of them twice, and a parameter of no layer. Layer kinds: test_layer_kinds."""

    class Unordered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.last, self.raw = nn.Linear(4, 2), nn.Parameter(torch.linspace(-1, 1, 4))
            self.twice, self.first = nn.Linear(4, 4), nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.last(self.twice(torch.tanh(self.twice(self.first(x)) * self.raw)))
            return out

    update = one_update(ledger, Unordered(), data())
    expected = one_at_a_time(Unordered(), *data(), cross_entropy, clip_target(1.0))
    assert update.keys() == expected.keys()
    for name, one in update.items():
        torch.testing.assert_close(one.double() * 12, expected[name], rtol=1e-5, atol=1e-4)


def test_c05_tokens_that_lie_across_memory_are_counted_where_they_stand(ledger: Ledger) -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(2)
            self.words, self.out = nn.Embedding(7, 3), nn.Linear(3, 2)

        def forward(self, tokens: Tensor) -> Tensor:
            across = tokens.t().contiguous().t()
            assert len(tokens) == 1 or not across.is_contiguous()
            out: Tensor = self.out(self.words(across).mean(dim=1))
            return out

    tokens, labels = torch.arange(60).reshape(12, 5) % 7, torch.arange(12) % 2
    update = one_update(ledger, Words(), (tokens, labels))
    expected = one_at_a_time(Words(), tokens, labels, cross_entropy, clip_target(1.0))
    for name, one in update.items():
        torch.testing.assert_close(one.double() * 12, expected[name], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("more", [{"max_norm": 1.0}, {"scale_grad_by_freq": True}], ids=lambda more: next(iter(more)))
@pytest.mark.parametrize("bag", [False, True], ids=["Embedding", "EmbeddingBag"])
def test_c05_embeddings_that_look_at_other_examples_tokens_are_refused_by_name(
    bag: bool, more: dict[str, Any], ledger: Ledger
) -> None:
    layer: nn.Module = (
        nn.EmbeddingBag(7, 2, mode="mean", **more) if bag else nn.Sequential(nn.Embedding(7, 2, **more), nn.Flatten())
    )
    tokens = torch.arange(60).reshape(12, 5) % 7
    with pytest.raises(UnsupportedModel, match=f"weight.*uses {next(iter(more))}"):
        training(layer, (tokens, torch.zeros(12, dtype=torch.int64)), plan(12, 12), ledger, Still(3))
    assert not [one for one in ledger.entries() if one.kind == "dp"]


def test_c06_empty_draws_are_steps_with_noise(ledger: Ledger) -> None:
    """With q N = 0.02 nearly every draw is empty: all 30 steps run, each with noise everywhere."""
    model = fresh()
    private, optimizer = training(model, data(2), plan(200, 2, noise=1.0, steps=30), ledger, OsSource.from_os())
    steps = 0
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        assert all(bool((one != 0).any()) for one in gradients(model).values())
        optimizer.step()
        steps += 1
    assert steps == private.step == 30


def test_c07_micro_batches_give_the_same_sum_one_noise_and_one_charge(ledger: Ledger) -> None:
    whole = one_update(ledger, fresh(), data(), name="whole")
    spent = ledger.spent("people").epsilon
    pieces = one_update(ledger, fresh(), data(), name="pieces", max_physical_batch=5)
    assert ledger.spent("people").epsilon - spent == pytest.approx(spent)
    for name, one in whole.items():
        torch.testing.assert_close(pieces[name], one, rtol=1e-5, atol=2 * grid_step(1.0, 26) / 12 + 1e-6)


def test_c08_the_denominator_never_depends_on_the_drawn_batch(ledger: Ledger) -> None:
    """The same twelve rows among 12 and among 24 expected: half the update, whatever was drawn; sum and mean are refused as scalars."""
    x, y = data()
    update = one_update(ledger, fresh(), (x, y), name="twelve")
    private, _ = training(model := fresh(), (x, y), plan(24, 24), ledger, Still(3), name="of 24")
    for rows, targets in private.batches():
        private.backward(cross_entropy(private.model(rows), targets))
    for name, one in gradients(model).items():
        torch.testing.assert_close(one * 2, update[name], rtol=1e-4, atol=1e-5)
    for number, reduction in enumerate(("sum", "mean")):
        private, _ = training(fresh(), (x, y), plan(12, 12), ledger, Still(3), name=f"scalar {number}")
        with pytest.raises(ShapeError, match='reduction="none"'):
            for rows, targets in private.batches():
                private.backward(F.cross_entropy(private.model(rows), targets, reduction=reduction))


def test_c09_the_noise_follows_clip_norm_and_multiplier(ledger: Ledger) -> None:
    """Twice the clip norm or the multiplier, twice the noise, to the bit of a repeated source. Deviations: test_zero_gradients."""

    def noise(name: str, **more: Any) -> Tensor:
        model = nn.Linear(50, 20, bias=False)
        private, _ = training(model, (torch.zeros(4, 50),), plan(4, 2, **more), ledger, SeededSource(9), name=name)
        for (x,) in private.batches():
            private.backward(private.model(x).sum(dim=1))
        return gradients(model)["weight"]

    once = noise("one", noise=1.0)
    torch.testing.assert_close(noise("multiplier", noise=2.0), 2 * once, rtol=1e-3, atol=5e-5)  # a step of the grid is 2^-16
    torch.testing.assert_close(
        noise("clip norm", noise=1.0, clip_norm=2.0), 2 * once, rtol=1e-3, atol=5e-5
    )  # a step of the grid is 2^-16


def test_c11_the_noise_is_cryptographic_and_on_a_grid(ledger: Ledger) -> None:
    """No seed of torch or numpy moves it; every value of the noisy sum is a whole multiple of the grid's step."""

    def noise(name: str) -> Tensor:
        torch.manual_seed(0)
        model = nn.Linear(5, 2, dtype=torch.float64)
        private, _ = training(model, (torch.randn(4, 5).double(),), plan(4, 2, noise=1.0), ledger, OsSource.from_os(), name=name)
        for (x,) in private.batches():
            private.backward(private.model(x).sum(dim=1))
        return torch.cat([one.flatten() for one in gradients(model).values()])

    first, second = noise("first"), noise("second")
    assert not bool((first == second).any())
    units = first * 2 / grid_step(1.0, 12)
    torch.testing.assert_close(units, units.round(), rtol=0, atol=0)


@dataclass(kw_only=True)
class Wires:
    """Two threads in place of two processes: what torch.distributed carries between them, here by hand."""

    ReduceOp = torch.distributed.ReduceOp
    here: threading.local = field(default_factory=threading.local)
    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(2, timeout=60))
    sent: dict[int, Any] = field(default_factory=dict)

    def exchanged(self, value: Any) -> list[Any]:
        self.sent[self.here.rank] = value
        self.meeting.wait()
        found = [self.sent[0], self.sent[1]]
        self.meeting.wait()
        return found

    def get_rank(self) -> int:
        return int(self.here.rank)

    def get_world_size(self) -> int:
        return 2

    def get_backend(self) -> str:
        return "gloo"

    def all_reduce(self, value: Tensor, op: Any) -> None:
        assert op == self.ReduceOp.MAX
        value.copy_(torch.stack(self.exchanged(value.clone())).amax(dim=0))

    def reduce_scatter(self, own: Tensor, pieces: list[Tensor]) -> None:
        first, second = self.exchanged([one.clone() for one in pieces])
        own.copy_(first[self.get_rank()] + second[self.get_rank()])

    def all_gather(self, pieces: list[Tensor], own: Tensor) -> None:
        for piece, theirs in zip(pieces, self.exchanged(own.clone()), strict=True):
            piece.copy_(theirs)


def update_of_two(sources: Callable[[], Source], monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Return the update that each of two processes makes of its sum: 1 in every of 100,000 coordinates, which is 2 in all, and noise 3."""
    wires = Wires()
    monkeypatch.setattr(group, "dist", wires)

    def process(rank: int) -> Tensor:
        wires.here.rank = rank
        layer = nn.Linear(1000, 100, bias=False)
        weight = layer.get_parameter("weight")
        one = RunningSum(weight)
        one.add_one(torch.ones(100_000))
        noising = IndependentNoising(mechanism=Gaussian(noise_multiplier=3.0), source=sources())
        releaser = SharedReleaser({"weight": weight}, {"weight": one}, noising, group.Group(), weights_of(layer))
        releaser.release(clip_norm=1.0, batch_size=1)
        assert weight.grad is not None
        return weight.grad.double().flatten()

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(process, range(2)))


def test_c10_two_processes_noise_as_one_and_independently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process noises its half of the vector, once and at full scale. Real processes: test_processes.

    50,000 draws in a half: their deviation is off by 1.5% with probability 2e-6 at 4.7 s.d., by 2% (6.3 s.d.) with 3e-10; correlation
    beyond 0.025 (5.6 s.d.) has 2e-8. Noise of one process alone, at 1/sqrt(2), or of copied streams, is seen.
    """
    updates = update_of_two(OsSource.from_os, monkeypatch)
    assert torch.equal(*updates)
    first, second = (updates[0] - 2).split(50_000)
    for half in (first, second):
        assert float(half.square().mean().sqrt()) == pytest.approx(3.0, rel=0.02)
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.025
    copied = update_of_two(lambda: SeededSource(1), monkeypatch)[0] - 2
    assert float(torch.corrcoef(torch.stack(copied.split(50_000)))[0, 1]) > 0.99


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_c12_norms_sums_and_noise_are_float32_or_wider(
    dtype: torch.dtype, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,048 equal rows in bfloat16: a sum in that type would stop growing at 256; clipped lengths stay at most C (1 + 1e-6)."""
    given: list[Tensor] = []
    give = RunningSum.give

    def seen(self: RunningSum) -> Tensor:
        given.append(give(self))
        return given[-1]

    monkeypatch.setattr(RunningSum, "give", seen)
    rows = torch.ones(2048, 3, dtype=dtype)
    model = nn.Linear(3, 1, bias=False, dtype=dtype)
    private, _ = training(model, (rows,), plan(2048, 2048), ledger, Still(3))
    for (x,) in private.batches():
        private.backward(100 * private.model(x).sum(dim=1).float())
    (total,) = given
    assert total.dtype in (torch.float32, torch.float64)
    assert clip_target(1.0) * (1 - 1e-6) < float(total.double().norm()) / 2048 <= 1 + 1e-6
    length = float(gradients(model)["weight"].double().norm())
    assert clip_target(1.0) * (1 - 2**-7) < length <= 1 + 2**-8  # rounded to 8 bits on the way out


def test_c13_epsilon_is_never_negative_and_grows_with_the_steps() -> None:
    prices = [priced(1000, 10, steps=steps, noise=noise).guarantee.epsilon for noise in (50.0, 1.0) for steps in (1, 10, 100)]
    assert min(prices) >= 0
    assert prices == [*sorted(prices[:3]), *sorted(prices[3:])]


def test_c14_a_killed_run_reuses_no_draw_and_ends_as_if_uninterrupted(ledger: Ledger, tmp_path: Path) -> None:
    """Model with dropout, momentum, schedule, sampler, noise and charge go on; what was lost is charged and drawn again. kill -9: test_resume."""
    ledger.grant("people", epsilon=100, delta=1e-3)
    whole = run(ledger, request="whole", path=tmp_path / "whole")
    price = ledger.spent("people").epsilon
    at = run(ledger, path=tmp_path / "at", stop=8)
    resumed = run(ledger, path=tmp_path / "at")
    assert same(resumed, whole)
    assert at.noise + resumed.noise == whole.noise
    between = [run(ledger, request="two", path=tmp_path / "between", stop=stop) for stop in (6, None)]
    assert [one.steps[0] for one in between] == [1, 5], "the steps after the last checkpoint run again"
    entry = ledger.find("two")
    assert entry is not None
    claimed = max(one.claimed or 0 for one in ledger.entries() if one.block == entry.seq)
    assert claimed >= sum(len(one.steps) for one in between), "steps that ran twice count twice"
    assert not set(between[0].noise) & set(between[1].noise)
    assert ledger.spent("people").epsilon == pytest.approx(3 * price)
    run(ledger, request="cut", path=tmp_path / "cut", stop=4)
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-100])
    with pytest.raises(RunError, match="it was altered"):
        run(ledger, request="cut", path=tmp_path / "cut")


def test_c15_every_fit_of_a_search_is_charged_and_one_too_many_refused(ledger: Ledger) -> None:
    """Three candidates in two folds and the refit: seven fits, seven charges; no cross-validation is free."""
    x, y = people("PrivateNaiveBayes", 60)
    one = estimator("PrivateNaiveBayes", ledger, epsilon=1.0)
    search = GridSearchCV(one, {"bins": [2, 4, 8]}, cv=2, error_score="raise").fit(x, y)
    charged = [entry for entry in ledger.entries() if entry.kind == "dp"]
    assert len(charged) == 7
    assert len({entry.request_id for entry in charged}) == 7
    assert ledger.spent("people").epsilon == pytest.approx(7 * search.best_estimator_.guarantee_.epsilon)
    with pytest.raises(BudgetExceeded):
        search.fit(x, y)
    assert ledger.spent("people").epsilon <= 10


def test_c16_without_gradients_dp_adam_s_second_moment_is_nothing_and_adam_s_is_the_noise(ledger: Ledger) -> None:
    """Three steps of noise on 40,000 weights. The mean of 40,000 squares, weighted over three steps, is off by a share of 0.6% (one s.d.)
    at most 0.71%: by 5% with probability below 2e-12."""
    a_plan = plan(40, 20, steps=3, noise=8.0, clip_norm=0.5)
    variance = (8.0 * 0.5 / 20) ** 2
    moments = {}
    for name, made in {
        "corrected": lambda model: DPAdam(model.parameters(), plan=a_plan, lr=1e-3, betas=(0.0, 0.9)),
        "plain": lambda model: torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.0, 0.9)),
    }.items():
        model = nn.Linear(200, 200, bias=False)
        optimizer = made(model)

        def pay(request: str = name) -> Any:
            return ledger.reserve(a_plan.block, dataset="people", request_id=request, purpose="test")

        private = PrivateTraining(model, optimizer, (torch.zeros(40, 200),), a_plan, pay=pay, source=OsSource.from_os())
        for (x,) in private.batches():
            before = model.weight.detach().clone()
            private.backward(private.model(x).sum(dim=1))
            optimizer.step()
        assert model.weight.grad is not None
        # what the last step divided the gradient by: lr * gradient / moved, the first decay being 0
        moved = (before - model.weight.detach()).double()
        some = moved != 0  # on a grid, noise can be exactly zero
        moments[name] = (1e-3 * model.weight.grad.double()[some] / moved[some]).square()
        state = optimizer.state[model.weight]
        raw = float((state["square"] if name == "corrected" else state["exp_avg_sq"]).mean()) / (1 - 0.9**3)
        assert raw == pytest.approx(variance, rel=0.05)
        assert getattr(optimizer, "noise_variance", variance) == pytest.approx(variance)
    assert float(moments["plain"].median()) > variance / 2
    assert float(moments["corrected"].median()) == pytest.approx(0.1 * variance, rel=1e-3), "nothing is left but the floor"


def test_c17_nothing_of_the_records_is_shown(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """No norm, loss or count of drawn rows is printed or kept; every micro-batch has one public shape."""
    private, optimizer = training(fresh(), data(100), plan(100, 10, steps=10), ledger, Still(3))
    shapes = set()
    for x, y in private.batches():
        shapes.add(tuple(x.shape))
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
    assert len(shapes) == 1
    assert capsys.readouterr().out == ""
    shown = {name for name in vars(private) if not name.startswith("_")}
    assert shown <= {"model", "optimizer", "plan", "step", "counted", "augmentations", "real"}, (
        "real is for the loop, a secret of the run"
    )


class Adapter(nn.Module):
    """A linear layer in an adapter's hands, laid out as PEFT lays out LoRA; up begins at zero."""

    def __init__(self, base: nn.Linear, rank: int, scaling: float) -> None:
        super().__init__()
        self.base_layer, self.scaling = base, scaling
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base.in_features, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, base.out_features, bias=False)})
        nn.init.zeros_(self.lora_B["default"].get_parameter("weight"))
        base.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base_layer(x) + self.lora_B["default"](self.lora_A["default"](x)) * self.scaling
        return out

    def merged(self) -> nn.Linear:
        down, up = (one["default"].get_parameter("weight") for one in (self.lora_A, self.lora_B))
        with torch.no_grad():
            self.base_layer.weight += up @ down * self.scaling
        return self.base_layer


def trained_three_steps(ledger: Ledger, model: nn.Module) -> set[str]:
    """Return the names of the tensors that three steps changed."""
    before = copy.deepcopy(model.state_dict())
    private, optimizer = training(model, data(), plan(12, 12, steps=3), ledger, Still(3))
    for x, y in private.batches():
        private.backward(cross_entropy(private.model(x), y))
        optimizer.step()
    after = private.finish().state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_c18_every_trained_tensor_changes_no_frozen_one_does_and_the_model_loads_plainly(ledger: Ledger) -> None:
    """A low-rank adapter of raw parameters beside a frozen layer."""

    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.base = nn.Linear(3, 2).requires_grad_(False)
            self.down, self.up = nn.Parameter(torch.randn(2, 3)), nn.Parameter(torch.zeros(2, 2))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.base(x) + x @ self.down.T @ self.up.T
            return out

    model = Adapted()
    assert trained_three_steps(ledger, model) == {"down", "up"}
    Adapted().load_state_dict(model.state_dict())


def test_c18_adapters_put_in_place_of_layers_train_and_merge_into_the_plain_model(ledger: Ledger) -> None:
    """As PEFT does it, by hand: modules swapped in a model that was built before. PEFT itself: test_integrations."""
    model = fresh()
    first, _, last = model
    assert isinstance(first, nn.Linear)
    model[0] = adapter = Adapter(first, rank=2, scaling=4.0)
    last.get_parameter("bias").requires_grad_(False)
    assert trained_three_steps(ledger, model) == {"0.lora_A.default.weight", "0.lora_B.default.weight", "2.weight"}
    x, _ = data()
    answers = model(x)
    model[0] = adapter.merged()
    plain = fresh(seed=2)
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(plain(x), answers)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_loss_averaged_over_tokens_or_not_at_all_is_refused(reduction: str, ledger: Ledger) -> None:
    """The refusal names both shapes and both halves of the remedy; a loss made as it says trains."""
    tensors = (torch.randn(6, 5, 3), torch.zeros(6, 5).long())
    private, _ = training(nn.Linear(3, 2), tensors, plan(6, 6), ledger, Still(3))
    seen = []
    with pytest.raises(ShapeError) as refusal:
        for x, y in private.batches():
            seen.append(len(x))
            private.backward(F.cross_entropy(private.model(x).transpose(1, 2), y, reduction=reduction))
    got = () if reduction == "mean" else (seen[0], 5)
    assert f"losses must have shape ({seen[0]},), one per example, got {got}." in str(refusal.value)
    assert 'reduction="none" to the loss function, then sum or average each example\'s own' in str(refusal.value)
    private, _ = training(nn.Linear(3, 2), tensors, plan(6, 6), ledger, Still(3), name="as it says")
    for x, y in private.batches():
        private.backward(F.cross_entropy(private.model(x).transpose(1, 2), y, reduction="none").mean(dim=1))
    assert private.step == 1


def test_memory_that_runs_out_suggests_half_the_rows_until_they_fit(ledger: Ledger) -> None:
    class Hungry(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.layer(x)
            if out.requires_grad and len(x) > 10:  # the trace is smaller
                out.register_hook(_out_of_memory)
            return out

    limit: int | None = None
    limits, rows = [], []
    for attempt in range(4):
        private, _ = training(Hungry(), data(), plan(12, 12), ledger, Still(3), name=str(attempt), max_physical_batch=limit)
        try:
            for x, y in private.batches():
                rows.append(len(x))
                private.backward(cross_entropy(private.model(x), y))
            break
        except TacitError as refusal:
            found = re.search(
                rf"too little memory for {rows[-1]} rows .* Pass max_physical_batch=(\d+) to make_private", str(refusal)
            )
            assert found is not None
            limit = int(found[1])
            limits.append(limit)
    assert private.step == 1
    assert limits
    assert limits == [one // 2 for one in rows[: len(limits)]]


def _out_of_memory(_gradient: Tensor) -> Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory.")


def test_an_interruption_keeps_the_last_paid_for_weights_and_a_true_ledger(ledger: Ledger) -> None:
    """The block was paid for as a whole before the first batch, so what was charged stays; the weights are those of two steps."""
    model = fresh()
    private, optimizer = training(model, data(), plan(12, 12, noise=2.0, steps=5), ledger, SeededSource(3))

    def run(private: PrivateTraining) -> None:
        for x, y in private.batches():
            losses = cross_entropy(private.model(x), y)
            if private.step == 2:
                kept.update(copy.deepcopy(model.state_dict()))
                raise KeyboardInterrupt
            private.backward(losses)
            optimizer.step()

    kept: dict[str, Tensor] = {}
    with pytest.raises(KeyboardInterrupt):
        run(private)
    assert private.step == 2
    assert ledger.spent("people").epsilon == pytest.approx(private.plan.guarantee.epsilon, abs=1e-8)
    given = private.finish().state_dict()
    assert all(torch.equal(given[name], one) for name, one in kept.items())
    with pytest.raises(ConfigError, match="taken"):
        run(training(fresh(), data(), plan(12, 12, noise=2.0, steps=5), ledger, SeededSource(3))[0])
