"""A second analysis, registered by its own distribution: the smallest thing that reportgen can run."""

import os
import time
from pathlib import Path

import numpy
import pandas
import xarray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from analyses.errors import InputError
from analyses.models.settings import ModelSettings
from analyses.protocol import Results


class Counting(BaseModel):
    """How letters are counted."""

    model_config = ConfigDict(extra="forbid")
    bins: int = Field(15, ge=2, description="Bins of the count.")
    trim: float | None = 4.0
    kinds: tuple[str, ...] = ("vowel", "consonant")


class LettersSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    word: str
    text: str | None = None
    activations_file: str | None = None
    model: ModelSettings | None = None
    counting: Counting = Counting()
    seed: int = Field(20, ge=0)

    @field_validator("word")
    @classmethod
    def _one_word(cls, value: str) -> str:
        if " " in value:
            raise ValueError("must be one word")
        return value


class Letters:
    name = "letters"
    settings_type = LettersSettings
    templates = "letters"

    def studies(self):
        return {"letters": Path(__file__).with_name("letters.yaml")}

    def run(self, settings, progress):
        log = os.environ.get("FAKE_LETTERS_LOG")
        if log:
            with Path(log).open("a") as file:
                file.write("run\n")
        if settings.word not in settings.text:
            raise InputError(f"the word {settings.word!r} is not in the text")
        if settings.word == "after":
            raise ZeroDivisionError("a fault\nof two lines")
        with progress.stage("mutual_information", 2) as advance:
            time.sleep(float(os.environ.get("FAKE_LETTERS_SLEEP", "0")))
            advance(2)
        lengths = numpy.array([len(word) for word in settings.text.split()])
        dataset = xarray.Dataset(
            {
                "length": ("occurrence", lengths),
                "even": ("occurrence", lengths % 2 == 0),
                "mean_length": ("estimator", numpy.array([lengths.mean(), numpy.nan])),
            },
            coords={"estimator": ["histogram", "corrected"], "occurrence_word": ("occurrence", settings.text.split())},
        )
        activations = xarray.Dataset({"activation": (("occurrence", "dimension"), numpy.outer(lengths, [0.1, 1 / 3]).astype("float32"))})
        longer = float(lengths.mean()) > settings.counting.bins / 5
        verdict = {"statement": "long_words", "control": "none", "low": 0.1, "high": 0.2, "agreeing_layers": 1, "layers": 1}
        verdicts = [
            {**verdict, "estimator": "histogram", "verdict": "supported" if longer else "contradicted", "estimate": lengths.mean()},
            {**verdict, "estimator": "corrected", "verdict": "not_testable", "estimate": numpy.nan},
        ]
        study = {
            "analysis": self.name,
            "settings": settings.model_dump(mode="json"),
            "provenance": {"versions": {"numpy": numpy.__version__}, "seed": settings.seed},
            "verdicts": verdicts,
        }
        return Results(dataset, activations, study)

    def tables(self, results):
        columns = {"word": results.dataset["occurrence_word"].values, "third": results.dataset["length"].values / 3}
        return {"lengths": pandas.DataFrame(columns)}

    def figures(self, results):
        return []

    def facts(self, results):
        return {"mean": float(results.dataset["mean_length"][0])}


analysis = Letters()
