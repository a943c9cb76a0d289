"""Exact sums on a junction tree, against the whole table of probabilities."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from tacit.anonymize.private.graphical_model import GraphicalModel, collapse, spread
from tacit.anonymize.private.junction_tree import Attributes, JunctionTree, elimination_cliques, tree_cells
from tacit.errors import ConfigError
from tacit.noise.source import OsSource, SeededSource

SEEDS = range(25)


def random_model(seed: int) -> tuple[GraphicalModel, NDArray[np.float64]]:
    """A model of 2 to 6 attributes with potentials on random sets, and its table of all cells by multiplication."""
    random = np.random.default_rng(seed)
    sizes = tuple(int(size) for size in random.integers(1, 5, random.integers(2, 7)))
    sets = {
        tuple(sorted(int(one) for one in random.choice(len(sizes), random.integers(1, min(4, len(sizes) + 1)), replace=False)))
        for _ in range(random.integers(1, 7))
    }
    tree = JunctionTree.of(sizes, sets)
    potentials = {one: random.normal(size=tree.shape(one)) * 2 for one in sorted(sets)}
    everything = tuple(range(len(sizes)))
    joint = np.zeros(sizes)
    for one, values in potentials.items():
        for cell in product(*map(range, sizes)):
            joint[cell] += values[tuple(cell[place] for place in one)]
    joint = np.exp(joint)
    assert collapse(joint, everything, everything).shape == sizes
    return GraphicalModel(tree=tree, potentials=potentials, total=7.0), joint / joint.sum() * 7


@pytest.mark.parametrize("seed", SEEDS)
def test_every_marginal_is_that_of_the_whole_table(seed: int) -> None:
    model, joint = random_model(seed)
    everything = tuple(range(joint.ndim))
    for size in range(1, joint.ndim + 1):
        for one in combinations(everything, size):
            expected = joint.sum(axis=tuple(place for place in everything if place not in one))
            assert np.allclose(model.marginal(one), expected, rtol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_cliques_with_an_attribute_hang_together_and_hold_every_set(seed: int) -> None:
    model, joint = random_model(seed)
    tree = model.tree
    assert all(tree.home(one) is not None for one in model.potentials)
    assert all(parent < child for child, parent in enumerate(tree.parents))
    for attribute in range(joint.ndim):
        holding = [place for place, clique in enumerate(tree.cliques) if attribute in clique]
        assert sum(attribute not in tree.separators[place] for place in holding) == 1  # one of them is on top
    assert tree_cells(tree.sizes, model.potentials) == sum(one.size for one in model.beliefs)


def test_a_ring_gets_a_chord() -> None:
    cliques = elimination_cliques((2, 2, 2, 2), [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert sorted(map(len, cliques)) == [3, 3]


def test_more_attributes_than_letters_are_summed() -> None:
    sizes = (2,) * 120
    chain = [(place, place + 1) for place in range(119)]
    stay = np.log(np.array([[0.9, 0.1], [0.1, 0.9]]))
    model = GraphicalModel(tree=JunctionTree.of(sizes, chain), potentials=dict.fromkeys(chain, stay), total=1.0)
    for far in (1, 2, 5, 119):  # the chance of an even number of changes: (1 + 0.8^far) / 2
        assert model.marginal((0, far))[0, 0] == pytest.approx((1 + 0.8**far) / 4, rel=1e-10)


def test_potentials_far_apart_do_not_underflow() -> None:
    tree = JunctionTree.of((2, 2, 2), [(0, 1), (1, 2)])
    first, second = np.array([[0.0, -5000.0], [-5000.0, -5000.0]]), np.array([[-9000.0, 0.0], [0.0, 0.0]])
    model = GraphicalModel(tree=tree, potentials={(0, 1): first, (1, 2): second}, total=2.0)
    assert np.allclose(model.marginal((0, 2)), [[0.0, 0.5 + 0.5 * 1 / 3 * 0], [0.0, 0.0]], atol=2.0)
    assert model.marginal((0,)).sum() == pytest.approx(2.0)
    assert np.allclose(model.marginal((0, 1, 2)).sum(), 2.0)


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_rows_are_drawn_from_the_model(seed: int) -> None:
    """Fails by chance with probability <= 1e-9 per cell: each cell's share is at most as spread as independent draws'.

    Hoeffding's bound holds for negatively dependent draws too; the tree's cliques are tried one by one.
    """
    model, _ = random_model(seed)
    n, chance = 40_000, 1e-9
    rows = model.sample(n, OsSource.from_os())
    assert rows.shape == (n, len(model.tree.sizes))
    for clique, belief in zip(model.tree.cliques, model.beliefs, strict=True):
        found = counts_of(rows, clique, model.tree.shape(clique))
        bound = len(model.tree.cliques) * math.sqrt(math.log(2 * belief.size / chance) / (2 * n))
        assert np.abs(found / n - belief / 7).max() <= bound


def counts_of(rows: NDArray[np.int64], attributes: Attributes, shape: tuple[int, ...]) -> NDArray[np.float64]:
    found = np.zeros(shape)
    np.add.at(found, tuple(rows[:, list(attributes)].T), 1)
    return found


def test_systematic_draws_round_what_is_expected() -> None:
    random = np.random.default_rng(3)
    tree = JunctionTree.of((6, 5), [(0, 1)])
    model = GraphicalModel(tree=tree, potentials={(0, 1): random.normal(size=(6, 5))}, total=1.0)
    expected = 1000 * model.marginal((0, 1))
    for seed in range(20):
        found = counts_of(model.sample(1000, SeededSource(seed)), (0, 1), (6, 5))
        assert np.abs(found - expected).max() < 1
    assert model.sample(0, SeededSource(0)).shape == (0, 2)


def test_neighbouring_rows_are_not_alike() -> None:
    """The order of rows is random: a sorted column would have 1 change, a random one about 500."""
    tree = JunctionTree.of((2,), [(0,)])
    model = GraphicalModel(tree=tree, potentials={(0,): np.zeros(2)}, total=1.0)
    column = model.sample(1000, SeededSource(0))[:, 0]
    assert 400 < np.count_nonzero(np.diff(column)) < 600


def test_a_set_that_no_clique_holds_is_refused() -> None:
    tree = JunctionTree.of((2, 2, 2), [(0, 1)])
    with pytest.raises(ConfigError, match="no clique"):
        _ = GraphicalModel(tree=tree, potentials={(0, 2): np.zeros((2, 2))}, total=1.0).beliefs


def test_an_array_is_spread_along_its_own_axes() -> None:
    values = np.arange(6.0).reshape(2, 3)
    wide = spread(values, (1, 4), (0, 1, 2, 4)) + np.zeros((5, 2, 7, 3))
    assert np.array_equal(wide[3, :, 6], values)
    assert np.array_equal(collapse(wide, (0, 1, 2, 4), (1, 4)), values * 35)
