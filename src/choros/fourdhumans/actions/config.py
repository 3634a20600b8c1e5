"""Every number of the network that tells actions, with its source.

LART is Rajasegaran et al. 2023, "On the Benefits of 3D Pose and Tracking for Human Action Recognition"; its numbers
are those of the authors' lart.yaml, whose shapes the released weights have.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ActionConfig:
    """Sizes of the network; the defaults are the released ones, with features of a video backbone."""

    people: int = 5  # whoever is asked about, and up to four neighbours
    frames: int = 125  # of a window, at 30 a second
    pose: int = 128  # numbers of a token that say pose and shape
    joints: int = 128  # and joints in the camera's axes; 0: none
    joints_hidden: int = 256
    appearance: int = 256  # and what the person looks like; 0: none
    appearance_in: int = 2048  # numbers that the backbone gives: Hiera's
    appearance_hidden: int = 512
    pose_hidden: int = 229
    depth: int = 16
    heads: int = 16
    head_width: int = 64
    feedforward: int = 512
    dropout: float = 0.1
    drop_path: float = 0.4
    actions: int = 60  # AVA's that are scored
    #: Actions of a whole clip, as Kinetics names them, from a token that looks at all others. The released network has
    #: 400, from a token that looks at nothing.
    clip_actions: int = 0
    longest: tuple[int, int] = (250, 10)  # of the table of positions: frames, people
    fps: float = 30.0  # of the frames of a window
    #: Places are told from where the one who is asked about is in the middle of their window, and not from the camera.
    places_about_first: bool = False
    tells_pose: bool = True  # whether there are heads for pose and place, which losses may look at

    def __post_init__(self) -> None:
        object.__setattr__(self, "longest", tuple(self.longest))  # a list, where it was read from JSON

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return self.pose + self.joints + self.appearance


#: What the small network tells: what people of made-up scenes and of motion capture are known to do.
SMALL_ACTIONS = (
    "stand", "walk", "run", "jump", "turn", "bend", "sit", "lie", "get up", "go down", "wave", "telephone", "talk",
    "dance", "fight",
)  # fmt: skip

ACTION_PRESETS = {
    "paper": ActionConfig(),
    "pose-only": ActionConfig(joints=0, appearance=0),  # LART-Pose, table 5 of 4DHumans
    "small": ActionConfig(
        people=2,
        frames=48,
        fps=12.0,
        actions=len(SMALL_ACTIONS),
        places_about_first=True,
        tells_pose=False,
        joints=0,
        appearance=0,
        pose_hidden=192,
        depth=4,
        heads=4,
        head_width=32,
        feedforward=256,
        drop_path=0.1,
    ),
}
