"""Private training in one process or in several that share its work: one guarantee, one charge, one update.

Each drawn unit is on one process; clipped sums are added up over all; each process adds the noise of its own part of the vector, drawn
at full scale from its own source, and the parts are put together. So the update has the law that one process gives it.
"""

from tacit.train.torch.processes.alone import Alone, Processes
from tacit.train.torch.processes.group import processes_here
from tacit.train.torch.processes.release import SharedReleaser
from tacit.train.torch.processes.weights import Weights, weights_of

__all__ = ["Alone", "Processes", "SharedReleaser", "Weights", "processes_here", "weights_of"]
