"""A study: one file that says what is done with a table, run step by step, resumable, with a record of each step."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tacit.study.check import check_study
    from tacit.study.init import write_study
    from tacit.study.loading import Study, load_study
    from tacit.study.runner import run_study

_PUBLIC = {
    "Study": "tacit.study.loading",
    "check_study": "tacit.study.check",
    "load_study": "tacit.study.loading",
    "run_study": "tacit.study.runner",
    "write_study": "tacit.study.init",
}

__all__ = [
    "Study",
    "check_study",
    "load_study",
    "run_study",
    "write_study",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tacit.study' has no attribute {name!r}")
