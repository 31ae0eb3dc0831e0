"""What the C library does with the memory of arrays that are no longer needed."""

import numpy as np

_JUST_BELOW_32_MIB = 2**25 - 2**16


def keep_freed_memory() -> None:
    """Have the allocator keep freed memory for the next arrays, where it is glibc's; else do nothing.

    It holds for the whole process: for a command, which is its own, and not for functions of the library.

    glibc gives a freed block of some hundred kB back to the system, and every array made anew then costs a
    page fault for each 4 kB: more time than the arithmetic on it. It stops doing so for blocks up to the
    largest that it has seen freed, of at most 32 MiB (``M_MMAP_THRESHOLD`` in mallopt(3)). One of that size
    is made and freed here; its pages are not touched, so it costs neither memory nor time.
    """
    np.empty(_JUST_BELOW_32_MIB, dtype=np.uint8)
