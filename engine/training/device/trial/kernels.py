"""Single operators in the shapes of a 7-billion-parameter model, against formulas written out in NumPy.

The references share no line with torch: an operator that is wrong on every device and in every precision shows here.
Among them are shapes in which releases of torch have answered wrongly on Apple's GPUs without an error.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from engine.training.device.trial.agreement import Agreement, Reference, as_reference, relative_error

#: Draws a tensor of that shape on the device, standard normal and rounded to the precision under trial.
Draw = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Answer:
    """What the device said and what the formula says."""

    found: torch.Tensor
    reference: Reference


Kernel = Callable[[Draw], Answer]


def kernel_agreements(place: torch.device, precision: torch.dtype, allowed: float) -> Iterator[Agreement]:
    """Every kernel on `place` in `precision`, each on inputs of its own seed."""
    for seed, (name, kernel) in enumerate(KERNELS.items()):
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int, generator: torch.Generator = generator) -> torch.Tensor:
            return torch.randn(*shape, generator=generator).to(precision).to(place)

        with torch.no_grad():
            answer = kernel(draw)
        yield Agreement(name, relative_error(as_reference(answer.found), answer.reference), allowed)


def _linear(draw: Draw) -> Answer:
    x, weight, bias = draw(3, 37, 512), draw(256, 512), draw(256)
    return Answer(functional.linear(x, weight, bias), _r(x) @ _r(weight).T + _r(bias))


def _linear_strided(draw: Draw) -> Answer:
    x, weight = draw(2, 37, 512).transpose(0, 1), draw(512, 512)[::2]
    return Answer(functional.linear(x, weight), _r(x) @ _r(weight).T)


def _linear_transposed(draw: Draw) -> Answer:
    x, weight = draw(64, 512), draw(512, 256).t()
    return Answer(functional.linear(x, weight), _r(x) @ _r(weight).T)


def _long_sum(draw: Draw) -> Answer:
    a, b = draw(8, 40_000), draw(40_000, 8)
    return Answer(a @ b, _r(a) @ _r(b))


def _attention(
    draw: Draw, heads: tuple[int, int], lengths: tuple[int, int], size: int, mask: torch.Tensor | None = None
) -> Answer:
    """Two samples; `heads` of queries and of keys, `lengths` alike. Laid out as the model does: (2, length, heads,
    size), then transposed."""
    query = draw(2, lengths[0], heads[0], size).transpose(1, 2)
    key, value = (draw(2, lengths[1], heads[1], size).transpose(1, 2) for _ in range(2))
    seen = None if mask is None else mask.to(query.device)
    found = functional.scaled_dot_product_attention(query, key, value, seen, enable_gqa=heads[0] != heads[1])
    shown = np.ones(lengths, bool) if mask is None else mask.numpy()
    return Answer(found, _attend(_r(query), _r(key), _r(value), shown))


def _attention_plain(draw: Draw) -> Answer:
    return _attention(draw, (4, 4), (101, 101), 64)


def _attention_padded(draw: Draw) -> Answer:
    """Causal, the second sample padded on the right, as in training."""
    causal = torch.ones(96, 96, dtype=torch.bool).tril()
    keys = torch.ones(2, 1, 1, 96, dtype=torch.bool)
    keys[1, :, :, 70:] = False
    return _attention(draw, (8, 2), (96, 96), 128, causal & keys)


def _attention_one_query(draw: Draw) -> Answer:
    return _attention(draw, (32, 8), (1, 1024), 128)


def _attention_short(draw: Draw) -> Answer:
    return _attention(draw, (4, 4), (5, 70), 128)


def _attention_permuted(draw: Draw) -> Answer:
    query, key, value = draw(84, 3, 3, 3, 64).permute(2, 0, 3, 1, 4).unbind()
    found = functional.scaled_dot_product_attention(query, key, value)
    return Answer(found, _attend(_r(query), _r(key), _r(value), np.ones((3, 3), bool)))


def _softmax(draw: Draw) -> Answer:
    x = draw(4, 33, 257) * 4
    return Answer(functional.softmax(x, -1), _soft(_r(x)))


def _gelu(draw: Draw) -> Answer:
    x = draw(4, 2048)
    erf = np.vectorize(math.erf)
    return Answer(functional.gelu(x), _r(x) * 0.5 * (1 + erf(_r(x) / math.sqrt(2))))


def _silu(draw: Draw) -> Answer:
    x = draw(4, 2048)
    return Answer(functional.silu(x), _r(x) / (1 + np.exp(-_r(x))))


def _layer_norm(draw: Draw) -> Answer:
    x, weight, bias = draw(37, 1024), draw(1024), draw(1024)
    wide = _r(x)
    normal = (wide - wide.mean(-1, keepdims=True)) / np.sqrt(wide.var(-1, keepdims=True) + 1e-5)
    found = functional.layer_norm(x, (1024,), weight, bias, 1e-5)
    return Answer(found, normal * _r(weight) + _r(bias))


def _cross_entropy(draw: Draw) -> Answer:
    logits = draw(130, 32_000).float()
    targets = (torch.arange(130) * 7919) % 32_000
    targets[::3] = -100
    counted = targets.numpy() >= 0
    wide = _r(logits)[counted]
    top = wide.max(-1, keepdims=True)
    total = np.log(np.exp(wide - top).sum(-1)) + top[:, 0]
    reference = (total - wide[np.arange(len(wide)), targets.numpy()[counted]]).sum()
    found = functional.cross_entropy(logits, targets.to(logits.device), reduction="sum")
    return Answer(found, np.asarray(reference))


def _embedding(draw: Draw) -> Answer:
    table = draw(4096, 256)
    ids = (torch.arange(300) * 7919) % 4096
    return Answer(functional.embedding(ids.to(table.device), table), _r(table)[ids.numpy()])


def _patches(draw: Draw) -> Answer:
    """The convolution that cuts a film into patches."""
    film, weight = draw(2, 3, 56, 56), draw(64, 3, 14, 14)
    cut = _r(film).reshape(2, 3, 4, 14, 4, 14).transpose(0, 2, 4, 1, 3, 5).reshape(2, 16, -1)
    reference = (cut @ _r(weight).reshape(64, -1).T).transpose(0, 2, 1).reshape(2, 64, 4, 4)
    return Answer(functional.conv2d(film, weight, stride=14), reference)


def _optimizer_strided(draw: Draw) -> Answer:
    """AdamW on a weight that is not contiguous, which has been left untouched without an error; in float32, as adapters
    are."""
    weight = draw(96, 64).float().t().detach()
    before, gradient = _r(weight), draw(96, 64).float().t()
    weight.requires_grad_(True)
    weight.grad = gradient
    torch.optim.AdamW([weight], lr=0.1, eps=1e-3, weight_decay=0.1).step()
    wide = _r(gradient)
    step = wide / (np.abs(wide) + 1e-3)  # of the first step: both moments are unbiased to the gradient itself
    return Answer(weight - torch.from_numpy(before).float().to(weight.device), -0.1 * step - 0.01 * before)


KERNELS: dict[str, Kernel] = {
    "linear": _linear,
    "linear, strided": _linear_strided,
    "linear, transposed": _linear_transposed,
    "sum of 40,000 products": _long_sum,
    "attention": _attention_plain,
    "attention, padded and grouped": _attention_padded,
    "attention, one query on 1,024 keys": _attention_one_query,
    "attention, five queries": _attention_short,
    "attention, permuted": _attention_permuted,
    "softmax": _softmax,
    "gelu": _gelu,
    "silu": _silu,
    "layer norm": _layer_norm,
    "cross entropy": _cross_entropy,
    "embedding": _embedding,
    "convolution of patches": _patches,
    "AdamW, strided": _optimizer_strided,
}


def empty_row_is_finite(place: torch.device) -> bool:
    """Whether attention answers with numbers where a row may look at nothing. CPUs do, Apple's GPUs have not."""
    query = torch.ones(1, 1, 2, 8, device=place)
    seen = torch.tensor([[False, False], [True, True]], device=place)
    answered = functional.scaled_dot_product_attention(query, query, query, seen)
    return bool(torch.isfinite(answered).all())


def _r(tensor: torch.Tensor) -> Reference:
    return as_reference(tensor)


def _soft(scores: Reference) -> Reference:
    weights: Reference = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights


def _attend(query: Reference, key: Reference, value: Reference, seen: Reference) -> Reference:
    """(samples, heads, queries, size); keys and values are repeated for groups of heads that share them."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat(groups, 1), value.repeat(groups, 1)
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])
    answered: Reference = _soft(np.where(seen, scores, -np.inf)) @ value
    return answered
