"""What the study's choices, its estimators and its tests are worth: everything behind the report's sections on robustness."""

import numpy as np

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.calibration import CORRELATIONS, REPETITIONS, calibration_variables
from analyses.mi_distance.error_rates import TESTS, error_rate_variables
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.specification_curve import (
    Control,
    Representation,
    Vectors,
    specification_steps,
    specification_variables,
    specified_values,
    steps,
)
from analyses.occurrences.pairs import Pairs
from analyses.occurrences.vectors import StudyInput
from analyses.progress import Progress
from analyses.records import Variable


def robustness_variables(
    vectors: StudyInput,
    values: np.ndarray,
    pairs: Pairs,
    bands: Bands,
    control: Control | None,
    known: np.ndarray | None,
    settings: StudySettings,
    progress: Progress,
    *,
    confidence: float,
) -> dict[str, Variable]:
    """Specification curve, calibration and error rates as variables of the bundle; none where the settings switch them off.

    Parameters
    ----------
    values : (estimator, branch, layer, pair), nats
    control : the different words, where the study has them
    known : what was estimated already under all choices of bins and neighbours, as `specification_curve.Vectors` has it
    """
    if not settings.robustness.enabled:
        return {}
    varied = Vectors(represented(vectors, settings.representative_token), control, known)
    with progress.stage("robustness", steps(settings, varied, pairs)) as advance:
        specified = specified_values(varied, pairs, settings, advance)
    with progress.stage("specifications", len(specified) * sum(specification_steps(pairs, settings))) as advance:
        variables = specification_variables(specified, pairs, bands, settings, confidence=confidence, advance=advance)
    with progress.stage("calibration", len(CORRELATIONS) * REPETITIONS) as advance:
        variables |= calibration_variables(vectors.activation.shape[-1], settings, advance)
    with progress.stage("simulation", len(TESTS)) as advance:
        variables |= error_rate_variables(
            values, pairs, simulations=settings.robustness.simulations, alpha=settings.alpha, seed=settings.seed, advance=advance
        )
    return variables


def represented(vectors: StudyInput, token: str) -> dict[Representation, np.ndarray]:
    """The occurrences by every representation that makes other vectors, the study's own first: by token, and by where it is read."""
    another, (output, other_output) = {"last": "mean", "mean": "last"}[token], _outputs(vectors)
    found = {
        (token, output): vectors.activation,
        (another, output): vectors.alternative_activation,
        (token, other_output): vectors.other_output_activation,
        (another, other_output): vectors.other_output_alternative_activation,
    }
    return {choice: activation for choice, activation in found.items() if activation is not None}


def control_vectors(vectors: StudyInput) -> dict[str, np.ndarray]:
    """The other words by where they were read, as the study itself did first."""
    found = dict(zip(_outputs(vectors), (vectors.control_activation, vectors.other_output_control_activation), strict=True))
    return {choice: activation for choice, activation in found.items() if activation is not None}


def _outputs(vectors: StudyInput) -> tuple[str, str]:
    """Where the branches were read, and where they could have been; the first is empty for ready activations that do not say."""
    output = vectors.provenance.get("model", {}).get("branch_output", "")
    return output, "projection" if output == "residual" else "residual"
