"""The measures of similarity, in the order of the arrays."""

# The angle of two vectors; the same after each vector's own mean is taken off; the same after the mean over the text's tokens is.
MEASURES = ("cosine", "pearson", "centred")
COSINE, PEARSON, CENTRED = range(3)
# What values a verdict rests on: as they are, minus different-word pairs, or with token distance partialled out.
CONTROLS = ("different_word", "distance", "none")
