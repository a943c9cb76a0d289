"""Private training inside Lightning: its trainer counts steps, calls callbacks and logs; the batches and the noise stay tacit's."""

from collections.abc import Callable, Generator
from typing import Any

from torch import Tensor

from tacit.errors import ConfigError, MissingExtra

try:
    from lightning.pytorch import LightningModule
except ImportError:
    raise MissingExtra(
        "this needs Lightning, which is not installed: it is the trainer that calls the steps. Run: pip install lightning"
    ) from None

from tacit.train.torch.private import PrivateTraining


class PrivateModule(LightningModule):  # type: ignore[misc]
    """A LightningModule whose training step is one private step: trainer.fit(PrivateModule(private, losses)) with max_epochs=1.

    private -- from make_private; its model trains in place. losses -- losses(model, *batch), shape (B,), one per row.
    A batch of Lightning's is the number of a step; the rows are drawn inside. What is logged is the step alone: losses of private rows
    are not. Lightning's own checkpoints hold the model, open to whoever reads the file, and no sampler or noise: turn them off
    (enable_checkpointing=False) and give make_private its checkpoints. One process: tacit's own way is torchrun.
    """

    def __init__(self, private: PrivateTraining, losses: Callable[..., Tensor]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = private.model
        self._private, self._losses = private, losses
        self._batches: Generator[tuple[Tensor, ...], None, None] | None = None

    def configure_optimizers(self) -> Any:
        return self._private.optimizer

    def train_dataloader(self) -> Any:
        """Return the numbers of the steps."""
        return range(self._private.plan.steps)

    def on_fit_start(self) -> None:
        """Refuse settings under which Lightning would change gradients, or write what is secret, behind the engine's back."""
        trainer = self.trainer
        if trainer.world_size > 1 or trainer.accumulate_grad_batches != 1 or trainer.checkpoint_callback is not None:
            raise ConfigError(
                f"Lightning is set to {trainer.world_size} processes, accumulate_grad_batches={trainer.accumulate_grad_batches} and "
                f"{'its own' if trainer.checkpoint_callback is not None else 'no'} checkpoints. Private steps are whole batches in one process "
                "with tacit's encrypted checkpoints: use devices=1, accumulate_grad_batches=1, enable_checkpointing=False."
            )
        self._batches = self._private.batches()

    def training_step(self, batch: Any, _index: int) -> None:
        """Run one step: all its micro-batches, one release, one move of the optimizer."""
        assert self._batches is not None
        before = self._private.step
        while self._private.step == before:
            rows = next(self._batches, None)
            if rows is None:  # a resumed run has fewer steps
                self.trainer.should_stop = True
                return
            moved = [one.to(self.device) for one in rows]
            self._private.backward(self._losses(self._private.model, *moved))
        self.optimizers().step()
        self._private.checkpoint()

    def on_fit_end(self) -> None:
        """Give the model back without hooks, also when Lightning caught an interruption."""
        if self._batches is not None:
            self._batches.close()
        self._private.finish()
