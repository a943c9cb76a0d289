"""Every example's weight gradient as a stored vector, in chunks that fit the cache; their lengths, and their clipped sum."""

from collections.abc import Iterator

import torch
from torch import Tensor

from tacit.noise.sensitivity import BLOCK
from tacit.train.torch.convolution.geometry import Convolution, columns
from tacit.train.torch.scratch import Scratch
from tacit.train.torch.sums import squared_lengths

CHUNK_BYTES, CHUNK_ROWS = 4 * 2**20, 4
"""One chunk's columns and vectors take at most these bytes, or these rows where one row alone is large.

More than about 20 MiB fall out of the cache and take twice the time; less, and every call finds the interpreter out of cache; fewer
than four rows leave threads without work.
"""


def stored_vectors(x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch) -> tuple[Tensor, Tensor]:
    """Return every example's weight gradient, shape (B, weights), own memory, and its squared length, float64, shape (B,).

    `convolution.as_weight` gives the vectors the weight's shape. They are measured while they are in the cache.

    x -- (B, d, *size_in), the input; g -- (B, p, *size_out), the gradient of the output; both float32 or both float64,
    on one device: half precision is cast before, since norms and sums are at least float32.
    Row i depends on example i alone, whatever the others hold.
    """
    vectors = x.new_empty(x.shape[0], convolution.weights)
    squared = torch.empty(x.shape[0], dtype=torch.float64, device=x.device)
    for rows in _chunks(x, convolution, limit=max(1, x.shape[0])):
        squared[rows] = squared_lengths(_fill(vectors[rows], x[rows], g[rows], convolution, scratch))
    return vectors, squared


def per_example_gradients(x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return every example's weight gradient in the weight's shape: (B, p, d / groups, *kernel)."""
    vectors, _ = stored_vectors(x, g, convolution, scratch)
    return convolution.as_weight(vectors)


def stored_squared_norms(x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    """Return every example's squared gradient norm, float64, shape (B,), keeping no gradient."""
    squared = torch.empty(x.shape[0], dtype=torch.float64, device=x.device)
    for rows in _chunks(x, convolution, limit=max(1, x.shape[0])):
        squared[rows] = squared_lengths(_chunk(x[rows], g[rows], convolution, scratch))
    return squared


def weighted_blocks(
    x: Tensor, g: Tensor, factors: Tensor, allowed: Tensor, keep: Tensor, convolution: Convolution, scratch: Scratch
) -> Iterator[Tensor]:
    """Yield, for every BLOCK examples by position, the sum of factor * gradient, in the weight's shape; read it before the next.

    factors -- (B,), float64, finite and >= 0: what example i's gradient is multiplied by.
    allowed -- (B,), float64, >= 0: the L2 length that the factor was computed for. Every vector is measured on the very bits
               that are added; a longer one is multiplied by factor * allowed / length instead, so that no error of the
               norms, whichever way they were computed, reaches the sum (tacit.noise.sensitivity, norm_error).
    keep    -- (B,), bool: the others, and examples whose gradient is not finite, are selected away, never multiplied by zero.
    """
    for start in range(0, x.shape[0], BLOCK):
        block = scratch.take("block", (1, convolution.weights), x)
        end = min(start + BLOCK, x.shape[0])
        for number, rows in enumerate(_chunks(x[start:end], convolution, limit=BLOCK)):
            rows = slice(start + rows.start, start + rows.stop)
            vectors = _chunk(x[rows], g[rows], convolution, scratch)
            lengths = squared_lengths(vectors).sqrt()
            chosen = keep[rows] & lengths.isfinite()
            if not chosen.all():
                vectors.masked_fill_(~chosen[:, None], 0.0)
            shrink = torch.where(chosen & (lengths > allowed[rows]), allowed[rows] / lengths, 1.0)
            scales = (torch.where(chosen, factors[rows], 0.0) * shrink).to(x.dtype)[None]
            # one tree of at most BLOCK leaves, whichever way the chunks are chained: what step 1 of the proof asks for
            torch.mm(scales, vectors, out=block) if number == 0 else block.addmm_(scales, vectors)
        yield convolution.as_weight(block[0])


def weighted_sum(
    x: Tensor,
    g: Tensor,
    factors: Tensor,
    allowed: Tensor,
    keep: Tensor,
    convolution: Convolution,
    scratch: Scratch,
    out: Tensor,
) -> None:
    """Add the sum of factor * gradient over the kept examples to out, in the weight's shape; see weighted_blocks."""
    for block in weighted_blocks(x, g, factors, allowed, keep, convolution, scratch):
        out.add_(block)


def _chunks(x: Tensor, convolution: Convolution, limit: int) -> Iterator[slice]:
    """Cut the rows into chunks whose columns and vectors stay within CHUNK_BYTES, but CHUNK_ROWS at least and limit at most."""
    row = (convolution.copied + convolution.weights) * x.element_size()
    step = min(limit, max(CHUNK_ROWS, CHUNK_BYTES // row))
    for start in range(0, x.shape[0], step):
        yield slice(start, min(start + step, x.shape[0]))


def _chunk(x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    vectors = scratch.take("vectors", (x.shape[0], convolution.weights), x)
    return _fill(vectors, x, g, convolution, scratch)


def _fill(vectors: Tensor, x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch) -> Tensor:
    products = vectors.view(-1, convolution.channels_out // convolution.groups, convolution.depth)
    if convolution.shared:
        _fill_by_rows(products, x, g, convolution, scratch)
    else:
        torch.bmm(convolution.gradients(g), columns(x, convolution, scratch), out=products)
    return vectors


def _fill_by_rows(products: Tensor, x: Tensor, g: Tensor, convolution: Convolution, scratch: Scratch) -> None:
    """Fill products (rows * groups, p / groups, depth), depth ordered (*kernel, channel), kernel row by kernel row."""
    shared, gradients = columns(x, convolution.rows, scratch), convolution.gradients(g)
    size, places = convolution.kernel[0], convolution.positions
    step = convolution.dilation[0] * (places // convolution.size_out[0])
    parts = scratch.take("parts", (size, *products.shape[:2], shared.shape[2]), x)
    for number, part in enumerate(parts):
        torch.bmm(gradients, shared[:, number * step : number * step + places], out=part)
    products.unflatten(2, (size, -1)).copy_(parts.movedim(0, 2))
