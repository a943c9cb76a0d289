"""Which rows train is decided by each row's id and a key alone."""

import hashlib
import math
import time

import numpy as np
import pyarrow as pa
import pytest

from tacit.errors import ConfigError, DataError
from tacit.tables import in_training

KEY = bytes(range(32))


def _by_hand(text: str, key: bytes, fraction: float) -> bool:
    """The definition, one id at a time."""
    digest = hashlib.blake2b(text.encode(), key=key, digest_size=8, person=b"tacit-split").digest()
    return int.from_bytes(digest, "big") / 2**64 < fraction


def test_the_split_is_the_keyed_hash_of_each_id() -> None:
    ids = [f"person {number}" for number in range(500)]
    for fraction in (0.2, 0.8):
        assert in_training(ids, key=KEY, fraction=fraction).tolist() == [_by_hand(text, KEY, fraction) for text in ids]


def test_the_share_is_the_fraction() -> None:
    """Fails by chance with probability <= 1e-9 (Hoeffding); a share off by 0.02 is seen."""
    n = 100_000
    bound = math.sqrt(math.log(2 / 1e-9) / (2 * n))
    share = in_training(np.arange(n), key=KEY, fraction=0.8).mean()
    assert abs(share - 0.8) <= bound < 0.02


def test_another_row_or_order_moves_no_row() -> None:
    ids = np.arange(1_000)
    whole = in_training(ids, key=KEY, fraction=0.5)
    assert np.array_equal(in_training(ids[::-1], key=KEY, fraction=0.5), whole[::-1])
    assert np.array_equal(in_training(ids[:10], key=KEY, fraction=0.5), whole[:10])


def test_key_and_fraction_each_change_the_split() -> None:
    ids = list(range(200))
    one = in_training(ids, key=KEY, fraction=0.5)
    assert not np.array_equal(one, in_training(ids, key=bytes(32), fraction=0.5))
    assert in_training(ids, key=KEY, fraction=0.6).sum() > one.sum()


def test_one_id_is_one_person_however_it_is_held() -> None:
    forms = [
        [1, 2, 1],
        ["1", "2", "1"],
        np.array([1.0, 2.0, 1.0]),
        pa.array([1, 2, 1], pa.int8()),
        pa.chunked_array([["1"], ["2", "1"]]),
    ]
    sides = [in_training(ids, key=KEY, fraction=0.5).tolist() for ids in forms]
    assert all(side == sides[0] for side in sides)
    assert sides[0][0] == sides[0][2]


@pytest.mark.parametrize("key", [b"", b"short", bytes(65), "k" * 32, None])
def test_a_key_that_can_be_guessed_is_refused_and_not_shown(key: bytes) -> None:
    with pytest.raises(ConfigError, match="key must be 16 to 64 bytes") as caught:
        in_training([1, 2], key=key, fraction=0.5)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, math.nan, True, "0.5"])
def test_a_fraction_that_leaves_a_part_empty_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match="fraction must be"):
        in_training([1, 2], key=KEY, fraction=fraction)


def test_a_row_without_an_id_and_mixed_ids_are_refused() -> None:
    with pytest.raises(DataError, match=r"row 2 .* has no id"):
        in_training(["a", None], key=KEY, fraction=0.5)
    with pytest.raises(DataError, match="neither all text"):
        in_training(["a", 1], key=KEY, fraction=0.5)


def test_a_hundred_thousand_ids_take_well_under_a_second_of_processor_time() -> None:
    ids = pa.array(np.arange(100_000)).cast(pa.string())
    start = time.process_time()
    in_training(ids, key=KEY, fraction=0.8)
    assert time.process_time() - start < 1.0
