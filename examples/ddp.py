"""One private training shared by two processes. Read from top to bottom.

    torchrun --standalone --nproc-per-node 2 examples/ddp.py            # every process holds the whole model
    torchrun --standalone --nproc-per-node 2 examples/ddp.py --fsdp     # FSDP2: each keeps half of the weights and of the optimizer's state

The loop is that of a single process. The model is not wrapped in DistributedDataParallel, which would add gradients up before they are
clipped: tacit clips first, adds up over the processes, and each process adds the noise of its own half of the update.
"""

import argparse
import contextlib
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard

from tacit import Ledger, make_private

EPSILON, DELTA = 3.0, 1e-5
BATCH, EPOCHS, CLIP_NORM, LEARNING_RATE = 400, 10, 1.0, 0.05


def people(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return made-up rows, the same in every process: features of shape (rows, 8) within [-1, 1], and a class that they decide."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(rows, 8, generator=generator) * 2 - 1
    return features, (features[:, 0] * features[:, 1] + features[:, 2] > 0).long()


def main(fsdp: bool) -> None:
    dist.init_process_group("gloo")  # "nccl" with a GPU for each process
    first = dist.get_rank() == 0

    torch.manual_seed(0)  # fully_shard cuts what each process built; whole models are sent out by the first process anyway
    model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 2))
    if fsdp:
        for layer in (model[0], model[2]):
            fully_shard(layer)
        fully_shard(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    with contextlib.ExitStack() as stack:
        ledger = None
        if first:  # it alone keeps the ledger: the others neither reserve nor count
            here = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ledger = stack.enter_context(Ledger.open(here / "ledger.sqlite"))
            ledger.grant("people", epsilon=EPSILON, delta=DELTA, note="an example")
        private = make_private(
            model,
            optimizer,
            people(10_000, seed=1),  # all rows in every process: each step's draw is shared out
            epsilon=EPSILON,
            delta=DELTA,
            clip_norm=CLIP_NORM,
            batch_size=BATCH,  # of all processes together
            epochs=EPOCHS,
            ledger=ledger,
            budget="people",
            request_id="two-processes",
        )
        for x, y in private.batches():
            private.backward(nn.functional.cross_entropy(model(x), y, reduction="none"))
            optimizer.step()
        private.finish()

        features, labels = people(2_000, seed=2)
        with torch.no_grad():
            right = float((model(features).argmax(dim=1) == labels).float().mean())
        if ledger is not None:
            print(f"{right:.1%} of {len(labels)} new rows right, for {ledger.spent('people')}")
    dist.destroy_process_group()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--fsdp", action="store_true", help="share out weights and optimizer state, too")
    main(arguments.parse_args().fsdp)
