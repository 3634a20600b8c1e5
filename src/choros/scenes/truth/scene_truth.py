"""What is true of everybody in a scene, as arrays, kept in a file and handed on as ``Motion``.

``measurement`` fills the arrays; ``writers`` puts them into the forms of public data sets.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros._version import __version__
from choros.errors import ChorosError
from choros.motion import FRAME, ROW, Header, Motion
from choros.npz import open_npz
from choros.outputs import atomic_write

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

VISIBLE_FRACTION = 0.1  # of a person's picture; below it they count as not visible


@dataclass(frozen=True, eq=False)
class SceneTruth:
    """What is true in T frames of everybody in a scene, P people, whether or not they are in the picture.

    Camera axes are OpenCV's, those of each frame's own camera; the world has z up and its floor at 0. Image
    coordinates are continuous, (0, 0) the outer corner of the first pixel, and may lie outside the picture.
    Boxes, keypoints and shares are those of people ``in_frame``, and zero for the others.
    """

    person: NDArray[np.int32]  # (P,) identities, from 1
    betas: Singles  # (P, 10)
    kid: Singles  # (P,) the body's child axis, 0 adult to 1 child
    K: Floats  # (T, 3, 3) px
    T_world_camera: Floats  # (T, 4, 4) metres
    global_orient: Singles  # (T, P, 3) axis-angle, rad, camera axes
    body_pose: Singles  # (T, P, 69) axis-angle, rad
    transl: Singles  # (T, P, 3) metres, camera axes; the pelvis is at its rest place + transl
    joints_cam: Singles  # (T, P, 24, 3) metres, SMPL's joints
    joints_world: Singles  # (T, P, 24, 3) metres
    in_frame: NDArray[np.bool_]  # (T, P) whether their box reaches into the picture
    amodal_box_px: Singles  # (T, P, 4) of the whole person in their clothes, hidden parts and beyond the edge
    box_px: Singles  # (T, P, 4) the same cut at the picture's edge
    visible_fraction: Singles  # (T, P) share of the person's whole picture that is inside and in front
    keypoints_px: Singles  # (T, P, 17, 3) COCO-17 x, y, and 1 if it is seen, else 0
    head_px: Singles  # (T, P, 2, 3) likewise PoseTrack's bottom and top of the head

    def __len__(self) -> int:
        return len(self.K)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(T, P) whether enough is seen of somebody for a person to say that they are there."""
        return self.in_frame & (self.visible_fraction >= VISIBLE_FRACTION)

    def of(self, people: NDArray[np.bool_]) -> SceneTruth:
        """Only some of the people, (P,)."""
        cut = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in cut.keys() - {"K", "T_world_camera"}:
            cut[name] = cut[name][people] if name in ("person", "betas", "kid") else cut[name][:, people]
        return SceneTruth(**cut)

    def save(self, path: str | Path) -> None:
        """Every array under its own name in an npz; the file appears whole or not at all."""
        with atomic_write(path) as file:
            np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: str | Path) -> SceneTruth:
        """What ``save`` wrote. Raises ChorosError if the file is missing or something else."""
        try:
            with open_npz(path) as stored:
                return cls(**{f.name: stored[f.name] for f in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ChorosError(
                f"{path} is no truth of a scene that can be read ({error}); make the scene again."
            ) from error

    def motion(self, fps: Fraction, width: int, height: int, source: str) -> Motion:
        """The people in frame as ``Motion``, in camera axes; all confidences are 1."""
        frames = np.zeros(len(self), FRAME)
        frames["pts"] = [(frame / fps).as_integer_ratio() for frame in range(len(self))]
        frames["number"] = np.arange(len(self))
        frames["K"], frames["T_world_camera"] = self.K, self.T_world_camera
        frames["camera_known"] = True
        frame, number = np.nonzero(self.in_frame)
        rows = np.zeros(len(frame), ROW)
        rows["frame"], rows["confidence"], rows["visible"] = frame, 1, self.visible[self.in_frame]
        for name in ("person", "betas", "kid"):
            rows[name] = getattr(self, name)[number]
        for name in ("global_orient", "body_pose", "transl", "box_px", "keypoints_px"):
            rows[name] = getattr(self, name)[self.in_frame]
        header = Header(fps, width, height, source, "truth", provenance={"choros": __version__})
        return Motion(header, frames, rows)
