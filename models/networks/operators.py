"""Operators that an imported program may use: functions of tensors and numbers, without files, processes or code.

A program of another project is data that we interpret. Each of its steps names one operator of this list; a step that
names anything else is rejected. The names are those of PyTorch's ATen library, without the overload.
"""

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

_PREFIX = "aten."
_NUMBERS = "operator."

# Every ATen operator here computes its result from its arguments alone. Deterministic ones only: an operator that draws
# random numbers, such as dropout, is allowed where it does nothing in evaluation.
_ATEN = """
    _adaptive_avg_pool2d _convolution _log_softmax _native_batch_norm_legit_no_training
    _scaled_dot_product_attention_math _scaled_dot_product_flash_attention_for_cpu _softmax _to_copy
    _unsafe_view _upsample_bicubic2d_aa _upsample_bilinear2d_aa abs adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_max_pool2d add addcmul addmm alias amax amin any arange argmax as_strided avg_pool1d avg_pool2d
    baddbmm batch_norm bitwise_and bitwise_not bitwise_or bmm broadcast_to cat ceil celu channel_shuffle chunk
    clamp clamp_max clamp_min clone concat constant_pad_nd contiguous conv1d conv2d conv3d convolution copy
    cos cumsum detach detach_ diagonal div dropout einsum elu embedding eq erf exp expand expand_as eye
    feature_dropout fill flatten flip floor floor_divide full full_like gather ge gelu glu group_norm gt
    hardsigmoid hardswish hardtanh im2col index index_add index_copy index_select instance_norm interpolate
    isinf isnan layer_norm le leaky_relu lerp lift_fresh lift_fresh_copy linalg_vector_norm linear linspace
    log log2 log_sigmoid log_softmax logical_and logical_not logical_or logsumexp lt masked_fill matmul max
    max_pool2d max_pool2d_with_indices maximum mean meshgrid min minimum mish mm movedim mul mv narrow
    native_batch_norm native_group_norm native_layer_norm ne neg new_full new_ones new_zeros norm numpy_T
    one_hot ones ones_like pad permute pixel_shuffle pixel_unshuffle pow prelu prod reciprocal
    reflection_pad2d relu relu6 remainder repeat repeat_interleave replication_pad2d reshape reshape_as
    rms_norm roll round rsqrt rsub scalar_tensor scaled_dot_product_attention scatter select selu sigmoid sign
    silu sin size slice softmax softplus split split_with_sizes sqrt square squeeze stack std std_mean sub sum
    swapaxes sym_numel sym_size t tan tanh tensor_split threshold tile to topk transpose tril triu true_divide
    type_as unbind unflatten unfold unsqueeze upsample_bicubic2d upsample_bilinear2d upsample_nearest2d var
    var_mean view view_as where zeros zeros_like
"""
ATEN = frozenset(_ATEN.split())

_ON_NUMBERS = "add eq floordiv ge getitem gt le lt mod mul ne neg sub truediv"
NUMBERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "bool": bool,
        "float": float,
        "int": int,
        "item": Tensor.item,
        "len": len,
        **{name: getattr(operator, name) for name in _ON_NUMBERS.split()},
    }
)
"""Operators of sizes, which a program with a batch of any size computes with."""


def find_operator(name: str) -> Callable[..., Any]:
    """Return the function that "aten.NAME.OVERLOAD" or "operator.NAME" names.

    Raises ValueError for an operator outside the lists.
    """
    if name.startswith(_NUMBERS) and name.removeprefix(_NUMBERS) in NUMBERS:
        return NUMBERS[name.removeprefix(_NUMBERS)]
    base, _, overload = name.removeprefix(_PREFIX).partition(".")
    # An operator that works in place ends in an underscore.
    if name.startswith(_PREFIX) and (base in ATEN or base.removesuffix("_") in ATEN):
        packet = getattr(torch.ops.aten, base, None)
        if packet is not None and overload in packet.overloads():
            function: Callable[..., Any] = getattr(packet, overload)
            return function
    raise ValueError(f"the operator {name!r:.80} is not supported")


def is_in_place(name: str) -> bool:
    """Return whether the operator writes into its first argument."""
    return name.startswith(_PREFIX) and name.split(".")[1].endswith("_")
