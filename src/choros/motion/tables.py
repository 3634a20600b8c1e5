"""The two tables of a motion: one entry a frame (``FRAME``) and one entry a person and frame (``ROW``).

Schema of ``motion.npz`` (version 2; plain arrays, no pickles; T frames, N rows; of version 1, which had neither
``number`` nor ``cut_before`` nor ``camera_known`` nor extras, frames are counted, nothing is said of cuts, and a
camera is known where its pose is not the identity):

=================  ==============  ==========================================================
``header``         JSON text       the fields of ``Header``
``pts``            (T, 2) int64    time stamp, numerator and denominator of exact seconds
``number``         (T,) int64      the source's own number of the frame; ``Header.numbers`` tells what it is
``gap_before``     (T,) bool       frames were lost or damaged just before this one
``cut_before``     (T,) bool       another shot begins with this frame: nobody and no camera goes on into it
``K``              (T, 3, 3) f8    intrinsics, px
``T_world_camera`` (T, 4, 4) f8    camera to world, metres
``camera_known``   (T,) bool       False: ``T_world_camera`` says nothing, it is the identity or a guess
``frame``          (N,) int32      index into the T frames
``person``         (N,) int32      identity, from 1, never used again for somebody else
``global_orient``  (N, 3) f4       axis-angle, rad, in ``space``
``body_pose``      (N, 69) f4      axis-angle of the 23 other joints, rad
``betas``          (N, 10) f4      shape
``kid``            (N,) f4         the open body's child axis, 0 adult to 1 child
``transl``         (N, 3) f4       metres, in ``space``; the pelvis is at its rest place + transl
``confidence``     (N,) f4         0 to 1, how sure the system is of this pose
``visible``        (N,) bool       False: not seen in this frame, but before and after
``box_px``         (N, 4) f4       x0, y0, x1, y1 in the image; as expected if not visible
``keypoints_px``   (N, 17, 3) f4   COCO-17 evidence x, y, confidence; confidence 0 where there is none
``extra.NAME``     (N, ...)        what else the system has on people, if anything (``Motion.extras``)
=================  ==============  ==========================================================

Rows that are not visible are predictions until the person was seen again: the file of a finished run has none after
a person's last sight, and leads those between two sights to the second (``settling``). Whoever had less than .2 s of
sight is in the file, is ``Motion.tentative``, and is left out by ``Motion.settled``.

``space`` "camera" means OpenCV axes (x right, y down, z forward) of each frame's camera; "world" means
z up, floor at 0. Image coordinates are continuous: (0, 0) is the outer corner of the first pixel.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

VERSION = 2

FRAME = np.dtype(
    [
        ("pts", "<i8", (2,)),
        ("number", "<i8"),
        ("gap_before", "?"),
        ("cut_before", "?"),
        ("K", "<f8", (3, 3)),
        ("T_world_camera", "<f8", (4, 4)),
        ("camera_known", "?"),
    ]
)

ROW = np.dtype(
    [
        ("frame", "<i4"),
        ("person", "<i4"),
        ("global_orient", "<f4", (3,)),
        ("body_pose", "<f4", (69,)),
        ("betas", "<f4", (10,)),
        ("kid", "<f4"),
        ("transl", "<f4", (3,)),
        ("confidence", "<f4"),
        ("visible", "?"),
        ("box_px", "<f4", (4,)),
        ("keypoints_px", "<f4", (17, 3)),
    ]
)

#: Columns that files of version 1 do not have.
SINCE_2 = ("number", "cut_before", "camera_known")

CHUNK = 4096  # rows handled at once, so that hours of video need no more memory than seconds


class Table(Protocol):
    """Records in memory or in a file; read a piece at a time."""

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Fields of a record, ``FRAME`` or ``ROW`` and its extras."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.void]: ...
