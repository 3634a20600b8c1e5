"""What the global optimisation can be told: what it believes of each residual, and of the camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from choros.devices import AUTO

#: What the camera does: stands still, turns where it stands, goes about; or that is known.
CameraMoves = Literal["static", "turning", "moving", "given"]


@dataclass(frozen=True)
class Sigmas:
    """Standard deviation that each residual is believed to have; ``inf`` leaves an energy out.

    What is measured anew in every frame errs alike in neighbouring frames: ``independent_per_s`` of them count as
    independent. What adds up over time grows with the root of time.
    """

    independent_per_s: float = 10.0
    # E_2D
    keypoint_share: float = 0.03  # of the size of the person in the picture
    keypoint_outlier: float = 3.0  # sigmas beyond which a keypoint counts less and less (Geman and McClure)
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
    contact_m: float = 0.05  # a frame; lifted legs swing too little, and a tighter one slows people down
    contact_outlier_m_s: float = 0.6
    floor_m: float = 0.02
    floor_outlier: float = 4.0
    evidence_rad: float = 0.001  # from frame to frame
    evidence_outlier: float = 10.0
    ground_step: float = 0.005  # from frame to frame, the camera's height is 1
    ground_outlier: float = 10.0
    ground_tilt_rad: float = 0.03


@dataclass(frozen=True)
class WorldOptions:
    """What ``world_of`` can be told."""

    camera: Literal["auto", "static", "turning", "moving"] = "auto"
    #: True: the path of a camera that goes about begins as the motion tells it (`Motion.tells_camera`), and not by its
    #: background or by people's predicted paths
    from_motion: bool = False
    seed: int = 0  # of the motion in gaps; 0 is the most likely one
    #: False: poses are said anew by the infiller in every frame, as by the paper's code
    keep_visible: bool = True
    feet: Literal["locked", "free"] = "locked"  # locked: those that stand do not move, and legs reach them
    smooth_s: float = (
        0.07  # widest, a standard deviation, that poses which were seen are smoothed over; 0 never
    )
    sigmas: Sigmas = field(default_factory=Sigmas)
    egocentric: bool = True  # False: people are held to predicted places, not steps (the paper's ablation)
    optimise: bool = True  # False: as initialised
    device: str = (
        AUTO  # where the two networks run, see `choros.devices`; in float32, and all else on the CPU
    )
