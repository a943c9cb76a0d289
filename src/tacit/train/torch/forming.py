"""Gradients that only a further pass of autograd gives, example by example: formed a few examples at a time, kept where bytes are left."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tacit.noise.sensitivity import BLOCK
from tacit.train.torch.budget import Budget
from tacit.train.torch.records import ALL, SLACK, Clip, Stored, add_measured, blocks, chunk_of, wide
from tacit.train.torch.sums import RunningSum, squared_lengths

Form = Callable[[slice, Sequence[int]], Sequence[Tensor]]


class Forming:
    """Gradients of one or several parameters that one pass gives together.

    form   -- (place, wanted) -> gradients of the parameters of these numbers for the examples at `place`, each of shape (b, k). Called
              once for the norms and, where nothing was kept, again for the sums.
    likes  -- the parameters. examples -- B. budget -- of bytes that may be kept.
    beside -- further float32 values that one example takes while it is formed.

    Which examples are formed together, and what is kept, follows from sizes and the budget alone, never from values.
    """

    def __init__(self, form: Form, likes: Sequence[Tensor], examples: int, budget: Budget, *, beside: int = 0) -> None:
        self._form, self._likes, self.examples, self._budget = form, list(likes), examples, budget
        self.step = chunk_of(sum(one.numel() for one in likes) + beside)
        self._together = set(range(len(likes)))
        self._measured: dict[int, tuple[Tensor, Tensor | None]] = {}

    def formed(self, place: slice, wanted: Sequence[int]) -> list[Tensor]:
        """Return gradients at `place`, shape (b, k) for each wanted parameter, at least float32."""
        start, stop, _ = place.indices(self.examples)
        found = self._form(slice(start, stop), wanted)
        return [one.reshape(stop - start, -1).to(wide(self._likes[number])) for number, one in zip(wanted, found, strict=True)]

    def leave(self, number: int) -> None:
        """Measure this parameter no longer together with the others: what is formed here is only a part of its gradient."""
        self._together.discard(number)

    def measured(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Return a parameter's squared norms, shape (B,), float64, and its gradients, shape (B, k), if they were kept."""
        if number not in self._measured:
            wanted = sorted(self._together | {number})
            squared = [torch.zeros(self.examples, dtype=torch.float64, device=self._likes[one].device) for one in wanted]
            kept = [self._memory(self._likes[one]) for one in wanted]
            for place in blocks(self.examples, self.step):
                for vectors, lengths, memory in zip(self.formed(place, wanted), squared, kept, strict=True):
                    lengths[place] = squared_lengths(vectors)
                    if memory is not None:
                        memory[place] = vectors
            self._measured.update(zip(wanted, zip(squared, kept, strict=True), strict=True))
        return self._measured[number]

    def _memory(self, like: Tensor) -> Tensor | None:
        shape, dtype = (self.examples, like.numel()), wide(like)
        if not self._budget.keeps(shape[0] * shape[1] * dtype.itemsize):
            return None
        return torch.empty(shape, dtype=dtype, device=like.device)


class Formed:
    """One parameter's gradients out of a Forming. watched -- what they are formed from, which must not be edited before the sum."""

    def __init__(self, name: str, method: str, forming: Forming, number: int = 0, watched: tuple[Tensor, ...] = ()) -> None:
        self.name, self.method, self.watched = name, method, watched
        self._source: Forming | Stored = forming
        self._number = number
        self._norms: Tensor | None = None

    def leave(self) -> None:
        """Be a part of a gradient that is measured elsewhere."""
        if isinstance(self._source, Forming):
            self._source.leave(self._number)

    def squared_norms(self) -> Tensor:
        if self._norms is None:
            assert isinstance(self._source, Forming)
            self._norms, kept = self._source.measured(self._number)
            if kept is None:
                self.method += " twice"
            else:  # what was formed replaces what it was formed from
                self._source, self.watched = Stored(self.name, kept, self.method, squared=self._norms), ()
        return self._norms

    def gradients(self, place: slice = ALL) -> Tensor:
        source = self._source
        return source.gradients(place) if isinstance(source, Stored) else source.formed(place, [self._number])[0]

    def add_to(self, total: RunningSum, clip: Clip) -> None:
        norms, source = self.squared_norms(), self._source
        if isinstance(source, Stored):
            source.add_to(total, clip)
            return
        bound = clip.factors.double() * norms.sqrt() * (1 + SLACK) + clip.allowed
        for place in blocks(source.examples, min(BLOCK, source.step)):
            vectors = torch.where(clip.kept[place].unsqueeze(1), self.gradients(place), 0.0)
            add_measured(total, vectors.mul_(clip.weights[place].unsqueeze(1)), bound[place])
