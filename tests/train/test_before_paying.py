"""What is tried before anything is paid for: the losses and augmentations of `fit`, the price, the sizes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from simple_training import Still, claiming, cross_entropy, plan, training
from tacit.errors import ConfigError, PrivacyError
from tacit.privacy.ledger import Ledger, Reservation
from tacit.train.torch import loop, private
from tacit.train.torch.loop import fit
from tacit.train.torch.private import PrivateTraining
from tacit.train.torch.processes import Alone


def data() -> tuple[Tensor, Tensor]:
    rows = torch.rand(20, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return rows, (rows[:, 0] > 0).long()


def made(ledger: Ledger, name: str = "one") -> PrivateTraining:
    torch.manual_seed(1)
    return training(nn.Sequential(nn.Linear(3, 2)), data(), plan(20, 10, steps=2), ledger, Still(3), name=name)[0]


def apart(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(model(x), y)


def normalized(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Losses divided by their detached mean: no sign reaches the probe of real batches, so `backward` lets them pass."""
    losses = cross_entropy(model(x), y)
    return losses / losses.detach().mean()


def test_fit_refuses_losses_that_couple_rows_before_anything_is_paid_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PrivacyError, match="batch-wide normalizer"):
        fit(made(ledger), normalized)
    assert ledger.spent("people").epsilon == 0
    fit(made(ledger), apart)
    monkeypatch.setattr(loop, "_check", lambda *_: None)
    fit(made(ledger, "two"), normalized)  # the planted fault: without fit's check nothing notices


@pytest.mark.parametrize(
    ("augment", "says"),
    [
        (lambda x: x - x.mean(dim=0), "batch-wide"),
        (lambda x: x + x.roll(1, 0), "batch-wide"),
        (lambda x: x.sort(dim=0)[0], "batch-wide"),
    ],
    ids=["centred", "mixed", "sorted"],
)
def test_fit_refuses_augmentations_that_mix_rows(augment: Callable[[Tensor], Tensor], says: str, ledger: Ledger) -> None:
    with pytest.raises(PrivacyError, match=says):
        fit(made(ledger), apart, augment=augment)
    assert ledger.spent("people").epsilon == 0


def test_fit_takes_augmentations_of_single_rows_with_any_randomness(ledger: Ledger) -> None:
    """One by torch's generator, which is tried; one by a generator of its own, which repeats nothing and so is not."""
    own = torch.Generator().manual_seed(1)
    for name, augment in (
        ("torch's", lambda x: x * (1 + 0.1 * torch.randn(len(x), 1))),
        ("own", lambda x: x * (1 + 0.1 * torch.randn(len(x), 1, generator=own))),
    ):
        before = ledger.spent("people").epsilon
        fit(made(ledger, name), apart, augment=augment)
        assert ledger.spent("people").epsilon > before


def test_a_plan_that_claims_less_than_it_costs_is_refused_whoever_pays(ledger: Ledger) -> None:
    """A right to steps from elsewhere may be as cheap as its giver says; the plan's own claim is checked all the same."""
    asked = []

    def pay() -> Reservation:
        asked.append("pay")
        raise AssertionError

    cheap = claiming(plan(20, 10, steps=2, noise=1.0), 0.1)
    model = nn.Linear(3, 2)
    one = PrivateTraining(model, torch.optim.SGD(model.parameters(), lr=1.0), data(), cheap, pay=pay, source=Still(1))
    with pytest.raises(ConfigError, match="claims epsilon"):
        next(one.batches())
    assert not asked


class Crowd(Alone):
    """So many processes that adding up their sums could pass what the clip target leaves free."""

    count = 10**14


def test_the_additions_over_processes_count_in_the_sensitivity(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    made(ledger)
    monkeypatch.setattr(private, "processes_here", Crowd)
    with pytest.raises(PrivacyError, match="float64"):
        made(ledger)
