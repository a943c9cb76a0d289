"""fastDP (book-keeping, mixed per layer, with its origin-parameter trick). Runs in an environment of its own."""

import contextlib
import io
from collections.abc import Callable
from functools import partial

import fastDP  # type: ignore[import-not-found, unused-ignore]
from torch import nn

from peers.contest import Attach, Case, Step, main
from peers.models import GPT, Spec, mean_loss

ORIGIN = {"mlp": ["0.bias"], "cnn": ["0.bias"], "wrn": ["stem"], "gpt": ["token", "position"]}  # parameters of the first layer


def attach(_variant: str) -> Attach:
    return _attach


def _attach(case: Case, kind: str) -> Step:
    with contextlib.redirect_stdout(io.StringIO()):  # it announces itself
        engine = fastDP.PrivacyEngine(
            case.model,
            batch_size=len(case.x),
            sample_size=100 * len(case.x),
            epochs=1,
            noise_multiplier=float(kind == "noise"),
            max_grad_norm=1.0,
            clipping_fn="Abadi",
            clipping_mode="MixOpt",
            origin_params=ORIGIN[case.spec.name],
        )
    engine.attach(case.optimizer)

    def step() -> None:
        case.optimizer.zero_grad(set_to_none=True)
        mean_loss(case.model(case.x), case.y).backward()
        case.optimizer.step()
        missing = [name for name, p in case.model.named_parameters() if p.grad is None]
        if missing:
            raise RuntimeError(f"fastDP left {len(missing)} parameters without a gradient, the first {missing[0]!r}")

    return step


def make(_variant: str, spec: Spec) -> Callable[[], nn.Module]:
    return partial(GPT, per_example=True) if spec.name == "gpt" else spec.make


if __name__ == "__main__":
    main("peers.with_fastdp", f"fastDP {fastDP.__version__}", attach, make=make)
