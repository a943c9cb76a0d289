"""The accuracy bench's scattering transform against wavelets written down in space and applied by direct sums."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

SIZE, MARGIN, ANGLES = 28, 4, 8


@pytest.fixture
def scattering(handcrafted: Callable[[str], Any]) -> Any:
    return handcrafted("scattering")


def gabor(scale: int, angle: int, frequency: float, reach: int) -> NDArray[np.complex128]:
    """Return a normal density times a wave on the pixels of [-reach, reach]^2, from its formula in space."""
    turn = (3 - angle) * math.pi / ANGLES
    width, slant = 0.8 * 2**scale, 4 / ANGLES
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    along, across = math.cos(turn) * y + math.sin(turn) * x, math.cos(turn) * x - math.sin(turn) * y
    envelope = np.exp(-(along**2 + (slant * across) ** 2) / (2 * width**2)) * slant / (2 * math.pi * width**2)
    waves: NDArray[np.complex128] = envelope * np.exp(1j * frequency * along)
    return waves


def morlet(scale: int, angle: int, reach: int = 20) -> NDArray[np.complex128]:
    wave, flat = gabor(scale, angle, 3 * math.pi / 4 / 2**scale, reach), gabor(scale, angle, 0.0, reach)
    balanced: NDArray[np.complex128] = wave - wave.sum() / flat.sum() * flat
    return balanced


def around(image: NDArray[np.float64], kernel: NDArray[np.complex128], y: int, x: int) -> complex:
    """Return the circular convolution of the image with the kernel at one pixel, by its definition."""
    side, reach = len(image), len(kernel) // 2
    steps = np.arange(-reach, reach + 1)
    return complex((image[np.ix_((y - steps) % side, (x - steps) % side)] * kernel).sum())


def smoothing(side: int, at: int) -> NDArray[np.float64]:
    """Return the averaging weights of every pixel of a line around one of them: width 0.8 * 2, wrapped at the ends."""
    distance = (np.arange(side) - at + side / 2) % side - side / 2
    weights: NDArray[np.float64] = np.exp(-(distance**2) / (2 * 1.6**2))
    weights /= weights.sum()
    return weights


@pytest.mark.parametrize(("scale", "angle", "row", "column"), [(0, 0, 0, 0), (0, 5, 3, 6), (1, 2, 4, 1), (1, 7, 6, 6)])
def test_first_order_coefficients_are_those_of_direct_convolution(
    scattering: Any, scale: int, angle: int, row: int, column: int
) -> None:
    image = np.random.default_rng(3).random((SIZE, SIZE))
    found = scattering.Scattering(size=SIZE)(torch.from_numpy(image[None]).float())[0, 1 + 8 * scale + angle, row, column]
    padded = np.pad(image, MARGIN, mode="reflect")
    side, kernel = len(padded), morlet(scale, angle)
    # the modulus at scale 1 is known at every other pixel, which is where the transform averages it
    pixels = list(range(0, side, 2**scale))
    modulus = np.array([[abs(around(padded, kernel, y, x)) for x in pixels] for y in pixels])
    down, right = (smoothing(side, 4 * (at + 1))[pixels] * 2**scale for at in (row, column))
    assert float(found) == pytest.approx(float(down @ modulus @ right), rel=2e-4)


def test_second_order_coefficients_average_the_coarser_wavelet_on_the_finer_modulus(scattering: Any) -> None:
    image = np.random.default_rng(4).random((SIZE, SIZE))
    found = scattering.Scattering(size=SIZE)(torch.from_numpy(image[None]).float())[0, 17 + 8 * 2 + 6, 2, 5]
    padded = np.pad(image, MARGIN, mode="reflect")
    side = len(padded)
    first = np.array([[abs(around(padded, morlet(0, 2, 12), y, x)) for x in range(side)] for y in range(side)])
    pixels = list(range(0, side, 2))
    second = np.array([[abs(around(first, morlet(1, 6, 24), y, x)) for x in pixels] for y in pixels])
    down, right = (smoothing(side, 4 * (at + 1))[pixels] * 2 for at in (2, 5))
    assert float(found) == pytest.approx(float(down @ second @ right), rel=2e-3)


def test_two_scales_and_eight_angles_make_81_channels_of_a_quarter_of_the_side(scattering: Any) -> None:
    transform = scattering.Scattering(size=32)
    assert transform.channels == 81
    assert transform(torch.rand(2, 32, 32)).shape == (2, 81, 8, 8)


def test_one_images_coefficients_do_not_depend_on_the_others(scattering: Any) -> None:
    images = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    changed = images.clone()
    changed[1] = 0
    before, after = (scattering.Scattering(size=SIZE)(one)[[0, 2]] for one in (images, changed))
    assert torch.equal(before, after)


def test_a_constant_image_has_no_coefficients_but_its_mean(scattering: Any) -> None:
    flat = scattering.Scattering(size=SIZE)(torch.full((1, SIZE, SIZE), 0.5))[0]
    assert torch.allclose(flat[0], torch.tensor(0.5), atol=1e-4)
    assert float(flat[1:].abs().max()) < 1e-5
