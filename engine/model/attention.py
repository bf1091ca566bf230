"""Attention in which no row is without anything to look at.

In a batch that is padded on the left, the padding's own rows see nothing. What a device answers for such a row is its
own affair: CPUs give zeros, Apple's GPUs NaN (pytorch#156707, #167515), and a NaN at a place that others must not see
still reaches them, since nothing times NaN is NaN. Here such a row sees every place; nobody reads what comes of it, and
all other rows keep their bits.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

#: Name for `attn_implementation`.
SAFE_ATTENTION = "sdpa_no_empty_rows"


def mask_without_empty_rows(*args: Any, **options: Any) -> torch.Tensor | None:
    """`sdpa_mask` of transformers, (batch, 1, queries, keys) bool or None, with empty rows opened."""
    mask = sdpa_mask(*args, **options)
    return mask if mask is None else mask | ~mask.any(-1, keepdim=True)


AttentionInterface.register(SAFE_ATTENTION, sdpa_attention_forward)
AttentionMaskInterface.register(SAFE_ATTENTION, mask_without_empty_rows)
