"""Would another choice have changed the answer? Every statement under every combination of the choices that an analyst has.

Specification curve: Simonsohn, Simmons & Nelson (2020), Nature Human Behaviour 4, 1208-1214.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.hypotheses import STATEMENTS, judge_statement, measure_with_intervals
from analyses.mi_distance.pairs import Pairs
from analyses.mi_distance.settings import StudySettings
from analyses.mutual_information import pairwise_mutual_information
from analyses.statistics.correlation import kendall_tau

Choice = TypeVar("Choice")
Bins = int | Literal["fd"]
Variable = tuple[tuple[str, ...], np.ndarray, dict[str, str]]

HISTOGRAMS: tuple[Literal["histogram"], Literal["corrected"]] = ("histogram", "corrected")
NEAREST: Literal["nearest_neighbour"] = "nearest_neighbour"
COPULA: Literal["gaussian_copula"] = "gaussian_copula"
# A statement that a specification says nothing about: the shift is one between a histogram and nearest neighbours.
NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True)
class Specification:
    """One combination of choices; `bins` only with a histogram, `neighbours` only with nearest neighbours, `trim` None keeps all."""

    estimator: Literal["histogram", "corrected", "nearest_neighbour", "gaussian_copula"]
    bins: Bins | None
    neighbours: int | None
    trim: float | None
    token: str


@dataclass(frozen=True)
class _Choices:
    """What is varied: the settings' lists, with the study's own choice among them."""

    bins: tuple[Bins, ...]
    neighbours: tuple[int, ...]
    trim: tuple[float | None, ...]


def _choices(settings: StudySettings) -> _Choices:
    varied, own = settings.robustness, settings.estimation

    def with_own(choices: Iterable[Choice], choice: Choice) -> tuple[Choice, ...]:
        return tuple(dict.fromkeys([*choices, choice]))

    return _Choices(with_own(varied.bins, own.bins), with_own(varied.neighbours, own.neighbours), with_own(varied.trim, own.trim))


def specifications(settings: StudySettings, tokens: tuple[str, ...]) -> list[Specification]:
    """Every combination once. `tokens` are the representations of a word that differ."""
    choices = _choices(settings)
    found = []
    for token in tokens:
        for trim in choices.trim:
            found += [Specification(estimator, bins, None, trim, token) for estimator in HISTOGRAMS for bins in choices.bins]
            found += [Specification(NEAREST, None, k, trim, token) for k in choices.neighbours]
            found.append(Specification(COPULA, None, None, trim, token))
    return found


def specified_values(
    activations: Mapping[str, np.ndarray], pairs: Pairs, settings: StudySettings, advance: Callable[[int], None]
) -> tuple[list[Specification], np.ndarray]:
    """Mutual information under every specification.

    Parameters
    ----------
    activations : name of the representation -> (branch, layer, occurrence, dimension)
    advance : called with the number of specifications finished since the last call

    Returns
    -------
    specifications and values (specification, branch, layer, pair), nats
    """
    listed, choices = specifications(settings, tuple(activations)), _choices(settings)
    values = {}
    for token, activation in activations.items():
        vectors = activation.astype(np.float64)
        for trim in choices.trim:
            for bins in choices.bins:
                counted = pairwise_mutual_information(vectors, pairs.first, pairs.second, HISTOGRAMS, bins=bins, trim=trim)
                for estimator in HISTOGRAMS:
                    values[Specification(estimator, bins, None, trim, token)] = counted[estimator]
                advance(len(HISTOGRAMS))
            for k in choices.neighbours:
                near = pairwise_mutual_information(vectors, pairs.first, pairs.second, (NEAREST,), trim=trim, neighbours=k)
                values[Specification(NEAREST, None, k, trim, token)] = near[NEAREST]
                advance(1)
            copula = pairwise_mutual_information(vectors, pairs.first, pairs.second, (COPULA,), trim=trim)
            values[Specification(COPULA, None, None, trim, token)] = copula[COPULA]
            advance(1)
    return listed, np.stack([values[specification] for specification in listed])


def references(listed: list[Specification], neighbours: int) -> np.ndarray:
    """For each specification the index of the nearest-neighbour one with the same trimming and token and the study's k."""
    found = []
    for one in listed:
        same = (neighbours, one.trim, one.token)
        found.append(next(index for index, other in enumerate(listed) if (other.neighbours, other.trim, other.token) == same))
    return np.array(found)


def speaks_to(specification: Specification, statement: str) -> bool:
    """Whether the statement says anything about this specification."""
    return statement != "constant_shift" or specification.estimator in HISTOGRAMS


def specification_variables(
    activations: Mapping[str, np.ndarray],
    pairs: Pairs,
    bands: Bands,
    settings: StudySettings,
    *,
    confidence: float,
    advance: Callable[[int], None],
) -> dict[str, Variable]:
    """Every statement's estimate, interval and verdict under every specification, as variables of the bundle."""
    listed, values = specified_values(activations, pairs, settings, advance)
    measured = measure_with_intervals(
        values, pairs, bands, confidence=confidence, reference=references(listed, settings.estimation.neighbours)
    )
    shape = (len(STATEMENTS), len(listed))
    numbers = {name: np.full(shape, np.nan) for name in ("estimate", "low", "high")}
    verdicts = np.full(shape, NOT_APPLICABLE, dtype=object)
    for row, statement in enumerate(STATEMENTS):
        for column, specification in enumerate(listed):
            if speaks_to(specification, statement.name):
                judged = judge_statement(statement, column, measured, settings.hypotheses)
                verdicts[row, column] = judged["verdict"]
                for name, array in numbers.items():
                    array[row, column] = np.nan if judged[name] is None else judged[name]
    # Rank correlation sees the order of the distances only; recorded so that a reader need not take it on trust.
    logarithmic = np.abs(kendall_tau(np.log(pairs.distance), values) - kendall_tau(pairs.distance, values))
    change = np.array(np.nanmax(logarithmic) if np.isfinite(logarithmic).any() else np.nan)
    along, over = ("specification",), ("statement", "specification")
    return {
        "specification_estimator": (along, np.array([one.estimator for one in listed]), {"long_name": "estimator of mutual information"}),
        "specification_bins": (along, _words(one.bins for one in listed), {"long_name": "bins per axis; fd: Freedman-Diaconis"}),
        "specification_neighbours": (along, _words(one.neighbours for one in listed), {"long_name": "k of the nearest neighbours"}),
        "specification_trim": (along, _words(one.trim or "none" for one in listed), {"long_name": "largest abs(z) of a kept dimension"}),
        "specification_token": (along, np.array([one.token for one in listed]), {"long_name": "the vector that stands for a word"}),
        "specification_estimate": (over, numbers["estimate"], {"long_name": "its estimate: nats (1, 2), tau (3, 4), slope (5)"}),
        "specification_low": (over, numbers["low"], {"long_name": "lower end of its 95 % jackknife interval"}),
        "specification_high": (over, numbers["high"], {"long_name": "upper end of its 95 % jackknife interval"}),
        "specification_verdict": (over, verdicts.astype(str), {"long_name": "the statement's verdict"}),
        "specification_log_distance_change": ((), change, {"long_name": "largest change of any tau with log distance"}),
    }


def specification_table(dataset: xr.Dataset, settings: Mapping[str, Any]) -> pd.DataFrame:
    """One row for every statement and specification that speaks to it.

    Returns
    -------
    Columns statement, name, estimator, bins, neighbours, trim, token, distance, estimate, low, high, verdict, own (one of the
    study's own estimates). `distance` names both measures of distance: the row is the same with either.
    """
    choices = {name: dataset[f"specification_{name}"].to_numpy() for name in ("estimator", "bins", "neighbours", "trim", "token")}
    found = {name: dataset[f"specification_{name}"].to_numpy() for name in ("estimate", "low", "high", "verdict")}
    frames = []
    for row, statement in enumerate(STATEMENTS):
        head = {"statement": statement.number, "name": statement.name}
        frame = pd.DataFrame(head | choices | {"distance": "tokens, log"} | {name: array[row] for name, array in found.items()})
        frames.append(frame[frame["verdict"] != NOT_APPLICABLE])
    table = pd.concat(frames, ignore_index=True)
    own = settings["estimation"]
    table["own"] = (
        (table["estimator"] != COPULA)
        & table["bins"].isin(["", _word(own["bins"])])
        & table["neighbours"].isin(["", _word(own["neighbours"])])
        & (table["trim"] == _word(own["trim"] or "none"))
        & (table["token"] == settings["representative_token"])
    )
    return table


def _words(values: Iterable[Any]) -> np.ndarray:
    return np.array([_word(value) for value in values])


def _word(value: Any) -> str:
    """A choice as it stands in the tables; empty where it does not apply."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:g}"
