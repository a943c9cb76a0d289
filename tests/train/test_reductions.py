"""A loss that is already reduced over the physical batch, declared so: the same update as losses by row, or a refusal."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (as everybody calls it)

from simple_training import Still, plan, training
from tacit.errors import ConfigError, PrivacyError, ShapeError
from tacit.privacy.ledger import Ledger
from tacit.train.torch.private import PrivateTraining, make_private

N, WORDS, KINDS = 13, 4, 3
WEIGHTS = torch.linspace(0.2, 2.0, N)
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def data() -> tuple[Tensor, Tensor, Tensor]:
    """Words' features (N, WORDS, 5), their classes (N, WORDS) and a weight of each row (N,)."""
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(N, WORDS, 5, generator=generator)
    return features, torch.randint(0, KINDS, (N, WORDS), generator=generator), WEIGHTS


def model() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, KINDS))


def words(output: Tensor, y: Tensor, _: Tensor) -> Tensor:
    return F.cross_entropy(output.transpose(1, 2), y, reduction="none").mean(dim=1)


def weighted(output: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    return words(output, y, weights) * weights


def squared(output: Tensor, y: Tensor, _: Tensor) -> Tensor:
    return (output - F.one_hot(y, KINDS)).square().sum(dim=(1, 2))


FORMS: dict[str, tuple[Loss, Loss, Any]] = {
    "mean": (words, lambda o, y, w: words(o, y, w).mean(), "mean"),
    "sum": (words, lambda o, y, w: words(o, y, w).sum(), "sum"),
    "torch's mean over rows and words": (words, lambda o, y, w: F.cross_entropy(o.flatten(0, 1), y.flatten()), "mean"),
    "torch's mean in two dimensions": (words, lambda o, y, w: F.cross_entropy(o.transpose(1, 2), y), "mean"),
    "weighted mean": (weighted, lambda o, y, w: weighted(o, y, w).mean(), "mean"),
    "weighted sum": (weighted, lambda o, y, w: weighted(o, y, w).sum(), "sum"),
    "product with weights": (weighted, lambda o, y, w: words(o, y, w) @ w, "sum"),
    "squares": (squared, lambda o, y, w: F.mse_loss(o, F.one_hot(y, KINDS).float(), reduction="sum"), "sum"),
    "two terms": (
        lambda o, y, w: words(o, y, w) + squared(o, y, w) / 10,
        lambda o, y, w: words(o, y, w).mean() + 0.1 * squared(o, y, w).mean(),
        "mean",
    ),
}


def update(
    ledger: Ledger, loss: Loss, reduction: Any, *, name: str, rows: tuple[Tensor, ...] | None = None, tried: Loss | None = None
) -> dict[str, Tensor]:
    """Return the clipped sum / batch size of one step over all rows, in micro-batches of five, the last padded.

    tried -- what `check` is given in place of the loss: a running batch is then all that sees it.
    """
    net, rows = model(), data() if rows is None else rows
    private, _ = training(net, rows, plan(N, N, clip_norm=0.3), ledger, Still(3), max_physical_batch=5, name=name)
    check = loss if tried is None else tried
    if reduction is not None:
        private.check(lambda x, y, w: check(private.model(x), y, w), reduction=reduction)
    seen = []
    for x, y, w in private.batches():
        seen.append(bool(private.real.all()))
        private.backward(loss(private.model(x), y, w), reduction=reduction)
    assert not all(seen), "one micro-batch is padded"
    return {name: one.grad.clone() for name, one in net.named_parameters() if one.grad is not None}


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest difference of two updates, as a share of the largest value."""
    assert one.keys() == other.keys()
    scale = max(float(value.abs().max()) for value in one.values())
    assert scale > 1e-3
    return max(float((value - other[name]).abs().max()) for name, value in one.items()) / scale


@pytest.mark.parametrize("form", FORMS)
def test_c08_a_declared_reduction_gives_the_update_of_losses_by_row(form: str, ledger: Ledger) -> None:
    """Planted faults, each seen: no factor B for a mean; B of the real rows alone."""
    by_row, reduced, reduction = FORMS[form]
    one, other = (update(ledger, loss, how, name=str(how)) for loss, how in ((by_row, None), (reduced, reduction)))
    difference = largest_difference(one, other)
    assert difference <= 1e-6
    if form in ("mean", "sum", "weighted mean", "weighted sum"):
        assert difference == 0, "bit for bit"


@pytest.mark.parametrize("copies", [1, 3])
def test_rows_of_users_and_copies_are_masked_and_scaled_as_rows(copies: int, ledger: Ledger) -> None:
    """Users with fewer rows than are drawn leave padding inside a unit; with copies the mean is over them, too."""
    owners = np.arange(N) % 5
    updates = []
    for name, loss, reduction in (("one", words, None), ("two", FORMS["mean"][1], "mean")):
        net = model()
        private = make_private(
            net,
            torch.optim.SGD(net.parameters(), lr=1.0),
            data(),
            epsilon=1.0,
            delta=1e-5,
            clip_norm=0.3,
            batch_size=5,
            epochs=1,
            n=5,
            unit="user_id",
            owners=owners,
            rows_per_user=4,
            augmentations=copies,
            ledger=ledger,
            budget="people",
            request_id=f"{name} {copies}",
            source=Still(4),
        )
        if reduction is not None:
            private.check(lambda x, y, w, p=private, f=loss: f(p.model(x), y, w), reduction="mean")
        for x, y, w in private.batches():
            assert not private.real.all()
            private.backward(loss(private.model(x), y, w), reduction=reduction)  # type: ignore[arg-type]
        updates.append({name: one.grad.clone() for name, one in net.named_parameters() if one.grad is not None})
    assert largest_difference(*updates) <= 1e-6


def test_an_example_that_is_not_finite_takes_nothing_from_the_others(ledger: Ledger) -> None:
    x, y, w = data()
    x[2] = float("inf")
    one = update(ledger, words, None, name="one", rows=(x, y, w))
    other = update(ledger, FORMS["mean"][1], "mean", name="two", rows=(x, y, w))
    assert largest_difference(one, other) == 0


class Both(nn.Module):
    """Returns its hidden values beside its answer, which is computed from them without a further parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = model()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.inner(x)
        return hidden, torch.log_softmax(hidden, dim=2)


COUPLED: dict[str, tuple[Callable[..., Tensor], Any, str]] = {
    "class weights": (lambda o, y, w: F.cross_entropy(o.flatten(0, 1), y.flatten(), torch.ones(KINDS)), "mean", "class weights"),
    "ignored words": (lambda o, y, w: F.cross_entropy(o.flatten(0, 1), y.flatten(), ignore_index=0), "mean", "ignore_index"),
    "ignored, smoothed": (
        lambda o, y, w: F.cross_entropy(o.flatten(0, 1), y.flatten(), ignore_index=0, label_smoothing=0.1),
        "mean",
        "ignore_index|divided",
    ),
    "divided by a mask": (lambda o, y, w: words(o, y, w).sum() / (y != 0).sum(), "sum", "divided after it was reduced"),
    "root of the mean": (lambda o, y, w: squared(o, y, w).mean().sqrt(), "mean", "mixes rows"),
    "in-batch negatives": (lambda o, y, w: F.cross_entropy(o.mean(1) @ o.mean(1).T, torch.arange(len(o))), "mean", "mixes rows"),
    "batch statistics": (lambda o, y, w: words((o - o.mean(0)) / (o.std(0) + 1), y, w).mean(), "mean", "mixes rows"),
    "neighbours": (lambda o, y, w: (words(o, y, w) * words(o.roll(1, 0), y, w)).mean(), "mean", "mixes rows"),
}


@pytest.mark.parametrize("form", COUPLED)
def test_rows_that_meet_in_a_reduced_loss_are_refused(form: str, ledger: Ledger) -> None:
    loss, reduction, says = COUPLED[form]
    with pytest.raises(PrivacyError, match=says) as refusal:
        update(ledger, loss, reduction, name="one", tried=lambda o, y, w: getattr(words(o, y, w), reduction)())
    assert 'reduction="none"' in str(refusal.value)


def refused(ledger: Ledger, net: nn.Module, loss: Callable[[PrivateTraining, Tensor, Tensor], Tensor], reduction: Any) -> None:
    x, y, _ = data()
    private, _ = training(net, (x, y), plan(N, N), ledger, Still(3))
    if reduction in ("mean", "sum"):

        def honest(x: Tensor, _: Tensor) -> Tensor:
            found = private.model(x)
            by_row = (found if isinstance(found, Tensor) else found[0]).square().mean(dim=(1, 2))
            return by_row.mean() if reduction == "mean" else by_row.sum()

        private.check(honest, reduction=reduction)
    for rows, targets in private.batches():
        private.backward(loss(private, rows, targets), reduction=reduction)


def mean_of(private: PrivateTraining, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(private.model(x).transpose(1, 2), y)


@pytest.mark.parametrize(
    ("loss", "reduction", "error", "says"),
    [
        (mean_of, None, ShapeError, 'reduction="none"'),
        (mean_of, "sum", ConfigError, 'Declare reduction="mean"'),
        (lambda p, x, y: p.model(x).square().sum(), "mean", ConfigError, 'Declare reduction="sum"'),
        (mean_of, "average", ConfigError, '"mean" or "sum"'),
        (lambda p, x, y: words(p.model(x), y, y), "mean", ShapeError, "one number"),
        (lambda p, x, y: mean_of(p, x, y).detach(), "mean", PrivacyError, "carry no gradient"),
        (lambda p, x, y: torch.ones((), requires_grad=True), "mean", PrivacyError, "the model did not run"),
        (
            lambda p, x, y: mean_of(p, x, y) + sum(one.square().sum() for one in p.model.parameters()),
            "mean",
            PrivacyError,
            "in another way than through the model's outputs",
        ),
    ],
    ids=["undeclared", "mean as sum", "sum as mean", "unknown", "by row", "detached", "no forward", "penalty"],
)
def test_a_reduction_that_is_wrong_or_missing_is_refused(
    loss: Callable[..., Tensor], reduction: Any, error: type[Exception], says: str, ledger: Ledger
) -> None:
    with pytest.raises(error, match=says):
        refused(ledger, model(), loss, reduction)


def test_outputs_computed_from_one_another_are_refused_together_and_exact_apart(ledger: Ledger) -> None:
    def both(private: PrivateTraining, x: Tensor, y: Tensor) -> Tensor:
        hidden, logs = private.model(x)
        found: Tensor = F.nll_loss(logs.transpose(1, 2), y) + hidden.square().mean()
        return found

    with pytest.raises(PrivacyError, match="one is computed from the other"):
        refused(ledger, Both(), both, "mean")
    net, plain = Both(), Both()
    x, y, _ = data()
    for number, one in enumerate((net, plain)):
        private, _ = training(one, (x, y), plan(N, N), ledger, Still(3), name=str(number))
        private.check(lambda x, y, p=private: F.nll_loss(p.model(x)[1].transpose(1, 2), y), reduction="mean")
        for rows, targets in private.batches():
            logs = private.model(rows)[1].transpose(1, 2)
            if number:
                private.backward(F.nll_loss(logs, targets), reduction="mean")
            else:
                private.backward(F.nll_loss(logs, targets, reduction="none").mean(dim=1))
    grads = [{name: p.grad for name, p in one.named_parameters() if p.grad is not None} for one in (net, plain)]
    assert largest_difference(*grads) <= 1e-6


class Own(nn.Module):
    """Returns its own mean loss beside its answers, as transformers do when they are given labels."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = model()

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.inner(x)
        return F.cross_entropy(answers.transpose(1, 2), y), answers


def test_a_mean_that_the_model_itself_returns_is_taken_apart_at_its_answers(ledger: Ledger) -> None:
    nets = Own(), Own()
    x, y, w = data()
    for number, net in enumerate(nets):
        private, _ = training(net, (x, y), plan(N, N), ledger, Still(3), name=str(number))
        private.check(lambda x, y, p=private: p.model(x, y)[0], reduction="mean")
        for rows, targets in private.batches():
            whole, answers = private.model(rows, targets)
            if number:
                private.backward(whole, reduction="mean")
            else:
                private.backward(words(answers, targets, w))
    grads = [{name: p.grad for name, p in net.named_parameters() if p.grad is not None} for net in nets]
    assert largest_difference(*grads) <= 1e-6


def test_a_weight_made_of_all_labels_leaves_no_trace_and_the_check_finds_it(ledger: Ledger) -> None:
    """What `backward` says it cannot see: 1 / words of the batch as each row's weight."""

    def counted(o: Tensor, y: Tensor) -> Tensor:
        each: Tensor = F.cross_entropy(o.transpose(1, 2), y, reduction="none", ignore_index=0).sum(dim=1)
        share = 1 / float((y != 0).sum())
        return (each * share).sum()

    x, y, _ = data()
    private, _ = training(model(), (x, y), plan(N, N), ledger, Still(3))
    with pytest.raises(PrivacyError, match="batch-wide normalizer"):
        private.check(lambda x, y: counted(private.model(x), y), reduction="sum")
    for rows, targets in private.batches():
        with pytest.raises(PrivacyError, match=r"private\.check"):
            private.backward(counted(private.model(rows), targets), reduction="sum")
        break


def hinge(o: Tensor, _: Tensor) -> Tensor:
    """Every row's score against every other's: flat or linear, so that no second derivative shows who met whom."""
    scores = o.sum(dim=(1, 2))
    return F.relu(1 + scores[:, None] - scores[None, :]).mean()


def spread(o: Tensor, y: Tensor) -> Tensor:
    """The mean, each row divided by the batch's own spread, which is detached."""
    each = words(o, y, y)
    return (each / each.detach().std()).mean()


@pytest.mark.parametrize("loss", [hinge, spread])
def test_a_declared_loss_is_tried_on_synthetic_batches_before_a_batch_takes_it(
    loss: Callable[[Tensor, Tensor], Tensor], ledger: Ledger
) -> None:
    """No running batch sees these two. Planted faults, each seen: the reduction taken untried; a try that failed counted as one; the hinge
    tried at the model's own outputs alone, which are all on one side of it.
    """
    x, y, _ = data()
    private, _ = training(model(), (x, y), plan(N, N), ledger, Still(3))
    with pytest.raises(PrivacyError, match="another record's gradient"):
        private.check(lambda x, y: loss(private.model(x), y), reduction="mean")
    rows, targets = next(batches := private.batches())
    with pytest.raises(PrivacyError, match=r'private\.check.*reduction="mean"'):
        private.backward(loss(private.model(rows), targets), reduction="mean")
    batches.close()


def test_a_reduction_that_was_tried_is_taken_and_the_other_is_not(ledger: Ledger) -> None:
    x, y, _ = data()
    private, _ = training(model(), (x, y), plan(N, N), ledger, Still(3))
    private.check(lambda x, y: mean_of(private, x, y), reduction="mean")
    rows, targets = next(private.batches())
    whole = mean_of(private, rows, targets)
    with pytest.raises(PrivacyError, match=r"private\.check"):
        private.backward(whole * N, reduction="sum")
    private.backward(whole, reduction="mean")
    assert private.step == 1
