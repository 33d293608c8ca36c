"""What a study of the occurrences of a word needs to know, whatever is measured of them. Read from YAML by the caller."""

import datetime
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from analyses.models.settings import ModelSettings


def language_code(value: str) -> str:
    """Return the code of a language (BCP 47); raises ValueError for anything else."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", value):
        raise ValueError(f"expected the code of a language such as en, vi or pt-BR, found {value!r}")
    return value


class Section(BaseModel):
    """Keys of a study file: no unknown ones, and no truth value where a number goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # Python counts with true and false.
        types = _types(cls.model_fields[str(info.field_name)].annotation)
        if types & {int, float} and bool not in types and any(isinstance(each, bool) for each in _items(value)):
            raise ValueError(f"expected a number, found {str(next(each for each in _items(value) if isinstance(each, bool))).lower()}")
        return value


def _types(annotation: Any) -> set[Any]:
    """A type and all those that it is made of."""
    return {annotation}.union(*map(_types, get_args(annotation)))


def _items(value: Any) -> list[Any]:
    return [item for each in value for item in _items(each)] if isinstance(value, list | tuple) else [value]


class DocumentSettings(Section):
    """What the title block says. Language codes are the keys of the texts."""

    title: dict[str, str] = Field(default_factory=dict, description="A title per language code; computed from the word if absent.")
    course: dict[str, str] = Field(default_factory=dict, description="The course that the report is for, per language code.")
    lecturer: str | None = Field(None, description="Who teaches the course; printed under its name.")
    institution: dict[str, str] = Field(default_factory=dict, description="The school or the institute, per language code.")
    authors: tuple[str, ...] = Field((), description="Who is named as author, in the order given; also in the citation files.")
    licence: str | None = Field(None, description="Under what terms the report may be used, such as CC BY 4.0.")
    text_language: str | None = Field(
        None,
        description="Code of the language that the text is in (BCP 47, such as en or vi), for screen readers.",
    )
    date: datetime.date | None = Field(None, description="The date on the title page. There is none unless given: same input, same bytes.")

    @field_validator("text_language")
    @classmethod
    def _is_a_code(cls, value: str | None) -> str | None:
        return None if value is None else language_code(value)


class CaptureSettings(Section):
    """Which word is studied, in which text, and the model that reads it: what every analysis of a word's vectors needs to know."""

    name: str = Field(
        min_length=1,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="What the study is called in files and addresses: letters, digits, dot, hyphen and underscore.",
    )
    word: str = Field(min_length=1, description="The target word, as it stands in the text.")
    text: str | None = Field(None, description="The text. In a YAML file give either text or text_file; none with ready activations.")
    prefix: str | None = Field(
        None,
        description="Text that the model reads first and that is not studied; neutral: the built-in paragraph in the text's language.",
    )
    case_sensitive: bool = Field(False, description="Let Coffee and coffee be two words.")
    plural: bool = Field(False, description="Let the English plural in -s or -es count as the word too.")
    inside_words: bool = Field(False, description="Let the word count inside longer words too (Korean particles, suffixes).")
    except_in: tuple[str, ...] = Field((), description="Longer expressions in which the word is another one (coffee table).")
    representative_token: Literal["last", "mean"] = Field("last", description="Which vector stands for a word of several tokens.")
    model: ModelSettings = Field(default_factory=ModelSettings)
    activations_file: str | None = Field(None, description="Ready activations (.npz or .nc) instead of model and text.")

    @field_validator("word", "text", "prefix")
    @classmethod
    def _normalised(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = unicodedata.normalize("NFC", value).strip()
        if not value:
            raise ValueError("must not be empty")
        return value

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.text is None and self.activations_file is None:
            raise ValueError("text: expected a text (key text or text_file), or ready activations (key activations_file)")
        if self.prefix is not None and self.activations_file is not None:
            raise ValueError("prefix: ready activations have no text that it could stand before; leave prefix or activations_file out")
        return self


class CapturedControls(Protocol):
    """Which vectors are captured beside those of the word."""

    @property
    def different_word(self) -> bool: ...

    @property
    def untrained(self) -> bool: ...

    @property
    def untrained_seeds(self) -> int: ...

    @property
    def prefix(self) -> bool: ...


class CaptureRequest(CaptureSettings):
    """A study as the capture takes it: what every study of a word's vectors has, each with sections and defaults of its own."""

    if TYPE_CHECKING:
        controls: CapturedControls
        seed: int
        document: DocumentSettings
