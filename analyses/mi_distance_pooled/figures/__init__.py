"""The figures of a pooled study: what the texts say together, over the layers, one by one, and what other models say."""

from analyses.mi_distance_pooled.figures.forest import forest
from analyses.mi_distance_pooled.figures.profiles import models, profiles, tau_profile
from analyses.mi_distance_pooled.figures.texts import heat_map, text_forest
from analyses.protocol import FigureSpec, Results


def figures(results: Results) -> list[FigureSpec]:
    """Every figure that the results have data for, in the order of the report."""
    several = [models(results)] if "model_depth" in results.dataset else []
    return [forest(results), profiles(results), tau_profile(results), text_forest(results), heat_map(results), *several]
