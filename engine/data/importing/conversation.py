"""A conversation as LLaVA, ShareGPT, TRL and the chat APIs write it: its first question, answer and image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.data.importing.unusable import Unusable

_HUMAN, _MODEL = ("human", "user"), ("gpt", "assistant", "model", "bot", "chatgpt")
_SYSTEM = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Turn:
    """role: human, model or system. text: its parts of text, a line each. images: where its pictures lie, in order."""

    role: str
    text: str
    images: tuple[Any, ...]


def is_turns(value: Any) -> bool:
    """Whether the value is a list of turns."""
    return isinstance(value, list) and bool(value) and all(map(_is_turn, value))


def first_exchange(turns: Any, note: Callable[[str], None]) -> dict[str, Any]:
    """ "prompt", "target" and "image" of the first question and answer, as far as they are there.

    Raises Unusable where the conversation does not begin with a question and its answer.
    """
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        raise Unusable("conversations are no list of turns")
    said = [_turn(turn) for turn in turns]
    if any(turn.role == "system" and turn.text.strip() for turn in said):
        note("system turn left out: the base model's prompt has none")
    said = _joined([turn for turn in said if turn.role != "system"], note)
    if [turn.role for turn in said[:2]] != ["human", "model"]:
        raise Unusable("conversation does not begin with a question and its answer")
    if len(said) > 2:
        note("only the first question and answer of a longer conversation taken")
    question, answer = said[:2]
    images = [image for image in question.images if image is not None]
    found = {"prompt": question.text, "target": answer.text, "image": images}
    return {name: value for name, value in found.items() if value}


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, Mapping) and ("from" in turn or "role" in turn)


def _turn(turn: Mapping[str, Any]) -> Turn:
    name = str(turn.get("from", turn.get("role"))).strip().casefold()
    role = next(
        (r for r, names in (("human", _HUMAN), ("model", _MODEL), ("system", _SYSTEM)) if name in names), None
    )
    if role is None:
        raise Unusable(f"conversation has a turn of {name[:20]!r}")
    texts, images = _content(turn.get("value", turn.get("content")))
    return Turn(role, "\n".join(texts), tuple(images))


def _content(content: Any) -> tuple[list[str], list[Any]]:
    """Texts and images of a turn's content: a text, or a list of parts, each a text or an object with a type."""
    if content is None:
        return [], []
    if isinstance(content, str):
        return [content], []
    texts: list[str] = []
    images: list[Any] = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, Mapping) and "image" in str(
            part.get("type", "image" if "image" in part else "")
        ):
            images.append(
                next((part[key] for key in ("image", "image_url", "path", "url") if part.get(key)), None)
            )
        elif part is not None and not (isinstance(part, Mapping) and part.get("type") == "text"):
            raise Unusable("conversation has a part that is neither text nor image")
    return texts, images


def _joined(turns: list[Turn], note: Callable[[str], None]) -> list[Turn]:
    """Neighbours of one role as one turn."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            before = joined.pop()
            note("turns of one speaker in a row joined")
            text = "\n".join(filter(None, (before.text, turn.text)))
            turn = Turn(turn.role, text, before.images + turn.images)
        joined.append(turn)
    return joined
