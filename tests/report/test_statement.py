"""A statement that could mislead cannot be made."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tacit.errors import ConfigError
from tacit.report import ListedEntry, Randomness, Statement


@pytest.mark.parametrize(
    "change",
    [
        {"title": " "},
        {"dataset": ""},
        {"verify_command": ""},
        {"created": ""},
        {"tacit_version": ""},
        {"rows": 0},
        {"rows": True},
    ],
)
def test_an_empty_or_impossible_field_is_refused(make: Callable[..., Statement], change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        make(**change)


@pytest.mark.parametrize("field", ["granted_epsilon", "spent_epsilon", "left_delta"])
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_an_amount_that_is_no_price_is_refused(statement: Statement, field: str, value: float) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(ConfigError, match=field):
        replace(statement.ledgers[0], **changed)


def test_an_entry_must_say_what_was_done() -> None:
    with pytest.raises(ConfigError, match="what was done"):
        ListedEntry(what="")
    with pytest.raises(ConfigError, match="named"):
        Randomness(name="", private=True)


def test_importing_the_report_loads_nothing_heavy() -> None:
    code = (
        "import sys, tacit.report; tacit.report.Statement; tacit.report.write_report; "
        "print([name for name in ('numpy', 'jinja2', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
