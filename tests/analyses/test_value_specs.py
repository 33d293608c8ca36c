"""How many digits a number is printed with, where a reader compares it with a limit."""

import pytest

from analyses.value_specs import digits_telling


@pytest.mark.parametrize(("ends", "limits", "digits", "expected"), [
    ((1.104, 1.28), (0.9, 1.1), 2, 3),  # 1.10 would look like the limit
    ((1.1, 1.28), (0.9, 1.1), 2, 2),  # and here it is the limit
    ((1.12, 1.28), (0.9, 1.1), 2, 2),
    ((-0.6500004, -0.5), (-0.65, -0.35), 2, 6),  # no more than six
    ((0.0, 1.0), (), 3, 3),
])  # fmt: skip
def test_an_end_is_printed_as_a_limit_only_where_it_is_it(ends, limits, digits, expected):
    assert digits_telling(ends, limits, digits) == expected
