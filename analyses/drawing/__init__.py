"""What the figures of every analysis are drawn with: a canvas for words in any number of languages, and marks with hover texts."""
