"""The course of a batch: what is done already is left alone, the rest is handed out, and what came of it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from choros.batch.clips import Clip
from choros.batch.outcome import DONE, Outcome, is_done, state_of
from choros.batch.work import Job, Now

RECENT_S = 60.0  # over which speed is told


@dataclass(frozen=True)
class Limits:
    """How much a batch may take. None of ``workers`` is as many as cores and memory allow."""

    workers: int | None = None
    seconds: float | None = None  # of the clock, a clip
    memory_mb: float | None = None  # a worker


class Standing(NamedTuple):
    """Where a clip stands that is being worked on."""

    clip: Clip
    now: Now


#: What an engine says: a clip has come so far, a clip has ended, or nothing new for a while.
Event: TypeAlias = Standing | Outcome | None
Engine: TypeAlias = Callable[[Sequence[Clip], Job, Limits], Iterator[Event]]


@dataclass
class State:
    """Where a batch stands."""

    clips: int
    done: int = 0  # also those of earlier runs
    failed: int = 0
    frames: int = 0  # of this run
    running: dict[str, Now] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    weight: float = 0.0  # of clips to be done by this run: their bytes, as far as they are known
    ended: float = 0.0  # of those that came to an end
    _weights: dict[str, float] = field(default_factory=dict)
    _recent: list[tuple[float, int]] = field(default_factory=list)

    def expect(self, clips: Sequence[Clip]) -> None:
        """These are to be done."""
        sizes = [float(state_of(clip.source).get("bytes", 0)) for clip in clips]
        usual = sum(sizes) / max(1, sum(size > 0 for size in sizes)) or 1.0
        self._weights = {clip.name: size or usual for clip, size in zip(clips, sizes, strict=True)}
        self.weight = sum(self._weights.values())

    def add(self, event: Standing | Outcome) -> None:
        """What an engine said."""
        if isinstance(event, Outcome):
            self.running.pop(event.name, None)
            self.frames += event.frames
            self.ended += self._weights.get(event.name, 0.0)
            self.done += event.status == DONE
            self.failed += event.status != DONE
        else:
            self.running[event.clip.name] = event.now

    def frames_per_s(self) -> float:
        """Over the last minute."""
        now, frames = time.monotonic(), self.frames + sum(one.frames for one in self.running.values())
        self._recent.append((now, frames))
        while self._recent[0][0] < now - RECENT_S:
            self._recent.pop(0)
        first_s, first = self._recent[0]
        since, before = (first_s, first) if now - first_s > 1 else (self.began, 0)
        return max(0.0, (frames - before) / max(now - since, 1e-9))

    def left_s(self) -> float | None:
        """How long it will still take, by the bytes that are behind; None while nobody can tell."""
        share = self.ended
        for name, now in self.running.items():
            share += self._weights.get(name, 0.0) * min(1.0, now.frames / (now.frames_hint or 1e9))
        if share <= 0:
            return None
        return (time.monotonic() - self.began) * (self.weight - share) / share


def run_batch(
    clips: Sequence[Clip],
    job: Job,
    engine: Engine,
    limits: Limits | None = None,
    tell: Callable[[State, Outcome | None], None] = lambda state, outcome: None,
) -> list[Outcome]:
    """Do what is missing or failed of a batch; the outcomes of all its clips.

    ``tell`` hears of every outcome, and about once a second of the state without one. Stopped by ``KeyboardInterrupt``,
    what was done is written, and what was not goes on when the same batch is run again.
    """
    ready = {clip.name: is_done(clip, job.folder / clip.name) for clip in clips}
    outcomes = {name: one for name, one in ready.items() if one is not None}
    missing = [clip for clip in clips if clip.name not in outcomes]
    # The longest first, so that no single one is left over at the end; bytes do not depend on it.
    missing.sort(key=lambda clip: -float(state_of(clip.source).get("bytes", 0)))
    state = State(len(clips), done=len(outcomes))
    state.expect(missing)
    tell(state, None)
    told = time.monotonic()
    events = engine(missing, job, limits or Limits()) if missing else iter(())
    try:
        for event in events:
            if event is not None:
                state.add(event)
            if isinstance(event, Outcome):
                outcomes[event.name] = event
                tell(state, event)
            elif time.monotonic() - told > 1:
                tell(state, None)
                told = time.monotonic()
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
    return [outcomes[clip.name] for clip in clips if clip.name in outcomes]


def ended_by(clip: Clip, folder: Path, status: str, error: str) -> Outcome:
    """The outcome of a clip whose worker could not write one itself."""
    from dataclasses import replace

    from choros.batch.outcome import read_outcome

    begun = read_outcome(folder / clip.name)
    if begun is None or begun.request != clip.request():
        begun = Outcome(clip.name, clip.source, status, clip.request(), input=state_of(clip.source))
    outcome = replace(begun, status=status, error=error)
    (folder / clip.name).mkdir(parents=True, exist_ok=True)
    outcome.write(folder / clip.name)
    return outcome
