"""How often each test finds an effect in data that have none: type-I error at a nominal .05.

A data set is one layer of a study: T occurrences, N = T (T - 1) / 2 pairs, two branches. No effect is there: both branches follow
the same law and mutual information does not depend on token distance. Noise is shared by the pairs of an occurrence.

- ``pairs``: MI_ij = mean + a_i + a_j + e_ij, all normal; `shared` is var(a) / var(e).
- ``autocorrelated``: the same, but neighbouring occurrences are alike for a reason of their own: a is a first-order autoregression along
  the text, whose correlation falls by the factor `autocorrelation` with each token. The tests take occurrences as exchangeable but for
  their distances; here they are not.
- ``vectors``: x_t = common + s_t noise_t, with s_t differing between occurrences; the mutual information is the histogram estimate.

Run with ``python -m benchmarks.null_simulation``.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from analyses.mutual_information import pairwise_mutual_information
from analyses.statistics import (
    clip_tau,
    fisher_z,
    independent_t_test,
    jackknife,
    jackknife_mean,
    kendall_tau,
    leave_one_out,
    mantel,
    mantel_difference,
)
from benchmarks.simulations import write

Array = npt.NDArray[np.float64]

# A text of the study's length, in tokens.
TEXT_TOKENS = 94
DIMENSIONS = 576
SHARED = (0.0, 0.2, 0.5, 1.0, 2.0)
# Of a token and the next; over the 13 tokens from one of seven occurrences to the next these are .25, .51 and .88.
AUTOCORRELATIONS = (0.9, 0.95, 0.99)
# var(a) / var(e) with them.
AUTOCORRELATED_SHARED = 1.0
TESTS = (
    "independent_t",
    "paired_t",
    "jackknife_plain",
    "jackknife",
    "mantel",
    "tau_jackknife",
    "fisher_z_course",
    "fisher_z_fieller",
    "mantel_difference",
)


def pair_values(generator: np.random.Generator, occurrences: int, data_sets: int, shared: float) -> Array:
    """(data_sets, 2, N) mutual information of both branches from the additive model."""
    first, second = np.triu_indices(occurrences, 1)
    own = np.sqrt(shared) * generator.normal(size=(data_sets, 2, occurrences))
    return np.asarray(own[..., first] + own[..., second] + generator.normal(size=(data_sets, 2, len(first))))


def autocorrelated_pair_values(generator: np.random.Generator, positions: Array, shared: float, autocorrelation: float) -> Array:
    """(data_sets, 2, N) as `pair_values`, the occurrences' own parts autocorrelated along their positions (data_sets, T)."""
    data_sets, occurrences = positions.shape
    first, second = np.triu_indices(occurrences, 1)
    # Each part is the one before it, forgotten as far as there are tokens between them, and something new.
    kept = autocorrelation ** np.diff(positions, axis=-1)[:, None]
    own = generator.normal(size=(data_sets, 2, occurrences))
    for index in range(1, occurrences):
        step = kept[..., index - 1]
        own[..., index] = step * own[..., index - 1] + np.sqrt(1 - step**2) * own[..., index]
    own *= np.sqrt(shared)
    return np.asarray(own[..., first] + own[..., second] + generator.normal(size=(data_sets, 2, len(first))))


def vector_values(generator: np.random.Generator, occurrences: int, data_sets: int) -> Array:
    """(data_sets, 2, N) histogram mutual information of vectors that share a part and differ in how noisy they are."""
    common = generator.normal(size=(data_sets, 2, 1, DIMENSIONS))
    loudness = np.exp(0.3 * generator.normal(size=(data_sets, 2, occurrences, 1)))
    vectors = common + loudness * generator.normal(size=(data_sets, 2, occurrences, DIMENSIONS))
    return pairwise_mutual_information(vectors, *np.triu_indices(occurrences, 1), estimators=("histogram",))["histogram"]


def scattered(generator: np.random.Generator, occurrences: int, data_sets: int) -> Array:
    """(data_sets, T) token positions of occurrences scattered over a text."""
    return np.array([np.sort(generator.choice(TEXT_TOKENS, occurrences, replace=False)) for _ in range(data_sets)], dtype=np.float64)


def distances(positions: Array) -> Array:
    """(data_sets, N) token distances of the pairs of occurrences at positions (data_sets, T)."""
    first, second = np.triu_indices(positions.shape[1], 1)
    return np.asarray(positions[:, second] - positions[:, first])


def p_values(values: Array, distance: Array, occurrences: int, seed: int) -> dict[str, Array]:
    """p of every test, one for each data set; for the Mantel test of one tau, that of the first branch."""
    first, second = np.triu_indices(occurrences, 1)
    pairs = len(first)
    one, other = values[:, 0], values[:, 1]
    keep = leave_one_out(first, second, occurrences)
    mean_without = np.stack([(one - other)[:, stay].mean(axis=-1) for stay in keep], axis=-1)

    taus, difference_without, mantel_p, difference_p = [], [], [], []
    for row, steps in zip(values, distance, strict=True):
        taus.append(kendall_tau(steps, row))
        difference_without.append([-np.diff(kendall_tau(steps[stay], row[:, stay]))[0] for stay in keep])
        mantel_p.append(mantel(first, second, steps, row[0], permutations=1999, seed=seed).p)
        difference_p.append(mantel_difference(first, second, steps, row[0], row[1], permutations=1999, seed=seed).p)
    tau = np.array(taus)
    clipped = clip_tau(tau, pairs)[0]
    return {
        "independent_t": independent_t_test(one, other).p,
        "paired_t": np.asarray(stats.ttest_rel(one, other, axis=-1).pvalue),
        "jackknife_plain": jackknife((one - other).mean(axis=-1), mean_without).p,
        "jackknife": jackknife_mean(first, second, occurrences, one - other).p,
        "mantel": np.array(mantel_p),
        "tau_jackknife": jackknife(tau[:, 0] - tau[:, 1], np.array(difference_without)).p,
        "fisher_z_course": fisher_z(clipped[:, 0], clipped[:, 1], pairs, "course")[1],
        "fisher_z_fieller": fisher_z(clipped[:, 0], clipped[:, 1], pairs, "fieller")[1],
        "mantel_difference": np.array(difference_p),
    }


def simulate(occurrences: int, data_sets: int, seed: int) -> list[dict[str, object]]:
    """One row for each kind of data, with the share of data sets in which each test gave p < .05."""
    kinds: list[tuple[str, float | None, float | None]] = [("pairs", shared, None) for shared in SHARED]
    kinds += [("vectors", None, None)]
    kinds += [("autocorrelated", AUTOCORRELATED_SHARED, autocorrelation) for autocorrelation in AUTOCORRELATIONS]
    rows: list[dict[str, object]] = []
    for index, (data, shared, autocorrelation) in enumerate(kinds):
        generator = np.random.default_rng([seed, index])
        positions = scattered(generator, occurrences, data_sets)
        if shared is None:
            values = vector_values(generator, occurrences, data_sets)
        elif autocorrelation is None:
            values = pair_values(generator, occurrences, data_sets, shared)
        else:
            values = autocorrelated_pair_values(generator, positions, shared, autocorrelation)
        p = p_values(values, distances(positions), occurrences, seed)
        rejected = {name: round(float((value < 0.05).mean()), 4) for name, value in p.items()}
        row: dict[str, object] = {"data": data, "shared": shared}
        rows.append(row | ({} if autocorrelation is None else {"autocorrelation": autocorrelation}) | {"rejected": rejected})
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """The rows as text, tests down the side."""
    heads = [_head(row) for row in rows]
    lines = [" " * 18 + "".join(f"{head:>12}" for head in heads)]
    for name in TESTS:
        lines.append(f"{name:<18}" + "".join(f"{row['rejected'][name]:>12.3f}" for row in rows))  # type: ignore[index]
    return "\n".join(lines)


def _head(row: dict[str, object]) -> object:
    if "autocorrelation" in row:
        return f"AR(1) {row['autocorrelation']}"
    return row["data"] if row["shared"] is None else f"shared {row['shared']}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Type-I error of each test at a nominal .05, in data without an effect.")
    parser.add_argument("--occurrences", type=int, default=7)
    parser.add_argument("--data-sets", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    options = parser.parse_args()
    rows = simulate(options.occurrences, options.data_sets, options.seed)
    head = f"{options.data_sets} data sets without an effect, {options.occurrences} occurrences, share with p < .05\n"
    settings = {"occurrences": options.occurrences, "data_sets": options.data_sets, "seed": options.seed}
    write(head + table(rows), {"settings": settings, "rows": rows}, options.out)


if __name__ == "__main__":
    main()
