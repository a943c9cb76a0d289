"""A grid vector in memory that is given: the same bits by either library, and no memory that would keep what must not be released."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from noise.libraries import LIBRARIES
from tacit.errors import ConfigError, ShapeError
from tacit.noise.arithmetic import PIECE, Library
from tacit.noise.grid import GridVector, grid_step

BOTH: list[Library] = ["numpy", "torch"]
LENGTHS = [1, 2, 1000, PIECE["numpy"] + 1, PIECE["torch"], PIECE["torch"] + 1]


def read_only(length: int) -> NDArray[np.float64]:
    array = np.zeros(length)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("length", LENGTHS)
def test_torch_gives_the_same_bits_as_numpy(length: int) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    rng = np.random.default_rng(length)
    total, noise = rng.normal(size=length) * 50, rng.normal(size=length) * 3e5
    total[: length // 2] = np.round(total[: length // 2]) * grid_step(1.0, length) / 2  # ties
    results = []
    for by in BOTH:
        vector = GridVector.from_sum(total, 1.0, by=by)
        released, written = vector.plus_noise(noise.copy(), by=by), np.empty(length)
        released.write_values(written, divisor=77.0, by=by)
        results.append([vector.units.tobytes(), released.units.tobytes(), written.tobytes()])
        np.testing.assert_array_equal(written, released.units * (released.step / 77.0))
        assert not np.signbit(vector.units[vector.units == 0]).any()
        assert not np.signbit(released.units[released.units == 0]).any()
    assert results[0] == results[1]


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("length", LENGTHS)
def test_a_sum_can_be_rounded_in_its_own_memory(length: int, by: Library) -> None:
    total = np.random.default_rng(1).normal(size=length)
    expected = GridVector.from_sum(total, 1.0).units
    memory = np.empty(length + 3)
    for out in (memory[1 : length + 1], total):
        vector = GridVector.from_sum(total, 1.0, by=by, out=out)
        np.testing.assert_array_equal(vector.units, expected)
        assert np.shares_memory(vector.units, out)
        with pytest.raises(ValueError, match="read-only"):
            vector.units[0] = 1.0
        assert out.flags.writeable


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("length", [1, 3, PIECE["torch"]])
def test_memory_that_does_not_fit_is_refused(length: int, by: Library) -> None:
    """Longer memory would leave what was in it among the units, and float32 cannot hold them."""
    total = np.full(length, 0.3)
    unfit: list[Any] = [
        np.zeros(length + 1),
        np.zeros(length - 1),
        np.zeros((length, 1)),
        np.zeros(length, dtype=np.float32),
        read_only(length),
    ]
    for out in unfit:
        with pytest.raises((ConfigError, ShapeError), match="out"):
            GridVector.from_sum(total, 1.0, by=by, out=out)
        with pytest.raises((ConfigError, ShapeError), match="out"):
            GridVector.from_sum(total, 1.0).write_values(out, divisor=1.0, by=by)


@pytest.mark.parametrize("by", LIBRARIES)
def test_memory_with_gaps_is_refused(by: Library) -> None:
    for out in (np.zeros(6)[::2], np.zeros(3)[::-1]):
        with pytest.raises(ConfigError, match="contiguous"):
            GridVector.from_sum(np.ones(3), 1.0, by=by, out=out)


@pytest.mark.parametrize("by", LIBRARIES)
def test_noise_in_memory_that_is_read_only_is_refused(by: Library) -> None:
    """Its memory becomes the result's: left as it is, the noise would be released without the sum and without rounding."""
    vector, memory = GridVector(units=np.ones(3), step=1.0, clip_norm=1.0), np.full(3, 0.25)
    view = memory.view()
    view.flags.writeable = False
    for noise in (read_only(3), view):
        with pytest.raises((ConfigError, ShapeError), match="noise"):
            vector.plus_noise(noise, by=by)
    assert memory.tolist() == [0.25] * 3


@pytest.mark.parametrize("by", LIBRARIES)
@pytest.mark.parametrize("way", ["owned", "view", "slice", "reversed", "every second"])
def test_a_sum_that_nobody_may_write_to_is_read_as_it_is(by: Library, way: str) -> None:
    """Whatever memory it shows; warnings are errors here."""
    base = np.arange(8.0)
    views = {"owned": base, "view": base.view(), "slice": base[2:6], "reversed": base[::-1], "every second": base[::2]}
    total = views[way]
    total.flags.writeable = False
    values = total.tolist()
    np.testing.assert_array_equal(GridVector.from_sum(total, 1.0, by=by).values, values)
    held = object.__new__(GridVector)  # units in memory of any kind, as no way of making a vector leaves them
    for name, value in (("units", total), ("step", 1.0), ("clip_norm", 1.0)):
        object.__setattr__(held, name, value)
    np.testing.assert_array_equal(held.plus_noise(np.zeros(len(total)), by=by).units, values)
    written = np.empty(len(total))
    held.write_values(written, divisor=4.0, by=by)
    np.testing.assert_array_equal(written, np.array(values) / 4)


def test_another_library_is_refused() -> None:
    vector = GridVector(units=np.zeros(2), step=1.0, clip_norm=1.0)
    for call in (
        lambda: GridVector.from_sum(np.zeros(2), 1.0, by="jax"),  # type: ignore[arg-type]
        lambda: vector.plus_noise(np.zeros(2), by="jax"),  # type: ignore[arg-type]
        lambda: vector.write_values(np.zeros(2), divisor=1.0, by="jax"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError, match="'numpy' or by 'torch', got 'jax'"):
            call()
