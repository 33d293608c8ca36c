"""Text that stands in front of the studied one, so that no occurrence of the word is at the start of what the model reads.

A paragraph break joins the two: behind it a tokenizer cuts the text as it does at the start of a document.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from analyses.occurrences.settings import CaptureRequest
from analyses.spelling import is_vietnamese

NEUTRAL = "neutral"
JOINT = "\n\n"
_TEXTS = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Prefix:
    """A text to put in front; `name` and `language` where it is a built-in one."""

    text: str
    name: str | None = None
    language: str | None = None

    def before(self, text: str) -> str:
        """What the model reads."""
        return self.text + JOINT + text

    @property
    def characters(self) -> int:
        """How many characters come before the text."""
        return len(self.text) + len(JOINT)


def study_prefix(settings: CaptureRequest) -> Prefix | None:
    """What the study's own text stands behind; None where it stands alone."""
    if settings.prefix is None or settings.activations_file is not None:
        return None
    return neutral_prefix(settings) if settings.prefix == NEUTRAL else Prefix(settings.prefix)


def control_prefix(settings: CaptureRequest) -> Prefix | None:
    """What the text stands behind in the control; None without that control, and where the study has a prefix already."""
    if not settings.controls.prefix or settings.prefix is not None or settings.activations_file is not None:
        return None
    return neutral_prefix(settings)


def neutral_prefix(settings: CaptureRequest) -> Prefix:
    """The built-in paragraph in the language of the text: the first one that does not have the word in it."""
    assert settings.text is not None
    language = language_of(settings.text, settings.document.text_language)
    prefixes = [
        Prefix(file.read_text(encoding="utf-8").strip(), file.stem.removeprefix("prefix-"), language)
        for file in sorted(_TEXTS.glob(f"prefix-{language}-*.txt"))
    ]
    # A word such as "the" stands in each; it is no occurrence there all the same.
    return next((prefix for prefix in prefixes if not _has_word(prefix.text, settings.word)), prefixes[0])


def language_of(text: str, given: str | None) -> str:
    """The language of the built-in paragraph for a text: Vietnamese where the text is, as `given` or by its letters; else English."""
    return "vi" if is_vietnamese(given, text) else "en"


def _has_word(text: str, word: str) -> bool:
    pattern = r"\s+".join(re.escape(part) for part in word.split())
    return re.search(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE) is not None
