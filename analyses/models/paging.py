"""Give the memory of weights that are mapped from a file back to the system while they are not needed."""

import ctypes
import mmap
import sys
from collections.abc import Iterable

import torch

_MADV_PAGEOUT = 21  # linux/include/uapi/asm-generic/mman-common.h; since Linux 5.4


def page_out(tensors: Iterable[torch.Tensor]) -> None:
    """Let the system drop the pages of these tensors; the next access reads them from the file again.

    Safetensors are mapped, so that a large model need never be in memory as a whole: each block is read when it runs and
    given back afterwards. Does nothing on other systems than Linux, and nothing to memory that no file backs.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    for tensor in tensors:
        storage = tensor.untyped_storage()
        # Only whole pages: the first and the last may hold part of a neighbour, and the call wants a page's address.
        start = -(-storage.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        length = (storage.data_ptr() + storage.nbytes() - start) // mmap.PAGESIZE * mmap.PAGESIZE
        if length > 0:
            # A refusal (an old kernel) costs memory and nothing else.
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_PAGEOUT)
