"""Where a model comes from, where it keeps its two branches, and the activations that one forward pass gives.

The only part of `analyses` that imports torch and transformers, and only once a function is called.
"""

from analyses.models.capture import Capture, LayerCheck, capture
from analyses.models.inspection import inspect_model, verify_model
from analyses.models.settings import BranchModules, ModelSettings
from analyses.models.tokens import Tokens, tokenize

__all__ = ["BranchModules", "Capture", "LayerCheck", "ModelSettings", "Tokens", "capture", "inspect_model", "tokenize", "verify_model"]
