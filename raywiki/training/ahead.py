"""Reading ahead: what comes next is made by a thread while what is there is being used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

T = TypeVar("T")
_END: Any = object()


def read_ahead(items: Iterable[T], device: torch.device) -> Generator[T, None, None]:
    """The same items in the same order, one of them made in advance; close it to end its thread.

    What making an item raises is raised where that item would have come.

    >>> list(read_ahead(range(3), torch.device("cpu")))
    [0, 1, 2]
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "read-ahead", initializer=_use(device)) as pool:
        coming = pool.submit(next, iterator, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, iterator, _END)
            yield item


def _use(device: torch.device) -> Callable[[], None]:
    """Each thread has a GPU of its own choice: without this, pinning memory would open a context on the first one."""
    return lambda: torch.cuda.set_device(device) if device.type == "cuda" else None
