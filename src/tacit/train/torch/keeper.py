"""What a checkpoint keeps of a training, and how a resumed one gets it back."""

from typing import Any, Protocol, TypeVar

import torch
from numpy.typing import NDArray

from tacit.errors import ConfigError, RunError
from tacit.train.torch.checkpoint import State, load, save
from tacit.train.torch.processes import Processes, Weights
from tacit.train.trainer import Checkpoints


class Stateful(Protocol):
    """A scheduler, an average of weights, anything with torch's two methods."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


Kept = TypeVar("Kept", bound=Stateful)
Arrays = dict[str, NDArray[Any]]


class Keeper:
    """Keeps named things in one checkpoint file, and gives them their old state back where such a file is found.

    checkpoints -- the file and its key. request_id -- whose checkpoint it is: another request's cannot be opened.
    weights     -- how they hold the model: what is in pieces is put together for the file, and taken apart again.
    processes   -- those that share the training. The first alone reads and writes the file, and what is kept is equal in all; states
                   of their own are those of the training, and torch's generators'.
    found       -- the state of the training itself (PrivateTraining.state) in the checkpoint that was there; None without one.
    Raises RunError when the file was altered or is another run's.
    """

    def __init__(self, checkpoints: Checkpoints, request_id: str, processes: Processes, weights: Weights) -> None:
        self._checkpoints, self._request_id, self._processes, self._weights = checkpoints, request_id, processes, weights
        self._kept: dict[str, Stateful] = {}
        self._loaded: State = {"kept": {}} | (processes.from_first(self._read) or {})
        self.found: Arrays | None = self._loaded.get("training")

    def _read(self) -> State | None:
        one = self._checkpoints
        return load(one.path, one.key, self._request_id) if one.path.exists() else None

    def keep(self, name: str, thing: Stateful) -> None:
        """Have every checkpoint hold the thing from now on; a thing that the found one holds gets its state back.

        Raises ConfigError when the name is taken, RunError when the found checkpoint holds another thing by that name, or none.
        """
        if name in self._kept:
            raise ConfigError(f"checkpoints already keep something named {name!r}. Choose another name.")
        self._kept[name] = thing
        if self.found is None:
            return
        state, kind = self._loaded["kept"].pop(name, None), type(thing).__qualname__
        if state is None or self._loaded["kinds"][name] != kind:
            raise RunError(
                f"the checkpoint holds {'nothing' if state is None else 'a ' + self._loaded['kinds'][name]} for {name!r}, which here is a "
                f"{kind}. It is another loop's. Go on with the loop that was killed, or delete the checkpoint."
            )
        try:
            self._weights.scatter()
            thing.load_state_dict(self._weights.taken_apart(state))
        except (RuntimeError, ValueError, KeyError) as error:
            raise RunError(
                f"the checkpoint holds another {name} than this one: {error}. Build it as the killed run did, or delete the checkpoint."
            ) from None

    def refuse_unclaimed(self) -> None:
        """Raise RunError when the found checkpoint holds what nobody has asked back: it would start anew without a word."""
        if self._loaded["kept"]:
            raise RunError(
                f"the checkpoint holds {sorted(self._loaded['kept'])}, which this loop does not keep: it would begin anew. Call private.keep "
                "for each before batches(), as the killed run did."
            )

    def save(self, training: Arrays) -> None:
        """Write the checkpoint of this moment; all processes call it. training -- of all, in the first process."""
        self._weights.scatter()
        state = {
            "kinds": {name: type(thing).__qualname__ for name, thing in self._kept.items()},
            "kept": {name: self._weights.put_together(thing.state_dict()) for name, thing in self._kept.items()},
            "training": training,
            "random": self._processes.gathered_state({"torch": torch.get_rng_state().numpy()}),  # of dropout and augmentations
        }
        self._processes.from_first(lambda: save(self._checkpoints.path, self._checkpoints.key, self._request_id, state))

    def restore_random(self) -> None:
        """Give torch's generator its state back: for a run that lost nothing."""
        torch.set_rng_state(torch.from_numpy(self._processes.own_state(self._loaded["random"])["torch"]))

    def discard(self) -> None:
        """Remove the file: what it was to continue was never paid for."""
        self._checkpoints.path.unlink(missing_ok=True)
