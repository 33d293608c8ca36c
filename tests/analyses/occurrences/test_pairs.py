import numpy as np
import pytest

from analyses.errors import InputError
from analyses.occurrences.pairs import pairs_of


def test_every_pair_once_with_its_distance():
    pairs = pairs_of(np.array([3, 10, 24, 25]))
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True)) == [
        (0, 1, 7),
        (0, 2, 21),
        (0, 3, 22),
        (1, 2, 14),
        (1, 3, 15),
        (2, 3, 1),
    ]
    assert pairs.occurrences == 4


@pytest.mark.parametrize("occurrences", [2, 3, 7, 12])
def test_number_of_pairs(occurrences):
    assert len(pairs_of(np.arange(occurrences) * 5)) == occurrences * (occurrences - 1) // 2


def test_without_an_occurrence_its_pairs_are_gone():
    pairs = pairs_of(np.array([3, 10, 24, 25]))
    assert pairs.without(1).tolist() == [1, 2, 5]
    assert pairs.without(3).tolist() == [0, 1, 3]


@pytest.mark.parametrize("position", [[5], [], [5, 5, 9], [5, 9, 7], [[1, 2], [3, 4]]])
def test_positions_that_make_no_pairs(position):
    with pytest.raises(InputError, match="token_position"):
        pairs_of(np.array(position))
