"""Where each phrase stands, and which words decided."""

from hypothesis import given
from hypothesis import strategies as st

from engine.data.labeler.label import label, labels_of
from engine.data.labeler.mentions import Mention, mentions

TEXT = "INDICATION: Pneumonia?\nFINDINGS: No left pleural effusion. Possible edema.\n\nHistory of pneumonia. Scoliosis."


def test_each_phrase_with_its_place_status_and_cue() -> None:
    found = mentions(TEXT)
    assert [(one.label, one.phrase, one.status, one.cue) for one in found] == [
        ("Pleural Effusion", "effusion", 0, "No"),
        ("Edema", "edema", -1, "Possible"),
        ("Pneumonia", "pneumonia", None, "History of"),
        ("Other", "Scoliosis", 1, ""),
    ]
    assert all(TEXT[one.start : one.end] == one.phrase for one in found)
    assert labels_of(found) == label(TEXT)


def test_a_phrase_of_two_labels_is_two_mentions() -> None:
    assert mentions("Left hydropneumothorax.") == [
        Mention(name, "hydropneumothorax", 5, 22, 1, "") for name in ("Pneumothorax", "Pleural Effusion")
    ]


def test_the_words_on_a_quantity_are_its_cue() -> None:
    assert mentions("The heart is mildly enlarged.") == [
        Mention("Cardiomegaly", "heart", 4, 9, 1, "enlarged")
    ]


def test_a_sentence_that_comes_twice_has_its_own_places() -> None:
    assert [one.start for one in mentions("Edema. Edema.")] == [0, 7]


def test_a_letter_that_grows_in_lower_case_moves_nothing() -> None:
    assert [(one.phrase, one.start) for one in mentions("İİ pneumonia.")] == [("pneumonia", 3)]


_WORDS = st.sampled_from(
    [
        *["and", "or", "no", "not", "is", "has", "of", ",", ".", ";", ":", "?"],
        "\n",
        "?pneumonia",
        "pneumonia",
        "effusion",
        "heart",
        "enlarged",
        "normal",
        "possible",
        "versus",
        "resolved",
        "cannot be excluded",
        "history",
        "FINDINGS:",
        "INDICATION:",
        "İ",
        "3.2",
        "can't",
    ]
)


@given(st.lists(_WORDS, max_size=25).map(" ".join) | st.text())
def test_any_text_has_phrases_where_it_says(text: str) -> None:
    for one in mentions(text):
        assert one.phrase == text[one.start : one.end] and one.phrase.strip()
        assert one.status in (1, 0, -1, None)
    assert label(text)["No Finding"] in (1, None)
