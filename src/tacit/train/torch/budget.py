"""How many bytes of per-example gradients are kept from the norms to the sum, and of which parameters."""

from tacit.errors import ConfigError
from tacit.train.torch.convolution import Convolution, Method, choose, plan

DEFAULT_BYTES = 96 << 20


class Budget:
    """Says whose gradients are kept, so that they never take more than `limit` bytes together.

    A micro-batch is planned as a whole from the convolutions that the last one had, the probe at attach among them: those are kept first
    where a byte saves most time. What was not foreseen, and all that is no convolution, is served in the order in which gradients arrive. Only
    sizes decide, never values: which way a gradient takes is part of the order in which sums are formed.
    """

    def __init__(self, limit: int = DEFAULT_BYTES) -> None:
        if limit < 0:
            raise ConfigError(f"the byte budget for kept gradients must be >= 0, got {limit}. 0 keeps none, which is slower.")
        self.limit, self._left = limit, limit
        self._seen: dict[str, Convolution] = {}
        self._planned: dict[tuple[str, Convolution, int], Method] = {}

    def start(self, rows: int) -> None:
        """Begin a micro-batch of so many rows: what was kept is gone; what the last one asked for is planned as a whole."""
        self._left = self.limit
        wanted = [(name, geometry, rows) for name, geometry in self._seen.items()]
        if any(one not in self._planned for one in wanted):
            methods = plan(list(self._seen.values()), rows, self.limit)
            self._planned = dict(zip(wanted, methods, strict=True))
        self._seen = {}

    def method(self, name: str, convolution: Convolution, rows: int) -> Method:
        """Return how this convolution's gradients are formed in this micro-batch."""
        self._seen[name] = convolution
        method = self._planned.get((name, convolution, rows)) or choose(convolution, rows, self._left)
        needed = 4 * rows * convolution.weights
        if method is Method.KEEP and not self.keeps(needed):
            method = choose(convolution, rows, 0)
        return method

    def keeps(self, needed: int) -> bool:
        """Whether so many bytes are left for gradients that arrive now; if so, they are taken."""
        if needed > self._left:
            return False
        self._left -= needed
        return True
