"""No source file of tacit can open a pickle: an untrusted model or record must never run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tacit

_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
_CALLS = {
    "torch.load",
    "np.load",
    "numpy.load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "torch.jit.load",
    "torch.package.PackageImporter",
}


def _openings(source: str) -> Iterator[str]:
    """Yield each way to a pickle in a source text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in _MODULES)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (f"{module}.{name.name}" for name in node.names if f"{module}.{name.name}" in _CALLS)
            if module.split(".")[0] in _MODULES:
                yield module
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in _CALLS or (
                called.endswith("import_module") and any(ast.unparse(arg).strip("'\"") in _MODULES for arg in node.args)
            ):
                yield called
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    yield "allow_pickle"
                if keyword.arg == "weights_only" and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                ):
                    yield "weights_only"


def test_no_source_file_opens_a_pickle() -> None:
    files = sorted(Path(tacit.__file__).parent.rglob("*.py"))
    assert len(files) > 10
    assert {str(file): found for file in files if (found := list(_openings(file.read_text(encoding="utf-8"))))} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "def f():\n    import joblib",
        "import torch\ntorch.load(x)",
        "from torch import load",
        "np.load(x, allow_pickle=True)",
        "f(x, allow_pickle=flag)",
        "importlib.import_module('pickle')",
        "g(x, weights_only=False)",
    ],
)
def test_the_search_finds_a_planted_opening(planted: str) -> None:
    assert list(_openings(planted))
