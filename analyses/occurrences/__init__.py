"""The occurrences of one word in a text: their vectors, pairs and controls. What every study of them begins with."""
