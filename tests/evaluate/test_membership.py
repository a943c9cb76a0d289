import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.errors import ConfigError, DataError, ShapeError
from tacit.evaluate import attack_limit, cross_entropy, loss_threshold_attack, same_distribution
from tacit.evaluate.intervals import clopper_pearson, newcombe_difference
from tacit.models.finding import Basis, Finding
from tacit.privacy.guarantee import Guarantee

CLAIM = Guarantee(epsilon=3.0, delta=1e-5)
Array = NDArray[np.float64]


def overfitted(rng: np.random.Generator, n: int = 300, features: int = 60) -> tuple[Array, Array]:
    """Return losses of a least-squares model on coin-flip labels: nothing to learn, so all it knows are its members."""
    x, y = rng.normal(size=(2 * n, features)), rng.choice([-1.0, 1.0], 2 * n)
    weights = np.linalg.lstsq(x[:n], y[:n], rcond=None)[0]
    losses = (x @ weights - y) ** 2
    return losses[:n], losses[n:]


def test_a_model_that_memorized_is_found_out_almost_always() -> None:
    """Power at 300 a side, 40 seeded models: the AUC's interval excludes 1/2 in at least 95% of them."""
    rng = np.random.default_rng(1)
    attacks = [loss_threshold_attack(*overfitted(rng)) for _ in range(40)]
    assert np.mean([attack.auc_interval[0] > 0.5 for attack in attacks]) >= 0.95


def test_lower_loss_means_member_and_swapping_the_groups_mirrors_the_area() -> None:
    inside, outside = overfitted(np.random.default_rng(2))
    right, swapped = loss_threshold_attack(inside, outside), loss_threshold_attack(outside, inside)
    assert right.auc > 0.5
    assert right.advantage > 0
    assert swapped.auc == pytest.approx(1 - right.auc)
    assert swapped.advantage < right.advantage
    assert loss_threshold_attack(-inside, -outside).auc == pytest.approx(1 - right.auc)


def test_the_small_case_counted_by_hand() -> None:
    # choosing half: members 1, 3 against non-members 2, 8: "loss < 2" and "loss < 8" have advantage 1/2 and 1/2: the first
    # is taken. Measuring half: members 1.5, 9 -> one of two; non-members 1.9, 7 -> one of two.
    attack = loss_threshold_attack([1, 1.5, 3, 9], [2, 1.9, 8, 7], fpr_levels=(0.5,))
    assert attack.measured == (2, 2)
    assert attack.advantage == 0.0
    assert attack.advantage_interval == pytest.approx(newcombe_difference(1, 2, 1, 2, 0.95))
    pairs = np.mean([[m < o for o in (2, 1.9, 8, 7)] for m in (1, 1.5, 3, 9)])
    assert attack.auc == pytest.approx(pairs)
    (rate,) = attack.rates  # half of the two choosing non-members may pass: "loss < 8"
    assert (rate.true_positive_rate, rate.false_positive_rate) == (0.5, 1.0)
    assert rate.true_positive_interval == pytest.approx(clopper_pearson(1, 2, 0.95))
    assert rate.false_positive_interval == pytest.approx(clopper_pearson(2, 2, 0.95))
    assert not rate.measurable


def test_rows_that_tie_with_the_threshold_are_not_guessed_so_a_level_is_never_overshot() -> None:
    attack = loss_threshold_attack(np.zeros(400), np.zeros(400), fpr_levels=(0.1,))
    assert (attack.rates[0].true_positive_rate, attack.rates[0].false_positive_rate) == (0.0, 0.0)
    assert attack.auc == 0.5


def test_the_roc_runs_from_corner_to_corner_and_its_points_are_threshold_rules() -> None:
    inside, outside = overfitted(np.random.default_rng(3), n=1500)
    roc = np.array(loss_threshold_attack(inside, outside).roc)
    assert roc[0, 0] == 0.0
    assert tuple(roc[-1]) == (1.0, 1.0)
    assert len(roc) <= 201
    assert np.all(np.diff(roc, axis=0) >= 0)
    for false, found in roc[1:-1:20]:
        threshold = np.sort(outside)[round(false * 1500)]
        assert found == np.mean(inside < threshold)


def advantage_claims(rng: np.random.Generator, repeat: int) -> float:
    """Return how often 600 attacks on a model that learned nothing claim an advantage at 95%."""
    draws = [[np.repeat(rng.normal(size=200), repeat) for _ in range(2)] for _ in range(600)]
    return float(np.mean([loss_threshold_attack(*pair).advantage_interval[0] > 0 for pair in draws]))


def test_a_model_that_learned_nothing_is_seldom_accused() -> None:
    """Seeded; a fresh seed would fail once in 700 at most (the lower side alone holds 2.5%)."""
    assert advantage_claims(np.random.default_rng(4), repeat=1) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)


def test_a_threshold_chosen_where_it_is_measured_would_accuse_too_often() -> None:
    """The planted fault of E1: with every row doubled, both halves are the same rows."""
    assert advantage_claims(np.random.default_rng(4), repeat=2) > 0.10


def test_rates_at_a_level_cover_the_truth_on_both_sides() -> None:
    """Seeded, 400 attacks with equal groups, so that the true rates of the threshold are equal and near the level."""
    rng, apart = np.random.default_rng(5), 0
    for _ in range(400):
        (rate,) = loss_threshold_attack(rng.random(400), rng.random(400), fpr_levels=(0.1,)).rates
        apart += rate.true_positive_interval[0] > rate.false_positive_interval[1]
    assert apart / 400 <= 0.05


def test_a_level_without_enough_non_members_is_not_measured() -> None:
    inside, outside = overfitted(np.random.default_rng(6), n=500)
    attack = loss_threshold_attack(inside, outside)  # 250 measure: 3 / 250 = 0.012
    assert [rate.measurable for rate in attack.rates] == [False, False, True]
    refused = attack.findings(model="private")[2]
    assert (refused.value, refused.interval, refused.confidence) == (None, None, None)
    assert "needs at least 3 / 0.001 non-members" in refused.method
    assert "false_positive_rate" not in refused.details


def test_findings_carry_everything_a_reader_needs() -> None:
    inside, outside = overfitted(np.random.default_rng(7), n=700)
    attack = loss_threshold_attack(inside, outside, fpr_levels=(0.01, 0.1), guarantee=CLAIM)
    found = attack.findings(model="private")
    assert [f.n for f in found] == [1400, 700, 350, 350]
    for finding in found:
        assert (finding.kind, finding.basis, finding.ceiling) == ("membership-attack", Basis.EXACT, 1.0)
        assert finding.interval is not None
        assert isinstance(finding.value, float)
        assert finding.interval[0] <= finding.value <= finding.interval[1]
        assert "not checked" in finding.assumption
        assert finding.details["model"] == "private"
        assert Finding.from_json(json.loads(json.dumps(finding.to_json(), allow_nan=False))) == finding
    assert found[0].details["limit"][0] == [0.0, CLAIM.delta]
    assert found[1].details["limit"] == pytest.approx(math.tanh(1.5), abs=1e-5)
    high = found[3].details["false_positive_interval"][1]
    assert found[3].details["limit"] == attack_limit(CLAIM, high)
    assert attack.findings(Basis.PUBLIC, model="private")[0].basis is Basis.PUBLIC
    assert all("limit" not in f.details for f in loss_threshold_attack(inside, outside).findings(model="non-private"))


def test_an_attack_is_void_when_the_groups_differ_without_the_model() -> None:
    rng = np.random.default_rng(8)
    members, others = rng.normal(size=(300, 3)), rng.normal(size=(300, 3))
    losses = overfitted(rng)
    sound = loss_threshold_attack(*losses, population=same_distribution(members, others))
    assert not sound.void
    assert "checked on features" in sound.findings(model="private")[0].assumption
    void = loss_threshold_attack(*losses, population=same_distribution(members + 1, others))
    assert void.void
    for finding in void.findings(model="private"):
        assert (finding.value, finding.interval, finding.confidence) == (None, None, None)
        assert finding.method.startswith("void")
        assert finding.details == {"model": "private"}


@pytest.mark.parametrize("change", [{"confidence": 0.9}, {"fpr_levels": (0.2,)}, {"guarantee": CLAIM}])
def test_every_setting_changes_the_findings(change: dict[str, Any]) -> None:
    losses = overfitted(np.random.default_rng(9))
    plain = loss_threshold_attack(*losses)
    assert loss_threshold_attack(*losses, **change).findings(model="private") != plain.findings(model="private")
    assert plain.findings(model="private") != plain.findings(model="non-private")
    assert replace(plain, confidence=0.9).findings(model="private") != plain.findings(model="private")


@pytest.mark.parametrize(
    ("inside", "outside", "settings", "error"),
    [
        ([], [1.0, 2.0], {}, DataError),
        ([1.0, 2.0], [1.0], {}, DataError),
        ([1.0, math.nan], [1.0, 2.0], {}, DataError),
        ([1.0, 2.0], [1.0, math.inf], {}, DataError),
        ([[1.0], [2.0]], [1.0, 2.0], {}, ShapeError),
        ([1.0, 2.0], [1.0, 2.0], {"confidence": 0.0}, ConfigError),
        ([1.0, 2.0], [1.0, 2.0], {"fpr_levels": ()}, ConfigError),
        ([1.0, 2.0], [1.0, 2.0], {"fpr_levels": (0.0,)}, ConfigError),
        ([1.0, 2.0], [1.0, 2.0], {"fpr_levels": (0.1, 0.1)}, ConfigError),
        ([1.0, 2.0], [1.0, 2.0], {"fpr_levels": (math.nan,)}, ConfigError),
    ],
)
def test_bad_input_is_refused(inside: Any, outside: Any, settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        loss_threshold_attack(inside, outside, **settings)


def test_cross_entropy_is_minus_the_log_of_the_labels_probability_and_always_finite() -> None:
    losses = cross_entropy([[0.25, 0.75], [1.0, 0.0]], [1, 1])
    assert losses[0] == pytest.approx(-math.log(0.75))
    assert losses[1] == pytest.approx(-math.log(1e-300))
    with pytest.raises(DataError, match="class numbers"):
        cross_entropy([[0.5, 0.5]], [2])
