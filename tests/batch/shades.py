"""A system that needs no networks and does what the pictures say: how bright they are is what befalls it."""

import os
import signal
import time
from fractions import Fraction

import numpy as np

from choros.motion import ROW, FrameResult
from choros.video import VideoWriter

PLAIN, CRASHES, HANGS, SWELLS, FAULTS, SLOW = 20, 60, 100, 140, 180, 220


class Shades:
    name = "shades"
    loads = 0

    def stream(self, K=None):
        return ShadesStream()


class ShadesStream:
    def __init__(self):
        self.n = 0

    def encode(self, image):
        return float(image.mean())

    def step(self, mean, time_s):
        befalls(mean)
        rows = np.zeros(1, ROW)
        rows["frame"], rows["person"], rows["visible"], rows["confidence"] = self.n, 1, True, 1
        rows["transl"] = mean, self.n, 3
        rows["box_px"] = 1, 1, 9, 9
        self.n += 1
        return FrameResult(rows)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def state(self):
        return {"n": np.array(self.n)}

    def restore(self, state):
        self.n = int(state["n"])


def befalls(mean):
    what = min((PLAIN, CRASHES, HANGS, SWELLS, FAULTS, SLOW), key=lambda shade: abs(shade - mean))
    if what == CRASHES:
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == HANGS:
        time.sleep(1000)
    elif what == SWELLS:
        swollen.append(np.ones(100_000_000))  # 800 MB
        time.sleep(1000)
    elif what == FAULTS:
        raise ZeroDivisionError("a fault of ours")
    elif what == SLOW:
        time.sleep(0.1)


swollen = []


def load(heights_m=None):
    Shades.loads += 1
    return Shades()


def unloadable():
    from choros.errors import ChorosError

    raise ChorosError("no such weights; give others.")


def film(path, shade=PLAIN, frames=6, size=64):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, size, size, Fraction(5)) as writer:
        for k in range(frames):
            image = np.full((size, size, 3), shade, np.uint8)
            image[: k % size, :4] = shade // 2
            writer.write(image)
    return path
