"""Give the memory of weights that are mapped from a file back to the system while they are not needed."""

import bisect
import ctypes
import mmap
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from analyses.memory import c_library

_MADV_DONTNEED = 4  # linux/include/uapi/asm-generic/mman-common.h
# Giving back interrupts every processor that works for this process, whatever the size.
_WORTH_IT = 2**20
# The hub's cache keeps a weight file under its SHA-256, and that is the name by which the system knows the mapping.
_WEIGHT_FILE = re.compile(r".*(\.safetensors|/[0-9a-f]{64})", re.DOTALL)


@dataclass(frozen=True)
class Pages:
    """Whole pages of a mapped file: where each piece begins in memory, and its length in bytes."""

    pieces: tuple[tuple[int, int], ...]

    def give_back(self) -> int:
        """Drop them from memory; the next access reads them again. Returns how many bytes the system took."""
        system = c_library()
        return sum(
            length for start, length in self.pieces if system.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_DONTNEED) == 0
        )


class MappedWeights:
    """The parts of this process's memory that safetensors files are mapped to, at the moment this is made.

    A mapped file is read where it is touched, so a large model need never be in memory as a whole: what has run is given back.
    The system still keeps the file's pages for the next reader as long as there is room. On other systems than Linux there
    are no such parts.
    """

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        if sys.platform != "linux":
            return
        for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
            span, *_, name = line.split(maxsplit=5)
            if _WEIGHT_FILE.fullmatch(name.rstrip("\n")):
                start, end = (int(number, 16) for number in span.split("-"))
                self._ranges.append((start, end))
        self._ranges.sort()

    def pages(self, tensors: Iterable[torch.Tensor]) -> Pages:
        """The pages of those tensors that lie in a mapped file, from a megabyte on.

        Memory that no weight file backs is never among them: giving it back would erase what it holds.
        """
        pieces = []
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if storage.device.type != "cpu" or not self._contains(storage.data_ptr(), storage.nbytes()):
                continue
            # Only whole pages: the call wants a page's address, and the first and last page may hold part of a neighbour.
            start = -(-storage.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
            length = (storage.data_ptr() + storage.nbytes() - start) // mmap.PAGESIZE * mmap.PAGESIZE
            if length >= _WORTH_IT:
                pieces.append((start, length))
        return Pages(tuple(pieces))

    def _contains(self, start: int, size: int) -> bool:
        index = bisect.bisect_right(self._ranges, (start, sys.maxsize)) - 1
        return index >= 0 and start + size <= self._ranges[index][1]
