"""What torch makes one function: attention, recurrent layers and embedding bags. Same values, exact gradients, or refused."""

# mypy: disable-error-code="no-any-return"

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from simple_training import plan
from tacit.errors import PrivacyError, UnsupportedModel
from tacit.noise.source import SeededSource
from tacit.train.torch.engine import Engine
from train.layer_kinds import With
from train.test_layer_kinds import by_the_engine, clipped, losses, one_by_one

ROWS, LENGTH, WIDTH = 4, 5, 6
PADDING = torch.arange(LENGTH) >= 3
CAUSAL = nn.Transformer.generate_square_subsequent_mask(LENGTH)


def attention(run: Callable[..., Tensor], *parameters: Tensor, **settings: object) -> With:
    torch.manual_seed(3)
    layer = nn.MultiheadAttention(WIDTH, 2, **{"batch_first": True, **settings})
    for one in layer.parameters():
        nn.init.normal_(one, std=0.5)
    return With(layer, run, *parameters)


def recurrent(layer: nn.Module, run: Callable[..., Tensor], *parameters: Tensor) -> With:
    return With(layer, run, *parameters)


ATTENTION = {
    "time first": attention(lambda x, m: m(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1), batch_first=False),
    "without weights": attention(lambda x, m: m(x, x, x, need_weights=False)[0]),
    "the weights themselves": attention(lambda x, m: m(x, x, x, average_attn_weights=False)[1]),
    "averaged weights": attention(lambda x, m: m(x, x, x)[1]),
    "no biases": attention(lambda x, m: m(x, x, x)[0], bias=False),
    "keys and values of other sizes": attention(lambda x, m: m(x, x[:, 1:, :3], x[:, 1:, :4])[0], kdim=3, vdim=4),
    "biased keys and values, with padding": attention(
        lambda x, m: m(x[:, :2], x, x.tanh(), key_padding_mask=PADDING.expand(len(x), -1))[0],
        add_bias_kv=True,
        add_zero_attn=True,
    ),
    "additive mask": attention(lambda x, m: m(x, x, x, attn_mask=torch.linspace(-1, 1, 25).view(5, 5).to(x))[0]),
    "causal": attention(lambda x, m: m(x, x, x, attn_mask=CAUSAL.to(x), is_causal=True, need_weights=False)[0]),
    "causal with padding": attention(
        lambda x, m: m(x, x, x, attn_mask=torch.isneginf(CAUSAL), is_causal=True, key_padding_mask=PADDING.expand(len(x), -1))[0]
    ),
    "a mask for each example and head": attention(
        lambda x, m: m(x, x, x, attn_mask=torch.ones(2 * len(x), 5, 5).triu(1).bool(), need_weights=False)[0]
    ),
    "trainable queries": attention(lambda x, m, q: m(q.expand(len(x), -1, -1), x, x)[0], torch.randn(1, 2, WIDTH)),
    "trainable queries, time first": attention(
        lambda x, m, q: m(q.unsqueeze(1).repeat(1, len(x), 1), *[x.transpose(0, 1)] * 2)[0].transpose(0, 1),
        torch.randn(2, WIDTH),
        batch_first=False,
    ),
}
RECURRENT = {
    "time first, both ways": recurrent(
        nn.LSTM(WIDTH, 3, 2, bidirectional=True), lambda x, m: m(x.transpose(0, 1))[0].transpose(0, 1)
    ),
    "final cell states": recurrent(nn.LSTM(WIDTH, 3, 2, batch_first=True), lambda x, m: m(x)[1][1].transpose(0, 1)),
    "final states both ways": recurrent(
        nn.GRU(WIDTH, 3, batch_first=True, bidirectional=True), lambda x, m: m(x)[1].transpose(0, 1)
    ),
    "a trainable first state": recurrent(
        nn.GRU(WIDTH, 3, batch_first=True), lambda x, m, h: m(x, h.expand(-1, len(x), -1).contiguous())[0], torch.randn(1, 1, 3)
    ),
    "a first state that the examples set": recurrent(
        nn.RNN(WIDTH, 3, batch_first=True), lambda x, m: m(torch.ones_like(x), x[:, :1, :3].transpose(0, 1).contiguous())[0]
    ),
}


@pytest.mark.parametrize("name", [*ATTENTION, *RECURRENT])
def test_attention_and_recurrence_agree_with_one_example_at_a_time(name: str) -> None:
    torch.manual_seed(4)
    model, x = {**ATTENTION, **RECURRENT}[name], torch.randn(ROWS, LENGTH, WIDTH)
    expected, got = clipped(one_by_one(model, x, torch.float64)), by_the_engine(model, x)
    torch.testing.assert_close(got.lengths, expected.lengths, rtol=1e-5, atol=1e-9)
    for parameter, total in expected.sums.items():
        torch.testing.assert_close(got.sums[parameter], total, rtol=1e-5, atol=1e-6)


def tapped(model: nn.Module, x: Tensor, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Return the model's output as the engine computes it, and as torch does, both after one seed."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    engine = Engine(model, optimizer, plan(2 * len(x), len(x)), SeededSource(7))
    engine.start(torch.ones(len(x), dtype=torch.bool))
    torch.manual_seed(seed)
    ours = model(x)
    engine.detach()
    torch.manual_seed(seed)
    return ours.detach(), copy.deepcopy(model)(x).detach()


@pytest.mark.parametrize("name", [*ATTENTION, *RECURRENT])
def test_attention_and_recurrence_have_torchs_values(name: str) -> None:
    torch.manual_seed(4)
    ours, theirs = tapped({**ATTENTION, **RECURRENT}[name], torch.randn(ROWS, LENGTH, WIDTH))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        With(nn.LSTM(WIDTH, 3, 2, dropout=0.4, batch_first=True), lambda x, m: m(x)[0]),
        With(nn.GRU(WIDTH, 3, 3, dropout=0.4, bidirectional=True), lambda x, m: m(x.transpose(0, 1))[0].transpose(0, 1)),
        attention(lambda x, m: m(x, x, x)[0], dropout=0.4),
        nn.TransformerEncoderLayer(WIDTH, 2, 8, dropout=0.3, batch_first=True),
    ],
)
def test_dropout_draws_what_torch_draws(model: nn.Module) -> None:
    torch.manual_seed(4)
    ours, theirs = tapped(model, torch.randn(ROWS, LENGTH, WIDTH))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_self_attention_stays_one_packed_product() -> None:
    model = attention(lambda x, m: m(x, x, x)[0])
    assert "pooled" not in by_the_engine(model, torch.randn(ROWS, LENGTH, WIDTH)).methods


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_of_padding_alone_is_zero_as_in_torch(mode: str) -> None:
    x = torch.tensor([[2, 2, 2], [1, 2, 4], [3, 3, 0]])
    model = nn.EmbeddingBag(6, 3, mode=mode, padding_idx=2)
    ours, theirs = tapped(model, x)
    torch.testing.assert_close(ours, theirs)
    expected, got = clipped(one_by_one(model, x, torch.float64)), by_the_engine(model, x)
    torch.testing.assert_close(got.sums["weight"], expected.sums["weight"], rtol=1e-5, atol=1e-7)


class Weighted(nn.Module):
    """A bag whose weights are another embedding's."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.share = nn.EmbeddingBag(6, 3, mode="sum"), nn.Embedding(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bag(x, per_sample_weights=self.share(x).squeeze(-1))


def test_a_weighted_bag_passes_gradients_to_its_weights() -> None:
    torch.manual_seed(4)
    model, x = Weighted(), torch.randint(0, 6, (ROWS, LENGTH))
    expected, got = clipped(one_by_one(model, x, torch.float64)), by_the_engine(model, x)
    torch.testing.assert_close(got.lengths, expected.lengths, rtol=1e-5, atol=0)
    for name, total in expected.sums.items():
        torch.testing.assert_close(got.sums[name], total, rtol=1e-5, atol=1e-7)


def lengths(x: Tensor) -> Tensor:
    return torch.full((len(x),), LENGTH)


def packed(x: Tensor, layer: nn.Module) -> Tensor:
    rows = nn.utils.rnn.pack_padded_sequence(x, lengths(x), batch_first=True)
    return nn.utils.rnn.pad_packed_sequence(layer(rows)[0], batch_first=True)[0]


REFUSED = {
    "packed sequence": With(nn.LSTM(WIDTH, 3, batch_first=True), packed),
    "without a batch dimension": With(nn.MultiheadAttention(WIDTH, 2), lambda x, m: m(*[x[:, 0]] * 3)[0]),
    "mixes examples": With(nn.LSTM(WIDTH, 3), lambda x, m: m(x)[0]),  # time first, and given the batch first
    "flat list of tokens": With(
        nn.EmbeddingBag(6, 3), lambda x, m: m(x[..., 0].long().clamp(0, 5).flatten(), torch.arange(len(x)) * LENGTH)
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_hides_the_example_is_refused(what: str) -> None:
    with pytest.raises(UnsupportedModel, match=what):
        by_the_engine(REFUSED[what], torch.randn(ROWS, LENGTH, WIDTH))


FED_WITH_PARAMETERS = {
    "linear": With(nn.Linear(WIDTH, WIDTH), lambda x, m, w: x + m(w.tanh()), torch.randn(1, 1, WIDTH)),
    "layer norm": With(nn.LayerNorm(WIDTH), lambda x, m, w: x * m(w.unsqueeze(0)), torch.randn(LENGTH, WIDTH)),
    "group norm": With(nn.GroupNorm(1, LENGTH), lambda x, m, w: x * m(w.unsqueeze(0)), torch.randn(LENGTH, WIDTH)),
    "rms norm": With(nn.RMSNorm(WIDTH), lambda x, m, w: x * m(2 * w), torch.randn(LENGTH, WIDTH)),
    "convolution": With(
        nn.Conv1d(LENGTH, 2, 3), lambda x, m, w: x.sum(2, keepdim=True) * m(2 * w).sum(), torch.randn(1, LENGTH, 4)
    ),
    "a product of parameters": With(
        None, lambda x, a, b: nn.functional.linear(x, nn.functional.linear(2 * a, b)), torch.randn(3, 2), torch.randn(WIDTH, 2)
    ),
    "the examples as weights": With(None, lambda x, a: nn.functional.linear(2 * a, x[:, 0]).t(), torch.randn(3, WIDTH)),
}


@pytest.mark.parametrize("name", FED_WITH_PARAMETERS)
def test_a_layer_over_parameters_passes_their_gradients_on(name: str) -> None:
    """A tensor computed from parameters has no guard of its own: a rule that took it for data would lose its gradient without a word."""
    torch.manual_seed(4)
    model, x = FED_WITH_PARAMETERS[name], torch.randn(ROWS, LENGTH, WIDTH)
    try:
        got = by_the_engine(model, x)
    except (PrivacyError, UnsupportedModel):
        return
    expected = clipped(one_by_one(model, x, torch.float64))
    torch.testing.assert_close(got.lengths, expected.lengths, rtol=1e-5, atol=0)
    assert losses(model(x)).shape == (ROWS,)
    for parameter, total in expected.sums.items():
        torch.testing.assert_close(got.sums[parameter], total, rtol=1e-5, atol=1e-6)
