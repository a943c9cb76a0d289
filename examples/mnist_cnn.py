"""A small convolutional network on MNIST with differential privacy, in an ordinary torch loop.

    python examples/mnist_cnn.py FOLDER           # FOLDER holds MNIST's four files, *-idx?-ubyte.gz
    python examples/mnist_cnn.py FOLDER --quick   # a thirtieth of the rows and few steps: to see it run

Network and settings are those of the end-to-end network in Tramer & Boneh 2021 (arXiv:2011.11660), which reports 98.1 % at epsilon 3
and delta 1e-5; none was chosen by looking at a score here.
"""

import argparse
import gzip
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tacit import Ledger, make_private

EPSILON, DELTA = 3.0, 1e-5
BATCH, EPOCHS, CLIP_NORM, LEARNING_RATE, MOMENTUM = 512, 40, 0.1, 0.5, 0.9


def read(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Return images, shape (n, 1, 28, 28), scaled by the declared range 0..255, and digits, shape (n,)."""
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    digits = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return torch.from_numpy(pixels), torch.from_numpy(np.frombuffer(digits, np.uint8, offset=8).astype(np.int64))


def network() -> nn.Sequential:
    """Tanh keeps activations bounded, which private training likes (Papernot et al. 2021, arXiv:2007.14191)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=8, stride=2, padding=2),
        nn.Tanh(),
        nn.MaxPool2d(kernel_size=2, stride=1),
        nn.Conv2d(16, 32, kernel_size=4, stride=2),
        nn.Tanh(),
        nn.MaxPool2d(kernel_size=2, stride=1),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 32),
        nn.Tanh(),
        nn.Linear(32, 10),
    )


def accuracy(model: nn.Module, images: Tensor, digits: Tensor) -> float:
    """Return the share of images whose digit the model names. On private rows this is an exact statistic: keep it inside."""
    with torch.no_grad():
        right = [(model(x).argmax(dim=1) == y).sum() for x, y in zip(images.split(1_000), digits.split(1_000), strict=True)]
    return float(sum(right) / len(digits))


def main(folder: Path, quick: bool = False) -> float:
    """Train, print what it cost and how well it does, and return the accuracy on the test images."""
    images, digits = read(folder, "train")
    images_test, digits_test = read(folder, "t10k")
    if quick:
        images, digits = images[:2_000], digits[:2_000]

    torch.manual_seed(0)  # the start is public; the noise and the draws of rows are not seeded
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0 if quick else LEARNING_RATE, momentum=MOMENTUM)

    with tempfile.TemporaryDirectory() as here, Ledger.open(Path(here) / "ledger.sqlite") as ledger:
        ledger.grant("mnist", epsilon=EPSILON, delta=DELTA, note="an example")
        private = make_private(
            model,
            optimizer,
            (images, digits),
            epsilon=EPSILON,
            delta=DELTA,
            clip_norm=CLIP_NORM,
            batch_size=256 if quick else BATCH,
            epochs=8 if quick else EPOCHS,
            ledger=ledger,
            budget="mnist",
            request_id="cnn",
        )
        for x, y in private.batches():
            private.backward(nn.functional.cross_entropy(model(x), y, reduction="none"))
            optimizer.step()
            if private.step % 100 == 0:
                print(f"step {private.step} of {private.plan.steps}")
        private.finish()
        right = accuracy(model, images_test, digits_test)
        print(f"{right:.2%} of {len(digits_test)} test images right, for {ledger.spent('mnist')}")
    return right


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--quick", action="store_true", help="a thirtieth of the rows and few steps")
    options = arguments.parse_args()
    main(options.folder, options.quick)
