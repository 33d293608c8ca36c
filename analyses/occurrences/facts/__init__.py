"""What the prose of every study of a word's occurrences names, whatever is measured of them."""
