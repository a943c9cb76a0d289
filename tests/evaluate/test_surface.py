import subprocess
import sys

import pytest

import tacit.evaluate


@pytest.mark.parametrize("name", tacit.evaluate.__all__)
def test_every_public_name_loads_and_is_documented(name: str) -> None:
    thing = getattr(tacit.evaluate, name)
    assert thing.__name__ == name
    assert thing.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'audit_everything'"):
        _ = tacit.evaluate.audit_everything


def test_importing_the_package_loads_neither_numpy_nor_scipy_and_using_it_never_torch() -> None:
    script = (
        "import sys, tacit.evaluate as e; assert not {'numpy', 'scipy', 'torch'} & set(sys.modules), 'import is heavy';"
        "[getattr(e, name) for name in e.__all__];"
        "assert not {'scipy', 'torch', 'tacit.train', 'pandas', 'sklearn'} & set(sys.modules), 'names are heavy'"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
