"""The values behind each figure's caption, its text alternative and its line on how to read it.

What a sentence says of the data is computed here: a value spec holds a number, or the key of the sentence that the
numbers call for. Nothing here is in a language.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from analyses.frames import select
from analyses.mi_distance.facts.linear import linear_caption
from analyses.mi_distance.facts.robustness import robustness_captions
from analyses.mi_distance.names import CO_PRIMARY
from analyses.mi_distance.position import PLAIN
from analyses.mi_distance.shown import (
    SUBJECTS,
    bonferroni_threshold,
    compressed_beyond,
    critical_z,
    drawn,
    first_pair,
    fitted_line,
    layer_means,
    pair_values,
)
from analyses.occurrences.branches import ATTENTION, BRANCHES, MLP
from analyses.occurrences.facts.counts import counted, in_how_many
from analyses.occurrences.facts.description import in_syllables
from analyses.occurrences.layer_numbers import detail_layer, places
from analyses.protocol import Results
from analyses.statistics.relabelling import EXACT_OCCURRENCES, UNTESTABLE_OCCURRENCES
from analyses.value_specs import ends, exact, exact_interval, key, listed, number, series

Values = dict[str, Any]


def captions(results: Results) -> dict[str, Values]:
    """Figure id -> placeholder -> value spec, for every figure that these results have."""
    makers: dict[str, Callable[[Results], Values]] = {
        "activation_scatter": _activation_scatter,
        "mutual_information_matrix": _mutual_information_matrix,
        "distance_scatter": _distance_scatter,
        "mutual_information_profile": _mutual_information_profile,
        "t_profile": _t_profile,
        "kendall_tau_profile": _kendall_tau_profile,
        "z_profile": _z_profile,
        "estimator_comparison": _estimator_comparison,
    }
    if "word_specific_excess" in results.dataset:
        makers["overview"] = makers["control_profile"] = _control_profile
    if "kendall_tau_without_first" in results.dataset:
        makers["position_profile"] = _position_profile
    if "untrained_mean_mutual_information" in results.dataset:
        makers["untrained_profile"] = _untrained_profile
    if "linear_share" in results.dataset:
        makers["linear_share"] = linear_caption
    common = _common(results)
    return {name: common | make(results) for name, make in makers.items()} | robustness_captions(results)


def _common(results: Results) -> Values:
    study = results.study
    return {
        "layers": int(study["layers"]),
        "dimensions": int(study["dimensions"]),
        "occurrences": int(study["occurrences"]),
        "pairs": int(study["pairs"]),
        "pair_count": counted("pairs", int(study["pairs"])),
        "layer_count": counted("layers", int(study["layers"])),
        "alpha": exact(study["settings"]["alpha"], unit=True),
        "layer": detail_layer(study)[0],
    }


def _array(results: Results, name: str, estimator: str = "histogram") -> np.ndarray:
    return results.dataset[name].sel(estimator=estimator).to_numpy()


def _span(prefix: str, values: np.ndarray, digits: int = 2, *, unit: bool = False) -> Values:
    """The least and greatest value as two placeholders; the caller has seen to it that there is a finite one."""
    low, high = ends(float(np.nanmin(values)), float(np.nanmax(values)), digits, unit=unit)
    return {f"{prefix}_low": low, f"{prefix}_high": high}


def _in_layers(so: np.ndarray) -> Mapping[str, Any]:
    """In how many layers something is so; `so` (layer,) says of each layer whether it is."""
    return in_how_many("layers", int(so.sum()), len(so))


def _exists(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).any())


def _intervals(results: Results, name: str, drawn_as: str) -> Mapping[str, Any]:
    """The sentence on the "bands" or "bars" of the jackknife, or that there are none."""
    if _exists(_array(results, f"{name}_low")):
        return key(f"figure.intervals.{drawn_as}")
    return key(f"figure.intervals.no_{drawn_as}", occurrences=int(results.study["occurrences"]))


def _untestable(name: str, results: Results, **values: Any) -> Mapping[str, Any]:
    """Why there is no test: too few occurrences or, where there are enough, values that do not vary."""
    occurrences = int(results.study["occurrences"])
    if occurrences <= UNTESTABLE_OCCURRENCES:
        return key(name, occurrences=occurrences, **values)
    return key(f"{name}.constant", **values)


def _order(results: Results, difference: np.ndarray) -> Mapping[str, Any]:
    """In how many layers attention lies above MLP: in all, and in the early and deep ones where such exist. `difference` (layer,)."""
    higher = difference > 0
    bands = {name: places(results.study, name) for name in ("early", "deep")}
    values: Values = {"higher": _in_layers(higher)}
    if not all(len(band) for band in bands.values()):
        return key("figure.alt.order", **values)
    for name, band in bands.items():
        values[name] = _in_layers(higher[band])
    return key("figure.alt.order_in_bands", **values)


def _significant(results: Results, estimator: str) -> Mapping[str, Any]:
    """In how many layers the branches differ, by the jackknife and by the t-test, as far as each could be computed."""
    alpha = results.study["settings"]["alpha"]
    jackknife, t = _array(results, "mi_difference_p_fdr_bh", estimator), _array(results, "t_p_fdr_bh", estimator)
    values: Values = {"t": _in_layers(t < alpha), "jackknife": _in_layers(jackknife < alpha)}
    if _exists(jackknife):
        return key("figure.alt.significant", **values)
    return key("figure.alt.significant_t_only" if _exists(t) else "figure.alt.not_testable", **values)


def _mutual_information_profile(results: Results) -> Values:
    def of_estimator(estimator: str) -> Mapping[str, Any]:
        means = _array(results, "mean_mutual_information", estimator)
        return key(
            "figure.mutual_information_profile.alt_estimator",
            **_span("attention", means[ATTENTION]),
            **_span("mlp", means[MLP]),
            order=_order(results, means[ATTENTION] - means[MLP]),
            significant=_significant(results, estimator),
        )

    alpha = exact(results.study["settings"]["alpha"], unit=True)
    if _exists(_array(results, "mi_difference_p_fdr_bh")):
        tests: Mapping[str, Any] = key("figure.mutual_information_profile.tests", alpha=alpha)
    elif _exists(_array(results, "t_p_fdr_bh")):
        tests = _untestable("figure.mutual_information_profile.tests_t_only", results, alpha=alpha)
    else:
        tests = _untestable("figure.mutual_information_profile.no_tests", results)
    return {
        "intervals": _intervals(results, "mean_mutual_information", "bands"),
        "tests": tests,
        **{estimator: of_estimator(estimator) for estimator in CO_PRIMARY},
    }


def _t_profile(results: Results) -> Values:
    study = results.study
    alpha = study["settings"]["alpha"]
    threshold = bonferroni_threshold(alpha, study["layers"], study["pairs"])

    def of_estimator(estimator: str) -> Mapping[str, Any]:
        t, difference = _array(results, "t_statistic", estimator), _array(results, "mi_difference", estimator)
        values: Values = {**_span("difference", difference, 3), "significant": _significant(results, estimator)}
        if not _exists(t):
            return key("figure.t_profile.alt_no_t", **values)
        values |= {**_span("t", t), "bonferroni": _in_layers(_array(results, "t_p_bonferroni", estimator) < alpha)}
        return key("figure.t_profile.alt_estimator", **values)

    tested = {"layers": int(study["layers"]), "alpha": exact(alpha, unit=True)}
    if _exists(_array(results, "mi_difference_p_fdr_bh")):
        marks = key("figure.t_profile.marks", **tested)
    else:
        by_t = _exists(_array(results, "t_p_fdr_bh"))
        marks = key("figure.t_profile.marks_t_only", **tested) if by_t else key("figure.t_profile.no_marks")
    return {
        "marks": marks,
        "threshold": key("figure.t_profile.no_threshold")
        if math.isnan(threshold)
        else key("figure.t_profile.threshold_drawn", value=number(threshold, 2), df=2 * int(study["pairs"]) - 2),
        "intervals": _intervals(results, "mi_difference", "bars"),
        **{estimator: of_estimator(estimator) for estimator in CO_PRIMARY},
    }


def _kendall_tau_profile(results: Results) -> Values:
    study = results.study
    alpha, (low, high) = study["settings"]["alpha"], study["settings"]["hypotheses"]["tau_range"]

    def of_estimator(estimator: str) -> Mapping[str, Any]:
        tau, mantel = _array(results, "kendall_tau", estimator), _array(results, "mantel_p", estimator)
        if not (_exists(tau[ATTENTION]) and _exists(tau[MLP])):
            return key("figure.kendall_tau_profile.alt_no_tau")
        values = {**_span("attention", tau[ATTENTION], unit=True), **_span("mlp", tau[MLP], unit=True)}
        values |= {f"negative_{branch}": _in_layers(tau[index] < 0) for index, branch in enumerate(BRANCHES)}
        if not _exists(mantel):
            return key("figure.kendall_tau_profile.alt_untested", **values)
        values |= {f"significant_{branch}": _in_layers(mantel[index] < alpha) for index, branch in enumerate(BRANCHES)}
        return key("figure.kendall_tau_profile.alt_estimator", **values)

    occurrences = int(study["occurrences"])
    if not _exists(_array(results, "mantel_p")):
        test = _untestable("figure.kendall_tau_profile.no_test", results)
    elif occurrences <= EXACT_OCCURRENCES:
        test = key("figure.kendall_tau_profile.exact_test", alpha=exact(alpha, unit=True), relabellings=math.factorial(occurrences))
    else:
        relabellings = int(study["settings"]["permutations"])
        test = key("figure.kendall_tau_profile.sampled_test", alpha=exact(alpha, unit=True), relabellings=relabellings)
    bands = "bands" if _exists(_array(results, "kendall_tau_low")) else "no_bands"
    return {
        "range": exact_interval(low, high, unit=True),
        "middle": exact(round((low + high) / 2, 6), unit=True),
        "intervals": key(f"figure.kendall_tau_profile.{bands}", pair_count=counted("pairs", int(study["pairs"]))),
        "test": test,
        **{estimator: of_estimator(estimator) for estimator in CO_PRIMARY},
    }


def _z_profile(results: Results) -> Values:
    study = results.study
    alpha, depth = study["settings"]["alpha"], study["settings"]["hypotheses"]["separation_after"]
    after = places(study, "separated")

    def of_estimator(estimator: str) -> Mapping[str, Any]:
        course, fieller = _array(results, "fisher_z", estimator), _array(results, "fisher_z_fieller", estimator)
        if not _exists(fieller):
            return key("figure.z_profile.alt_no_z")
        values: Values = {**_span("course", course), **_span("fieller", fieller)}
        values["course_significant"] = _in_layers(_array(results, "fisher_p", estimator)[after] < alpha)
        values["fieller_significant"] = _in_layers(_array(results, "fisher_p_fieller", estimator)[after] < alpha)
        return key("figure.z_profile.alt_estimator", **values)

    return {
        "critical": number(critical_z(alpha), 2),
        "depth": {"value": float(depth), "as": "percent", "digits": 1},
        **{estimator: of_estimator(estimator) for estimator in CO_PRIMARY},
    }


def _mutual_information_matrix(results: Results) -> Values:
    pairs = pair_values(results)

    def of_branch(branch: str) -> Values:
        rows = select(pairs, branch=branch)
        largest, smallest = rows.loc[rows["mutual_information"].idxmax()], rows.loc[rows["mutual_information"].idxmin()]
        values: Values = {f"{branch}_mean": number(rows["mutual_information"].mean(), 2)}
        for name, row in (("largest", largest), ("smallest", smallest)):
            values[f"{branch}_{name}"] = number(row["mutual_information"], 2)
            values[f"{branch}_{name}_first"] = int(row["first_occurrence"])
            values[f"{branch}_{name}_second"] = int(row["second_occurrence"])
        return values

    return {name: value for branch in BRANCHES for name, value in of_branch(branch).items()}


def _distance_scatter(results: Results) -> Values:
    _, layer = detail_layer(results.study)
    distance = results.dataset["token_distance"].to_numpy()

    def of_branch(index: int) -> Mapping[str, Any]:
        tau, p = float(_array(results, "kendall_tau")[index, layer]), float(_array(results, "mantel_p")[index, layer])
        span = _span("value", _array(results, "mutual_information")[index, layer])
        if not math.isfinite(tau):
            return key("figure.distance_scatter.alt_no_tau", **span)
        if not math.isfinite(p):
            return key("figure.distance_scatter.alt_untested", tau=number(tau, 2, unit=True), **span)
        return key("figure.distance_scatter.alt_branch", tau=number(tau, 2, unit=True), p={"value": p, "as": "p_value"}, **span)

    return {
        "nearest": int(distance.min()),
        "farthest": int(distance.max()),
        "attention": of_branch(ATTENTION),
        "mlp": of_branch(MLP),
    }


def _activation_scatter(results: Results) -> Values:
    trim = results.study["settings"]["estimation"]["trim"]
    pair = first_pair(results)
    position = results.dataset["token_position"].to_numpy() + 1  # read as numbers, not as indices
    linear = compressed_beyond(pair, trim)
    values: Values = {
        "first_position": int(position[0]),
        "second_position": int(position[1]),
        "trimming": key("figure.activation_scatter.untrimmed")
        if trim is None
        else key("figure.activation_scatter.trimming", trim=exact(trim)),
        "scale": key("figure.activation_scatter.linear")
        if linear is None
        else key("figure.activation_scatter.compressed", limit=exact(linear)),
    }
    for branch in BRANCHES:
        rows = select(pair.frame, branch=branch)
        kept = select(rows, trimmed=False)
        farthest = float(rows[["first_z", "second_z"]].abs().to_numpy().max())
        values[f"{branch}_trimmed"], values[f"{branch}_farthest"] = pair.trimmed[branch], number(farthest, 1)
        values[f"{branch}_kept"] = len(kept)
    return values


def _estimator_comparison(results: Results) -> Values:
    means = layer_means(results)
    fit = fitted_line(means)
    values: Values = {
        "fit": key("figure.estimator_comparison.no_fit")
        if fit is None
        else key("figure.estimator_comparison.fit_drawn", slope=number(fit[0], 2)),
        "points": len(means),
    }
    for branch in BRANCHES:
        rows = select(means, branch=branch)
        values |= {f"{branch}_{name}": number(rows[name].mean(), 2) for name in ("histogram", "corrected", "nearest_neighbour")}
        share = rows["expected_share"].to_numpy()
        values[f"{branch}_share"] = (
            key("figure.estimator_comparison.share_of", share={"value": float(np.nanmean(share)), "as": "percent"})
            if _exists(share)
            else key("figure.estimator_comparison.no_share")
        )
    return values


def _control_profile(results: Results) -> Values:
    provenance = results.study["controls"]["different_word"]
    same, control = _array(results, "mean_mutual_information"), _array(results, "control_mean_mutual_information")
    excess, low = _array(results, "word_specific_excess"), _array(results, "word_specific_excess_low")
    deviation = int(provenance["largest_distance_deviation"])
    values: Values = {
        "control_pairs": int(provenance["pairs"]),
        "others": counted("other_syllables" if in_syllables(results.study) else "other_words", int(provenance["words"])),
        "matching": key("figure.control_profile.matched")
        if deviation == 0
        else key("figure.control_profile.nearly_matched", deviation=deviation),
        "intervals": key("figure.control_profile.intervals" if _exists(low) else "figure.control_profile.no_intervals"),
        "order": _order(results, same[ATTENTION] - same[MLP]),
        "excess_order": _order(results, excess[ATTENTION] - excess[MLP]),
    }
    for index, branch in enumerate(BRANCHES):
        values |= (
            _span(f"{branch}_same", same[index]) | _span(f"{branch}_control", control[index]) | _span(f"{branch}_excess", excess[index])
        )
        values[f"{branch}_above"] = _in_layers(excess[index] > 0)
    return values


def _position_profile(results: Results) -> Values:
    subjects = drawn(results)

    def of_subject(kind: str) -> Mapping[str, Any]:
        looks = [
            key(
                "figure.position_profile.alt_look",
                look=key(f"position.look.{look}"),
                **{branch: number(float(np.nanmean(values)), 2, unit=True) for branch, values in zip(BRANCHES, tau, strict=True)},
            )
            if all(_exists(values) for values in tau)
            else key("figure.position_profile.alt_no_tau", look=key(f"position.look.{look}"))
            for look, tau in ((look, _array(results, name)) for look, name in subjects[kind].items())
        ]
        subject = key(f"position.subject.{SUBJECTS[kind]}")
        return key("figure.position_profile.alt_subject", subject=subject, looks=series(looks))

    shown = {SUBJECTS[kind]: of_subject(kind) for kind in subjects}
    return {
        "looks": listed([key(f"position.look.{look}") for look in subjects[PLAIN]]),
        "subjects": key("figure.position_profile.alt_two", **shown) if len(shown) > 1 else shown[SUBJECTS[PLAIN]],
    }


def _random_weights(seeds: Sequence[int], *, known: bool) -> Mapping[str, Any]:
    """What an untrained model is. Seeds are names, written without separators; of ready activations the number of draws is known."""
    if not known:
        return key("figure.untrained_profile.draws", count=len(seeds))
    if len(seeds) == 1:
        return key("figure.untrained_profile.seed", seed=str(seeds[0]))
    return key("figure.untrained_profile.seeds", count=len(seeds), first=str(seeds[0]), last=str(seeds[-1]))


def _untrained_profile(results: Results) -> Values:
    trained, untrained = _array(results, "mean_mutual_information"), _array(results, "untrained_mean_mutual_information")
    tau, untrained_tau = _array(results, "kendall_tau"), _array(results, "untrained_kendall_tau")
    seeds = results.study["controls"]["untrained"]["seeds"]
    draws = ".one" if len(seeds) == 1 else ""
    values: Values = {
        "weights": _random_weights(seeds, known=results.study["provenance"]["model"]["source"] != "ready activations"),
        "intervals": key(f"figure.untrained_profile.bands{draws}")
        if _exists(_array(results, "mean_mutual_information_low"))
        else key(f"figure.untrained_profile.no_bands{draws}", occurrences=int(results.study["occurrences"])),
        "reading": key(f"figure.untrained_profile.reading{draws}"),
    }
    for index, branch in enumerate(BRANCHES):
        values |= _span(f"{branch}_trained", trained[index]) | _span(f"{branch}_untrained", untrained[index])
        values[f"{branch}_above"] = _in_layers(trained[index] > untrained[index])
    if _exists(tau) and _exists(untrained_tau):
        values["taus"] = key(
            "figure.untrained_profile.alt_taus",
            **_span("trained", tau, unit=True),
            **_span("untrained", untrained_tau, unit=True),
        )
    else:
        values["taus"] = key("figure.kendall_tau_profile.alt_no_tau")
    return values
