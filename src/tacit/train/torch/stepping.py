"""Whether the loop uses what it paid for: released updates move the model."""

from typing import Any

import torch
from torch import Tensor

from tacit.errors import PrivacyError


class Stepping:
    """Watches one optimizer after each release.

    optimizer -- that of the training; it holds all trained parameters, in pieces where fully_shard cuts them. It tells of its steps by
    torch's own hooks; an update that the loop makes by itself shows in the count of edits of the parameters, which edits through
    `.data` leave as it is.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._handles = [optimizer.register_step_pre_hook(self._before), optimizer.register_step_post_hook(self._after)]
        self._waits = False  # an update was released and nothing has moved since
        self._edits: list[int] = []  # of the parameters, when it was released
        self._released: dict[int, int] = {}  # the gradients by identity, and how often each had been edited
        self._ever = False

    def released(self) -> None:
        """Take note of the update that lies in .grad now, and of what became of the one before."""
        self._look()
        self._waits, self._edits = True, [one._version for one in self._parameters()]
        self._released = {id(one): one._version for one in self._gradients()}

    def refuse_unmoved(self) -> None:
        """Raise PrivacyError when updates were released and none was ever used.

        A single one may be left unused: to skip a step, to add several up, to look at the noise.
        """
        self._look()
        if self._waits and not self._ever:
            raise PrivacyError(
                "every step of this training was paid for and none moved the model: its weights are those it came with. Call optimizer.step() "
                "after each private.backward(losses). An update of your own edits the parameters in place: under torch.no_grad(), "
                "parameter.sub_(rate * parameter.grad)."
            )

    def _look(self) -> None:
        if self._waits and self._edits != [one._version for one in self._parameters()]:
            self._after()

    def end(self) -> None:
        """Give the optimizer back without hooks."""
        for one in self._handles:
            one.remove()

    def _parameters(self) -> list[Tensor]:
        return [one for group in self._optimizer.param_groups for one in group["params"] if one.requires_grad]

    def _gradients(self) -> list[Tensor]:
        return [one.grad for one in self._parameters() if one.grad is not None]

    def _before(self, *_: Any) -> None:
        """Raise PrivacyError when the update that is to be used now was taken away after it was released."""
        held = self._gradients()
        edited = any(self._released.get(id(one)) != one._version for one in held)
        if self._waits and (not held or (edited and not any(bool(one.any()) for one in held))):
            raise PrivacyError(
                "the optimizer was to step, and the update of this batch is gone: it was set to None or zero after private.backward put it "
                "into .grad, so the step was paid for and nothing would train. Take zero_grad() out of the loop, or call it before private.backward."
            )

    def _after(self, *_: Any) -> None:
        if self._waits:
            self._waits, self._ever = False, True
