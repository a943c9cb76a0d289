"""The first call of a model: on zeros in the shape of the rows, before anything is paid for."""

import inspect

from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.train.torch.axes import TRACED
from tacit.train.torch.engine import Engine


class Trial:
    """Traces the model on its likeliest input, so that what cannot be exact is refused at once, and remembers whether it ran.

    rows -- the data set's first tensor. Numbers of another kind than the weights are tried as such, too: a loop that stores pixels in bytes
    converts them. Raises what Engine.trace raises.
    """

    def __init__(self, engine: Engine, model: nn.Module, rows: Tensor) -> None:
        self._engine, self._model = engine, model
        weight = next(model.parameters())
        tried = rows.new_zeros((TRACED, *rows.shape[1:]), device=weight.device)
        error = engine.trace(tried)
        if error is not None and tried.dtype != weight.dtype:
            error = engine.trace(tried.to(weight.dtype))
        self._shape, self._error = tuple(tried.shape), None if error is None else f"{type(error).__name__}: {error}"

    def refuse_failed(self) -> None:
        """Raise ConfigError when a model of one argument could not take the rows, and no `check` has shown since how the loop calls it."""
        if self._error is not None and not self._engine.traced and _takes_one(self._model):
            raise ConfigError(
                f"the model cannot take the rows of the data set: given zeros of shape {self._shape}, it raised {self._error}. "
                "Nothing was paid for. Mend the model or the rows; where the loop alters them first, call "
                "private.check(losses_of) before private.batches(), which tries that at no cost."
            )


def _takes_one(model: nn.Module) -> bool:
    """Whether the model can be called with one thing alone: rows that it does not take in that way it takes in no other."""
    taken = list(inspect.signature(model.forward).parameters.values())
    return len(taken) == 1 and taken[0].kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
