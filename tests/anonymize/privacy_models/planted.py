"""A model's module as it would be with a text of its source replaced."""

import importlib
import types
from pathlib import Path

_PARTS = ("frequencies", "comparison", "distances", "basic_beta_likeness")


def faulty(module: str, edited: str, old: str, new: str) -> types.ModuleType:
    """Return a model's module as it would be with a text of its source, or of one that it imports, replaced."""
    package = "tacit.anonymize.privacy_models."
    made: dict[str, types.ModuleType] = {}
    for name in dict.fromkeys((*_PARTS, module)):
        real = importlib.import_module(package + name)
        text = Path(str(real.__file__)).read_text(encoding="utf-8")
        if name == edited:
            assert text.count(old) == 1, f"{name} holds {text.count(old)} times: {old}"
            text = text.replace(old, new)
        made[name] = types.ModuleType(package + name)
        exec(compile(text, name, "exec"), made[name].__dict__)  # noqa: S102 - our own source
        for other in made.values():  # what it imported, from the copies
            made[name].__dict__.update({key: other.__dict__[key] for key in other.__dict__ if _is_from(made[name], key, other)})
    return made[module]


def _is_from(module: types.ModuleType, key: str, other: types.ModuleType) -> bool:
    return key in module.__dict__ and getattr(module.__dict__[key], "__module__", None) == other.__name__ and module is not other
