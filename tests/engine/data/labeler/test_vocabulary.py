"""The files of phrases, and how they are read."""

from engine.data.labeler.vocabulary import Role, Vocabulary, spelled_out, vocabulary
from engine.data.labels import LABELS

EDEMA, NO = Role("finding", ("Edema",)), Role("negation_before")


def test_the_signs_of_the_files() -> None:
    assert list(spelled_out("a/b c?")) == [("a", "c"), ("a",), ("b", "c"), ("b",)]


def test_the_longest_phrase_at_the_leftmost_word() -> None:
    known = Vocabulary([("edema", EDEMA), ("no", NO), ("no sign of edema", NO)], ["edema"])
    assert [
        (item.start, item.end, item.roles) for item in known.items(["no", "sign", "of", "edema", "edema"])
    ] == [
        (0, 4, (NO,)),
        (4, 5, (EDEMA,)),
    ]
    assert [item.start for item in known.items(["no", "sign", "of"])] == [0]


def test_a_phrase_may_have_two_roles() -> None:
    known = Vocabulary([("edema", EDEMA), ("edema", NO)], [])
    assert known.items(["edema"])[0].role("negation_before") == NO


def test_one_letter_may_be_wrong_but_not_the_first() -> None:
    known = Vocabulary([("effusion", EDEMA)], ["effusion"], right=["affusion", "effusive"])
    for word in ("efusion", "effussion", "effusoin", "effugion", "effusio"):
        assert known.corrected(word) == "effusion"
    for word in ("affusion", "diffusion", "efusoin", "effusive", "eff"):
        assert known.corrected(word) == word


def test_every_label_but_no_finding_has_phrases() -> None:
    items = vocabulary().items(
        ["atelectasis", "cardiomegaly", "consolidation", "edema", "fracture", "nodule", "opacity", "effusion"]
    )
    assert len(items) == 8
    named = {name for root in vocabulary()._root.next.values() for name in _labels(root)}
    assert named - {"Other"} == set(LABELS) - {"No Finding"}


def _labels(node) -> set[str]:  # type: ignore[no-untyped-def]
    own = {name for role in node.roles for name in role.labels}
    return own.union(*(_labels(below) for below in node.next.values()))


def test_no_phrase_can_vanish_to_a_lone_word_that_says_nothing() -> None:
    """Every word of a phrase that may be missing leaves one that means something."""
    alone = {
        word
        for word, node in vocabulary()._root.next.items()
        for role in node.roles
        if role.kind in ("finding", "hint")
    }
    assert alone.isdisjoint(
        {"left", "right", "pleural", "enlarged", "of", "the", "increased", "tube", "line", "dilated"}
    )
