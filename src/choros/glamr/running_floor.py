"""Which way is up and where the floor is, from the people before a camera until now: a robust estimate that settles.

Upright people say which way is up, each with errors, and feet that stand lie in one plane; the two are one small
problem of least squares with robust weights, like the energies of the whole stage (GLAMR, section 3.3). Of the past it
keeps some hundred samples, however long that is: when they are full every other one is left out, and from then on half
as many are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.glamr.camera_from_people import commonest
from choros.journal import State

Floats = NDArray[np.float64]
Samples = NDArray[np.void]

#: What one person says at one moment, in axes that stand still; metres.
SAMPLE = np.dtype([("up", "f8", 3), ("upright", "?"), ("feet", "f8", (2, 3)), ("stand", "?", 2)])


@dataclass(frozen=True)
class RunningRules:
    """What is believed of people and cameras, as standard deviations; ours."""

    up_rad: float = 0.1  # of somebody upright: how they lean, and how wrongly their body is told
    foot_m: float = 0.05  # of a standing foot: its own error,
    size_share: float = (
        0.08  # and that of a body's size, which moves it along its ray: a share of the camera's height
    )
    outlier: float = 3.0  # sigmas beyond which a sample counts less and less (Geman and McClure)
    independent_s: float = 1.0  # in which one person says nothing new
    pitch_rad: float = 1.0  # of cameras
    roll_rad: float = 0.05
    height_m: float = 1.6  # that one is held at
    height_spread_m: float = 1.0
    every_s: float = 0.2  # how often a person is asked, at first
    seldom_s: float = 3.2  # and at the least; from then on the oldest samples are forgotten
    samples: int = 512
    sure_rad: float = 0.05  # what is thought to be known less well is a guess
    sure_m: float = 0.1


class Ground(NamedTuple):
    """Up and floor, in axes that stand still with the first camera at their origin."""

    up: Floats  # (3,) unit
    height_m: float  # of the origin over the floor
    tilt_sd_rad: float  # how well up is known, were all errors independent
    floor_sd_m: float  # and the floor's height where people stand


class RunningFloor:
    """The estimate, ``ground``; ``axes`` (3, 3) are the first camera's right, down and ahead, as columns."""

    def __init__(self, axes: Floats, rules: RunningRules | None = None) -> None:
        self.rules, self.axes = rules or RunningRules(), axes
        self.every_s = self.rules.every_s
        self._samples = np.zeros(0, SAMPLE)
        self.ground = self._solved()

    @property
    def is_guess(self) -> bool:
        """Whether too little was seen so far to rely on it."""
        rules = self.rules
        return self.ground.tilt_sd_rad > rules.sure_rad or self.ground.floor_sd_m > rules.sure_m

    def add(self, samples: Samples) -> None:
        """Take what some people say now, (k,) ``SAMPLE``, at most one of each every ``every_s``."""
        if not len(samples):
            return
        kept, rules = np.concatenate([self._samples, samples]), self.rules
        while len(kept) > rules.samples and self.every_s < rules.seldom_s:
            kept, self.every_s = kept[::2], 2 * self.every_s
        self._samples = kept[-rules.samples :]
        self.ground = self._solved()

    def state(self) -> State:
        """All that is remembered."""
        return {"samples": self._samples, "every_s": np.array(self.every_s), "axes": self.axes}

    @classmethod
    def restored(cls, state: State, rules: RunningRules | None = None) -> RunningFloor:
        """The one that had this ``state``."""
        made = cls(np.array(state["axes"]), rules)
        made._samples, made.every_s = state["samples"].astype(SAMPLE), float(state["every_s"])
        made.ground = made._solved()
        return made

    def _solved(self) -> Ground:
        """The best of all samples, by Gauss and Newton from their medians."""
        rules, samples = self.rules, self._samples
        counts = min(self.every_s / rules.independent_s, 1.0)  # of each sample
        ups, feet = samples["up"][samples["upright"]], samples["feet"][samples["stand"]]
        up, height = -self.axes[:, 1], rules.height_m
        if len(ups):
            up = np.median(ups, axis=0)
            up /= np.linalg.norm(up)
        if len(feet):
            height = commonest(-feet @ up)
        for _ in range(10):
            across = np.linalg.svd(up[None])[2][1:]  # two directions at right angles to up
            slope = np.zeros(
                (3, 3)
            )  # by which the energy grows: of a turn towards each of them, and of the height
            pull = np.zeros(3)
            errors = [((ups @ across.T) / rules.up_rad, -np.eye(2, 3) / rules.up_rad)]
            foot_m = float(np.hypot(rules.foot_m, rules.size_share * max(height, 0.5)))
            by_foot = np.column_stack([feet @ across.T, np.ones(len(feet))]) / foot_m
            errors.append((((feet @ up + height) / foot_m)[:, None], by_foot[:, None]))
            for error, by in errors:
                share = 1 / (1 + (error**2).sum(-1) / rules.outlier**2)
                weight = counts * share**2
                by = np.broadcast_to(by, (len(error), *by.shape[-2:]))
                slope += np.einsum("k,kir,kis->rs", weight, by, by)
                pull += np.einsum("k,kir,ki->r", weight, by, error)
            for axis, sigma in ((self.axes[:, 0], rules.roll_rad), (self.axes[:, 2], rules.pitch_rad)):
                by = np.append(across @ axis, 0.0) / sigma
                slope += np.outer(by, by)
                pull += by * (up @ axis) / sigma
            slope[2, 2] += rules.height_spread_m**-2
            pull[2] += (height - rules.height_m) / rules.height_spread_m**2
            step = -np.linalg.solve(slope, pull)
            up = up + step[:2] @ across
            up /= np.linalg.norm(up)
            height += float(step[2])
            if np.abs(step).max() < 1e-5:
                break
        known = np.linalg.inv(slope)
        at = np.append(across @ np.median(feet, axis=0) if len(feet) else np.zeros(2), 1.0)
        tilt_rad = float(np.sqrt(np.linalg.eigvalsh(known[:2, :2])[-1]))
        return Ground(up, height, tilt_rad, float(np.sqrt(at @ known @ at)))
