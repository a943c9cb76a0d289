"""The four models every contestant trains, one batch of made-up data for each, and the least work a step can do.

Needs torch alone, so that the peers' environments can import it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """One model of the contest.

    batch  -- rows in a step; make -- the model, from torch's seed; rows -- (count) -> inputs and labels of that many rows.
    images -- whether inputs are images, for which channels_last may be faster.
    """

    name: str
    batch: int
    make: Callable[[], nn.Module]
    rows: Callable[[int], tuple[Tensor, Tensor]]
    images: bool = False


def losses(output: Tensor, labels: Tensor) -> Tensor:
    """Return one loss per example, shape (B,); for text the mean over its positions.

    output -- (B, classes), or (B, T, vocabulary); labels -- (B,), or (B, T).
    """
    flat = F.cross_entropy(output.reshape(-1, output.shape[-1]), labels.reshape(-1), reduction="none")
    return flat if labels.ndim == 1 else flat.view(labels.shape).mean(dim=1)


def mean_loss(output: Tensor, labels: Tensor) -> Tensor:
    """Return the batch's mean loss as the plain step takes it, in one call."""
    return F.cross_entropy(output.reshape(-1, output.shape[-1]), labels.reshape(-1))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))


def cnn() -> nn.Module:
    """Return the MNIST CNN of Opacus' examples."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 8, 2, padding=3),
        nn.ReLU(),
        nn.MaxPool2d(2, 1),
        nn.Conv2d(16, 32, 4, 2),
        nn.ReLU(),
        nn.MaxPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


class _Residual(nn.Module):
    """Pre-activation block of a wide residual network, group norm in place of batch norm (arXiv:1605.07146, 2204.13650)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(16, inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm2 = nn.GroupNorm(16, outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False) if inside != outside else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(y)
        y = self.conv2(F.relu(self.norm2(self.conv1(y))))
        out: Tensor = kept + y
        return out


class WideResNet(nn.Module):
    """WRN-16-4: two blocks at each of 64, 128 and 256 channels; input (B, 3, 32, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        widths, stages = (16, 64, 128, 256), []
        for stage, stride in enumerate((1, 2, 2)):
            stages += [_Residual(widths[stage], widths[stage + 1], stride), _Residual(widths[stage + 1], widths[stage + 1], 1)]
        self.blocks = nn.Sequential(*stages)
        self.norm = nn.GroupNorm(16, 256)
        self.head = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.blocks(self.stem(x))))
        out: Tensor = self.head(y.mean(dim=(2, 3)))
        return out


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, explicit: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads, self.explicit = heads, explicit

    def forward(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(rows, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.explicit:  # torch.func's vmap turns the fused call into a slow loop on CPU
            scores = (q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
            mask = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
            y = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(rows, length, width))
        branch: Tensor = self.down(F.gelu(self.up(self.norm2(x))))
        return x + branch


class GPT(nn.Module):
    """Pre-norm transformer with learned positions and an untied head; input (B, T) of token ids.

    per_example -- look positions up once per example, as Opacus and fastDP need, and not once per batch.
    explicit    -- attention written out.
    """

    def __init__(
        self,
        *,
        layers: int = 4,
        width: int = 256,
        heads: int = 4,
        length: int = 128,
        vocabulary: int = 8192,
        per_example: bool = False,
        explicit: bool = False,
    ) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(_Block(width, heads, explicit) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.per_example = per_example

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        if self.per_example:
            places = places.repeat(len(ids), 1)
        x = self.token(ids)
        out: Tensor = self.head(self.norm(self.blocks(x + self.position(places))))
        return out


def _vectors(count: int) -> tuple[Tensor, Tensor]:
    return torch.rand(count, 784), torch.randint(10, (count,))


def _digits(count: int) -> tuple[Tensor, Tensor]:
    return torch.rand(count, 1, 28, 28), torch.randint(10, (count,))


def _pictures(count: int) -> tuple[Tensor, Tensor]:
    return torch.rand(count, 3, 32, 32), torch.randint(10, (count,))


def _text(count: int) -> tuple[Tensor, Tensor]:
    ids = torch.randint(8192, (count, 129))
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


SPECS = {
    spec.name: spec
    for spec in (
        Spec(name="mlp", batch=512, make=mlp, rows=_vectors),
        Spec(name="cnn", batch=512, make=cnn, rows=_digits, images=True),
        Spec(name="wrn", batch=64, make=WideResNet, rows=_pictures, images=True),
        Spec(name="gpt", batch=32, make=GPT, rows=_text),
    )
}
