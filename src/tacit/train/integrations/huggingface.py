"""Private training inside Hugging Face's Trainer: its schedule, callbacks and logs; the batches and the noise stay tacit's."""

from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError, MissingExtra

try:
    from transformers import Trainer, TrainingArguments
except ImportError:
    raise MissingExtra(
        "this needs transformers and accelerate, which are not installed: theirs is the trainer that calls the steps. "
        "Run: pip install transformers accelerate"
    ) from None

from tacit.train.torch.private import PrivateTraining

_REFUSED = {
    "gradient_accumulation_steps": 1,
    "max_grad_norm": (None, 0, 0.0),
    "save_strategy": "no",
    "fp16": False,
    "bf16": False,
    "deepspeed": None,
}


class PrivateTrainer(Trainer):  # type: ignore[misc]
    """Hugging Face's Trainer, each of whose steps is one private step.

    private -- from make_private; its model trains in place and its optimizer is used.
    losses  -- losses(model, *batch), shape (B,), one per row: one per sequence, not per token.
    args    -- steps, batch size and the like are the plan's; what would change gradients or write secrets is refused:
               gradient_accumulation_steps 1, max_grad_norm 0, save_strategy "no", no fp16 or bf16, no deepspeed.
    The training loss that the Trainer logs is 0: the true one is a statistic of private rows that no epsilon covers.
    """

    def __init__(self, private: PrivateTraining, losses: Callable[..., Tensor], args: TrainingArguments, **more: Any) -> None:
        for name, right in _REFUSED.items():
            value = getattr(args, name, None)
            value = getattr(value, "value", value)
            if value not in (right if isinstance(right, tuple) else (right,)):
                raise ConfigError(
                    f"TrainingArguments has {name}={value!r}, which would change private gradients or write secrets in the open. "
                    f"Set {name}={right[-1] if isinstance(right, tuple) else right!r}; tacit's checkpoints belong to make_private."
                )
        if args.world_size > 1 or args.n_gpu > 1:
            raise ConfigError(
                "the Trainer sees several devices and would wrap the model. Private training takes one: CUDA_VISIBLE_DEVICES=0."
            )
        args.max_steps = max(1, private.plan.steps - private.step)
        more.setdefault("optimizers", (private.optimizer, None))
        super().__init__(model=private.model, args=args, **more)
        self._private, self._losses = private, losses
        self._batches: Generator[tuple[Tensor, ...], None, None] | None = None

    def get_train_dataloader(self) -> Any:
        """Return the numbers of the steps; the rows of each are drawn inside it."""
        steps: Any = [{"step": number} for number in range(self._private.plan.steps)]
        return torch.utils.data.DataLoader(steps, batch_size=1)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Make the schedule of the whole plan; checkpoints keep it."""
        made = super().create_scheduler(self._private.plan.steps, optimizer)
        return self._private.keep("scheduler", made)

    def train(self, *args: Any, **more: Any) -> Any:
        """Train to the plan's end, and give the model back without hooks, also when interrupted."""
        self._batches = self._private.batches()
        try:
            return super().train(*args, **more)
        finally:
            if self._private.step >= self._private.plan.steps:
                next(self._batches, None)  # writes the last checkpoint
            self._batches.close()
            self._private.finish()

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Run the forward and backward passes of one step; the optimizer's move is the Trainer's."""
        assert self._batches is not None
        model.train()
        before, device = self._private.step, next(model.parameters()).device
        while self._private.step == before:
            rows = next(self._batches, None)
            if rows is None:  # a resumed run has fewer steps
                self.control.should_training_stop = True
                break
            self._private.backward(self._losses(self._private.model, *(one.to(device) for one in rows)))
        return torch.zeros((), device=device)
