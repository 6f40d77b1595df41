"""How much tensors hold at one time, counted exactly and on any device, the meta device included."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveElements(TorchDispatchMode):
    """Counts the elements of storages that are alive, without `given` ones; `most` of them at one time."""

    def __init__(self, given: list[Tensor]) -> None:
        super().__init__()
        self.most = 0
        self._given = {tensor.untyped_storage()._cdata for tensor in given}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, operation: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None):
        self._alive = {key: kept for key, kept in self._alive.items() if not kept[0].expired()}
        made = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._given | self._alive.keys():
                    self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes() // tensor.element_size())
        self.most = max(self.most, sum(elements for _, elements in self._alive.values()))
        return made
