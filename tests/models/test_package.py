"""The package stays light until a name is used, and shows what it promises."""

import subprocess
import sys

import pytest

import tacit.models

_LIGHT = """
import sys
import tacit.models
heavy = {"numpy", "pyarrow", "scipy", "torch", "safetensors"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from tacit.models import Finding, Predictor
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from tacit.models import DenseNetwork, load_model
assert not {"torch", "scipy", "pyarrow", "safetensors"} & set(sys.modules)
"""


def test_importing_the_package_loads_nothing_heavy() -> None:
    subprocess.run([sys.executable, "-c", _LIGHT], check=True)


def test_every_public_name_is_there_and_no_other() -> None:
    assert sorted(tacit.models.__all__) == sorted(tacit.models._PUBLIC) == sorted(dir(tacit.models))
    for name in tacit.models.__all__:
        assert getattr(tacit.models, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tacit.models.nothing  # noqa: B018
