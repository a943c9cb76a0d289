"""The modules that the accuracy bench is made of, for the tests of what it computes."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def handcrafted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Return a module of bench/handcrafted by its name; none stays imported."""
    monkeypatch.syspath_prepend(str(_BENCH))
    yield lambda name: importlib.import_module(f"handcrafted.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "handcrafted"]:
        del sys.modules[name]
