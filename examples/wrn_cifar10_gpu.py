"""A wide residual network on CIFAR-10 with differential privacy, for one GPU: large batches, augmentation multiplicity, averaged weights.

    python examples/wrn_cifar10_gpu.py cifar10.npz            # arrays train_x, train_y, test_x, test_y; images (n, 32, 32, 3), uint8
    python examples/wrn_cifar10_gpu.py cifar10.npz --quick    # 256 images, a narrow network, two steps: to see it run anywhere

The recipe is De et al. 2022 (arXiv:2204.13650), section 3: group normalization and weight standardization instead of batch normalization,
16 augmentations of each image averaged within that image before its gradient is clipped, batches of 4,096, a constant learning rate
without momentum, and an exponential average of the weights. Batch, clip norm, views and average are those of the configuration that its
authors publish for WRN-16-4; the paper's best network, WRN-40-4, reaches 81.4 % at epsilon 8 and delta 1e-5. This file was not run to
the end on a GPU: no figure of its own is claimed.
"""

import argparse
import copy
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tacit import Ledger, make_private

EPSILON, DELTA = 8.0, 1e-5
BATCH, STEPS, CLIP_NORM, LEARNING_RATE = 4_096, 2_000, 1.0, 4.0
AUGMENTATIONS, AVERAGE = 16, 0.9999

# --- The network ----------------------------------------------------------------------------------------------------------


class StandardizedConv2d(nn.Conv2d):
    """A convolution whose filters have mean 0 and variance 1 / fan-in: a map of the weights, no row is looked at."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
        self.gain = nn.Parameter(torch.ones(outputs))

    def forward(self, x: Tensor) -> Tensor:
        fan_in = self.weight[0].numel()
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, unbiased=False)
        scaled = (self.weight - mean) / torch.sqrt(variance * fan_in + 1e-4)
        return functional.conv2d(x, scaled * self.gain.view(-1, 1, 1, 1), self.bias, self.stride, self.padding)


class Block(nn.Module):
    """Normalize, activate, convolve, twice; and around it the input, convolved where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(16, inputs), nn.GroupNorm(16, outputs)
        self.conv1, self.conv2 = StandardizedConv2d(inputs, outputs, 3, stride), StandardizedConv2d(outputs, outputs, 3)
        self.around = StandardizedConv2d(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.norm1(x))
        straight = x if self.around is None else self.around(active)
        return straight + self.conv2(functional.relu(self.norm2(self.conv1(active))))


def wide_residual_network(depth: int = 16, width: int = 4) -> nn.Sequential:
    """Return WRN-depth-width for images of shape (B, 3, 32, 32) and ten classes."""
    blocks, channels = (depth - 4) // 6, 16
    layers: list[nn.Module] = [StandardizedConv2d(3, channels, 3)]
    for stage, outputs in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range(blocks):
            layers.append(Block(channels, outputs, stride=2 if stage and not block else 1))
            channels = outputs
    return nn.Sequential(
        *layers, nn.GroupNorm(16, channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)
    )


class Views(nn.Module):
    """The network seen through several augmentations of each image: (B, K, 3, 32, 32) to (B, K, 10).

    The engine must know that K consecutive rows inside belong to one example, so that they are clipped together: this is what
    augmentation multiplicity adds to DP-SGD, at no cost in epsilon.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network(x.flatten(0, 1))
        return scores.unflatten(0, x.shape[:2])


# --- The data: maps of one image at a time --------------------------------------------------------------------------------


def read(file: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images, shape (n, 3, 32, 32), scaled from 0..255 to [-1, 1], and labels, to train on and to measure on."""
    with np.load(file) as data:
        images = [torch.from_numpy(data[name]).permute(0, 3, 1, 2).float() / 127.5 - 1 for name in ("train_x", "test_x")]
        labels = [torch.from_numpy(data[name].astype(np.int64)) for name in ("train_y", "test_y")]
    return images[0], labels[0], images[1], labels[1]


def augmented(images: Tensor, views: int) -> Tensor:
    """Return `views` random mirrorings and shifts by up to 4 pixels of each image, shape (B, views, 3, 32, 32)."""
    count, _, height, width = images.shape
    where = {"device": images.device}
    down, right = (torch.randint(0, 9, (count, views, 1), **where) for _ in range(2))
    mirror = torch.rand(count, views, 1, **where) < 0.5
    rows = torch.arange(height, **where) + down
    columns = torch.arange(width, **where) + right
    columns = torch.where(mirror, columns.flip(-1), columns)
    padded = functional.pad(images, (4, 4, 4, 4), mode="reflect")
    which = torch.arange(count, **where)[:, None, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows[..., :, None], columns[..., None, :]].permute(0, 1, 4, 2, 3)


# --- The training ---------------------------------------------------------------------------------------------------------


def main(file: Path, quick: bool = False, views: int = AUGMENTATIONS) -> float:
    """Train, print what it cost and how well it does, and return the averaged model's accuracy on the test images."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels, images_test, labels_test = (part.to(device) for part in read(file))
    if quick:
        images, labels, images_test, labels_test, views = images[:256], labels[:256], images_test[:256], labels_test[:256], 2
    batch = 64 if quick else BATCH
    steps = 2 if quick else STEPS

    torch.manual_seed(0)  # the start and the augmentations are public; the noise and the draws of rows are not seeded
    model = Views(wide_residual_network(width=1 if quick else 4)).to(device)
    average = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    with tempfile.TemporaryDirectory() as here, Ledger.open(Path(here) / "ledger.sqlite") as ledger:
        ledger.grant("cifar10", epsilon=EPSILON, delta=DELTA, note="an example")
        private = make_private(
            model,
            optimizer,
            (images, labels),
            epsilon=EPSILON,
            delta=DELTA,
            clip_norm=CLIP_NORM,
            batch_size=batch,
            epochs=steps * batch / len(images),
            ledger=ledger,
            budget="cifar10",
            request_id="wrn",
            max_physical_batch=64,
        )
        for x, y in private.batches():
            before = private.step
            scores = model(augmented(x, views))  # (B, K, 10)
            losses = functional.cross_entropy(scores.flatten(0, 1), y.repeat_interleave(views), reduction="none")
            private.backward(losses.unflatten(0, (-1, views)).mean(dim=1))  # an image's views are averaged, then clipped
            optimizer.step()
            if private.step > before:
                _follow(average, model, private.step)
                if private.step % 50 == 0:
                    print(f"step {private.step} of {private.plan.steps}")
        private.finish()
        right = accuracy(average, images_test, labels_test)
        print(f"{right:.2%} of {len(labels_test)} test images right, for {ledger.spent('cifar10')}")
    return right


def _follow(average: nn.Module, model: nn.Module, step: int) -> None:
    """Move the averaged weights toward the model's; early on faster, so that the start is forgotten. Post-processing, free."""
    keep = min(AVERAGE, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, value in zip(average.parameters(), model.parameters(), strict=True):
            mean.lerp_(value, 1 - keep)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images that the model labels right, without augmentation. Exact: of test images only."""
    with torch.no_grad():
        right = sum(
            int((model(x[:, None])[:, 0].argmax(dim=1) == y).sum())
            for x, y in zip(images.split(500), labels.split(500), strict=True)
        )
    return right / len(labels)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--quick", action="store_true", help="few images and a narrow network: to see it run anywhere")
    arguments.add_argument("--views", type=int, default=AUGMENTATIONS, help="augmentations of each image (K)")
    options = arguments.parse_args()
    main(options.file, options.quick, options.views)
