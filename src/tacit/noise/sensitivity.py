"""The proof that clipping, float error and rounding together keep a rounded sum's L2 sensitivity at the clip norm C.

Setting. Units i = 1..n contribute stored float vectors v_i of shape (d,), each clipped so that
|v_i| <= (1 + norm_error) T, T = clip_target(C) <= C (1 - 2^-9). The sum S is formed in blocks of at most b contributions: a
block's sum in arithmetic of unit roundoff u, in any order, by any sum or matrix product; the blocks' sums one after another
in float64. Neighbours differ by replacing one v_i with zero in its place (tacit.privacy.Neighbours.ZERO_OUT), so all other
blocks have the same bits in both, provided that a block's sum is a function of its members alone.
Release: round(S / g), g = grid_step(C, d).

Claim. Neighbours' rounded sums differ by at most T + (float error) + sqrt(d) g in L2.

1. Blocks. With gamma_k(u) = k u / (1 - k u), a computed block sum is off by at most gamma_b(u) times the sum of its members'
   absolute values, coordinate by coordinate (Higham 2002, Accuracy and Stability, section 3.1 and eq. 3.5; holds for
   any order and for products with one rounding each). The triangle inequality for the vectors of absolute values gives at
   most beta = gamma_b(u) b (1 + norm_error) T in L2; zero for b = 1. Only one block differs: 2 beta for both neighbours.
2. Adding up m = ceil(n / b) blocks in float64 is off by at most gamma_m(2^-53) times the sum of their lengths, which is at
   most n (1 + norm_error) T (1 + gamma_b(u)); twice for both neighbours.
3. Exactly, the sums differ by |v_i| <= (1 + norm_error) T.
   So computed sums differ by at most T + E with
   E = norm_error T + 2 beta + 2 gamma_m(2^-53) n (1 + norm_error) T (1 + gamma_b(u)).
4. Rounding moves each coordinate of each neighbour by at most g/2, so the difference by at most g per coordinate, sqrt(d) g in
   L2. S / g itself is exact, g being a power of two, and so is everything after it, being integers below 2^53.

Sum: C (1 - 2^-9) + E + 2^-10 C <= C whenever E <= 2^-10 C. Then the event states noise_multiplier = sigma with no correction,
since adding round(sigma C Z / g) to the rounded sum is rounding (rounded sum / g + sigma C Z / g), a post-processing.

What this means in practice: blocks formed in float64 (u = 2^-53) or stored float32 vectors added in float64 (b = 1) hold for
two million contributions and more; blocks formed in float32 (u = 2^-24) hold only up to b = 90.
"""

import math
from dataclasses import dataclass

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import clip_target, grid_step

FLOAT32 = 2.0**-24
FLOAT64 = 2.0**-53
"""Unit roundoffs: half the distance from 1 to the next number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensitivity:
    """Upper bounds, in the unit of the sum, whose total bounds the L2 distance of two neighbours' rounded sums.

    clipping -- one contribution's length; float_error -- norms and additions; rounding -- both sums to the grid.
    """

    clipping: float
    float_error: float
    rounding: float

    @property
    def total(self) -> float:
        return math.fsum((self.clipping, self.float_error, self.rounding))


def sum_sensitivity(
    *, clip_norm: float, dimension: int, contributions: int, block: int = 1, roundoff: float = FLOAT64, norm_error: float = 0.0
) -> Sensitivity:
    """Return the proved sensitivity of a rounded sum, part by part; its total is at most clip_norm.

    contributions -- n >= 1: most that one sum holds.
    block         -- b >= 1: most contributions that are added before float64 takes over; 1 for stored vectors added in float64.
    roundoff      -- u of the arithmetic inside a block: FLOAT32 or FLOAT64.
    norm_error    -- relative error of the norms that clipping used; >= 0.
    Raises PrivacyError when the proof does not hold for these numbers, ConfigError when one is out of range.
    """
    if contributions < 1 or block < 1 or not 0 < roundoff < 1 or not norm_error >= 0:
        raise ConfigError(
            "contributions and block must be >= 1, roundoff between 0 and 1 and norm_error >= 0, got "
            f"{contributions}, {block}, {roundoff}, {norm_error}. They describe how the sum is formed."
        )
    target = clip_target(clip_norm)
    longest = (1 + norm_error) * target
    inside = 0.0 if block == 1 else _gamma(block, roundoff)
    blocks = _gamma(math.ceil(contributions / block), FLOAT64) * contributions * (1 + inside)
    error = norm_error * target + 2 * longest * (inside * block + blocks)
    bound = Sensitivity(clipping=target, float_error=error, rounding=math.sqrt(dimension) * grid_step(clip_norm, dimension))
    if not error <= 2.0**-10 * clip_norm:
        raise PrivacyError(
            f"a sum of {contributions} contributions in blocks of {block} (roundoff {roundoff:.3g}, norm error {norm_error:.3g}) "
            f"can be off by {error / clip_norm:.3g} clip norms; the clip margin covers 2^-10 = {2.0**-10:.3g}. "
            "Form the blocks in float64, or make them smaller: at most 90 contributions in float32."
        )
    return bound


def _gamma(count: int, roundoff: float) -> float:
    """Return Higham's gamma_count = count u / (1 - count u), or infinity where it is not defined."""
    share = count * roundoff
    return share / (1 - share) if share < 1 else math.inf
