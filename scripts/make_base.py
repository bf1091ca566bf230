"""Make the bundled base: a tiny model in exactly the on-disk format of llava-med-v1.5-mistral-7b.

    python scripts/make_base.py --out engine/model/base

The real base has seen images and general text, but neither the reports nor the label lines nor the EHR that the two
stages teach. So has this one: it learns general captions of phantoms, drawn with other seeds and other rendering
parameters than any data set the program makes, in words of their own.

1. A sentencepiece BPE vocabulary (byte fallback, single digits, as Mistral's) from captions, reports, clinical words.
2. The vision tower learns to tell the attributes a caption names, and to point at the patches that each finding
   changes (the same film is drawn without it), through linear heads that are thrown away.
3. Tower, projector and language model together learn to write the caption.
4. Captions, in plain words or in those of a FINDINGS section, mixed with a glossary (scripts/glossary.txt), so that
   the words of the trade mean something to it. It never sees an impression, a label line, a record or a code.
5. The language model learns to read its prompt: to repeat lines of random words, and to answer from lists of random
   names and numbers ("What is out of range?"). Captions alone do not teach a model to copy; any real base can. Then
   step 4 again, because reading alone lets it forget the films.
6. Everything is written in bfloat16 under the original tensor names.

The weights that ship went through these steps in several sittings, with plainer lists in the first 1,400 steps of
reading and 800 steps of captions after it. One call from start to end gives a model of the same kind, not the
same bytes.

Seeded; about two hours on two cores. `--cache` keeps the drawn films between attempts.
"""

import argparse
import functools
import json
import math
import multiprocessing
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import LlavaForConditionalGeneration

from engine.data.labels import LABELS
from engine.data.prompt import PromptEncoder
from engine.model.image_processor import CLIP_MEAN, CLIP_STD, ImageProcessor
from engine.model.llava_mistral import read_config
from engine.model.tokenizer import load_tokenizer
from engine.model.weight_files import original_name
from engine.phantom.film.image import Style, render
from engine.phantom.patient.sampling import sample_patients
from engine.phantom.patient.truth import PatientTruth, StudyTruth
from engine.phantom.report.caption import ATTRIBUTES, attributes, write_caption
from engine.phantom.report.radiology_report import write_report
from engine.programs import safe_python_children

SEED = 90210  # far from the small seeds people give to demo and data phantom
IMAGE, PATCH = 160, 16
VOCABULARY = 2048
SIDE = IMAGE // PATCH
LOCAL = tuple(label for label in LABELS if label != "No Finding")
CHANGED = 3  # grey levels, of a patch's mean
Pair = tuple[list[int], list[int]]  # ids and labels
QUESTIONS = (
    "Describe the picture.",
    "What does this film show?",
    "Caption this chest X-ray.",
    "Say what you see.",
)

CONFIG = {
    "_name_or_path": "cxr-cockpit tiny base",
    "architectures": ["LlavaMistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "freeze_mm_mlp_adapter": False,
    "hidden_act": "silu",
    "hidden_size": 192,
    "image_aspect_ratio": "pad",
    "initializer_range": 0.02,
    "intermediate_size": 512,
    "max_position_embeddings": 32768,
    "mm_hidden_size": 160,
    "mm_projector_lr": None,
    "mm_projector_type": "mlp2x_gelu",
    "mm_use_im_patch_token": False,
    "mm_use_im_start_end": False,
    "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2,
    "mm_vision_tower": "vision_tower",
    "model_type": "llava_mistral",
    "num_attention_heads": 6,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "tokenizer_model_max_length": 2048,
    "tokenizer_padding_side": "right",
    "torch_dtype": "bfloat16",
    "transformers_version": "4.36.2",
    "tune_mm_mlp_adapter": False,
    "use_cache": True,
    "use_mm_proj": True,
    "vocab_size": VOCABULARY,
}
TOWER = {
    "architectures": ["CLIPVisionModel"],
    "attention_dropout": 0.0,
    "hidden_act": "quick_gelu",
    "hidden_size": 160,
    "image_size": IMAGE,
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": 640,
    "layer_norm_eps": 1e-05,
    "model_type": "clip_vision_model",
    "num_attention_heads": 5,
    "num_channels": 3,
    "num_hidden_layers": 6,
    "patch_size": PATCH,
    "projection_dim": 128,
}
PREPROCESSOR = {
    "crop_size": {"height": IMAGE, "width": IMAGE},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": list(CLIP_MEAN),
    "image_processor_type": "CLIPImageProcessor",
    "image_std": list(CLIP_STD),
    "resample": 3,
    "rescale_factor": 1 / 255,
    "size": {"shortest_edge": IMAGE},
}
#: Words of the clinic that a general vocabulary knows; the base never sees them in a sentence.
CLINICAL_WORDS = Path(__file__).with_name("clinical_words.txt")
#: What a general model has read of medicine, in sentences.
GLOSSARY = Path(__file__).with_name("glossary.txt")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--cache", type=Path, default=Path("build/base"))
    options.add_argument("--patients", type=int, default=10000)
    options.add_argument("--tower-epochs", type=int, default=6)
    options.add_argument("--caption-epochs", type=int, default=3)
    options.add_argument("--reading-steps", type=int, default=1400)
    options.add_argument("--word-steps", type=int, default=600)
    options.add_argument("--size", type=int, default=256)
    chosen = options.parse_args()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)

    write_static_files(chosen.out)
    train_vocabulary(chosen.out, chosen.cache)
    films, truths, places, captions = draw_films(chosen.cache, chosen.patients, chosen.size)
    held_out = len(films) // 40
    original = read_config(chosen.out)
    model = LlavaForConditionalGeneration(original.llava).float()
    train_tower(model, films, truths, places, held_out, chosen.tower_epochs)
    studies = [
        (study, patient) for patient in sample_patients(chosen.patients, SEED) for study in patient.studies
    ]
    findings = [write_report(study, patient, None).findings for study, patient in studies]
    encoder = PromptEncoder(
        load_tokenizer(chosen.out), original.llava.image_seq_length, original.llava.image_token_id, 1, 2
    )
    train_captions(model, films, captions, encoder, held_out, chosen.caption_epochs)
    for language in (
        lambda: train_words(model, films, captions, findings, encoder, held_out, chosen.word_steps, 8),
        lambda: train_reading(model, encoder, chosen.reading_steps),
        lambda: train_words(model, films, captions, findings, encoder, held_out, chosen.word_steps, 9),
    ):
        round_weights(model)
        language()
    write_weights(model, chosen.out)


def write_static_files(out: Path) -> None:
    (out / "vision_tower").mkdir(parents=True, exist_ok=True)
    for path, content in (
        (out / "config.json", CONFIG),
        (out / "vision_tower" / "config.json", TOWER),
        (out / "vision_tower" / "preprocessor_config.json", PREPROCESSOR),
        (
            out / "tokenizer_config.json",
            {
                "add_bos_token": True,
                "add_eos_token": False,
                "bos_token": "<s>",
                "clean_up_tokenization_spaces": False,
                "eos_token": "</s>",
                "legacy": True,
                "model_max_length": 2048,
                "pad_token": None,
                "padding_side": "right",
                "sp_model_kwargs": {},
                "tokenizer_class": "LlamaTokenizer",
                "unk_token": "<unk>",
                "use_default_system_prompt": False,
            },
        ),
        (out / "special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}),
    ):
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def train_vocabulary(out: Path, cache: Path) -> None:
    """The same kind of vocabulary as Mistral's; `tokenizer.json` is the same one in the form `tokenizers` reads."""
    corpus = cache / "corpus.txt"
    lines: list[str] = []
    for patient in sample_patients(2500, SEED + 1):
        for study in patient.studies:
            lines.append(write_caption(study, patient, rng_seed=0))
            report = write_report(study, patient, None)
            lines += [report.impression or report.findings]
    lines += CLINICAL_WORDS.read_text(encoding="utf-8").splitlines() * 60
    lines += [f"{question} [INST] [/INST]" for question in QUESTIONS] * 200
    corpus.write_text("\n".join(line for line in lines if line), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(cache / "tokenizer"),
        model_type="bpe",
        vocab_size=VOCABULARY,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        character_coverage=0.9999,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )
    shutil.copyfile(cache / "tokenizer.model", out / "tokenizer.model")
    (out / "tokenizer.json").unlink(missing_ok=True)
    load_tokenizer(out).save(str(out / "tokenizer.json"))


def draw_films(
    cache: Path, patients: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[list[str]]]:
    """Films (n, IMAGE, IMAGE) uint8, attributes (n, ATTRIBUTES), places (n, patches, LOCAL), captions of each."""
    stored = cache / f"films-{patients}-{size}.npz"
    if not stored.is_file():
        begun = time.monotonic()
        people = sample_patients(patients, SEED)
        with safe_python_children(), multiprocessing.get_context("spawn").Pool() as pool:
            drawn = pool.map(functools.partial(_draw_patient, size), people, chunksize=32)
        flat = [film for of_patient in drawn for film in of_patient]
        np.savez(
            stored,
            films=np.stack([film for film, _, _, _ in flat]),
            truths=np.array([truth for _, truth, _, _ in flat], dtype=np.float32),
            places=np.stack([place for _, _, place, _ in flat]),
            captions=np.array([json.dumps(texts) for _, _, _, texts in flat]),
        )
        print(f"drew {len(flat)} films in {time.monotonic() - begun:.0f} s", flush=True)
    with np.load(stored) as kept:
        return (
            kept["films"],
            kept["truths"],
            kept["places"],
            [json.loads(texts) for texts in kept["captions"]],
        )


def _draw_patient(
    size: int, patient: PatientTruth
) -> list[tuple[np.ndarray, list[bool], np.ndarray, list[str]]]:
    films = []
    for study in patient.studies:
        film = _square(study, patient, size)
        places = np.zeros((SIDE * SIDE, len(LOCAL)), dtype=bool)
        for label in {finding.label for finding in study.findings}:
            others = tuple(finding for finding in study.findings if finding.label != label)
            change = film.astype(np.int16) - _square(replace(study, findings=others), patient, size)
            by_patch = np.abs(change - np.median(change)).reshape(SIDE, PATCH, SIDE, PATCH).mean((1, 3))
            places[:, LOCAL.index(label)] = (by_patch > CHANGED).ravel()
        texts = [write_caption(study, patient, rng_seed=number) for number in range(4)]
        films.append((film, list(attributes(study).values()), places, texts))
    return films


def _square(study: StudyTruth, patient: PatientTruth, size: int) -> np.ndarray:
    picture = Image.fromarray(render(study, patient, size, Style.for_base()))
    square = ImageProcessor(IMAGE).square(picture).convert("L")
    return np.asarray(square.resize((IMAGE, IMAGE), Image.Resampling.BICUBIC))


def pixels_of(films: np.ndarray, augment: torch.Generator | None) -> torch.Tensor:
    """Normalised (n, 3, IMAGE, IMAGE), re-exposed a little while training."""
    grey = torch.from_numpy(films).float().unsqueeze(1) / 255
    if augment is not None:
        gain = 1 + 0.3 * (torch.rand(len(grey), 1, 1, 1, generator=augment) - 0.5)
        lift = 0.2 * (torch.rand(len(grey), 1, 1, 1, generator=augment) - 0.5)
        grey = (grey * gain + lift).clamp(0, 1)
    mean = torch.tensor(CLIP_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(CLIP_STD).view(1, 3, 1, 1)
    return (grey.expand(-1, 3, -1, -1) - mean) / std


def batches(count: int, size: int, epochs: int, draw: random.Random):
    total = epochs * (count // size)
    done = 0
    for _ in range(epochs):
        order = list(range(count))
        draw.shuffle(order)
        for start in range(0, count - size + 1, size):
            done += 1
            yield done, total, order[start : start + size]


def cosine(step: int, total: int, peak: float) -> float:
    warmup = max(1, total // 30)
    if step < warmup:
        return peak * step / warmup
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))))


def train_tower(model, films, truths, places, held_out, epochs) -> None:
    """Attributes and places from the very features the language model will get."""
    tower = model.model.vision_tower
    with torch.no_grad():
        tower.embeddings.position_embedding.weight[1:] = 0.3 * _sine_positions()
    tell = torch.nn.Linear(TOWER["hidden_size"], len(ATTRIBUTES))
    point = torch.nn.Linear(TOWER["hidden_size"], len(LOCAL))
    parameters = [*tower.parameters(), *tell.parameters(), *point.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05, betas=(0.9, 0.98), fused=True)
    generator = torch.Generator().manual_seed(SEED + 2)
    count, begun = len(films) - held_out, time.monotonic()

    def features_of(chosen, augment):
        pixels = pixels_of(films[chosen], augment)
        return tower(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]

    model.train()
    for step, total, chosen in batches(count, 32, epochs, random.Random(SEED + 3)):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, total, 1e-3)
        features = features_of(chosen, generator)
        told = binary_cross_entropy_with_logits(tell(features.mean(1)), torch.from_numpy(truths[chosen]))
        pointed = binary_cross_entropy_with_logits(point(features), torch.from_numpy(places[chosen]).float())
        update(optimizer, told + 5 * pointed)
        if step % 200 == 0 or step == total:
            rate = step * 32 / (time.monotonic() - begun)
            print(
                f"tower {step}/{total} tell {told.item():.4f} point {pointed.item():.4f} {rate:.0f} films/s",
                flush=True,
            )
        if step % 1000 == 0 or step == total:
            model.eval()
            with torch.inference_mode():
                held = [slice(at, at + 64) for at in range(count, len(films), 64)]
                scores = torch.cat([tell(features_of(part, None).mean(1)) for part in held])
            model.train()
            report_f1(scores.numpy(), truths[count:])


def _sine_positions() -> torch.Tensor:
    """(patches, hidden): where a patch is matters from the first step on; CLIP's initial positions are almost nil."""
    quarter = TOWER["hidden_size"] // 4
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    waves = 1 / 100 ** (torch.arange(quarter) / quarter)
    angles = [axis.reshape(-1, 1) * waves for axis in (rows, columns)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


def report_f1(scores: np.ndarray, truths: np.ndarray) -> None:
    guess = scores > 0
    parts = []
    for column, name in enumerate(ATTRIBUTES[:14]):
        hit = (guess[:, column] & (truths[:, column] > 0)).sum()
        parts.append(f"{name[:14]} {2 * hit / max(1, guess[:, column].sum() + truths[:, column].sum()):.2f}")
    hit = (guess[:, :14] & (truths[:, :14] > 0)).sum()
    micro = 2 * hit / (guess[:, :14].sum() + truths[:, :14].sum())
    print(f"  held out: micro F1 {micro:.3f};  " + "  ".join(parts), flush=True)


def train_captions(model, films, captions, encoder, held_out, epochs) -> None:
    """Everything learns to write the caption; a caption is drawn anew each time a film is seen."""
    tower = list(model.model.vision_tower.parameters())
    rest = [p for n, p in model.named_parameters() if "vision_tower" not in n]
    optimizer = torch.optim.AdamW(
        [{"params": tower, "scale": 0.15}, {"params": rest, "scale": 1.0}],
        lr=1e-3,
        weight_decay=0.02,
        fused=True,
    )
    generator, draw = torch.Generator().manual_seed(SEED + 4), random.Random(SEED + 5)
    count, begun = len(films) - held_out, time.monotonic()

    def loss_of(chosen, augment):
        pairs = [encoder.training(draw.choice(QUESTIONS), draw.choice(captions[index])) for index in chosen]
        return cross_entropy(*_film_logits(model, pairs, pixels_of(films[chosen], augment)))

    model.train()
    for step, total, chosen in batches(count, 32, epochs, random.Random(SEED + 6)):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, total, 1.5e-3) * group["scale"]
        loss = loss_of(chosen, generator)
        update(optimizer, loss)
        if step % 200 == 0 or step == total:
            rate = step * 32 / (time.monotonic() - begun)
            print(f"captions {step}/{total} loss {loss.item():.4f} {rate:.0f} films/s", flush=True)
    model.eval()
    with torch.inference_mode():
        held = [
            loss_of(list(range(at, min(at + 32, len(films)))), None).item()
            for at in range(count, len(films), 32)
        ]
    print(f"captions: held-out loss {sum(held) / len(held):.4f}", flush=True)


def train_reading(model, encoder, steps) -> None:
    """Language model only: lines and lists grow longer, from more of the vocabulary.

    Short lines of few words come first because nothing is copied before the attention heads that do it have formed, and
    from the whole vocabulary they form late or never.
    """
    learned = list(model.model.language_model.parameters()) + list(model.lm_head.parameters())
    optimizer = torch.optim.AdamW(learned, lr=2e-3, weight_decay=0.02, betas=(0.9, 0.98), fused=True)
    draw, begun = random.Random(SEED + 7), time.monotonic()
    model.train()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, 2e-3)
        level = min(1.0, 1.25 * step / steps)
        lines = [_line_to_repeat(encoder, draw, level) for _ in range(20)]
        lists = [_list_to_read(encoder, draw, level) for _ in range(24)]
        (repeated, copied), (read, right) = (_text_loss(model, texts) for texts in (lines, lists))
        update(optimizer, repeated + read)
        if step % 50 == 0 or step == steps:
            print(
                f"reading {step}/{steps} lines {repeated.item():.3f} ({copied:.0%}) lists {read.item():.3f} "
                f"({right:.0%}) {step / (time.monotonic() - begun):.2f} steps/s",
                flush=True,
            )


def train_words(model, films, captions, findings, encoder, held_out, steps, seed) -> None:
    """All but the tower: captions in two manners, the glossary, and what reading teaches."""
    model.model.vision_tower.requires_grad_(False)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=1.5e-3, weight_decay=0.02, betas=(0.9, 0.98), fused=True)
    generator, draw = torch.Generator().manual_seed(SEED + seed), random.Random(SEED + seed)
    glossary = GLOSSARY.read_text(encoding="utf-8").splitlines()
    count, begun = len(films) - held_out, time.monotonic()
    model.train()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, 1.5e-3)
        known = [encoder.answer(" ".join(draw.sample(glossary, 2))) for _ in range(10)]
        texts = [([encoder.bos_id, *ids], [-100, *ids]) for ids in known]
        texts += [_line_to_repeat(encoder, draw, 1.0) for _ in range(4)]
        texts += [_list_to_read(encoder, draw, 1.0) for _ in range(14)]
        said, _ = _text_loss(model, texts)
        chosen = [draw.randrange(count) for _ in range(16)]
        pairs = [
            encoder.training("List the findings.", findings[index])
            if findings[index] and draw.random() < 0.6
            else encoder.training(draw.choice(QUESTIONS), draw.choice(captions[index]))
            for index in chosen
        ]
        described = cross_entropy(*_film_logits(model, pairs, pixels_of(films[chosen], generator)))
        update(optimizer, said + 2 * described)
        if step % 50 == 0 or step == steps:
            rate = step / (time.monotonic() - begun)
            print(
                f"words {step}/{steps} {said.item():.3f} described {described.item():.3f} {rate:.2f} steps/s",
                flush=True,
            )
    model.model.vision_tower.requires_grad_(True)


def update(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    loss.backward()
    torch.nn.utils.clip_grad_norm_(
        [parameter for group in optimizer.param_groups for parameter in group["params"]], 1.0
    )
    optimizer.step()
    optimizer.zero_grad()


def _line_to_repeat(encoder, draw, level: float) -> Pair:
    """ "[INST] Repeat: … [/INST] …": random words, and digits as often as numbers occur in prose."""
    digits = [encoder.tokenizer.token_to_id(str(digit)) for digit in range(10)]
    known = 324 + int((VOCABULARY - 324) * level)
    words = [
        draw.choice(digits) if draw.random() < 0.25 else draw.randrange(260, known)
        for _ in range(draw.randrange(4, 8 + int(24 * level)))
    ]
    asked = [encoder.bos_id, *encoder._ids("[INST] Repeat: "), *words, *encoder._ids(" [/INST]")]
    return _asked(asked, [*words, encoder.eos_id])


def _list_to_read(encoder, draw, level: float) -> Pair:
    """A list of names with numbers drawn at random, some marked, and a question that only the list answers.

    It runs over one sentence or several, with other sentences before and after it, as prompts do.
    """
    rows = [
        (name, _number(draw) + draw.choice(("", "", "", " %", " C")), draw.choice(("", "", "high", "low")))
        for name in _names(draw, draw.randrange(2, 3 + int(11 * level)))
    ]
    told = "".join(
        f"{name} {number}{f' ({mark})' if mark else ''}{'. ' if draw.random() < 0.15 else ', '}"
        for name, number, mark in rows
    )
    before, after = (f"{', '.join(_names(draw, 2))}. " if draw.random() < level / 2 else "" for _ in range(2))
    kind, mark = draw.random(), draw.choice(("high", "low"))
    if kind < 0.3:
        wanted = [draw.choice(rows)]
        question = f"Read {wanted[0][0]}."
    elif kind < 0.5:
        question, wanted = f"What is {mark}?", [row for row in rows if row[2] == mark]
    else:
        question, wanted = "What is out of range?", [row for row in rows if row[2]]
    parts = [f"{name} is {mark}{' ' * bool(mark)}at {number}" for name, number, mark in wanted]
    *first, last = parts or ["Nothing"]
    answer = f"{', '.join(first)} and {last}" if first else last
    prompt = f"[INST] {before}{told[:-2]}. {after}{question} [/INST]"
    return _asked([encoder.bos_id, *encoder._ids(prompt)], encoder.answer(f"{answer}."))


def _names(draw: random.Random, count: int) -> list[str]:
    """Plain words, the same written large, and names made of letters at random."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = ["".join(draw.choices(letters, k=draw.randrange(2, 6))) for _ in range(count)]
    made += [f"{draw.choice(made)[:2]}-{word}" for word in made[:2]]
    written = [draw.choice((str, str.upper, str.capitalize))(word) for word in made]
    plain = draw.sample(_words(), 2 * count)
    return draw.sample([*plain[:count], *(word.capitalize() for word in plain[count:]), *written], count)


@functools.cache
def _words() -> list[str]:
    """Plain words of the glossary: no name of a laboratory value, vital sign or disease, which it writes large."""
    parts = GLOSSARY.read_text(encoding="utf-8").split()
    return sorted(
        {word for word in (part.strip(".,;:()") for part in parts) if word.isalpha() and word.islower()}
    )


def _number(draw: random.Random) -> str:
    return draw.choice(
        (
            str(draw.randrange(1, 1000)),
            str(draw.randrange(10, 160)),
            str(draw.randrange(1000, 30000)),
            f"{draw.uniform(0, 20):.1f}",
            f"{draw.uniform(30, 42):.1f}",
            f"{draw.uniform(0, 9):.2f}",
        )
    )


def _asked(asked: list[int], answer: list[int]) -> Pair:
    return asked + answer, [-100] * len(asked) + answer


def _padded(pairs):
    longest = max(len(ids) for ids, _ in pairs)
    ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in pairs])
    labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in pairs])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in pairs])
    return ids, mask, labels


def _text_loss(model, pairs) -> tuple[torch.Tensor, float]:
    """Mean loss of the supervised tokens, and the share of them that is right."""
    ids, mask, labels = _padded(pairs)
    wanted = labels[:, 1:].ne(-100)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1, :VOCABULARY][wanted]
    right = logits.argmax(-1).eq(labels[:, 1:][wanted]).float().mean().item()
    return cross_entropy(logits, labels[:, 1:][wanted]), right


def _film_logits(model, pairs, pixels):
    ids, mask, labels = _padded(pairs)
    wanted = labels[:, 1:].ne(-100)
    keep = torch.nn.functional.pad(wanted, (0, 1))
    logits = model(
        input_ids=ids, pixel_values=pixels, attention_mask=mask, logits_to_keep=keep, use_cache=False
    ).logits
    return logits.reshape(-1, logits.shape[-1])[:, :VOCABULARY], labels[:, 1:][wanted]


def round_weights(model) -> None:
    """To bfloat16 and back: each of the last two steps can then go on from a written directory, to the same end."""
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()


def write_weights(model, out: Path) -> None:
    """bfloat16 shards under the original names, vocabulary rows only."""
    tensors = {}
    for name, parameter in model.named_parameters():
        tensor = parameter.detach()
        if name.endswith(("embed_tokens.weight", "lm_head.weight")):
            tensor = tensor[:VOCABULARY]
        tensors[original_name(name)] = tensor.to(torch.bfloat16).contiguous()
    names = sorted(tensors)
    third = -(-len(names) // 3)
    weight_map = {}
    for old in out.glob("model-*.safetensors"):
        old.unlink()
    for number in range(3):
        file = f"model-{number + 1:05d}-of-00003.safetensors"
        part = {name: tensors[name] for name in names[number * third : (number + 1) * third]}
        save_file(part, out / file, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(part, file))
    total = sum(tensor.numel() * 2 for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {sum(t.numel() for t in tensors.values()):,} parameters to {out}", flush=True)


if __name__ == "__main__":
    main()
