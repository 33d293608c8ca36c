"""What the study's choices, its estimators and its tests are worth: everything behind the report's sections on robustness."""

import numpy as np

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.calibration import CORRELATIONS, REPETITIONS, calibration_variables
from analyses.mi_distance.error_rates import TESTS, error_rate_variables
from analyses.mi_distance.inputs import StudyInput
from analyses.mi_distance.layer_statistics import Variable
from analyses.mi_distance.pairs import Pairs
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.specification_curve import Control, Vectors, specification_variables, steps
from analyses.progress import Progress


def robustness_variables(
    vectors: StudyInput,
    values: np.ndarray,
    pairs: Pairs,
    bands: Bands,
    control: Control | None,
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
    """
    if not settings.robustness.enabled:
        return {}
    own = settings.representative_token
    activations: dict[str, np.ndarray] = {own: vectors.activation}
    if vectors.alternative_activation is not None:
        activations["mean" if own == "last" else "last"] = vectors.alternative_activation
    varied = Vectors(activations, control)
    with progress.stage("robustness", steps(settings, varied)) as advance:
        variables = specification_variables(varied, pairs, bands, settings, confidence=confidence, advance=advance)
    with progress.stage("calibration", len(CORRELATIONS) * REPETITIONS) as advance:
        variables |= calibration_variables(vectors.activation.shape[-1], settings, advance)
    with progress.stage("simulation", len(TESTS)) as advance:
        variables |= error_rate_variables(
            values, pairs, simulations=settings.robustness.simulations, alpha=settings.alpha, seed=settings.seed, advance=advance
        )
    return variables
