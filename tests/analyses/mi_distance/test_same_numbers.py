"""The same study on 1, 2 and 4 threads, with the compiled kernels and without: the same numbers."""

import numpy as np
import pytest

from analyses import acceleration, threads
from analyses.mi_distance.study import analyse
from analyses.progress import SilentProgress

# The order in which a kernel sums differs from NumPy's pairwise sums in the last digits. The ends of Cohen's d are found by iteration.
ROUNDING, ITERATED = 1e-12, 1e-8


@pytest.fixture(scope="module")
def once(make_input, small_settings):
    """What one thread with the compiled kernels makes."""
    known = {}

    def results(monkeypatch):
        if not known:
            monkeypatch.setattr(threads, "threads", lambda: 1)
            known["results"] = analyse(make_input(), small_settings, SilentProgress())
        return known["results"]

    return results


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("compiled", [True, False], ids=["numba", "numpy"])
def test_threads_and_kernels_change_no_number(count, compiled, once, make_input, small_settings, monkeypatch):
    expected = once(monkeypatch)
    if not compiled:
        monkeypatch.setenv(acceleration.SWITCH, "0")
    elif acceleration.kernels("statistics") is None:
        pytest.skip("numba is not installed")
    monkeypatch.setattr(threads, "threads", lambda: count)
    found = analyse(make_input(), small_settings, SilentProgress())
    assert set(found.dataset.variables) == set(expected.dataset.variables)
    for name, variable in found.dataset.variables.items():
        if variable.dtype.kind != "f" or compiled:  # on the same kernels to the last bit
            np.testing.assert_array_equal(variable.values, expected.dataset[name].values, err_msg=str(name))
        else:
            tolerance = ITERATED if name in ("cohens_d_low", "cohens_d_high") else ROUNDING
            np.testing.assert_allclose(variable.values, expected.dataset[name].values, rtol=tolerance, atol=tolerance, err_msg=str(name))
    assert [row["verdict"] for row in found.study["verdicts"]] == [row["verdict"] for row in expected.study["verdicts"]]
