"""The package stays light until a name is used, and shows what it promises."""

import subprocess
import sys

import pytest

import tacit.tables

_LIGHT = """
import sys
import tacit.tables
loaded = sorted({"numpy", "pyarrow", "scipy", "pandas", "torch"} & set(sys.modules))
assert not loaded, loaded
from tacit.tables import Role
assert "pyarrow" not in sys.modules
from tacit.tables import read_table
assert "pyarrow" in sys.modules
assert "pandas" not in sys.modules
import tacit.tables.profiles, tacit.tables.label
assert callable(tacit.tables.profile) and callable(tacit.tables.labels)
"""


def test_importing_the_package_loads_neither_numpy_nor_pyarrow() -> None:
    subprocess.run([sys.executable, "-c", _LIGHT], check=True)


def test_every_public_name_is_there_and_no_other() -> None:
    assert sorted(tacit.tables.__all__) == sorted(tacit.tables._PUBLIC) == sorted(dir(tacit.tables))
    for name in tacit.tables.__all__:
        assert getattr(tacit.tables, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tacit.tables.nothing  # noqa: B018
