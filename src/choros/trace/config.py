"""Every number of TRACE's network, with its source, and the sizes it comes in.

"Paper" is TRACE's supplement, "release" the sizes of the files that its authors published; the rest is our choice. The
sizes differ in numbers only: there is one code path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Numbers of a person's camera: scale, y and x (`choros.trace.cameras`).
N_CAMERA = 3
#: Numbers of one rotation, its first two columns interleaved.
N_ROTATION = 6
#: SMPL's joints that a person's feature tells by themselves; the pelvis is told apart, hands are flat.
N_BODY_JOINTS = 21

#: Of a person's keypoints: x, y and confidence of seventeen, and their size.
KEYPOINT_NUMBERS = 17 * 3 + 1

#: Release: distances in metres between which the depths of the 3D maps are spread, and the share of depths that each
#: span has. Scales are linear within a span, the first of which begins at ``NEAREST_SCALE``.
DEPTH_SPANS_M, DEPTH_SHARES, NEAREST_SCALE = (1.0, 10.0, 20.0, 100.0), (4, 50, 6, 4), 8.0


@dataclass(frozen=True)
class TraceConfig:
    """Sizes and choices of the network; the defaults are the paper's scale."""

    # --- what it looks at
    encoder: str = "hrnet-w32"  # release: image backbone; a key of `choros.trace.encoders.ENCODERS`
    image_size_px: int = 512  # paper 2.3: pictures are padded and resized to this square
    field_of_view_deg: float = 50.0  # paper 5: of the square, in whose camera people's places are told
    input_channels: int = 32  # release: of the image backbone's features
    input_stride: int = 4  # release: px for each cell of them
    flow: bool = True  # paper 4: motion of the picture's points beside the features; False: without

    # --- maps
    map_size: int = 128  # paper 2.3: H and W
    depth: int = 64  # paper 2.3: D
    features: int = 32  # release: channels of temporal features
    width: int = 128  # paper 2.3: C, channels of heads and of a person's feature
    # Ours, for the small size, whose features see little of the picture at once: times that they are halved and
    # brought back, so that each cell sees more around it. 0, the paper's, is nothing at all.
    context_levels: int = 0

    # --- temporal feature propagation (paper 2.2)
    memory: bool = True  # False: without the recurrent memory (ablation)
    warp: bool = True  # False: without the deformable convolution (ablation)
    memory_layers: int = 2  # release
    offset_blocks: int = 3  # release: residual blocks of the feature difference
    offset_groups: int = 8  # release: channels of a group move together

    # --- heads: residual blocks of each (release)
    detection_blocks: int = 1
    motion_blocks: int = 2
    person_blocks: int = 2
    world_blocks: int = 6
    rotation_blocks: int = 1  # the published training code has 3
    bird_features: int = 16  # release: channels that the bird's-eye view is composed from
    bird_width: int = 512  # release

    # --- a person (release)
    regressor_width: int = 256
    shape_numbers: int = 21  # of which SMPL's betas are the first ten
    betas: int = 10
    # What a person's camera places: False, ours, the pelvis; True, the release, the middle of the hips as sets of 2D
    # keypoints have them.
    placed_by_hips: bool = False
    # Ours, for the small size, whose features are MoveNet's answers: a person's feature also has the keypoints that
    # these point to from there (`choros.trace.keypoints`).
    keypoints: bool = False
    # Ours: the pelvis is turned before the ray that it is seen along, not the axes; so it looks alike all over the
    # picture, whatever the focal length.
    root_about_ray: bool = False
    # Ours: people's ways in the world are metres in the axes of the camera where it is, and the rotation is the
    # camera's own turn since the last frame. The paper has both in the first camera, and ways in the camera's numbers.
    metric_motion: bool = False

    def __post_init__(self) -> None:
        side = self.image_size_px // self.input_stride
        if side % self.map_size:
            raise ValueError(f"maps of {self.map_size} cells from features of {side}")
        if self.features % self.offset_groups:
            raise ValueError(f"{self.features} features in {self.offset_groups} groups")
        if self.map_size % 2**self.context_levels:
            raise ValueError(f"maps of {self.map_size} cells halved {self.context_levels} times")

    @property
    def person_features(self) -> int:
        """Numbers that a person is regressed from."""
        return self.width + (KEYPOINT_NUMBERS if self.keypoints else 0)

    @property
    def flow_channels(self) -> int:
        """Channels that optical flow adds to the features."""
        return 2 if self.flow else 0

    @property
    def focal_px(self) -> float:
        """Of the camera in which people's places are told, px of the square."""
        return self.image_size_px / 2 / math.tan(math.radians(self.field_of_view_deg) / 2)


def depth_scales(config: TraceConfig) -> NDArray[np.float64]:
    """The scale s = 1 / (z tan(fov / 2)) of each of the 3D maps' D depths, nearest first (release)."""
    tangent = math.tan(math.radians(config.field_of_view_deg) / 2)
    counts = [share * config.depth // sum(DEPTH_SHARES) for share in DEPTH_SHARES]
    counts[1] += config.depth - sum(counts)
    scales: list[float] = []
    nearer = NEAREST_SCALE
    for distance_m, count in zip(DEPTH_SPANS_M, counts, strict=True):
        farther = 1 / (distance_m * tangent)
        scales += [nearer + (farther - nearer) * step / count for step in range(1, count + 1)]
        nearer = farther
    return np.array(scales)


PRESETS = {
    "paper": TraceConfig(),
    # Ours: what a step of training costs on two cores decided its sizes.
    "small": TraceConfig(
        encoder="movenet-answers",
        input_channels=51,
        map_size=32,
        depth=16,
        width=48,
        context_levels=2,
        memory_layers=1,
        offset_blocks=1,
        motion_blocks=1,
        person_blocks=1,
        world_blocks=2,
        bird_width=192,
        regressor_width=384,
        shape_numbers=10,
        keypoints=True,
        root_about_ray=True,
        metric_motion=True,
    ),
}
