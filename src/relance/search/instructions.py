"""What questions are for, as models that take an instruction were trained to hear it: one English sentence."""

from __future__ import annotations

from difflib import get_close_matches

from relance.errors import InputError

__all__ = ["PRESETS", "instruction"]

PRESETS = {
    "retrieval": "Given a search query, retrieve passages that are relevant to it",
    "question-answering": "Given a question, retrieve passages that answer it",
    "fact-checking": "Given a claim, retrieve passages that support or refute it",
    "paraphrase": "Given a sentence, retrieve sentences that mean the same",
    "duplicates": "Given a question, retrieve questions that ask for the same thing",
    "classification": "Given a text, retrieve texts of the same class",
    "clustering": "Given a text, retrieve texts on the same topic",
    "recommendation": "Given what somebody liked, retrieve what they would like as well",
    "code": "Given a question about a program, retrieve the code that answers it",
    "images": "Given a description, retrieve images and videos that show it",
}


def instruction(text: str) -> str:
    """Return the preset of this name, or the text itself; a single word that names none raises InputError."""
    text = text.strip()
    if text in PRESETS or not text:
        return PRESETS.get(text, "")
    if len(text.split()) == 1:
        close = get_close_matches(text, PRESETS, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(PRESETS)}; or write a sentence."
        msg = f"there is no instruction {text!r}; {hint}"
        raise InputError(msg)
    return text
