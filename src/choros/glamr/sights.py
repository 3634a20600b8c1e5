"""What the global optimisation knows and what it asks for, as arrays over frames and people.

``Sights`` are everything seen and predicted, ``World`` the variables. Weights of energies are standard deviations in
natural units (``Spreads``), so that one setting serves every video.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Spreads:
    """How far each residual is believed to stray; ``inf`` leaves an energy out.

    What is measured anew in every frame errs alike in neighbouring frames: ``looks_per_s`` of them count as
    independent. What adds up over time grows with the root of time.
    """

    looks_per_s: float = 10.0
    # E_2D
    keypoint_share: float = 0.03  # of the size of the person in the picture
    keypoint_outlier: float = 3.0  # spreads beyond which a keypoint counts less and less (Geman and McClure)
    # E_traj
    root_turn_rad: float = 0.3
    root_outlier: float = 2.0
    depth_share: float = 0.15
    # E_reg
    step_m: float = 0.3  # per root of a second
    pace_m_s: float = 0.5  # per root of a second
    turn_rad: float = 0.2  # per root of a second
    tilt_rad: float = 0.15
    height_m: float = 0.08
    # E_cam
    camera_step_m: float = 1.0  # per root of a second
    camera_pace_m_s: float = 0.5  # per root of a second
    camera_turn_rad: float = 0.3  # per root of a second
    camera_roll_rad: float = 0.05
    camera_pitch_rad: float = 0.5
    # E_pen
    overlap_m: float = 0.03
    # beyond the paper
    contact_m: float = (
        0.05  # from frame to frame; lifted legs swing too little, and a tighter one slows people down
    )
    contact_outlier_m_s: float = 0.6
    floor_m: float = 0.02
    floor_outlier: float = 4.0
    evidence_rad: float = 0.001  # from frame to frame
    evidence_outlier: float = 10.0
    ground_step: float = 0.005  # from frame to frame, the camera's height is 1
    ground_outlier: float = 10.0
    ground_tilt_rad: float = 0.03


@dataclass(frozen=True, eq=False)
class Sights:
    """All that is known of T frames and S places for people; who has left makes place for somebody else."""

    times_s: Floats  # (T,)
    there: Bools  # (T, S) whether somebody is in this place
    linked: Bools  # (T - 1, S) whether it is the same person in the next frame
    seen: Bools  # (T, S)
    K: Floats  # (T, 3, 3) px
    # the figure, in the axes of the root, metres from the pelvis
    keypoints: Floats  # (T, S, 17, 3)
    soles: Floats  # (T, S, 4, 3)
    balls: Floats  # (T, S, 14, 3) centres of ``figure.BALLS``
    # the picture
    keypoints_px: Floats  # (T, S, 17, 2)
    confidence: Floats  # (T, S, 17) 0 without evidence, to 1
    size_px: Floats  # (T, S) of the person in the picture
    R_camera_root: Floats  # (T, S, 3, 3) as the system had it
    depth_m: Floats  # (T, S) of the pelvis, as the system had it
    # the trajectory predictor
    step: Floats  # (T - 1, S, 3) metres to the next frame, in the axes of the heading
    turn: Floats  # (T - 1, S, 3, 3) R_root_next
    up_root: Floats  # (T, S, 3) the world's up in the axes of the root
    height_m: Floats  # (T, S) of the pelvis
    low: Floats  # (T, S, 4) how likely each sole is the one that stands, 0 to 1

    @property
    def dt_s(self) -> Floats:
        return np.diff(self.times_s)


@dataclass(frozen=True, eq=False)
class World:
    """The variables: where camera (T frames) and people (S places) are. World axes, z up, metres."""

    R_world_camera: Floats  # (T, 3, 3)
    camera_m: Floats  # (T, 3)
    R_world_root: Floats  # (T, S, 3, 3)
    root_m: Floats  # (T, S, 3) the pelvis
