"""A finding cannot exist without what is needed to trust it, and comes back from its record."""

import json
import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tacit.errors import ConfigError
from tacit.models import Basis, Finding


def _finding(**changes: Any) -> Finding:
    return Finding(**{"kind": "accuracy", "name": "accuracy", "value": 0.7, "basis": Basis.EXACT, **changes})


def test_only_exact_statistics_of_private_rows_may_not_leave() -> None:
    assert {basis: _finding(basis=basis).may_leave for basis in Basis} == {Basis.PUBLIC: True, Basis.DP: True, Basis.EXACT: False}


@pytest.mark.parametrize(
    "changes",
    [
        {"interval": (0.6, 0.8)},
        {"interval": (0.6, 0.8), "confidence": 0.0},
        {"interval": (0.6, 0.8), "confidence": 1.0},
        {"confidence": math.nan},
        {"confidence": 95},
        {"interval": (0.8, 0.6), "confidence": 0.95},
        {"interval": (0.6, math.nan), "confidence": 0.95},
        {"interval": (0.6,), "confidence": 0.95},
        {"interval": ("0", "1"), "confidence": 0.95},
        {"value": math.nan},
        {"value": math.inf},
        {"value": [1]},
        {"ceiling": math.nan},
        {"ceiling": -math.inf},
        {"n": -1},
        {"n": 1.5},
        {"kind": ""},
        {"name": ""},
        {"basis": "guess"},
        {"details": {"x": math.nan}},
        {"details": {"x": np.zeros(2)}},
        {"details": {"x": {1, 2}}},
    ],
)
def test_a_finding_that_cannot_be_shown_or_trusted_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        _finding(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"interval": (0.6, 0.8), "confidence": 0.95, "n": 100, "ceiling": 1.0},
        {"interval": (0.6, math.inf), "confidence": 0.95},
        {"interval": (-math.inf, 0.6), "confidence": 0.95},
        {"value": None, "method": "no test rows"},
        {"value": "married", "basis": Basis.PUBLIC},
        {"value": True, "basis": Basis.DP, "unit": "share", "assumption": "n is public"},
        {"details": {"curve": [[0.0, 1.0], [1, 2]], "text": "ü", "none": None}},
    ],
)
def test_a_finding_comes_back_from_strict_json(changes: dict[str, Any]) -> None:
    finding = _finding(**changes)
    assert Finding.from_json(json.loads(json.dumps(finding.to_json(), allow_nan=False))) == finding


def test_numpy_numbers_become_pythons() -> None:
    finding = _finding(
        value=np.float32(0.5), interval=np.array([0.0, 1.0]), confidence=np.float64(0.95), n=np.int64(3), ceiling=np.int32(2)
    )
    assert [type(value) for value in (finding.value, finding.n, finding.ceiling, finding.confidence)] == [float, int, int, float]
    assert finding.interval == (0.0, 1.0)
    assert _finding(value=np.bool_(True)).value is True


def test_details_are_the_findings_own() -> None:
    given = {"curve": [1, 2], "pair": (1, 2)}
    finding = _finding(details=MappingProxyType(given))
    given["curve"].append(3)  # type: ignore[attr-defined]
    finding.to_json()["details"]["curve"].append(4)
    assert finding.details == {"curve": [1, 2], "pair": [1, 2]}


@pytest.mark.parametrize("change", [{"colour": "red"}, {"basis": "guess"}, {"interval": [1]}, {"interval": 3}])
def test_a_record_of_another_version_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Finding.from_json({**_finding().to_json(), **change})
    with pytest.raises(ConfigError, match="run the study again"):
        Finding.from_json({"kind": "accuracy"})
