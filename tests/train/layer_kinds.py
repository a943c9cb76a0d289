"""The named layer kinds that the engine is tried on: each a small model whose first dimension is the batch, and an input for it."""

# mypy: disable-error-code="no-any-return"

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY = 7


@dataclass(frozen=True, kw_only=True)
class Case:
    """One choice of everything a kind may depend on; each uses what it has a use for.

    rows -- examples; length -- positions; width, out -- features into and out of a group; groups -- of channels, or heads.
    """

    rows: int = 3
    length: int = 3
    width: int = 2
    out: int = 2
    groups: int = 1
    kernel: int = 2
    stride: int = 1
    dilation: int = 1
    padding: str = "zeros"
    bias: bool = True
    layers: int = 1
    both_ways: bool = False
    mode: str = "sum"

    @property
    def channels(self) -> int:
        return self.width * self.groups

    @property
    def results(self) -> int:
        return self.out * self.groups

    @property
    def side(self) -> int:
        """Length of each spatial dimension: long enough for the kernel and for any padding."""
        return self.dilation * (self.kernel - 1) + self.length + 1


@dataclass(frozen=True, kw_only=True)
class Kind:
    """model -- builds it; input -- shape of one batch, of normal numbers, or of tokens where the model takes those."""

    model: Callable[[Case], nn.Module]
    input: Callable[[Case], tuple[int, ...]]
    tokens: bool = False


class With(nn.Module):
    """A layer, and what is done with it."""

    def __init__(self, layer: nn.Module | None, run: Callable[..., Tensor], *parameters: Tensor) -> None:
        super().__init__()
        self.layer, self.run = layer, run
        self.raw = nn.ParameterList(nn.Parameter(one) for one in parameters)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, *([] if self.layer is None else [self.layer]), *self.raw)


class HuggingFaceConv1D(nn.Module):
    """The linear map of GPT-2: a transposed weight, by torch.addmm over a flattened batch."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(width, out) * 0.5), nn.Parameter(torch.randn(out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], len(self.bias))


class Adapted(nn.Module):
    """A frozen linear map with a low-rank adapter beside it (LoRA, arXiv:2106.09685)."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.frozen = nn.Linear(width, out).requires_grad_(False)
        self.down, self.up = nn.Linear(width, 2, bias=False), nn.Linear(2, out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(x) + 0.5 * self.up(self.down(x))


class Steps(nn.Module):
    """A recurrent cell over time."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = None, []
        for step in x.unbind(1):
            state = self.cell(step, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs, dim=1)


class Twice(nn.Module):
    """One layer used on two inputs: the gradient of a tied weight is the sum of both uses."""

    def __init__(self, layer: nn.Module, tokens: bool) -> None:
        super().__init__()
        self.layer, self.tokens = layer, tokens

    def forward(self, x: Tensor) -> Tensor:
        other = VOCABULARY - 1 - x if self.tokens else 0.5 - x.flip(-1)
        return torch.cat([self.layer(one).flatten(1) for one in (x, other)], dim=1)


class Behind(nn.Module):
    """A layer behind a trainable scale, whose gradient shows what the layer passes back to its input."""

    def __init__(self, layer: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layer, self.scale = layer, nn.Parameter(torch.linspace(0.5, 1.5, shape[-1]))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x * self.scale)


class Tied(nn.Module):
    """Tied input and output embeddings."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(VOCABULARY, width), nn.Linear(width, VOCABULARY, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.embedding(x)))


def flat(c: Case) -> tuple[int, ...]:
    return c.rows, c.channels


def sequence(c: Case) -> tuple[int, ...]:
    return c.rows, c.length, c.channels


def square(c: Case) -> tuple[int, ...]:
    """As many positions as examples, so that shapes cannot tell them apart."""
    return c.rows, c.rows, c.channels


def tokens(c: Case) -> tuple[int, ...]:
    return c.rows, c.length


def grid(dims: int) -> Callable[[Case], tuple[int, ...]]:
    return lambda c: (c.rows, c.channels, *[c.side] * dims)


def convolution(layer: type[nn.Module], *, depthwise: bool = False) -> Callable[[Case], nn.Module]:
    def build(c: Case) -> nn.Module:
        groups, results = (c.channels, c.channels * c.out) if depthwise else (c.groups, c.results)
        settings = {"stride": c.stride, "dilation": c.dilation, "groups": groups, "bias": c.bias, "padding": 1}
        return layer(c.channels, results, c.kernel, padding_mode=c.padding, **settings)

    return build


def transposed(layer: type[nn.Module]) -> Callable[[Case], nn.Module]:
    return lambda c: layer(
        c.channels,
        c.results,
        c.kernel,
        stride=c.stride,
        dilation=c.dilation,
        groups=c.groups,
        bias=c.bias,
        output_padding=min(c.stride, 2) - 1,
    )


def recurrent(layer: type[nn.Module], **settings: object) -> Callable[[Case], nn.Module]:
    def build(c: Case) -> nn.Module:
        layers = layer(c.channels, 3, c.layers, bias=c.bias, bidirectional=c.both_ways, batch_first=True, **settings)
        return With(layers, lambda x, one: one(x)[0])

    return build


def cell(layer: type[nn.Module], **settings: object) -> Callable[[Case], nn.Module]:
    return lambda c: Steps(layer(c.channels, 3, bias=c.bias, **settings))


def attention(run: Callable[[Tensor, nn.Module], Tensor], **settings: object) -> Callable[[Case], nn.Module]:
    def build(c: Case) -> nn.Module:
        layer = nn.MultiheadAttention(c.channels, c.groups, bias=c.bias, batch_first=True, **settings)
        for parameter in layer.parameters():  # torch begins with zero biases
            nn.init.normal_(parameter, std=0.5)
        return With(layer, run)

    return build


def transformer(layer: type[nn.Module]) -> Callable[[Case], nn.Module]:
    def build(c: Case) -> nn.Module:
        one = layer(c.channels, c.groups, 5, dropout=0.0, batch_first=True, norm_first=c.both_ways, bias=c.bias)
        if isinstance(one, nn.TransformerDecoderLayer):
            return With(one, lambda x, one: one(x, torch.cat([x[:, :1], x.flip(1)], dim=1)))
        return one

    return build


KINDS: dict[str, Kind] = {
    "Linear, 2-D": Kind(model=lambda c: nn.Linear(c.channels, c.out, bias=c.bias), input=flat),
    "Linear, 3-D": Kind(model=lambda c: nn.Linear(c.channels, c.out, bias=c.bias), input=sequence),
    "Linear, 4-D": Kind(
        model=lambda c: nn.Linear(c.channels, c.out, bias=c.bias), input=lambda c: (c.rows, 2, c.length, c.channels)
    ),
    "Bilinear": Kind(
        model=lambda c: With(nn.Bilinear(c.channels, c.channels, c.out, bias=c.bias), lambda x, m: m(x, x.tanh())), input=flat
    ),
    "Conv1d": Kind(model=convolution(nn.Conv1d), input=grid(1)),
    "Conv2d": Kind(model=convolution(nn.Conv2d), input=grid(2)),
    "Conv3d": Kind(model=convolution(nn.Conv3d), input=grid(3)),
    "Conv2d, whole strides": Kind(
        model=lambda c: nn.Conv2d(c.channels, c.results, 4, stride=2, groups=c.groups, bias=c.bias, padding=1),
        input=grid(2),
    ),
    "Conv2d, depthwise": Kind(model=convolution(nn.Conv2d, depthwise=True), input=grid(2)),
    "ConvTranspose1d": Kind(model=transposed(nn.ConvTranspose1d), input=grid(1)),
    "ConvTranspose2d": Kind(model=transposed(nn.ConvTranspose2d), input=grid(2)),
    "ConvTranspose3d": Kind(model=transposed(nn.ConvTranspose3d), input=grid(3)),
    "Embedding": Kind(
        model=lambda c: nn.Embedding(VOCABULARY, c.width, padding_idx=2 if c.bias else None), input=tokens, tokens=True
    ),
    "EmbeddingBag": Kind(
        model=lambda c: nn.EmbeddingBag(VOCABULARY, c.width, mode=c.mode, padding_idx=2 if c.bias else None),
        input=tokens,
        tokens=True,
    ),
    "LayerNorm": Kind(
        model=lambda c: nn.LayerNorm([c.length, c.channels] if c.both_ways else c.channels, bias=c.bias), input=sequence
    ),
    "GroupNorm": Kind(model=lambda c: nn.GroupNorm(c.groups, c.channels), input=grid(2)),
    "InstanceNorm1d": Kind(model=lambda c: nn.InstanceNorm1d(c.channels, affine=True), input=grid(1)),
    "InstanceNorm2d": Kind(model=lambda c: nn.InstanceNorm2d(c.channels, affine=True), input=grid(2)),
    "InstanceNorm3d": Kind(model=lambda c: nn.InstanceNorm3d(c.channels, affine=True), input=grid(3)),
    "RMSNorm": Kind(model=lambda c: nn.RMSNorm(c.channels), input=sequence),
    "PReLU": Kind(model=lambda c: nn.PReLU(c.channels if c.bias else 1), input=grid(1)),
    "RNN, tanh": Kind(model=recurrent(nn.RNN), input=sequence),
    "RNN, relu": Kind(model=recurrent(nn.RNN, nonlinearity="relu"), input=sequence),
    "LSTM": Kind(model=recurrent(nn.LSTM), input=sequence),
    "LSTM with projections": Kind(model=recurrent(nn.LSTM, proj_size=2), input=sequence),
    "GRU": Kind(model=recurrent(nn.GRU), input=sequence),
    "RNNCell, tanh": Kind(model=cell(nn.RNNCell), input=sequence),
    "RNNCell, relu": Kind(model=cell(nn.RNNCell, nonlinearity="relu"), input=sequence),
    "LSTMCell": Kind(model=cell(nn.LSTMCell), input=sequence),
    "GRUCell": Kind(model=cell(nn.GRUCell), input=sequence),
    "MultiheadAttention, self": Kind(model=attention(lambda x, m: m(x, x, x)[0]), input=sequence),
    "MultiheadAttention, cross": Kind(
        model=attention(lambda x, m: m(x[:, :1], x, x, need_weights=False)[0], add_bias_kv=True, add_zero_attn=True),
        input=sequence,
    ),
    "MultiheadAttention, three inputs": Kind(model=attention(lambda x, m: m(x, x.tanh(), x.cos())[0]), input=sequence),
    "TransformerEncoderLayer": Kind(model=transformer(nn.TransformerEncoderLayer), input=sequence),
    "TransformerDecoderLayer": Kind(model=transformer(nn.TransformerDecoderLayer), input=sequence),
    "raw scale": Kind(model=lambda c: With(None, lambda x, w: x * w, torch.randn(c.length, 1)), input=sequence),
    "raw bias": Kind(model=lambda c: With(None, lambda x, w: w - x.sin(), torch.randn(c.channels)), input=sequence),
    "matmul": Kind(model=lambda c: With(None, lambda x, w: x @ w, torch.randn(c.channels, c.out)), input=sequence),
    "einsum": Kind(
        model=lambda c: With(None, lambda x, w: torch.einsum("btd,dhe->bhte", x, w), torch.randn(c.channels, c.groups, c.out)),
        input=sequence,
    ),
    "cls token": Kind(
        model=lambda c: With(
            nn.Linear(c.channels, c.out),
            lambda x, m, w: m(torch.cat([w.expand(len(x), -1, -1), x], dim=1).cumsum(dim=1)),
            torch.randn(1, 1, c.channels),
        ),
        input=sequence,
    ),
    "position parameter": Kind(
        model=lambda c: With(
            nn.Linear(c.channels, c.out), lambda x, m, w: m((x + w[:, : x.shape[1]]).sin()), torch.randn(1, 9, c.channels)
        ),
        input=sequence,
    ),
    "position embedding": Kind(
        model=lambda c: With(nn.Embedding(9, c.channels), lambda x, m: (x + m(torch.arange(x.shape[1]))).sin()), input=sequence
    ),
    "Conv1D of Hugging Face": Kind(model=lambda c: HuggingFaceConv1D(c.channels, c.out), input=sequence),
    "LoRA adapter": Kind(model=lambda c: Adapted(c.channels, c.out), input=sequence),
    "tied embedding": Kind(model=lambda c: Tied(c.width), input=tokens, tokens=True),
    "reused layer": Kind(
        model=lambda c: With(nn.Linear(c.channels, c.channels, bias=c.bias), lambda x, m: m(m(x).tanh())), input=sequence
    ),
    "time-major model": Kind(
        model=lambda c: With(
            nn.Sequential(nn.Linear(c.channels, c.out + 1), nn.Tanh(), nn.Linear(c.out + 1, c.out)),
            lambda x, m: m(x.transpose(0, 1)).transpose(0, 1),
        ),
        input=sequence,
    ),
    "flattened model": Kind(
        model=lambda c: With(
            nn.Sequential(nn.Linear(c.channels, 3), nn.Tanh(), nn.LayerNorm(3)),
            lambda x, m: m(x.flatten(0, 1)).unflatten(0, (len(x), -1)),
        ),
        input=sequence,
    ),
    "flattened time-major model": Kind(
        model=lambda c: With(
            nn.Sequential(nn.Linear(c.channels, 3), nn.Tanh(), nn.LayerNorm(3)),
            lambda x, m: m(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (-1, len(x))).transpose(0, 1),
        ),
        input=sequence,
    ),
    "as many positions as examples": Kind(
        model=lambda c: With(
            nn.Sequential(nn.Linear(c.channels, 3), nn.Tanh(), nn.LayerNorm(3)),
            lambda x, m, w: m((x + w).transpose(0, 1)).transpose(0, 1),
            torch.randn(c.rows, c.channels),
        ),
        input=square,
    ),
    "weight_norm": Kind(
        model=lambda c: nn.utils.parametrizations.weight_norm(nn.Linear(c.channels, c.out, bias=c.bias)), input=sequence
    ),
    "W.t()": Kind(
        model=lambda c: With(None, lambda x, w: functional.linear(x, w.t()), torch.randn(c.channels, c.out)), input=sequence
    ),
}
