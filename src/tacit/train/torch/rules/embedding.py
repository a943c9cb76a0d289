"""Embeddings: gradients touch the rows of the tokens that occur, so they are kept as those rows, never one-hot."""

from typing import Any

import torch
from torch import Tensor

from tacit.errors import UnsupportedModel
from tacit.noise.sensitivity import BLOCK
from tacit.train.torch.records import ALL, SLACK, Clip, Outer, add_measured, blocks
from tacit.train.torch.sums import RunningSum, squared_lengths
from tacit.train.torch.unrouted import unrouted


class Rows:
    """An embedding's gradients. tokens -- shape (B, T), int64; gradient -- shape (B, T, d); padding -- a token without gradient.

    Rows of one example with the same token are added up first (in the order of their positions), so a norm is the length of
    stored numbers.
    """

    method = "rows"

    def __init__(self, name: str, tokens: Tensor, gradient: Tensor, vocabulary: int, padding: int | None) -> None:
        self.name, self.tokens, self.gradient, self.vocabulary, self.padding = name, tokens, gradient, vocabulary, padding
        self._norms: Tensor | None = None
        wide = gradient.double() if gradient.dtype == torch.float64 else gradient.float()
        if padding is not None:
            wide = torch.where((tokens == padding).unsqueeze(-1), 0.0, wide)
        examples = torch.arange(len(tokens), device=tokens.device).unsqueeze(1)
        self.keys, places = torch.unique((examples * vocabulary + tokens).flatten(), return_inverse=True)
        self.rows = wide.new_zeros(len(self.keys), wide.shape[-1]).index_add_(0, places, wide.flatten(0, 1))

    @classmethod
    def joined(cls, records: "list[Rows]") -> "Rows":
        """Return one record for an embedding that was used several times."""
        first = records[0]
        tokens, gradients = (torch.cat([getattr(one, side) for one in records], dim=1) for side in ("tokens", "gradient"))
        return cls(first.name, tokens, gradients, first.vocabulary, first.padding)

    def squared_norms(self) -> Tensor:
        if self._norms is None:
            owners = self.keys // self.vocabulary
            zeros = torch.zeros(len(self.tokens), dtype=torch.float64, device=self.rows.device)
            self._norms = zeros.index_add_(0, owners, squared_lengths(self.rows))
        return self._norms

    def gradients(self, place: slice = ALL) -> Tensor:
        first, last, _ = place.indices(len(self.tokens))
        mine = (self.keys >= first * self.vocabulary) & (self.keys < last * self.vocabulary)
        full = self.rows.new_zeros((last - first) * self.vocabulary, self.rows.shape[1])
        return full.index_copy_(0, self.keys[mine] - first * self.vocabulary, self.rows[mine]).view(last - first, -1)

    def add_to(self, total: RunningSum, clip: Clip) -> None:
        owners, tokens = self.keys // self.vocabulary, self.keys % self.vocabulary
        for place in blocks(len(self.tokens), BLOCK):
            low, high = torch.searchsorted(owners, torch.tensor([place.start, place.stop], device=owners.device)).tolist()
            mine = owners[low:high]
            factors = torch.where(clip.kept[mine], clip.factors[mine], 0.0).unsqueeze(1).to(self.rows.dtype)
            rows = torch.where(clip.kept[mine].unsqueeze(1), self.rows[low:high], 0.0) * factors
            seen, places = torch.unique(tokens[low:high], return_inverse=True)
            block = rows.new_zeros(len(seen), rows.shape[1]).index_add_(0, places, rows)  # at most BLOCK additions each
            total.add_rows(seen, block)


class Tied:
    """One matrix used as an embedding and as a linear map's weight (tied input and output embeddings), cross terms included."""

    method = "tied"

    def __init__(self, outer: Outer, embedded: Rows) -> None:
        self.name, self.outer, self.embedded = outer.name, outer, embedded
        self._norms: Tensor | None = None

    def squared_norms(self) -> Tensor:
        """|H + E|^2 = |H|^2 + |E|^2 + 2 <H, E>, <H, E> summed over pairs of positions of one example."""
        if self._norms is None:
            crossed = torch.cat([self._cross(place) for place in blocks(len(self.embedded.tokens), 8)])
            both = self.outer.squared_norms() + self.embedded.squared_norms()
            self._norms = (both + 2 * crossed).clamp_(min=0)
        return self._norms

    def _cross(self, place: slice) -> Tensor:
        tokens, gradient = self.embedded.tokens[place], self.embedded.gradient[place].to(self.embedded.rows.dtype)
        if self.embedded.padding is not None:
            gradient = torch.where((tokens == self.embedded.padding).unsqueeze(-1), 0.0, gradient)
        left, right = self.outer.left[place].to(gradient.dtype), self.outer.right[place].to(gradient.dtype)
        chosen = left.gather(2, tokens.unsqueeze(1).expand(-1, left.shape[1], -1))  # (c, T', T)
        crossed = chosen.mul_(torch.bmm(right, gradient.transpose(1, 2))).sum(dim=2)
        return crossed.double().sum(dim=1)

    def gradients(self, place: slice = ALL) -> Tensor:
        return self.outer.gradients(place) + self.embedded.gradients(place)

    def add_to(self, total: RunningSum, clip: Clip) -> None:
        bound = clip.factors.double() * self.squared_norms().sqrt() * (1 + SLACK) + clip.allowed
        owners, tokens = self.embedded.keys // self.embedded.vocabulary, self.embedded.keys % self.embedded.vocabulary
        for place in blocks(len(self.embedded.tokens), 1):
            formed = torch.bmm(clip.scaled(self.outer.left, place).transpose(1, 2), clip.selected(self.outer.right, place))
            if bool(clip.kept[place.start]):
                mine = owners == place.start
                formed[0].index_add_(0, tokens[mine], self.embedded.rows[mine] * clip.factors[place])
            add_measured(total, formed, bound[place])


class TappedEmbedding(torch.autograd.Function):
    """torch.nn.functional.embedding whose weight receives no ordinary gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor, padding: int | None, receive: Any) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.receive, ctx.vocabulary, ctx.padding = receive, len(weight), padding
        return torch.nn.functional.embedding(tokens, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        (tokens,) = ctx.saved_tensors
        ctx.receive(tokens, gradients[0], ctx.vocabulary, ctx.padding)
        return None, None, None, None


def embedding(
    route: Any,
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rule of `torch.nn.functional.embedding`. `sparse` changes nothing: the noisy gradient is dense."""
    name = route.name(weight)
    for given, what in ((max_norm is not None, "max_norm"), (scale_grad_by_freq, "scale_grad_by_freq")):
        if given:
            raise UnsupportedModel(
                f"the embedding {name!r} uses {what}, by which the tokens of one example change what others compute. Leave it out."
            )
    key = ("embedding", name, input.ndim)
    if route.trace is not None:
        return route.traced(key, (input,), lambda tokens: torch.nn.functional.embedding(tokens, weight))
    (axis,), (input,) = route.at(key, (input,))
    tape = route.tape
    tape.use(name)
    padding = None if padding_idx is None else padding_idx % len(weight)

    @unrouted
    def receive(tokens: Tensor, gradient: Tensor, vocabulary: int, padding: int | None) -> None:
        positions = axis.positions(tokens.unsqueeze(-1), tape.rows).squeeze(-1)
        tape.embedded(name, positions, axis.positions(gradient, tape.rows), vocabulary, padding)

    return TappedEmbedding.apply(weight, input, padding, receive)
