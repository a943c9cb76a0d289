from typing import Any

import pyarrow as pa
import pytest

from tacit.anonymize.hierarchies import RedactionHierarchy
from tacit.errors import ConfigError

POSTCODES = ["02139", "02142", "9021"]


def labels(values: Any, **settings: Any) -> list[str]:
    hierarchy = RedactionHierarchy(**{"length": 5, "redact": (2,), **settings})
    return hierarchy.generalize(pa.array(values), 1)[0]


def test_characters_are_replaced_by_hand() -> None:
    assert labels(POSTCODES) == ["021**", "021**", "902**"]
    assert labels(POSTCODES, align="right") == ["021**", "021**", " 90**"]
    assert labels(POSTCODES, align="right", pad="0") == ["021**", "021**", "090**"]
    assert labels(POSTCODES, side="left") == ["**139", "**142", "**21 "]
    assert labels(POSTCODES, side="left", align="right") == ["**139", "**142", "**021"]
    assert labels([2139, 90210], align="right", pad="0") == ["021**", "902**"]
    assert labels([2139.0, 90210.0], align="right", pad="0") == ["021**", "902**"]
    assert labels(["é2139"]) == ["é21**"]  # a character is one position, however many bytes it has


def test_shares_are_the_part_of_all_texts_that_a_label_covers() -> None:
    three = RedactionHierarchy(length=3, redact=(1, 2), alphabet=4)
    assert three.leaf_share == 1 / 64
    assert three.generalize(pa.array(["abc"]), 1)[1].tolist() == [4 / 64]
    assert three.generalize(pa.array(["abc"]), 2)[1].tolist() == [16 / 64]
    every = {a + b + c for a in "abcd" for b in "abcd" for c in "abcd"}
    found, shares = three.generalize(pa.array(sorted(every)), 2)
    assert sum(dict(zip(found, shares.tolist(), strict=True)).values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "settings",
    [
        {"length": 0},
        {"length": 5.0},
        {"length": True},
        {"redact": (5,)},
        {"redact": (0,)},
        {"redact": (2, 1)},
        {"redact": (1, 1)},
        {"alphabet": 1},
        {"side": "middle"},
        {"align": ""},
        {"pad": ""},
        {"pad": "  "},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: Any) -> None:
    with pytest.raises(ConfigError):
        RedactionHierarchy(**{"length": 5, "redact": (2,), **settings})


def test_the_description_shows_what_is_left() -> None:
    lines = RedactionHierarchy(length=5, redact=(2, 3)).describe().splitlines()
    assert lines[2:4] == ["  level 1: 3 of 5 characters: xxx**", "  level 2: 2 of 5 characters: xx***"]
