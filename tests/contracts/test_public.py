"""What is public is there, documented and typed; what must not be in the source is not; sizes stay readable."""

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from contracts.mutants import SOURCE

PACKAGES = (
    "tacit",
    "tacit.anonymize",
    "tacit.anonymize.hierarchies",
    "tacit.anonymize.local",
    "tacit.anonymize.perturb",
    "tacit.anonymize.privacy_models",
    "tacit.anonymize.private",
    "tacit.anonymize.pseudonymize",
    "tacit.anonymize.risk",
    "tacit.anonymize.risk.attacks",
    "tacit.anonymize.scale",
    "tacit.anonymize.search",
    "tacit.anonymize.sets",
    "tacit.anonymize.utility",
    "tacit.anonymize.verify",
    "tacit.errors",
    "tacit.evaluate",
    "tacit.models",
    "tacit.noise",
    "tacit.privacy",
    "tacit.privacy.ledger",
    "tacit.privacy.local",
    "tacit.privacy.mechanisms",
    "tacit.report",
    "tacit.study",
    "tacit.tables",
    "tacit.train",
    "tacit.train.local",
    "tacit.train.torch.convolution",
    "tacit.train.torch.processes",
)
PUBLIC = [(package, name) for package in PACKAGES for name in importlib.import_module(package).__all__ if name != "__version__"]
LONGEST_LINE, LONGEST_MODULE, LONGEST_FUNCTION = 130, 450, 70

FORBIDDEN = {
    *(
        "opacus",
        "tensorflow_privacy",
        "diffprivlib",
        "smartnoise",
        "snsynth",
        "snsql",
        "anjana",
        "pycanon",
        "anonymeter",
        "crypten",
    ),
    *("pickle", "cPickle", "_pickle", "cloudpickle", "shelve", "marshal", "dill", "joblib"),
}


def test_every_package_with_public_names_is_looked_at() -> None:
    having = {
        ".".join(("tacit", *path.parent.relative_to(SOURCE).parts))
        for path in SOURCE.rglob("__init__.py")
        if "__all__" in path.read_text(encoding="utf-8")
    }
    assert having <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_list_is_exactly_what_loads_on_first_use(package: str) -> None:
    module = importlib.import_module(package)
    assert len(module.__all__) == len(set(module.__all__))
    lazy = set(getattr(module, "_PUBLIC", module.__all__))
    assert set(module.__all__) - {"__version__"} == lazy - {"__version__"}
    for name in module.__all__:
        assert getattr(module, name) is not None, name
    with pytest.raises(AttributeError):
        getattr(module, "no_such_name")  # noqa: B009 (what is asked for is that it is refused)


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_a_public_name_is_documented_in_a_line_that_fits_a_menu(package: str, name: str) -> None:
    thing = getattr(importlib.import_module(package), name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return
    assert thing.__doc__, "no docstring"
    assert not thing.__doc__.startswith(f"{name}("), "dataclass made this docstring, nobody wrote it"
    first = inspect.cleandoc(thing.__doc__).splitlines()[0]
    assert 10 < len(first) <= LONGEST_LINE
    assert first.endswith((".", ":", "?", "!")), first


def own_functions(thing: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield a function, or the public methods that tacit itself wrote for a class, constructor included."""
    if inspect.isfunction(thing):
        yield thing.__name__, thing
    elif inspect.isclass(thing) and not issubclass(thing, Enum):
        for name, member in vars(thing).items():
            plain: Any = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            plain = plain.fget if isinstance(plain, property) else plain
            written = inspect.isfunction(plain) and plain.__module__.startswith("tacit.")
            if written and plain.__qualname__.startswith(thing.__name__) and (name == "__init__" or not name.startswith("_")):
                yield f"{thing.__name__}.{name}", plain


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_every_parameter_and_result_of_a_public_function_is_typed(package: str, name: str) -> None:
    thing = getattr(importlib.import_module(package), name)
    for called, function in own_functions(thing):
        signature = inspect.signature(function)
        bare = [
            one.name
            for one in signature.parameters.values()
            if one.annotation is inspect.Parameter.empty and one.name not in ("self", "cls")
        ]
        assert not bare, f"{called}: {bare}"
        assert (
            dataclasses.is_dataclass(thing) and called.endswith("__init__")
        ) or signature.return_annotation is not inspect.Signature.empty, called


def python_files() -> list[Path]:
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 100
    return files


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    sizes = {path.relative_to(SOURCE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_a_screen_or_two() -> None:
    long = {
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == {}


def imported(source: str) -> set[str]:
    """Return the top-level packages that a source text imports, by whatever way names them in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__"):
            found |= {
                arg.value.split(".")[0] for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            }
    return found


def test_no_source_file_imports_a_package_that_is_forbidden_here() -> None:
    """Privacy engines of others would hide what is proved; pickles run what they hold."""
    bad = {path.relative_to(SOURCE).as_posix(): imported(path.read_text(encoding="utf-8")) & FORBIDDEN for path in python_files()}
    assert {name: found for name, found in bad.items() if found} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "import opacus",
        "def f():\n    from diffprivlib.models import LogisticRegression",
        "import numpy, joblib as j",
        "importlib.import_module('crypten.nn')",
        "__import__('pickle')",
    ],
)
def test_a_planted_import_is_seen(planted: str) -> None:
    assert imported(planted) & FORBIDDEN
