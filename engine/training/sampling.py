"""Reports the model writes, and its loss on samples it does not learn from."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from engine.data.curriculum import Sample
from engine.model.loading import Base
from engine.training.batches import Batch, Collator, Encoded
from engine.training.device.device import Device, device_of

#: Called between batches; it may raise to end the work.
Poll = Callable[[], None]
#: Told before each batch how many samples are done.
Done = Callable[[int], None]


def loss_of(model: torch.nn.Module, batch: Batch, vocabulary: int) -> torch.Tensor:
    """Sum of the cross-entropy over the supervised tokens of a micro-batch, a scalar of at least float32 on the device.

    The language-model head runs only where a label is: the logits of 600 image and prompt tokens of a 32,000-word
    vocabulary would be most of the memory of a step. Rows behind the vocabulary were never trained and are left out.
    """
    logits = model(
        input_ids=batch.ids,
        attention_mask=batch.mask,
        pixel_values=batch.pixels,
        logits_to_keep=batch.positions,
        use_cache=False,
    ).logits
    exact = torch.promote_types(logits.dtype, torch.float32)
    return cross_entropy(
        logits[..., :vocabulary].flatten(0, 1).to(exact), batch.targets.flatten(), reduction="sum"
    )


def validation_loss(
    model: torch.nn.Module,
    base: Base,
    encoded: Sequence[Encoded],
    collator: Collator,
    batch_size: int,
    poll: Poll,
    done: Done = lambda _samples: None,
) -> float:
    """Mean cross-entropy per supervised token over `encoded`, in evaluation mode."""
    device = next(model.parameters()).device
    by_length = sorted(encoded, key=lambda one: (len(one.ids), one.sample.id))
    sums: list[torch.Tensor] = []
    with evaluation_mode(model):
        for place, group in enumerate(_groups(by_length, batch_size)):
            done(place * batch_size)
            poll()
            sums.append(loss_of(model, collator.training(group).to(device), base.vocabulary))
    return float(torch.stack(sums).double().sum()) / sum(one.supervised for one in encoded)


def generate(
    model: Any,
    base: Base,
    samples: Sequence[Sample],
    collator: Collator,
    batch_size: int,
    max_new_tokens: int,
    poll: Poll,
    done: Done = lambda _samples: None,
) -> list[str]:
    """Greedy answers to `samples`, in their order. The composition of batches depends on the samples alone."""
    place = next(model.parameters()).device
    answers: dict[int, str] = {}
    order = sorted(range(len(samples)), key=lambda index: (len(samples[index].prompt), samples[index].id))
    for group in _groups(order, batch_size):
        done(len(answers))
        poll()
        batch = collator.prompts([samples[index] for index in group], base.encoder).to(place)
        made = generated_ids(model, base, batch, max_new_tokens, device_of(place))
        for index, ids in zip(group, made.tolist(), strict=True):
            answers[index] = base.encoder.text(ids)
    device_of(place).empty_cache()
    return [answers[index] for index in range(len(samples))]


def generated_ids(model: Any, base: Base, batch: Batch, max_new_tokens: int, device: Device) -> torch.Tensor:
    """(samples, new tokens) greedy answers to the left-padded prompts of `batch`, ids of the vocabulary only."""
    # keys and values that grow by one with every token would be a new shape each
    cache = {"cache_implementation": "static", "disable_compile": True} if device.fixed_shapes else {}
    with evaluation_mode(model):
        output: torch.Tensor = model.generate(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            pixel_values=batch.pixels,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            pad_token_id=base.pad_id,
            eos_token_id=base.encoder.eos_id,
            suppress_tokens=list(range(base.vocabulary, base.model.config.text_config.vocab_size)),
            **cache,
        )
    return output[:, batch.ids.shape[1] :]


class evaluation_mode:
    """No dropout and no gradients inside the `with`; the mode it was in afterwards."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model, self._no_grad = model, torch.inference_mode()

    def __enter__(self) -> None:
        self._was_training = self._model.training
        self._model.eval()
        self._no_grad.__enter__()

    def __exit__(self, *error: object) -> None:
        self._no_grad.__exit__(*error)
        self._model.train(self._was_training)


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
