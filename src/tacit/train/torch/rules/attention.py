"""Multi-head attention, which torch makes one function: linear maps with rules of their own, and the attention between them."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tacit.errors import UnsupportedModel
from tacit.train.torch.routing import Routing
from tacit.train.torch.rules.elementwise import TappedElementwise, plus
from tacit.train.torch.rules.linear import TappedLinear, linear, summed
from tacit.train.torch.unrouted import unrouted


def multi_head_attention(
    route: Routing,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """The rule of `torch.nn.functional.multi_head_attention_forward`. query -- shape (L, B, E); key and value -- (S, B, ...).

    Raises UnsupportedModel for unbatched input, whose only axis before the features would be both position and example.
    """
    if static_k is not None or static_v is not None or any(route.name(one) is not None for one in (query, key, value)):
        return NotImplemented
    name = route.name(in_proj_weight) or route.name(q_proj_weight) or route.name(out_proj_weight)
    if query.ndim != 3:
        raise UnsupportedModel(
            f"the attention of {name!r} received a query of shape {tuple(query.shape)}, without a batch dimension, so its positions would "
            "be taken for examples that attend to one another. Pass (batch, positions, features) with batch_first=True."
        )
    if use_separate_proj_weight:
        weights: tuple[Any, ...] = (q_proj_weight, k_proj_weight, v_proj_weight)
        width = len(weights[0])
        parts = [(weight, slice(0, width), slice(number * width, (number + 1) * width)) for number, weight in enumerate(weights)]
        q, k, v = (_part(route, x, *part[:2], in_proj_bias, part[2]) for x, part in zip((query, key, value), parts, strict=True))
    else:
        q, k, v = _packed(route, query, key, value, in_proj_weight, in_proj_bias)
    k, v = _extended(route, k, bias_k), _extended(route, v, bias_v)
    q, k, v = (one.unflatten(2, (num_heads, -1)).permute(1, 2, 0, 3) for one in (q, k, v))  # (B, heads, positions, features)
    if add_zero_attn:
        k, v = (functional.pad(one, (0, 0, 0, 1)) for one in (k, v))
    causal = is_causal and key_padding_mask is None and not need_weights
    mask = _mask(route, name, q, k, None if causal else attn_mask, key_padding_mask)
    attended, scores = _attend(q, k, v, mask, dropout_p if training else 0.0, causal, need_weights)
    output = linear(route, attended.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
    return output, scores.mean(dim=1) if scores is not None and average_attn_weights else scores


def _packed(
    route: Routing, query: Tensor, key: Tensor, value: Tensor, weight: Any, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values by one matrix of shape (3 E, E): in one product where they come from one input."""
    width = query.shape[2]
    if key is value:
        if query is key:
            q, k, v = linear(route, query, weight, bias).chunk(3, dim=2)
            return q, k, v
        q = _part(route, query, weight, slice(0, width), bias, slice(0, width))
        k, v = _part(route, key, weight, slice(width, 3 * width), bias, slice(width, 3 * width)).chunk(2, dim=2)
        return q, k, v
    places = [slice(start, start + width) for start in (0, width, 2 * width)]
    q, k, v = (_part(route, x, weight, place, bias, place) for x, place in zip((query, key, value), places, strict=True))
    return q, k, v


def _part(route: Routing, input: Tensor, weight: Tensor, place: slice, bias: Tensor | None, bias_place: slice) -> Tensor:
    """A linear map by some rows of a weight and as many of a bias: the gradient of all other rows is zero."""
    name, bias_name = route.name(weight), route.name(bias)
    plain_bias = None if bias is None else bias[bias_place]
    if name is None and bias_name is None:
        return functional.linear(input, weight[place], plain_bias)
    key = ("linear", name or bias_name, input.ndim, place.start, bias_place.start)
    if route.trace is not None:
        return route.traced(key, (input,), lambda x: functional.linear(x, weight[place], plain_bias))
    (axis,), (input,) = route.at(key, (input,))
    tape = route.tape
    tape.use(name, bias_name)

    def biased(gradient: Tensor) -> None:
        if bias_name is not None and bias is not None:
            tape.stored(bias_name, widened(summed(axis.positions(gradient, tape.rows)), bias_place, len(bias)), "sum")

    @unrouted
    def receive(x: Tensor, gradient: Tensor) -> None:
        biased(gradient)
        tape.outer(str(name), widened(axis.positions(gradient, tape.rows), place, len(weight)), axis.positions(x, tape.rows))

    if name is None:
        return TappedElementwise.apply(functional.linear(input, weight[place]), plain_bias, (1, 1), biased)  # type: ignore[no-any-return]
    if bias_name is None and bias is not None and bias.requires_grad:  # a bias that is computed has its own graph
        return TappedLinear.apply(input, weight[place], None, False, receive) + plain_bias  # type: ignore[no-any-return]
    return TappedLinear.apply(input, weight[place], plain_bias, False, receive)  # type: ignore[no-any-return]


def widened(gradient: Tensor, place: slice, size: int) -> Tensor:
    """Return gradients of some entries as gradients of all `size` of them, along the last dimension: zero elsewhere."""
    before, after = place.start, size - place.stop
    return functional.pad(gradient, (before, after)) if before or after else gradient


def _extended(route: Routing, positions: Tensor, bias: Tensor | None) -> Tensor:
    """Return (S + 1, B, E): one more position, trainable and the same for every example."""
    if bias is None:
        return positions
    last = positions[:1].detach()  # in a trace its values show where the examples lie
    return torch.cat([positions, plus(route, last if route.trace is not None else torch.zeros_like(last), bias)])


def _mask(route: Routing, name: str | None, q: Tensor, k: Tensor, mask: Tensor | None, padding: Tensor | None) -> Tensor | None:
    """Return what is added to the scores: -inf where nothing may be attended to; it broadcasts to (B, heads, L, S)."""
    both = [] if mask is None else [_added(mask, q.dtype, k.shape[2])]
    if mask is not None and mask.ndim == 3:
        if len(mask) != q.shape[0] * q.shape[1]:
            raise UnsupportedModel(
                f"the attention of {name!r} received a mask for {len(mask)} pairs of example and head, and there are "
                f"{q.shape[0] * q.shape[1]}; what is not laid out by example cannot be followed. Build the mask inside the model, or pass "
                "one of shape (positions, positions) and a key_padding_mask of shape (batch, positions)."
            )
        both[0] = both[0].unflatten(0, (-1, q.shape[1]))
    if padding is not None:
        both.append(_added(padding, q.dtype, k.shape[2])[:, None, None, :])
    if not both:
        return None
    whole = both[0] if len(both) == 1 else both[0] + both[1]
    if route.trace is not None:  # synthetic masks may leave nothing to attend to, and NaN there would look like a mixture
        whole = torch.where((whole == -math.inf).all(dim=-1, keepdim=True), 0.0, whole)
    return whole


def _added(mask: Tensor, dtype: torch.dtype, positions: int) -> Tensor:
    """Return a mask as numbers to add, with zeros for the positions that attention itself appends."""
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(mask, -math.inf)
    return functional.pad(mask.to(dtype), (0, positions - mask.shape[-1]))


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, causal: bool, need_weights: bool
) -> tuple[Tensor, Tensor | None]:
    """Return what each position attends to, (B, heads, L, features), and the weights, (B, heads, L, S), where they are wanted."""
    if not need_weights:
        return functional.scaled_dot_product_attention(q, k, v, mask, dropout, causal), None
    scores = (q * math.sqrt(1.0 / q.shape[3])) @ k.transpose(2, 3)
    weights = torch.softmax(scores if mask is None else scores + mask, dim=-1)
    if dropout:
        weights = functional.dropout(weights, dropout)
    return weights @ v, weights
