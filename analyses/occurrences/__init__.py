"""The occurrences of one word in a text: their vectors, pairs and controls. What every study of them begins with."""

from pathlib import Path

# What every study of a word's occurrences says alike, for an analysis's `shared_templates`.
TEMPLATES = Path(__file__).parent / "templates"
