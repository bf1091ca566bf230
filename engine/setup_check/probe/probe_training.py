"""Does once, in the smallest size, all that training does: LLaVA with LoRA, a step, generation, the adapter kept.

Imports alone prove little: what peft can do without (torchao, bitsandbytes) it loads when the adapter is put on, what
a model card needs when the adapter is saved. Run by `probe_import.py` in a process of its own, under any Python from
3.8 and any release of the stack that has LLaVA; without a Trainer, as training here is, and on the CPU.
"""

from __future__ import annotations

import tempfile
from typing import Any

IMAGE = 15  # the id of the image token, the last of the vocabulary
NOW_ZERO = 0.0  # LoRA's B before the first step


def train(notes: dict[str, Any], scratch: str) -> None:
    """Raises what any of it raises. `notes["doing"]` says what was under way; `scratch` is a folder to write in."""
    notes["doing"] = "to import what training takes"
    import torch
    from accelerate import Accelerator
    from peft import LoraConfig, PeftModel, get_peft_model

    torch.manual_seed(0)
    batch = {
        "input_ids": torch.tensor([[1, IMAGE, 4, 5, 6]]),
        "attention_mask": torch.ones(1, 5, dtype=torch.long),
        "pixel_values": torch.zeros(1, 3, 4, 4),
    }
    notes["doing"] = "to make a model of one layer"
    base = smallest_model()
    base.requires_grad_(False)

    notes["doing"] = "to put a LoRA adapter on it"
    targets = r".*language_model.*\.(q_proj|v_proj)"
    lora = LoraConfig(r=2, lora_alpha=4, target_modules=targets, task_type="CAUSAL_LM")
    accelerator = Accelerator(cpu=True)
    model = accelerator.prepare(get_peft_model(base, lora))
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    optimizer = accelerator.prepare(torch.optim.AdamW(trained.values(), lr=0.1))

    notes["doing"] = "to take an optimizer step"
    switch(base, "enable")({"use_reentrant": False})
    model.train()
    logits = model(**batch, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[0, -3:].float(), batch["input_ids"][0, -3:])
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(list(trained.values()), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    moved = [name for name, one in trained.items() if "lora_B" in name and one.abs().sum() > NOW_ZERO]
    if not moved:
        raise RuntimeError("the optimizer step changed no LoRA weight")

    notes["doing"] = "to generate"
    switch(base, "disable")()
    model.eval()
    with torch.no_grad():
        model.generate(**batch, max_new_tokens=2, do_sample=False, pad_token_id=0)

    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        notes["doing"] = "to save the adapter"
        model.save_pretrained(folder)
        notes["doing"] = "to load the adapter"
        loaded = PeftModel.from_pretrained(smallest_model(), folder)
    kept = dict(loaded.named_parameters())
    lost = [name for name, one in trained.items() if not torch.equal(kept[name], one)]
    if lost:
        raise RuntimeError(f"the adapter that was saved loads with other weights: {lost[0]}")
    notes["doing"] = ""


def smallest_model() -> Any:
    """LLaVA of one layer. An image is one patch, so that every release takes one image token for it."""
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, MistralConfig

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = CLIPVisionConfig(image_size=4, patch_size=4, projection_dim=8, **sizes)
    text = MistralConfig(vocab_size=IMAGE + 1, num_key_value_heads=1, **sizes)
    return LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE)
    )


def switch(model: Any, which: str) -> Any:
    """The method that turns activation checkpointing on or off, by its new name or its old one."""
    return getattr(model, f"activation_checkpointing_{which}", None) or getattr(
        model, f"gradient_checkpointing_{which}"
    )
