# SPDX-License-Identifier: Apache-2.0
"""Where memory of the meta device would be, for code that tells tensors apart by it."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

_FIRST = 1 << 56  # of none that a process has: who reads there fails
_ALIGNED = 64
_LOCK = threading.RLock()


class Addresses:
    """An address for each storage, which stays alive so that no other gets it."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[torch.UntypedStorage, int]] = {}
        self._next = _FIRST

    def storage(self, storage: torch.UntypedStorage) -> int:
        """Where a storage begins; 0 of an empty one, as on the CPU."""
        size = storage.nbytes()
        if not size:
            return 0
        if storage._cdata not in self._of:
            self._of[storage._cdata] = storage, self._next
            self._next += -(-size // _ALIGNED) * _ALIGNED
        return self._of[storage._cdata][1]

    def tensor(self, tensor: torch.Tensor) -> int:
        """Where a tensor begins."""
        if not tensor.numel():
            return 0
        begin = self.storage(tensor.untyped_storage())
        return begin + tensor.storage_offset() * tensor.element_size()

    @contextlib.contextmanager
    def of_storages(self) -> Iterator[None]:
        """Let storages on the meta device say theirs, which no mode of torch sees."""
        cls: Any = torch.UntypedStorage
        thread = threading.get_ident()
        with _LOCK:  # the class is there once for all threads
            own, before = cls.data_ptr, cls.__dict__.get("data_ptr")

            def data_ptr(storage: torch.UntypedStorage) -> int:
                if threading.get_ident() == thread and storage.device.type == "meta":
                    return self.storage(storage)
                found: int = own(storage)
                return found

            cls.data_ptr = data_ptr
            try:
                yield
            finally:
                del cls.data_ptr
                if before is not None:  # of a capture around this one
                    cls.data_ptr = before
