"""The first words are quick because nothing heavy is loaded for them; bench/startup.py measures the seconds."""

import json
import subprocess
import sys

import pytest

HEAVY = [
    "numpy",
    "scipy",
    "torch",
    "pyarrow",
    "pandas",
    "matplotlib",
    "jinja2",
    "pydantic",
    "dp_accounting",
    "cryptography",
    "sqlite3",
    "sklearn",
    "ibis",
    "duckdb",
]


def loaded_after(code: str) -> set[str]:
    """Return which heavy packages a fresh interpreter has loaded after running the code."""
    script = f"import sys, json\n{code}\nprint()\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_tacit_loads_nothing_heavy() -> None:
    assert loaded_after("import tacit") == set()


@pytest.mark.parametrize(
    "package",
    ["noise", "privacy", "privacy.ledger", "tables", "models", "anonymize", "train", "evaluate", "report", "study", "cli.app"],
)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    assert loaded_after(f"import tacit.{package}") == set()


def test_help_loads_nothing_heavy() -> None:
    code = "import tacit.cli.app as a\nsys.argv = ['tacit', '--help']\ntry:\n    a.main()\nexcept SystemExit:\n    pass"
    assert loaded_after(code) == set()


def test_the_check_can_fail() -> None:
    assert loaded_after("import numpy") == {"numpy"}


def test_public_names_load_on_first_use() -> None:
    import importlib

    import tacit

    for name in tacit.__all__:
        assert getattr(tacit, name) is not None, name
    for package in (
        "noise",
        "privacy",
        "privacy.ledger",
        "tables",
        "models",
        "anonymize",
        "train",
        "evaluate",
        "report",
        "study",
    ):
        module = importlib.import_module(f"tacit.{package}")
        assert module.__all__, package
        for name in module.__all__:
            assert getattr(module, name) is not None, f"{package}.{name}"
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = tacit.nothing_of_the_kind
