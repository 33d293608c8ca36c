import pytest

from analyses.mi_distance.bands import bands_of
from analyses.mi_distance.settings import HypothesisSettings


def layers(first, last):
    return list(range(first, last + 1))


@pytest.mark.parametrize(
    ("count", "early", "deep", "separated"),
    [
        # The lesson's GPT-2 XL: thirds of 16 layers, and "after layer 10 of 48" begins with layer 11.
        (48, layers(1, 16), layers(33, 48), layers(11, 48)),
        # 10/48 of 30 layers is 6.25: layer 7 is the first that ends beyond it.
        (30, layers(1, 10), layers(21, 30), layers(7, 30)),
        (12, layers(1, 4), layers(9, 12), layers(3, 12)),
        (4, [1], [4], layers(1, 4)),
        (3, [1], [3], layers(1, 3)),
        # No layer of two lies wholly within a third.
        (2, [], [], [1, 2]),
        (1, [], [], [1]),
    ],
)
def test_bands_in_layers_numbered_from_one(count, early, deep, separated):
    bands = bands_of(count, HypothesisSettings())
    assert [(band + 1).tolist() for band in (bands.early, bands.deep, bands.separated)] == [early, deep, separated]
    assert bands.layers == count


def test_bands_follow_the_settings():
    bands = bands_of(10, HypothesisSettings(early_until=0.5, deep_from=0.5, separation_after=0.3))
    assert (bands.early + 1).tolist() == layers(1, 5)
    assert (bands.deep + 1).tolist() == layers(6, 10)
    assert (bands.separated + 1).tolist() == layers(4, 10)


@pytest.mark.parametrize("count", range(1, 60))
def test_early_and_deep_are_mirror_images(count):
    bands = bands_of(count, HypothesisSettings())
    assert (count - 1 - bands.deep[::-1]).tolist() == bands.early.tolist()
