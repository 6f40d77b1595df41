"""Which calls of the transformer compute the references, and which see them through what was kept."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ..account import Account
from ..clock import Clock, Moment
from ..storage import after
from .control import ByDrift, Once
from .kv_cache import ReferenceCache

Chunks = tuple[Hashable, ...]


@dataclass(frozen=True)
class Call:
    """One call for a batch of conditioning chunks with `num_tokens` reference tokens each: it computes them and
    `stores` their keys and values, or leaves them out. `isolated`: while stored, they see only themselves."""

    chunks: Chunks
    num_tokens: int
    stores: bool
    isolated: bool


@dataclass(frozen=True)
class Refreshing:
    """How references are treated: computed anew so that their drift stays within `tolerance`, None: never; whether they
    see only themselves; where they are kept."""

    tolerance: float | None = None
    isolated: bool = False
    storage: str = "device"


class References:
    """Of one run."""

    def __init__(self, refreshing: Refreshing, clock: Clock, account: Account) -> None:
        tolerance = refreshing.tolerance
        self._control = Once() if tolerance is None else ByDrift(clock, tolerance)
        self._isolated, self._account = refreshing.isolated, account
        self.cache = ReferenceCache(self._control.refreshes, refreshing.storage)
        self._stored: dict[Hashable, int] = {}
        self._asked: dict[Hashable, int] = {}
        self._step, self._due, self._latest = -1, True, -1
        self._drifts: list[float] = []
        self.gave_up = False

    @property
    def isolated(self) -> bool:
        """Whether references see only themselves."""
        return self._isolated

    def plan(self, chunks: Chunks, num_tokens: int, moment: Moment) -> Call | None:
        """What to do with the references of these chunks; None where nothing may be kept of them."""
        if self.gave_up:
            return None
        if moment.step != self._step:
            self._begin(moment.step)
        stores = any(self._is_due(chunk) for chunk in chunks)
        return Call(chunks, num_tokens, stores, self._isolated)

    def _begin(self, step: int) -> None:
        if self._latest == self._step >= 0:
            self._control.stored(self._step, max(self._drifts, default=None))
            self._forget([chunk for chunk, asked in self._asked.items() if asked < self._latest])
        self._drifts = []
        self._step, self._due = step, self._control.due(step)

    def _is_due(self, chunk: Hashable) -> bool:
        """Not yet kept, or kept before the others were computed anew, or to be computed anew in this step."""
        stored = self._stored.get(chunk, -1)
        return stored < self._latest or stored < 0 or (self._due and stored != self._step)

    def finish(self, call: Call, rows: int, drifts: list[float]) -> None:
        """After a call for `rows` pictures went as planned; `drifts` are those that it measured."""
        self._account.count_references(rows * call.num_tokens, call.stores, call.stores)
        for chunk in call.chunks:
            self._asked[chunk] = self._step
        if not call.stores:
            return
        self._drifts += drifts
        for drift in drifts:
            self._account.drifted(drift)
        for chunk in call.chunks:
            self._stored[chunk] = self._step
        self._latest = self._step
        self._account.references_kept(call.num_tokens, self.cache.num_bytes, self.cache.storage)

    def _forget(self, chunks: list[Hashable]) -> None:
        """Let go of what the guidance asks for no more."""
        self.cache.forget(chunks)
        for chunk in chunks:
            del self._stored[chunk], self._asked[chunk]

    def ran_out(self) -> bool:
        """There was not enough memory to keep them; whether there is another storage to try from the next call on."""
        self._forget(list(self._stored))
        storage = after(self.cache.storage)
        if storage:
            self.cache = ReferenceCache(self._control.refreshes, storage)
        return bool(storage)

    def go_back(self) -> None:
        """The sampler takes up an earlier x: what was kept is no past of what follows."""
        self._forget(list(self._stored))
        self._control.go_back()

    def give_up(self) -> None:
        """Compute the references at every step from now on."""
        self.gave_up = True
        self.drop()

    def drop(self) -> None:
        """Let go of every tensor."""
        self.cache.drop()
        self._stored.clear()
        self._asked.clear()
