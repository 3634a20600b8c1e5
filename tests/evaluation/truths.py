"""Motions made by hand, tiny videos that stand for them, and a system that says what it was told to say."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from choros.body import BodyModel, BodyParams
from choros.camera import intrinsics, project
from choros.motion import FRAME, ROW, FrameResult, Header, Motion
from choros.video import VideoWriter

WIDTH, HEIGHT, FPS, FRAMES = 128, 96, 10, 12

#: A camera 1.5 m above the floor that looks along y: columns are right, down and forward in a z-up world.
LEVEL = np.array([[1, 0, 0, 0.5], [0, 0, 1, 0], [0, -1, 0, 1.5], [0, 0, 0, 1.0]])


def standing(people: int, body: BodyModel) -> Motion:
    """People side by side who do not move for 12 frames; person 2 is hidden in frames 4 to 7."""
    rng = np.random.default_rng(people)
    frames = np.zeros(FRAMES, FRAME)
    frames["number"] = np.arange(FRAMES)
    frames["pts"] = [(i, FPS) for i in range(FRAMES)]
    frames["K"], frames["T_world_camera"] = intrinsics(WIDTH, HEIGHT), LEVEL
    frames["camera_known"] = True
    one = np.zeros(people, ROW)
    one["person"] = np.arange(people) + 1
    one["global_orient"] = (np.pi, 0, 0)
    one["body_pose"] = rng.normal(scale=0.2, size=(people, 69))
    one["transl"] = one["person"][:, None] * (1.0, 0, 0) + (-2, 0, 5)
    one["confidence"] = 1
    left = 40 * one["person"] - 38
    one["box_px"] = np.stack([left, 0 * left + 10, left + 30, 0 * left + 70], axis=-1)
    params = (torch.tensor(one[k].copy()) for k in ("global_orient", "body_pose", "betas", "transl", "kid"))
    keypoints = body.keypoints(BodyParams(*params), "coco17").double().numpy()
    one["keypoints_px"][..., :2] = project(keypoints, frames["K"][0])
    one["keypoints_px"][..., 2] = 1
    rows = np.tile(one, FRAMES)
    rows["frame"] = np.repeat(np.arange(FRAMES), people)
    rows["visible"] = ~((rows["person"] == 2) & (rows["frame"] >= 4) & (rows["frame"] < 8))
    return Motion(Header(Fraction(FPS), WIDTH, HEIGHT), frames, rows)


def changed(motion: Motion, rows: np.ndarray) -> Motion:
    return replace(motion, rows=rows[np.lexsort((rows["person"], rows["frame"]))])


def swapped(motion: Motion) -> Motion:
    """People 1 and 2 exchange their names half way."""
    rows = motion.rows.copy()
    late = (rows["frame"] >= FRAMES // 2) & (rows["person"] <= 2)
    rows["person"][late] = 3 - rows["person"][late]
    return changed(motion, rows)


def write_clip(folder: Path, truth: Motion, grey: int) -> Path:
    """A clip as scenes are written: the truth, and a video of one grey, which tells clips apart."""
    folder.mkdir(parents=True)
    truth.save(folder / "motion.npz")
    with VideoWriter(folder / "video.mp4", WIDTH, HEIGHT, Fraction(FPS)) as video:
        for frame in range(len(truth)):
            video.write(np.full((HEIGHT, WIDTH, 3), grey, np.uint8), Fraction(frame, FPS))
    return folder


class Told:
    """A system that knows what to say of a video by its grey, to the nearest of those it was given."""

    name = "told"

    def __init__(self, motions: dict[int, Motion]):
        self.motions = motions

    def stream(self, K=None):
        return ToldStream(self.motions)


class ToldStream:
    cut_before = False

    def __init__(self, motions):
        self.motions, self.frame = motions, -1

    def encode(self, image):
        return min(self.motions, key=lambda grey: abs(grey - float(image.mean())))

    def step(self, features, time_s):
        self.frame += 1
        rows = self.motions[features].in_frame(self.frame).copy()
        rows["visible"] = True  # it sees everybody; who is not seen again has no place in a file
        return FrameResult(rows)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        self.frame = int(state["frame"])
