"""Importing the ledger's package loads nothing heavy; opening an existing ledger loads no accountant."""

import os
import subprocess
import sys
from pathlib import Path

import tacit
from tacit.privacy import ledger as package
from tacit.privacy.ledger import Ledger

SOURCE = str(Path(tacit.__file__).parents[1])


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    return set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout.split()
    )


def test_the_package_loads_nothing_until_it_is_asked() -> None:
    loaded = loaded_after("import tacit.privacy.ledger")
    assert not loaded & {"sqlite3", "cryptography", "numpy", "dp_accounting", "tacit.privacy.ledger.ledger"}


def test_charging_an_existing_ledger_loads_no_accountant(path: Path) -> None:
    Ledger.open(path).close()
    loaded = loaded_after(
        f"from tacit.privacy.ledger import Ledger\nledger = Ledger.open({str(path)!r})\n"
        "ledger.record('read-only', dataset='d', request_id='r', what='w')"
    )
    assert not loaded & {"cryptography", "numpy", "scipy", "dp_accounting", "torch"}


def test_all_public_names_are_there() -> None:
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
