"""Which rule serves which operation."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tacit.train.torch.rules import (
    activation,
    attention,
    bilinear,
    convolution,
    elementwise,
    embedding,
    embedding_bag,
    linear,
    normalization,
    recurrent,
)
from tacit.train.torch.rules.fallback import fallback

RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.linear: linear.called,
    torch.conv1d: convolution.convolution(1),
    torch.conv2d: convolution.convolution(2),
    torch.conv3d: convolution.convolution(3),
    torch.conv_transpose1d: convolution.transposed(1),
    torch.conv_transpose2d: convolution.transposed(2),
    torch.conv_transpose3d: convolution.transposed(3),
    torch.matmul: linear.matmul,
    Tensor.matmul: linear.matmul,
    torch.mm: linear.matmul,
    Tensor.mm: linear.matmul,
    torch.addmm: linear.addmm,
    functional.bilinear: bilinear.bilinear,
    functional.prelu: activation.prelu,
    torch.add: elementwise.plus,
    Tensor.add: elementwise.plus,
    torch.sub: elementwise.minus,
    Tensor.sub: elementwise.minus,
    torch.mul: elementwise.times,
    Tensor.mul: elementwise.times,
    Tensor.expand: elementwise.expand,
    Tensor.repeat: elementwise.repeat,
    functional.embedding: embedding.embedding,
    functional.embedding_bag: embedding_bag.embedding_bag,
    functional.layer_norm: normalization.layer_norm,
    functional.rms_norm: normalization.rms_norm,
    functional.group_norm: normalization.group_norm,
    functional.instance_norm: normalization.instance_norm,
    functional.multi_head_attention_forward: attention.multi_head_attention,
    torch.lstm: recurrent.lstm,
    torch.gru: recurrent.gru,
    torch.rnn_tanh: recurrent.rnn_tanh,
    torch.rnn_relu: recurrent.rnn_relu,
    torch.lstm_cell: recurrent.lstm_cell,
    torch.gru_cell: recurrent.gru_cell,
    torch.rnn_tanh_cell: recurrent.rnn_tanh_cell,
    torch.rnn_relu_cell: recurrent.rnn_relu_cell,
}

__all__ = ["RULES", "fallback"]
