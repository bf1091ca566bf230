"""RunConfig: what a run is told, one model a section, as YAML.

A configuration is read once, resolved (absolute paths, every default written out) and frozen into the run
directory; from then on the run follows that file, whatever becomes of the one it was read from.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.cadence import Cadence
from engine.config_complaint import Places, complaint
from engine.errors import UserError
from engine.files import yaml_file
from engine.files.temporary import write_private
from engine.paths import expanded
from engine.pattern import refuse_unreadable
from engine.stages import STAGES
from engine.words.nearest import nearest_file
from engine.words.printable import one_line


def _readable_cadence(words: str) -> str:
    Cadence.parse(words)
    return words


def _readable_pattern(words: str) -> str:
    refuse_unreadable(words)
    return words


RegularExpression = Annotated[str, AfterValidator(_readable_pattern)]
CadenceWords = Annotated[str, AfterValidator(_readable_cadence)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]

#: Where the model that ships with the project lies; `model.base: bundled` names it.
BUNDLED_BASE = Path(__file__).parent / "model" / "base"
#: The configurations to copy; in the package they are a link, so that an installed one brings them along.
CONFIGS = (Path(__file__).parent / "configs").resolve()


#: What keys were called in configurations that people and older runs have; read as ever.
_FORMER_NAMES = {"target_val_loss": "bar"}


class Section(BaseModel):
    """An unknown key is an error: a misspelt one would otherwise train with the default all night."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes` and `on` as truth, which would pass for 1."""
        name = info.field_name or ""
        if isinstance(value, bool) and cls.model_fields[name].annotation is not bool:
            raise ValueError(f"{str(value).lower()} is not a value for it")
        return value


class ModelSection(Section):
    base: str = "bundled"
    """Directory of the base model, as downloaded (llava_mistral) or converted; `bundled` is the tiny one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the frozen base weights; adapter, optimizer and loss are always float32."""
    device: Literal["auto", "cpu", "mps", "cuda"] = "auto"
    activation_checkpointing: bool = False
    """Compute a layer's inner values a second time instead of keeping them: a third slower, far less memory."""
    threads: int | None = Field(None, ge=1, le=4096)
    """CPU threads; frozen at the first start, since sums depend on it."""


class PhantomSection(Section):
    patients: int = Field(ge=4, le=1_000_000)
    seed: Seed = 0
    size: int = Field(512, ge=64, le=4096)
    """Longer side of a film in pixels."""


class ExpectedCounts(Section):
    images: int | None = Field(None, ge=0)
    train: int | None = Field(None, ge=0)
    validation: int | None = Field(None, ge=0)


#: How an epoch's samples become steps; see `DataSection.order`.
Order = Literal["random", "by_length"]


class DataSection(Section):
    curriculum: Path
    """The curriculum, one JSON line a sample."""
    image_root: Path
    """Directory that the samples' image paths start from."""
    phantom: PhantomSection | None = None
    """Phantoms made before the first step, into the directory above the curriculum, if they are not there."""
    expected: ExpectedCounts = ExpectedCounts()
    """Counts that the setup check and the run hold the curriculum against."""
    max_length: int = Field(2048, ge=64, le=1_000_000)
    """Longest sequence in tokens, image included; a longer sample is refused, never cut."""
    length_multiple: int = Field(64, ge=1, le=1_000_000)
    """Batches are padded to a multiple of this, so that few shapes occur."""
    workers: int = Field(2, ge=1, le=64)
    """Threads that decode images ahead of need."""
    order: Order = "random"
    """random: every optimizer step is a random draw. by_length: samples of like length, out of twelve steps at a time,
    as runs begun before this key existed go on: less padding, and a worse model."""


class LoraSection(Section):
    rank: int = Field(16, ge=1, le=65_536)
    alpha: float = Field(32, gt=0)
    dropout: Fraction = 0.05
    rslora: bool = False
    targets: RegularExpression = (
        r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
    )
    """Regular expression for the full module path; a list of suffixes would hit the vision tower too."""
    train_projector: bool = False


class StageSection(Section):
    epochs: int = Field(1, ge=1, le=100_000)
    learning_rate: float = Field(gt=0, le=10)
    warmup: Fraction = 0.03
    """Share of the stage's steps in which the learning rate rises to its peak; a cosine falls to `final` after it."""
    final: Fraction = 0.0
    """Learning rate at the end, as a share of the peak."""
    batch_size: int = Field(4, ge=1, le=65_536)
    """Samples in a micro-batch."""
    accumulation: int = Field(1, ge=1, le=1_000_000)
    """Micro-batches in an optimizer step, which takes batch_size × accumulation samples."""
    tokens_per_micro_batch: int | None = Field(None, ge=1, le=1_000_000_000)
    """Cut a step's samples, sorted by length, by padded tokens instead of by batch_size: short ones many at a time,
    long ones few; null: by batch_size. A longer sample is a micro-batch by itself."""
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    replay: Fraction = 0.0
    """Samples of earlier stages mixed in, as a share of this stage's own."""
    target_val_loss: float | None = Field(
        None, validation_alias=AliasChoices("target_val_loss", _FORMER_NAMES["target_val_loss"])
    )
    """Validation loss the team wants to get below; drawn as a line."""

    @property
    def samples_per_step(self) -> int:
        return self.batch_size * self.accumulation


class StagesSection(Section):
    stage_a: StageSection
    stage_b: StageSection


class CadenceSection(Section):
    checkpoint: CadenceWords = "10 minutes"
    validation: CadenceWords = "200 steps"
    sample: CadenceWords = "200 steps"


class CheckpointSection(Section):
    keep: int = Field(3, ge=1, le=1_000_000)
    """Rolling checkpoints kept; those at the end of a stage stay beside them."""
    best: Literal["val/loss"] | None = "val/loss"
    """Also keep, of each stage, the checkpoint with the lowest value of this; null: none."""


class ToleranceSection(Section):
    """What a run bears before it holds and shows what is wrong; what it bears is told and counted."""

    skipped_steps: int = Field(5, ge=0, le=1_000_000)
    """Steps a stage whose loss or gradient may be not finite; each leaves the weights as they were."""
    lost_films: int = Field(20, ge=0, le=1_000_000)
    """Films a run that may fail after the first step; other samples of the stage take their place."""


class EvaluationSection(Section):
    cases: int = Field(16, ge=1, le=1_000_000)
    """Fixed validation samples a stage whose generations are followed."""
    validation_limit: int | None = Field(None, ge=1, le=1_000_000_000)
    """Validation samples a stage used for the loss and the scores; null: all."""
    batch_size: int = Field(8, ge=1, le=65_536)
    max_new_tokens: int = Field(256, ge=1, le=1_000_000)


class RunConfig(Section):
    seed: Seed = 0
    stages: StagesSection
    data: DataSection
    model: ModelSection = ModelSection()
    lora: LoraSection = LoraSection()
    cadence: CadenceSection = CadenceSection()
    checkpoints: CheckpointSection = CheckpointSection()
    tolerance: ToleranceSection = ToleranceSection()
    evaluation: EvaluationSection = EvaluationSection()

    @model_validator(mode="after")
    def _nothing_contradicts(self) -> "RunConfig":
        """Each complaint begins with the key it is about."""
        data = self.data
        first = STAGES[0]
        if self.stage(first.name).replay:
            raise ValueError(
                f"stages.{first.name}.replay: stage {first.letter} is the first, there is nothing to replay"
            )
        if data.length_multiple > data.max_length:
            raise ValueError(
                f"data.length_multiple: {data.length_multiple} is more than data.max_length, {data.max_length}"
            )
        return self

    def stage(self, name: str) -> StageSection:
        section: StageSection = getattr(self.stages, name)
        return section

    @property
    def base_directory(self) -> Path:
        return BUNDLED_BASE if self.model.base == "bundled" else Path(self.model.base)

    def reads(self) -> str:
        """In a line, what a run of it reads outside its directory, for eyes to see before it does."""
        base = "the bundled base" if self.model.base == "bundled" else f"base {self.model.base}"
        return one_line(f"{base}, curriculum {self.data.curriculum}, images {self.data.image_root}")


def load_config(path: Path, overrides: Sequence[str] = (), option: str = "--set") -> RunConfig:
    """Read a YAML configuration; `overrides` are `section.key=value`, the value read as YAML.

    option: what the overrides were given with. Relative paths start from the file's directory. Raises `UserError` with
    file and line, or the override, and with key and reason.
    """
    text = _text(path)
    try:
        raw, node = yaml_file.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UserError(yaml_file.complaint(error, path)) from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a configuration is a mapping of sections; see {demo_config_path()}")
    given = {_apply(raw, override, option): f"{option} {override}" for override in overrides}
    return _validated(raw, Places(path, node, given))


def _text(path: Path) -> str:
    try:
        return yaml_file.read_text(path)
    except FileNotFoundError:
        near = nearest_file(path, ".yaml")
        hint = f"did you mean {near}?" if near else f"there are some to copy in {CONFIGS}"
        raise UserError(f"{path}: no such configuration; {hint}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read as a configuration ({reason})") from None


class _Loader(yaml.SafeLoader):
    """A key that stands twice is an error: the first would be ignored without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} appears twice", key.start_mark
                )
            seen.add(str(key.value))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def freeze(config: RunConfig, path: Path) -> None:
    """Write the resolved configuration, readable by its owner only."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_private(path, [text])  # a death in the midst must not leave half a configuration


def left_to_defaults(section: Section) -> list[str]:
    """Keys that the file does not have. A frozen configuration has all, unless it was cut short or edited."""
    found: list[str] = []
    for key in type(section).model_fields:
        value = getattr(section, key)
        if key not in section.model_fields_set:
            found.append(key)
        elif isinstance(value, Section):
            found += [f"{key}.{inner}" for inner in left_to_defaults(value)]
    return found


def demo_config(seed: int, runs: Path) -> RunConfig:
    """The demo's configuration for `seed`, its phantoms in `RUNS/.phantom-SEED`."""
    home = (runs / f".phantom-{seed}").absolute()
    return load_config(
        demo_config_path(),
        [
            f"seed={seed}",
            f"data.phantom.seed={seed}",
            f"data.curriculum={home / 'curriculum' / 'curriculum.jsonl'}",
            f"data.image_root={home / 'mimic-cxr-jpg' / '2.1.0'}",
        ],
    )


def demo_config_path() -> Path:
    return CONFIGS / "demo.yaml"


def _apply(raw: dict[str, Any], override: str, option: str) -> tuple[str, ...]:
    """Set one key; returns the path to it."""
    dotted, separator, words = override.partition("=")
    if not separator or not dotted:
        raise UserError(f"{option} {override}: say section.key=value, e.g. {option} lora.rank=32")
    keys = dotted.split(".")
    place = raw
    for key in keys[:-1]:
        if not isinstance(place.setdefault(key, {}), dict):
            raise UserError(f"{option} {override}: {key} is a value, not a section")
        place = place[key]
    try:
        value = yaml_file.load(words)[0]
    except (yaml.YAMLError, ValueError, RecursionError):  # as for a file
        raise UserError(f"{option} {override}: {words!r} is not a YAML value") from None
    for names in _FORMER_NAMES.items():  # what the file says under the other name is overridden as well
        if keys[-1] in names:
            for name in names:
                place.pop(name, None)
    place[keys[-1]] = value
    return tuple(keys)


def _validated(raw: dict[str, Any], places: Places) -> RunConfig:
    try:
        config = RunConfig.model_validate(raw)
    except ValidationError as error:
        raise UserError(complaint(error, places, RunConfig)) from None

    def absolute(given: Path) -> Path:
        return Path(os.path.normpath(places.file.parent.absolute() / expanded(given)))

    data = config.data.model_copy(
        update={
            "curriculum": absolute(config.data.curriculum),
            "image_root": absolute(config.data.image_root),
        }
    )
    model = config.model
    if model.base != "bundled":
        model = model.model_copy(update={"base": str(absolute(Path(model.base)))})
    return config.model_copy(update={"data": data, "model": model})
