import platform
import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from analyses.memory import keep_free_memory, return_free_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(3 * 2**20 // 8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

keep_free_memory()
first, second = faults(), faults()
kept = resident()
return_free_memory()
print(first, second, kept - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left to their own ways")
def test_memory_is_kept_for_the_next_need_until_it_is_returned():
    """Each page of 3 MB costs a fault when it is touched for the first time. From 4 MB on NumPy asks for larger pages."""
    out = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True).stdout
    first, second, returned = map(int, out.split())
    pages = 3 * 2**20 // resource.getpagesize()
    assert first > 0.9 * pages
    assert second < 0.1 * pages
    assert returned > 2 * 2**20


def test_estimating_leaves_the_choice_to_whoever_calls():
    code = (
        "import numpy as np\nfrom analyses import memory\n"
        "def chosen(): raise AssertionError('a library function set malloc for the whole process')\n"
        "memory.keep_free_memory = chosen\n"
        "from analyses.mutual_information import mutual_information\n"
        "x = np.random.default_rng(0).normal(size=(2, 64))\n"
        "mutual_information(x, x[::-1])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
