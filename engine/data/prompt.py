"""How a sample becomes token ids: the `mistral_instruct` conversation of LLaVA-Med v1.5, the answer supervised.

The text around the image is tokenised in two pieces, as the original does, which never lets its tokenizer see the
word `<image>`: `[INST] `, then N image tokens, then `\\n{prompt} [/INST]`. The answer follows as ` {target} </s>`.
"""

from dataclasses import dataclass

from tokenizers import Tokenizer

IGNORED_LABEL = -100


@dataclass(frozen=True)
class PromptEncoder:
    """Turns text into ids.

    tokenizer: without special tokens of its own in `encode`. image_tokens: placeholders per image, equal to the
    features the vision tower yields. The ids are those of the converted vocabulary.
    """

    tokenizer: Tokenizer
    image_tokens: int
    image_id: int
    bos_id: int
    eos_id: int

    def prompt(self, text: str) -> list[int]:
        """Ids of one user turn with its image in front, ready for the answer."""
        head = self._ids("[INST] ")
        return [self.bos_id, *head, *[self.image_id] * self.image_tokens, *self._ids(f"\n{text} [/INST]")]

    def answer(self, text: str) -> list[int]:
        """Ids of the answer, with the end-of-sequence token that is supervised too."""
        return [*self._ids(f"{text} "), self.eos_id]

    def training(self, prompt: str, target: str) -> tuple[list[int], list[int]]:
        """Ids and labels of one sample; prompt and image are masked with -100."""
        asked, answered = self.prompt(prompt), self.answer(target)
        return asked + answered, [IGNORED_LABEL] * len(asked) + answered

    def text(self, ids: list[int]) -> str:
        """The text of generated ids, up to the end-of-sequence token."""
        if self.eos_id in ids:
            ids = ids[: ids.index(self.eos_id)]
        return str(self.tokenizer.decode(ids)).strip()

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)
