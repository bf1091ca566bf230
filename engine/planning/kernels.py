"""Attention and dropout as each device computes them: the kernels keep different things for the backward pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch.nn import functional

aten = torch.ops.aten


@contextmanager
def kernels_of(device: str) -> Iterator[None]:
    """Inside the `with`, functions on meta tensors run the operators that PyTorch picks for a padded batch on `device`.

    Attention: the CPU has a fused kernel; CUDA takes its memory-efficient one, since a mask is given; MPS has none
    with a backward pass and computes the score matrices outright, as the meta device itself does. Dropout: CUDA has
    one operator that keeps a mask of bytes, the others keep the noise in full. The functions are exchanged by name: a
    mode that intercepts them is not in force while checkpointed layers are computed again.
    """
    attention, dropout = functional.scaled_dot_product_attention, functional.dropout
    if device in ("cpu", "cuda"):
        functional.scaled_dot_product_attention = partial(_attention, device, attention)
    if device == "cuda":
        functional.dropout = partial(_dropout, dropout)
    try:
        yield
    finally:
        functional.scaled_dot_product_attention, functional.dropout = attention, dropout


def _attention(
    device: str,
    original: Callable[..., torch.Tensor],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    if not query.is_meta:
        return original(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        zero, minus = (torch.full((), x, dtype=query.dtype, device="meta") for x in (0.0, -torch.inf))
        attn_mask = torch.where(attn_mask, zero, minus)  # PyTorch does so anew in every layer, and keeps it
    if enable_gqa:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    result: torch.Tensor
    if device == "cpu":
        cpu = aten._scaled_dot_product_flash_attention_for_cpu
        result = cpu(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]
        return result
    if attn_mask is not None:
        attn_mask = attn_mask.expand(*query.shape[:3], key.shape[2])
    efficient = aten._scaled_dot_product_efficient_attention
    grad = any(one.requires_grad for one in (query, key, value))
    result = efficient(query, key, value, attn_mask, grad, dropout_p, is_causal, scale=scale)[0]
    return result


def _dropout(
    original: Callable[..., torch.Tensor],
    input: torch.Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> torch.Tensor:
    if input.is_meta and training and p:
        return torch.native_dropout(input, p, training)[0]
    return original(input, p, training, inplace)
