"""What every reader of a public data set yields: one picture or video frame, and what is known of its people.

Numbers are in choros's conventions whatever the official file says: continuous image coordinates ((0, 0) is the
outer corner of the first pixel), metres, OpenCV camera axes, axis-angle. What a set does not tell is None. Nothing
here opens a picture; samples are built when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.errors import ChorosError
from choros.rotation import rotmat_to_rotvec, rotvec_composition
from choros.skeleton import COCO17

Floats = NDArray[np.float64]

#: Which body model parameters belong to. SMPL-H and SMPL-X share SMPL's first 22 joints, not its shape space.
BodyName = Literal["smpl", "smplh", "smplx"]


@dataclass(frozen=True, eq=False)
class SmplPose:
    """Body parameters, named as in `choros.motion`."""

    global_orient: Floats  # (3,) axis-angle, rad, in the sample's space
    body_pose: Floats  # (69,) axis-angle, rad; the hands are zero where the model is not "smpl"
    betas: Floats | None = None  # (10,)
    transl: Floats | None = (
        None  # (3,) metres, in the sample's space; the pelvis is at its rest place + transl
    )
    gender: str = "neutral"
    model: BodyName = "smpl"

    def moved(self, T_to_from: Floats, pelvis_m: Floats) -> SmplPose:
        """The same body after a rigid motion (4, 4), its pelvis being at pelvis_m (3,) before it, metres.

        SMPL turns a body about its pelvis, which lies at rest place + transl: the place at rest is what
        pelvis_m and transl differ by.
        """
        R, t = T_to_from[:3, :3], T_to_from[:3, 3]
        orient = rotvec_composition(rotmat_to_rotvec(R), self.global_orient)
        transl = None if self.transl is None else R @ pelvis_m + t - (pelvis_m - self.transl)
        return replace(self, global_orient=orient, transl=transl)


@dataclass(frozen=True, eq=False)
class PersonLabel:
    """One person in one frame."""

    identity: str | int | None = None  # who it is, within the sample's sequence
    box_px: Floats | None = None  # (4,) x0, y0, x1, y1
    head_box_px: Floats | None = None  # (4,)
    keypoints_px: Floats | None = None  # (K, 3) x, y, 1 where labelled (or a detector's confidence), else 0
    keypoint_names: tuple[str, ...] = ()  # K names
    keypoints_visible: NDArray[np.bool_] | None = None  # (K,) False: labelled though hidden, or not labelled
    joints_m: Floats | None = None  # (J, 3) in the sample's space; NaN where unknown
    joint_names: tuple[str, ...] = ()  # J names
    smpl: SmplPose | None = None
    visible: bool | None = None  # False: known to be there, but not seen at all
    actions: tuple[str | int, ...] = ()  # what they do, as the set names or numbers it


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture or video frame."""

    image: Path | None = None  # a picture, or a video file in which `frame` counts
    frame: int | None = None  # from 0: number in the video file, or in the sequence of pictures
    sequence: str = ""
    time_s: float | None = None
    size_px: tuple[int, int] | None = None  # width, height
    K: Floats | None = None  # (3, 3) px
    T_world_camera: Floats | None = None  # (4, 4) metres
    space: Literal["camera", "world"] = "camera"  # what joints and SMPL parameters are given in
    people: tuple[PersonLabel, ...] = ()
    ignore_px: tuple[
        Floats, ...
    ] = ()  # polygons (corners, 2): whoever is found there is neither right nor wrong
    neither_px: tuple[Floats, ...] = ()  # boxes (4,): whoever matches one is neither right nor wrong
    labelled: bool = True  # False: nobody looked for people in this frame
    quarter_turns_cw: int = 0  # turn the stored picture so often, clockwise, before anything else fits

    @property
    def path(self) -> Path:
        """``image``, where there has to be one. Raises ``ChorosError`` if the set names no file for the sample."""
        if self.image is None:
            raise ChorosError(
                f"a sample of {self.sequence or 'the set'} names no picture; fetch the set again."
            )
        return self.image


class Samples(Sequence[Sample]):
    """Samples built when asked for; a slice is again such a sequence."""

    def __init__(self, count: int, build: Callable[[int], Sample], name: str = "") -> None:
        self.name = name
        self._numbers: Sequence[int] = range(count)
        self._build = build

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    def __getitem__(self, index: int | slice) -> Sample | Samples:
        if isinstance(index, slice):
            part = Samples(0, self._build, self.name)
            part._numbers = self._numbers[index]
            return part
        return self._build(self._numbers[index])

    def __iter__(self) -> Iterator[Sample]:
        return (self._build(number) for number in self._numbers)


def to_coco17(person: PersonLabel) -> Floats:  # (17, 3)
    """A person's keypoints in COCO-17's order, matched by name; confidence 0 where the set has none such.

    Of several points of one name the surest counts. Points that sets of other names place elsewhere (top of the
    head, a foot instead of the ankle) are not taken for COCO's.
    """
    points = np.zeros((len(COCO17), 3))
    if person.keypoints_px is not None:
        for name, point in zip(person.keypoint_names, person.keypoints_px, strict=True):
            if name in COCO17 and point[2] > points[COCO17.index(name), 2]:
                points[COCO17.index(name)] = point
    return points


def box_from_xywh(xywh: ArrayLike) -> Floats:  # (4,) px -> (4,) xyxy
    """A box as COCO writes it: left, top, width, height."""
    x, y, w, h = np.asarray(xywh, dtype=np.float64)
    return np.array([x, y, x + w, y + h])


def square_box(center_px: ArrayLike, side_px: Any) -> Floats:  # (4,) xyxy
    """A square as MPII and HMR's files write it: centre and side."""
    x, y = np.asarray(center_px, dtype=np.float64)
    half = float(side_px) / 2
    return np.array([x - half, y - half, x + half, y + half])


def intrinsics(focal_px: ArrayLike, center_px: ArrayLike) -> Floats:  # (3, 3)
    """K from focal lengths (2,) or one for both axes, and the principal point (2,)."""
    K = np.eye(3)
    K[[0, 1], [0, 1]] = np.ravel(focal_px)
    K[:2, 2] = np.ravel(center_px)
    return K


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Floats:  # (4, 4)
    """[R t; 0 1] from (3, 3) and (3,)."""
    T = np.eye(4)
    T[:3, :3] = np.reshape(rotation, (3, 3))
    T[:3, 3] = np.ravel(translation)
    return T
