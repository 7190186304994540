"""A memory that stays small, whatever is thrown at it: of what was remembered, the newest."""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps so many things at most; what was remembered longest ago makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        # A plain dict would look through all that it has let go of for the oldest.
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def find(self, key: K) -> V | None:
        return self._values.get(key)

    def remember(self, key: K, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def clear(self) -> None:
        self._values.clear()
