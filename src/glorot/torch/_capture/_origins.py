# SPDX-License-Identifier: Apache-2.0
"""Whose draws a tensor's values are, so that one that comes twice in another is seen."""

import collections

import torch

from glorot.torch._capture._memory import Region, all_of

Root = tuple[int, int]  # a storage, and how often it was drawn
Source = tuple[Root, Region]


def _storage(tensor: torch.Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


class Origins:
    """Which storages hold values of others' draws, and what was copied into each, in order."""

    def __init__(self) -> None:
        self._of: dict[int, Source] = {}
        self._copied: dict[int, dict[Root, list[tuple[Region, Region]]]] = {}
        self._drawn: collections.Counter[int] = collections.Counter()

    def _source(self, tensor: torch.Tensor) -> Source:
        key = _storage(tensor)
        return self._of.get(key, ((key, self._drawn[key]), Region.of(tensor)))

    def same(self, one: torch.Tensor, other: torch.Tensor) -> bool:
        """Whether two tensors hold what functions make of the same draws."""
        return self._source(one) == self._source(other)

    def drawn(self, tensor: torch.Tensor) -> None:
        """Note that a tensor was written anew: what all of a storage held is gone."""
        self._drawn[_storage(tensor)] += 1
        if Region.of(tensor).covers(all_of(tensor)):
            self._of.pop(_storage(tensor), None)
            self._copied.pop(_storage(tensor), None)

    def derived(self, target: torch.Tensor, source: torch.Tensor) -> None:
        """Note that new memory holds what a function makes of each draw of another tensor."""
        self._of[_storage(target)] = self._source(source)

    def copied(self, target: torch.Tensor, source: torch.Tensor) -> bool:
        """Note a copy; return whether the storage of `target` then holds draws twice."""
        root, there = self._source(source)
        into, place = _storage(target), Region.of(target)
        if root[0] == into:
            return place != there
        before = self._copied.setdefault(into, {}).setdefault(root, [])
        again = any(not was.apart(there) and not place.covers(at) for was, at in before)
        before.append((there, place))
        if place.covers(all_of(target)):
            self._of[into] = root, there
        return again
