"""The proof that clipping, float error and rounding together keep a rounded sum's L2 sensitivity at the clip norm C.

Setting. Units i = 1..n contribute vectors v_i of shape (d,): stored float vectors, or outer products of two stored vectors,
each clipped so that |v_i| <= (1 + norm_error) T, T = clip_target(C) <= C (1 - 2^-9). The sum S is formed on three levels: at
most b contributions by one sum or product, in any order, in arithmetic of unit roundoff u; at most m of these blocks one
after another in the same arithmetic; these groups one after another in float64. Neighbours differ by replacing one v_i with
zero in its place (tacit.privacy.Neighbours.ZERO_OUT), and which contribution belongs to which block depends on its place
alone, so all other blocks have the same bits in both, a block's sum being a function of its members.
Release: round(S / g), g = grid_step(C, d).

Claim. Neighbours' rounded sums differ by at most T + (float error) + sqrt(d) g in L2.

1. Blocks. In one coordinate c a sum in any order is a binary tree: leaf i is multiplied by at most (1 + u)^k, k = its depth plus
   one rounding of its product, so it is off by at most gamma_k |v_ic|, gamma_k = k u / (1 - k u) (Higham 2002, Accuracy and
   Stability, Lemma 3.1 and section 4.2). The tree may differ from coordinate to coordinate. By Cauchy and Schwarz the error
   in c is at most (sum of v_ic^2)^1/2 (sum of gamma_k^2)^1/2, the last factor being largest for the chain, whose k are b, b,
   b-1, ..., 2. Summed over coordinates: beta = sqrt(b) (sum of gamma_k^2)^1/2 (1 + norm_error) T in L2; zero for b = 1.
   Only one block differs: 2 beta for both neighbours.
2. Groups. Adding block j = 2..m to those before rounds a vector of length at most j b (1 + norm_error) T (1 + gamma_b) (1 + u)^j once:
   u times the sum of these; twice for both neighbours. Only one group differs.
3. Adding up q groups in float64, ceil(n / (b' m)) + 1 of them when no block but the last holds fewer than b' contributions, is off
   by at most gamma_q(2^-53) times the sum of their lengths, which is at most n (1 + norm_error) T (1 + gamma_b) (1 + u)^m; twice
   for both neighbours. When p processes each add up their groups, at most q of them, and their sums are added in any order, a
   group takes part in at most q + p - 1 additions: gamma_(q+p-1).
4. Exactly, the sums differ by |v_i| <= (1 + norm_error) T. So computed sums differ by at most T + E, E = norm_error T + the above.
5. Rounding moves each coordinate of each neighbour by at most g/2, so the difference by at most g per coordinate, sqrt(d) g in
   L2. S / g itself is exact, g being a power of two, and so is everything after it, being integers below 2^53.

Sum: C (1 - 2^-9) + E + 2^-10 C <= C whenever E <= 2^-10 C. Then the event states noise_multiplier = sigma with no correction,
since adding round(sigma C Z / g) to the rounded sum is rounding (rounded sum / g + sigma C Z / g), a post-processing.
A vector kept in several pieces (one per parameter) obeys the same bound, by Minkowski's inequality for the vector of pieces.

What this means in practice: BLOCK = 64 contributions in float32, GROUP = 8 blocks in float32 and float64 from there leave room
for norms that are off by 3 * 2^-14 and for millions of contributions; a plain float32 sum holds only up to 118.
"""

import math
from dataclasses import dataclass

from tacit.errors import ConfigError, PrivacyError
from tacit.noise.grid import clip_target, grid_step

FLOAT32 = 2.0**-24
FLOAT64 = 2.0**-53
"""Unit roundoffs: half the distance from 1 to the next number."""

BLOCK, GROUP = 64, 8
"""Contributions added at once, and blocks added one after another, in float32 before float64 takes over."""


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
    *,
    clip_norm: float,
    dimension: int,
    contributions: int,
    block: int = 1,
    group: int = 1,
    processes: int = 1,
    roundoff: float = FLOAT64,
    norm_error: float = 0.0,
    smallest_block: int | None = None,
) -> Sensitivity:
    """Return the proved sensitivity of a rounded sum, part by part; its total is at most clip_norm.

    contributions -- n >= 1: most that one sum holds.
    block         -- b >= 1: most contributions that are added at once; 1 for stored vectors.
    group         -- m >= 1: most blocks added one after another before float64 takes over.
    smallest_block -- least contributions in any block but the last; block by default.
    processes     -- p >= 1: how many sums, each formed so, are added up in float64.
    roundoff      -- u of the arithmetic inside blocks and groups: FLOAT32 or FLOAT64.
    norm_error    -- relative error of the norms that clipping used; >= 0.
    Raises PrivacyError when the proof does not hold for these numbers, ConfigError when one is out of range.
    """
    if min(contributions, block, group, processes) < 1 or not 0 < roundoff < 1 or not norm_error >= 0:
        raise ConfigError(
            "contributions, block, group and processes must be >= 1, roundoff between 0 and 1 and norm_error >= 0, got "
            f"{contributions}, {block}, {group}, {processes}, {roundoff}, {norm_error}. They describe how the sum is formed."
        )
    target = clip_target(clip_norm)
    inside, between, grown = _block_error(block, roundoff), _group_error(block, group, roundoff), _growth(block, group, roundoff)
    least = block if smallest_block is None else smallest_block
    groups = math.ceil(contributions / (least * group)) + (least < block)  # the last one may hold padding alone
    across = _gamma(groups + processes - 1, FLOAT64) * contributions * grown
    error = norm_error * target + 2 * (1 + norm_error) * target * (inside + between + across)
    bound = Sensitivity(clipping=target, float_error=error, rounding=math.sqrt(dimension) * grid_step(clip_norm, dimension))
    if not error <= 2.0**-10 * clip_norm:
        raise PrivacyError(
            f"a sum of {contributions} contributions in blocks of {block} and groups of {group} (roundoff {roundoff:.3g}, norm error "
            f"{norm_error:.3g}) can be off by {error / clip_norm:.3g} clip norms; the clip margin covers 2^-10 = {2.0**-10:.3g}. "
            f"Form blocks of {BLOCK} and groups of {GROUP} in float32, or use float64."
        )
    return bound


def _block_error(block: int, roundoff: float) -> float:
    """Return beta of step 1 in clip targets: the L2 error of a block of contributions of length 1."""
    if block == 1:
        return 0.0
    roundings = [block, *range(block, 1, -1)]
    return math.sqrt(block) * math.sqrt(math.fsum(_gamma(count, roundoff) ** 2 for count in roundings))


def _group_error(block: int, group: int, roundoff: float) -> float:
    """Return the L2 error of step 2 in clip targets."""
    return roundoff * _growth(block, group, roundoff) * block * (group * (group + 1) / 2 - 1)


def _growth(block: int, group: int, roundoff: float) -> float:
    """Return how much longer a computed group may be than the sum of its contributions' lengths."""
    return (1 + (0.0 if block == 1 else _gamma(block, roundoff))) * (1 + roundoff) ** group


def _gamma(count: int, roundoff: float) -> float:
    """Return Higham's gamma_count = count u / (1 - count u), or infinity where it is not defined."""
    share = count * roundoff
    return share / (1 - share) if share < 1 else math.inf
