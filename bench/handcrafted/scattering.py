"""The scattering transform of images: fixed wavelets, moduli and averages; nothing in it is learned or looks at other images.

Bruna & Mallat 2013 (arXiv:1203.1513), section 2, with the Morlet wavelets and constants of that literature: at scale 2^j the
central frequency is 3 pi / (4 2^j), the width 0.8 * 2^j and the ratio of its axes 4 / angles; the averaging Gaussian has the width
0.8 * 2^(scales - 1). Order 0 averages the image, order 1 its wavelets' moduli, order 2 the moduli of coarser wavelets on those.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

_WIDTH, _FREQUENCY = 0.8, 3 * math.pi / 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Scattering:
    """What to compute of square images; every image is a row map, so one record's features depend on that record alone.

    size   -- pixels along a side; a multiple of 2^scales.
    scales -- J >= 1: the output has size / 2^J positions along a side.
    angles -- L >= 1: orientations of the wavelets in half a turn.
    """

    size: int
    scales: int = 2
    angles: int = 8

    @property
    def channels(self) -> int:
        """1 + J L + J (J - 1) / 2 L^2: orders 0, 1 and 2; 81 for two scales and eight angles."""
        pairs = self.scales * (self.scales - 1) // 2
        return 1 + self.scales * self.angles + pairs * self.angles**2

    @property
    def padded(self) -> int:
        """The side after 2^J mirrored pixels at each edge, so that circular convolution does not join opposite edges."""
        return self.size + 2 * (1 << self.scales)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the coefficients, shape (B, channels, size / 2^J, size / 2^J), float32, ordered by order, scale and angle.

        images -- shape (B, size, size), float32.
        """
        margin = 1 << self.scales
        spectrum = torch.fft.fft2(pad(images[:, None], (margin,) * 4, mode="reflect"))  # (B, 1, padded, padded)
        orders: list[list[Tensor]] = [[self._average(torch.fft.ifft2(spectrum).real, step=1)], [], []]
        for scale in range(self.scales):
            first = self._moduli(spectrum, scale, step=1)  # (B, L, padded / 2^scale, padded / 2^scale)
            orders[1].append(self._average(first, step=2**scale))
            inner = torch.fft.fft2(first)
            for coarser in range(scale + 1, self.scales):
                second = self._moduli(inner[:, :, None], coarser, step=2**scale).flatten(1, 2)
                orders[2].append(self._average(second, step=2**coarser))
        return torch.cat([part for order in orders for part in order], dim=1)

    def _moduli(self, spectrum: Tensor, scale: int, step: int) -> Tensor:
        """Return |x * wavelet| at every angle, kept at each 2^scale-th pixel of the image; axis -3 is the angle.

        spectrum -- of x known at every step-th pixel, with an axis of one where the angles go.
        """
        side = spectrum.shape[-1]
        filters = torch.stack([wavelet(side, scale, angle, self.angles, step) for angle in range(self.angles)])
        ratio = 2**scale // step
        bands = (spectrum * filters).unflatten(-1, (ratio, side // ratio)).unflatten(-3, (ratio, side // ratio))
        folded: Tensor = bands.mean(dim=(-4, -2))  # keeping each ratio-th pixel folds the spectrum
        moduli: Tensor = torch.fft.ifft2(folded).abs()
        return moduli

    def _average(self, maps: Tensor, step: int) -> Tensor:
        """Return the maps averaged over windows of width 0.8 * 2^(J - 1) and kept at each 2^J-th pixel, margins left out."""
        keep: Tensor = averaging(self.padded, self.scales, step)[1:-1].to(maps)
        return keep @ maps @ keep.T


@lru_cache
def wavelet(side: int, scale: int, angle: int, angles: int, step: int) -> Tensor:
    """Return the Morlet wavelet's transfer function, real, shape (side, side), on the grid of every step-th pixel.

    A Gaussian around the central frequency less one around zero, so that the mean is exactly 0.
    """
    turn = (angles - angles // 2 - 1 - angle) * math.pi / angles
    width, slant, center = _WIDTH * 2**scale / step, 4 / angles, _FREQUENCY * step / 2**scale

    def bump(at: float) -> Tensor:
        total = torch.zeros(side, side, dtype=torch.float64)
        for vertical in range(-2, 3):  # sampling in space repeats the spectrum with period 2 pi
            for horizontal in range(-2, 3):
                y, x = (_frequencies(side) + 2 * math.pi * shift for shift in (vertical, horizontal))
                along = math.cos(turn) * y[:, None] + math.sin(turn) * x
                across = math.cos(turn) * x - math.sin(turn) * y[:, None]
                total += torch.exp(-0.5 * width**2 * ((along - at) ** 2 + (across / slant) ** 2))
        return total

    oscillating, flat = bump(center), bump(0.0)
    return (oscillating - oscillating[0, 0] / flat[0, 0] * flat).float()


def averaging(side: int, scales: int, step: int) -> Tensor:
    """Return the matrix, shape (side / 2^J, side / step), that averages a line known at each step-th pixel around each 2^J-th one."""
    here = torch.arange(0, side, step, dtype=torch.float64)
    there = torch.arange(0, side, 2**scales, dtype=torch.float64)
    distance = here - there[:, None]
    width = _WIDTH * 2 ** (scales - 1)
    around = torch.stack([torch.exp(-(((distance + turn * side) / width) ** 2) / 2) for turn in range(-2, 3)]).sum(dim=0)
    weights: Tensor = around * step / (width * math.sqrt(2 * math.pi))
    return weights


def _frequencies(side: int) -> Tensor:
    return 2 * math.pi * torch.arange(side, dtype=torch.float64) / side
