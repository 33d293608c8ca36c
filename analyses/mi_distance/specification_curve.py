"""Would another choice have changed the answer? Every statement under every combination of the choices that an analyst has.

Specification curve: Simonsohn, Simmons & Nelson (2020), Nature Human Behaviour 4, 1208-1214.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.hypotheses import STATEMENTS, Statement, judge_statement, measure_with_intervals
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import StudySettings
from analyses.mutual_information import Estimator, pairwise_under_choices
from analyses.occurrences.controls import Adjusted, ControlPairs, plain, subtract, thinned, tokens_of
from analyses.occurrences.pairs import Pairs
from analyses.records import Variable
from analyses.statistics.correlation import kendall_taus
from analyses.statistics.relabelling import relabellings

Choice = TypeVar("Choice")
Bins = int | Literal["fd"]

HISTOGRAMS: tuple[Literal["histogram"], Literal["corrected"]] = ("histogram", "corrected")
NEAREST: Literal["nearest_neighbour"] = "nearest_neighbour"
COPULA: Literal["gaussian_copula"] = "gaussian_copula"
# A statement that a specification says nothing about: the shift is one between a histogram and nearest neighbours.
NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True)
class Specification:
    """One combination of choices; `bins` only with a histogram, `neighbours` only with nearest neighbours, `trim` None keeps all.

    `control` is what the values are: "different_word" with these pairs subtracted, "none" plain, "centred" plain of centred vectors.
    `output` is where a branch is read: "projection" or "residual" (`ModelSettings.branch_output`), empty where that is not known.
    """

    estimator: Literal["histogram", "corrected", "nearest_neighbour", "gaussian_copula"]
    bins: Bins | None
    neighbours: int | None
    trim: float | None
    token: str
    control: str = "none"
    output: str = ""


# How an occurrence is represented: the token (or the mean of the tokens), and where the branch is read.
Representation = tuple[str, str]


@dataclass(frozen=True)
class Control:
    """The other words' vectors (branch, layer, token, dimension), their pairs, and these as the study itself measured them.

    `activations` are these vectors by where the branch is read, the study's own first. `measured` is (estimator, branch, layer,
    control pair), in the order of `names.ESTIMATORS`.
    """

    activations: Mapping[str, np.ndarray]
    pairs: ControlPairs
    measured: np.ndarray


@dataclass(frozen=True)
class Vectors:
    """What is measured: the occurrences by each representation (branch, layer, occurrence, dimension), the study's own first.

    `control` is there where the study has control words. `known` is what `under_choices` has given already of the first representation
    with the study's own trimming.
    """

    activations: Mapping[Representation, np.ndarray]
    control: Control | None = None
    known: np.ndarray | None = None

    @property
    def controls(self) -> tuple[str, ...]:
        return ("none",) if self.control is None else ("different_word", "none", "centred")


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


def specifications(
    settings: StudySettings, represented: Iterable[Representation], controls: tuple[str, ...] = ("none",)
) -> list[Specification]:
    """Every combination once. `represented` are the representations of a word that differ, `controls` what values there are."""
    represented = tuple(represented)
    choices = _choices(settings)
    found = []
    for control in controls:
        for token, output in represented:
            rest = (token, control, output)
            for trim in choices.trim:
                found += [Specification(name, bins, None, trim, *rest) for name in HISTOGRAMS for bins in choices.bins]
                found += [Specification(NEAREST, None, k, trim, *rest) for k in choices.neighbours]
                found.append(Specification(COPULA, None, None, trim, *rest))
    return found


def under_choices(
    activation: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    settings: StudySettings,
    trim: float | None,
    advance: Callable[[int], None],
    known: tuple[float | None, np.ndarray] | None = None,
) -> np.ndarray:
    """Mutual information of pairs by `specifications` of one representation and trimming, in their order.

    `known` is another trimming and what this gave: most pairs keep the same dimensions under two limits that are next to each other.

    Returns
    -------
    (specification, branch, layer, pair) in nats
    """
    choices = _choices(settings)
    found = pairwise_under_choices(
        activation.astype(np.float64),
        first,
        second,
        bins=choices.bins,
        neighbours=choices.neighbours,
        estimators=(*HISTOGRAMS, NEAREST, COPULA),
        trim=trim,
        known=None if known is None else (known[0], dict(zip(_keys(choices), known[1], strict=True))),
        advance=advance,
    )
    stacked = np.stack([found[key] for key in _keys(choices)])
    # The copula's estimate of two vectors in the very same order has no upper end: no mean can be taken over it.
    return np.where(np.isinf(stacked), np.nan, stacked)


def _keys(choices: _Choices) -> list[tuple[Estimator, Bins | None]]:
    """Estimators and their bins or neighbours, in the order of `specifications`."""
    of_counts: list[tuple[Estimator, Bins | None]] = [(estimator, bins) for estimator in HISTOGRAMS for bins in choices.bins]
    return [*of_counts, *((NEAREST, k) for k in choices.neighbours), (COPULA, None)]


def own_estimates(values: np.ndarray, settings: StudySettings) -> np.ndarray:
    """The study's own estimators, in the order of `names.ESTIMATORS`, among `under_choices` with its own trimming."""
    representation = ("", "")
    listed = [one for one in specifications(settings, [representation]) if one.trim == settings.estimation.trim]
    own = [next(place for place, one in enumerate(listed) if _is_own(one, name, settings, representation)) for name in ESTIMATORS]
    return values[own]


def _measured(
    activation: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    settings: StudySettings,
    advance: Callable[[int], None],
    known: np.ndarray | None = None,
) -> np.ndarray:
    """Mutual information of pairs by `specifications` of one representation, in their order: (specification, branch, layer, pair)."""
    trims, own = _choices(settings).trim, settings.estimation.trim
    found = {} if known is None else {own: known}

    def measure(trim: float | None, beside: float | None) -> None:
        if trim not in found:
            there = (beside, found[beside]) if beside in found else None
            found[trim] = under_choices(activation, first, second, settings, trim, advance, there)

    # From the study's own outwards: each limit keeps nearly what the one before it keeps.
    by_limit = sorted(trims, key=lambda trim: np.inf if trim is None else trim)
    begin = by_limit.index(own)
    for beside, trim in pairwise([own, *by_limit[begin:]]):
        measure(trim, beside)
    for beside, trim in pairwise(by_limit[begin::-1]):
        measure(trim, beside)
    return np.concatenate([found[trim] for trim in trims])


def specified_values(
    vectors: Vectors, pairs: Pairs, settings: StudySettings, advance: Callable[[int], None]
) -> dict[str, tuple[list[Specification], Adjusted]]:
    """Mutual information under every specification, by what the values are.

    Parameters
    ----------
    advance : called with the number of pairs finished since the last call, of all layers and trimmings

    Returns
    -------
    control -> specifications, and values (specification, branch, layer, pair) in nats
    """
    represented = tuple(vectors.activations)

    def of_pairs(activations: Iterable[np.ndarray], known: np.ndarray | None = None) -> np.ndarray:
        of_each = zip_longest(activations, [known])
        return np.concatenate([_measured(each, pairs.first, pairs.second, settings, advance, one) for each, one in of_each])

    values = of_pairs(vectors.activations.values(), vectors.known)
    adjusted = {"none": plain(values)}
    if vectors.control is not None:
        control = vectors.control
        offset = {output: each.astype(np.float64).mean(axis=2, keepdims=True) for output, each in control.activations.items()}
        adjusted["different_word"] = _minus_control(control, values, settings, represented, advance)
        adjusted["centred"] = plain(of_pairs(each - offset[output] for (_, output), each in vectors.activations.items()))
    return {control: (specifications(settings, represented, (control,)), adjusted[control]) for control in vectors.controls}


def _minus_control(
    control: Control,
    values: np.ndarray,
    settings: StudySettings,
    represented: tuple[Representation, ...],
    advance: Callable[[int], None],
) -> Adjusted:
    """`values` (specification, branch, layer, pair) minus the different-word pairs under the same choices.

    Measuring all of the pairs of a long text under every choice would take most of a study's time, so other choices than the study's
    own use `robustness.pairs_per_distance` of them at each distance; the study's own specifications keep all.
    """
    fewer, _ = thinned(control.pairs, settings.robustness.pairs_per_distance)
    everyone = tokens_of(control.pairs)
    # The other words are read where the word is, and have one token; where the word has two representations, both are held against it.
    different = {
        output: _measured(activation, fewer.first, fewer.second, settings, advance) for output, activation in control.activations.items()
    }
    varied = subtract(fewer, np.concatenate([different[output] for _, output in represented]), values, everyone)
    listed = specifications(settings, represented)
    for index, own in enumerate(ESTIMATORS):
        places = [place for place, one in enumerate(listed) if _is_own(one, own, settings, represented[0])]
        exact = subtract(control.pairs, control.measured[index], values[places], everyone)
        for all_of, some in ((varied.values, exact.values), (varied.ranked, exact.ranked)):
            all_of[places] = some
        for all_of, some in zip(varied.replicates + varied.ranked_replicates, exact.replicates + exact.ranked_replicates, strict=True):
            all_of[places] = some
    return varied


def _is_own(one: Specification, estimator: str, settings: StudySettings, represented: Representation) -> bool:
    own = settings.estimation
    same = one.estimator == estimator and one.trim == own.trim and (one.token, one.output) == represented
    return same and one.bins in (None, own.bins) and one.neighbours in (None, own.neighbours)


def steps(settings: StudySettings, vectors: Vectors, pairs: Pairs) -> int:
    """How many pairs are measured, of all layers, branches and trimmings: the word's as they are and centred, and the control's."""
    activations = list(vectors.activations.values())
    measured = len(pairs) * len(activations)
    if vectors.control is not None:
        fewer, _ = thinned(vectors.control.pairs, settings.robustness.pairs_per_distance)
        measured = 2 * measured + len(fewer.first) * len(vectors.control.activations)
    branches, layers = activations[0].shape[:2]
    known = 0 if vectors.known is None else len(pairs)
    return branches * layers * (len(_choices(settings).trim) * measured - known)


def references(listed: list[Specification], neighbours: int) -> np.ndarray:
    """For each specification the index of the nearest-neighbour one with the same trimming and representation and the study's k."""
    found = []
    for one in listed:
        same = (neighbours, one.trim, one.token, one.output)
        found.append(next(index for index, other in enumerate(listed) if (other.neighbours, other.trim, other.token, other.output) == same))
    return np.array(found)


def speaks_to(specification: Specification, statement: Statement) -> bool:
    """Whether the statement says anything about this specification."""
    return statement.about_word or (specification.estimator in HISTOGRAMS and specification.control == "none")


def specification_steps(pairs: Pairs, settings: StudySettings) -> tuple[int, int]:
    """The steps of one control: its relabellings, and what stands for all that follows them, about a twentieth of the time."""
    every = relabellings(pairs.occurrences, settings.permutations)
    return every, every // 20 + 1


def specification_variables(
    specified: Mapping[str, tuple[list[Specification], Adjusted]],
    pairs: Pairs,
    bands: Bands,
    settings: StudySettings,
    *,
    confidence: float,
    advance: Callable[[int], None],
) -> dict[str, Variable]:
    """Every statement's estimate, interval and verdict under every specification, as variables of the bundle.

    Parameters
    ----------
    specified : what `specified_values` gives
    advance : called with the steps finished since its last call, for each control those of `specification_steps`
    """
    _, settled = specification_steps(pairs, settings)
    listed: list[Specification] = []
    columns: list[list[dict[str, Any] | None]] = []
    changes = []
    for control, (some, adjusted) in specified.items():
        measured = measure_with_intervals(
            adjusted,
            pairs,
            bands,
            confidence=confidence,
            seed=settings.seed,
            permutations=settings.permutations,
            estimators=control == "none",
            reference=references(some, settings.estimation.neighbours),
            advance=advance,
        )
        advance(settled // 2)
        for column, specification in enumerate(some):
            judged = [
                judge_statement(statement, column, measured, settings.hypotheses) if speaks_to(specification, statement) else None
                for statement in STATEMENTS
            ]
            columns.append(judged)
        listed += some
        # Rank correlation sees the order of the distances only; recorded so that a reader need not take it on trust.
        by_logarithm, as_it_is = kendall_taus([np.log(pairs.distance), pairs.distance], adjusted.ranked)
        changes.append(np.abs(by_logarithm - as_it_is).ravel())
        advance(settled - settled // 2)
    shape = (len(STATEMENTS), len(listed))
    numbers = {name: np.full(shape, np.nan) for name in ("estimate", "low", "high")}
    verdicts = np.full(shape, NOT_APPLICABLE, dtype=object)
    for column, rows in enumerate(columns):
        for row, found in enumerate(rows):
            if found is None:
                continue
            verdicts[row, column] = found["verdict"]
            # A curve is drawn of one quantity, so of a statement in several parts it is that of the first.
            drawn = found["parts"][0].get("mean", found["parts"][0])
            for name, array in numbers.items():
                array[row, column] = np.nan if drawn[name] is None else drawn[name]
    logarithmic = np.concatenate(changes)
    change = np.array(np.nanmax(logarithmic) if np.isfinite(logarithmic).any() else np.nan)
    along, over = ("specification",), ("statement", "specification")
    return {
        "specification_control": (along, np.array([one.control for one in listed]), {"long_name": "what is subtracted or centred"}),
        "specification_estimator": (along, np.array([one.estimator for one in listed]), {"long_name": "estimator of mutual information"}),
        "specification_bins": (along, _words(one.bins for one in listed), {"long_name": "bins per axis; fd: Freedman-Diaconis"}),
        "specification_neighbours": (along, _words(one.neighbours for one in listed), {"long_name": "k of the nearest neighbours"}),
        "specification_trim": (along, _words(one.trim or "none" for one in listed), {"long_name": "largest abs(z) of a kept dimension"}),
        "specification_token": (along, np.array([one.token for one in listed]), {"long_name": "the vector that stands for a word"}),
        "specification_output": (along, np.array([one.output for one in listed]), {"long_name": "where the branches are read"}),
        "specification_estimate": (over, numbers["estimate"], {"long_name": "its estimate: nats (1, 2), tau (3, 4), slope (5)"}),
        "specification_low": (over, numbers["low"], {"long_name": "lower end of its 95 % interval"}),
        "specification_high": (over, numbers["high"], {"long_name": "upper end of its 95 % interval"}),
        "specification_verdict": (over, verdicts.astype(str), {"long_name": "the statement's verdict"}),
        "specification_log_distance_change": ((), change, {"long_name": "largest change of any tau with log distance"}),
    }


def specification_table(dataset: xr.Dataset, study: Mapping[str, Any]) -> pd.DataFrame:
    """One row for every statement and specification that speaks to it.

    Returns
    -------
    Columns statement, name, control, estimator, bins, neighbours, trim, token, output, distance, estimate, low, high, verdict, own
    (one of those that the study concludes from). `distance` names both measures of distance: the row is the same with either.
    """
    names = ("control", "estimator", "bins", "neighbours", "trim", "token", "output")
    choices = {name: dataset[f"specification_{name}"].to_numpy() for name in names}
    found = {name: dataset[f"specification_{name}"].to_numpy() for name in ("estimate", "low", "high", "verdict")}
    frames = []
    for row, statement in enumerate(STATEMENTS):
        head = {"statement": statement.number, "name": statement.name}
        frame = pd.DataFrame(head | choices | {"distance": "tokens, log"} | {name: array[row] for name, array in found.items()})
        frames.append(frame[frame["verdict"] != NOT_APPLICABLE])
    table = pd.concat(frames, ignore_index=True)
    settings, own = study["settings"], study["settings"]["estimation"]
    rests_on = {row["name"]: row["control"] for row in study["conclusions"]}
    table["own"] = (
        (table["control"] == table["name"].map(rests_on))
        & (table["estimator"] != COPULA)
        & table["bins"].isin(["", _word(own["bins"])])
        & table["neighbours"].isin(["", _word(own["neighbours"])])
        & (table["trim"] == _word(own["trim"] or "none"))
        & (table["token"] == settings["representative_token"])
        & table["output"].isin(["", study["provenance"].get("model", {}).get("branch_output", "")])
    )
    return table


def _words(values: Iterable[Any]) -> np.ndarray:
    return np.array([_word(value) for value in values])


def _word(value: Any) -> str:
    """A choice as it stands in the tables; empty where it does not apply."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:g}"
