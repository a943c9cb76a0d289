"""Plain JAX: vmap of grad over the examples, clipped, summed and applied in one jitted function. An environment of its own."""

from collections.abc import Callable
from functools import partial
from importlib import metadata
from typing import Any

import jax  # type: ignore[import-not-found, unused-ignore]
import jax.numpy as jnp  # type: ignore[import-not-found, unused-ignore]

from peers.contest import LEARNING_RATE, Attach, Case, Step, main
from peers.models import Spec

CLIP_NORM = 1.0
Weights = dict[str, Any]
_compiled: dict[tuple[str, bool], Any] = {}


def _linear(w: Weights, name: str, x: Any) -> Any:
    bias = w.get(name + ".bias")
    return x @ w[name + ".weight"].T if bias is None else x @ w[name + ".weight"].T + bias


def _conv(w: Weights, name: str, x: Any, stride: int, padding: int) -> Any:
    """One image, (height, width, channels); weights (height, width, in, out)."""
    y = jax.lax.conv_general_dilated(
        x[None], w[name + ".weight"], (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]
    return y + w[name + ".bias"] if name + ".bias" in w else y


def _pool(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (2, 2, 1), (1, 1, 1), "VALID")


def _group_norm(w: Weights, name: str, x: Any) -> Any:
    groups = x.reshape(-1, 16, x.shape[-1] // 16)
    mean, variance = groups.mean((0, 2), keepdims=True), groups.var((0, 2), keepdims=True)
    y = ((groups - mean) * jax.lax.rsqrt(variance + 1e-5)).reshape(x.shape)
    return y * w[name + ".weight"] + w[name + ".bias"]


def _layer_norm(w: Weights, name: str, x: Any) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * w[name + ".weight"] + w[name + ".bias"]


def _mlp(w: Weights, x: Any) -> Any:
    return _linear(w, "4", jax.nn.relu(_linear(w, "2", jax.nn.relu(_linear(w, "0", x)))))


def _cnn(w: Weights, x: Any) -> Any:
    x = _pool(jax.nn.relu(_conv(w, "0", x, 2, 3)))
    x = _pool(jax.nn.relu(_conv(w, "3", x, 2, 0)))
    return _linear(w, "9", jax.nn.relu(_linear(w, "7", x.transpose(2, 0, 1).reshape(-1))))


def _wrn(w: Weights, x: Any) -> Any:
    x = _conv(w, "stem", x, 1, 1)
    for block in range(6):
        name, stride = f"blocks.{block}", 2 if block in (2, 4) else 1
        y = jax.nn.relu(_group_norm(w, name + ".norm1", x))
        kept = _conv(w, name + ".shortcut", y, stride, 0) if name + ".shortcut.weight" in w else x
        y = jax.nn.relu(_group_norm(w, name + ".norm2", _conv(w, name + ".conv1", y, stride, 1)))
        x = kept + _conv(w, name + ".conv2", y, 1, 1)
    return _linear(w, "head", jax.nn.relu(_group_norm(w, "norm", x)).mean((0, 1)))


def _gpt(w: Weights, ids: Any, heads: int = 4) -> Any:
    x = w["token.weight"][ids] + w["position.weight"]
    length, width = x.shape
    mask = jnp.tril(jnp.ones((length, length), dtype=bool))
    for block in range(4):
        name = f"blocks.{block}"
        q, k, v = (
            _linear(w, name + ".qkv", _layer_norm(w, name + ".norm1", x)).reshape(length, 3, heads, -1).transpose(1, 2, 0, 3)
        )
        scores = jnp.where(mask, q @ k.transpose(0, 2, 1) * (width // heads) ** -0.5, -jnp.inf)
        y = (jax.nn.softmax(scores) @ v).transpose(1, 0, 2).reshape(length, width)
        x = x + _linear(w, name + ".out", y)
        up = jax.nn.gelu(_linear(w, name + ".up", _layer_norm(w, name + ".norm2", x)), approximate=False)
        x = x + _linear(w, name + ".down", up)
    return _linear(w, "head", _layer_norm(w, "norm", x))


FORWARD: dict[str, Callable[[Weights, Any], Any]] = {"mlp": _mlp, "cnn": _cnn, "wrn": _wrn, "gpt": _gpt}


def _step(forward: Callable[[Weights, Any], Any], noise: bool, w: Weights, x: Any, y: Any, key: Any) -> Weights:
    def loss(w: Weights, row: Any, label: Any) -> Any:
        log = jax.nn.log_softmax(forward(w, row))
        return -jnp.take_along_axis(log, label[..., None], axis=-1).mean()

    each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(w, x, y)
    norm = jnp.sqrt(sum((g.reshape(len(x), -1) ** 2).sum(1) for g in jax.tree.leaves(each)))
    factor = jnp.minimum(1.0, CLIP_NORM / (norm + 1e-6))
    total = jax.tree.map(lambda g: jnp.tensordot(factor, g, axes=1), each)
    if noise:
        keys = jax.random.split(key, len(total))
        total = {name: g + CLIP_NORM * jax.random.normal(k, g.shape) for k, (name, g) in zip(keys, total.items(), strict=True)}
    return {name: value - LEARNING_RATE * total[name] / len(x) for name, value in w.items()}


def _converted(case: Case) -> tuple[Weights, Any, Any]:
    """Return the torch model's weights and its batch as JAX arrays, images with their channels last."""
    weights = {name: jnp.asarray(p.detach().numpy()) for name, p in case.model.named_parameters()}
    weights = {name: value.transpose(2, 3, 1, 0) if value.ndim == 4 else value for name, value in weights.items()}
    x = jnp.asarray(case.x.contiguous().numpy())
    return weights, x.transpose(0, 2, 3, 1) if x.ndim == 4 else x, jnp.asarray(case.y.numpy())


def ready(spec: Spec) -> None:
    """Compile both steps; what compiling takes is not a step's time or memory."""
    from peers.contest import Plain

    weights, x, y = _converted(Case.of(spec, Plain()))
    for noise in (False, True):
        step = jax.jit(partial(_step, FORWARD[spec.name], noise), donate_argnums=0)
        _compiled[spec.name, noise] = step.lower(weights, x, y, jax.random.key(0)).compile()


def attach(_variant: str) -> Attach:
    return _attach


def _attach(case: Case, kind: str) -> Step:
    weights, x, y = _converted(case)
    key, run = jax.random.key(0), _compiled[case.spec.name, kind == "noise"]

    def step() -> None:
        nonlocal weights, key
        key, now = jax.random.split(key)
        weights = jax.block_until_ready(run(weights, x, y, now))

    return step


if __name__ == "__main__":
    main("peers.with_jax", f"jax {metadata.version('jax')}", attach, ready=ready)
