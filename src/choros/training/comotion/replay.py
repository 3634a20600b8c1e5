"""A replay buffer of clips, which are expensive to make: the newest of a stream, each drawn several times at random.

Which clips a draw gives depends on the seed and the draw's number alone, however often the run was stopped: on
resuming, the clips that were kept are made again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from itertools import count
from typing import Generic, TypeVar

import numpy as np

Item = TypeVar("Item")


class Replay(Generic[Item]):
    """Draws of ``size`` different items from the newest ``kept`` of an endless stream.

    ``items(start)`` gives the stream from its ``start``-th item on. Each is drawn ``reuse`` times on average, so
    that a draw makes ``size / reuse`` new ones. ``drawn`` draws were made before.
    """

    def __init__(
        self,
        items: Callable[[int], Generator[Item]],
        seed: tuple[int, ...],
        size: int,
        kept: int,
        reuse: float,
        drawn: int = 0,
    ) -> None:
        self.seed, self.size, self.kept, self.reuse = seed, size, max(kept, size), reuse
        self.drawn = drawn
        self.made = max(0, self._needed() - self.kept)  # items that the stream has given or may skip
        self._items = items(self.made)
        self._newest: deque[Item] = deque(maxlen=self.kept)

    def _needed(self) -> int:
        """Items that the stream must have given before the next draw."""
        return self.size + int(self.drawn * self.size / self.reuse)

    def draw(self) -> tuple[list[Item], np.random.Generator]:
        """The next items, and a generator for whatever else is drawn with them."""
        while self.made < self._needed():
            self._newest.append(next(self._items))
            self.made += 1
        rng = np.random.default_rng([*self.seed, self.drawn])
        self.drawn += 1
        chosen = rng.choice(len(self._newest), self.size, replace=False)
        return [self._newest[i] for i in chosen], rng

    def close(self) -> None:
        """Let go of the stream, and of whoever works for it."""
        self._newest.clear()
        self._items.close()


def turns(shares: tuple[float, ...]) -> Iterator[int]:
    """Numbers of sources without end, each as often as its share says, as evenly as can be."""
    taken = np.zeros(len(shares))
    wanted = np.array(shares) / sum(shares)
    for turn in count(1):
        source = int(np.argmax(wanted * turn - taken))
        taken[source] += 1
        yield source
