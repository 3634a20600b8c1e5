"""A motion-capture clip in SMPL form, and what training does with many: resample, mirror, split, pack."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from choros.errors import ChorosError
from choros.motion.resampling import frames_around
from choros.npz import open_npz
from choros.rotation import rotmat_geodesic_distance, rotvec_slerp, rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS

#: Share of the time of each source that `split` holds out.
HELD_OUT_SHARE = 0.10

#: Mean difference below which two motions are one. Takes of one walk by one person differ by over 0.02.
SAME_MOTION_RAD = 0.01
_LIMB_ROOTS = ("hip", "knee", "shoulder")

#: The largest turn from the T-pose that a person's joint makes, by the last word of its name; beyond it
#: the capture failed. Wide on purpose: acrobats pass.
_LARGEST_TURN_RAD = {
    "hip": 2.8, "knee": 2.8, "ankle": 1.6, "foot": 1.6, "spine1": 1.4, "spine2": 1.4, "spine3": 1.4,
    "neck": 1.5, "head": 1.6, "collar": 1.2, "shoulder": np.pi, "elbow": 2.8, "wrist": 2.1, "hand": 2.1,
}  # fmt: skip
LARGEST_TURN_RAD = np.array([_LARGEST_TURN_RAD[name.split("_")[-1]] for name in JOINT_NAMES[1:]])  # (23,)

#: Faster than the fastest throw or kick at the resampled rate: a marker was lost or swapped.
FASTEST_RAD_S = 40.0
SHORTEST_PART_S = 0.5


@dataclass(frozen=True)
class MocapClip:
    """One captured motion on SMPL's joints, for mean betas, in a y-up world with its floor at y = 0."""

    name: str
    source: str  # "cmu-asf", "cmu-expmap", "deepmimic", "jump", "bandai-namco" or "bvh"
    shippable: bool  # whether weights trained on it may be published
    licence: str
    fps: float
    global_orient: np.ndarray  # (T, 3) float32, axis-angle, radians
    body_pose: np.ndarray  # (T, 69) float32, axis-angle, radians
    transl: np.ndarray  # (T, 3) float32, metres; the pelvis is at its rest place + transl

    def __len__(self) -> int:
        return len(self.transl)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self) / self.fps


def resample(clip: MocapClip, fps: float) -> MocapClip:
    """The clip at another frame rate, starting at the same first frame.

    Places are interpolated linearly, turns along the shortest arc; frames that fall on a frame of the
    source are that frame.
    """
    count = int((len(clip) - 1) * fps / clip.fps + 1e-6) + 1
    place = np.arange(count) * (clip.fps / fps)
    place = np.where(np.abs(place - np.round(place)) < 1e-6, np.round(place), place)
    before, after, share = frames_around(np.arange(len(clip), dtype=np.float64), place)

    vectors = _vectors(clip)
    between = np.flatnonzero(share > 0)
    turned = vectors[before].astype(np.float64)
    if len(between):
        ends = vectors[before[between]], vectors[after[between]]
        turned[between] = rotvec_slerp(*ends, share[between])
    turned = turned.reshape(count, 72).astype(np.float32)
    transl = clip.transl[before] + share[:, None] * (clip.transl[after] - clip.transl[before])
    return replace(
        clip,
        fps=float(fps),
        global_orient=turned[:, :3],
        body_pose=turned[:, 3:],
        transl=transl.astype(np.float32),
    )


def mirror(clip: MocapClip) -> MocapClip:
    """The clip seen in a mirror: left and right exchanged, x of the world reversed."""
    turns = np.array([1.0, -1.0, -1.0], dtype=np.float32)
    body = [joint - 1 for joint in MIRROR_JOINTS[1:]]
    return replace(
        clip,
        name=f"{clip.name}~mirrored",
        global_orient=clip.global_orient * turns,
        body_pose=(clip.body_pose.reshape(-1, 23, 3)[:, body] * turns).reshape(-1, 69),
        transl=clip.transl * np.array([-1.0, 1.0, 1.0], dtype=np.float32),
    )


def plausible_parts(clip: MocapClip) -> list[MocapClip]:
    """The clip cut where the capture failed: joints bent or turned as no person's, or jumping.

    An undamaged clip comes back as it is; parts are numbered "name#1" and last `SHORTEST_PART_S` or more.
    """
    turns = rotvec_to_rotmat(_vectors(clip))
    bend = rotmat_geodesic_distance(np.eye(3), turns)
    good = np.all(bend[:, 1:] <= LARGEST_TURN_RAD, axis=1)
    if len(clip) > 1:
        speed = rotmat_geodesic_distance(turns[:-1], turns[1:]).max(axis=1) * clip.fps
        jumps = set(np.flatnonzero(speed > FASTEST_RAD_S) + 1)
    else:
        jumps = set()
    if good.all() and not jumps:
        return [clip]
    parts, start = [], 0
    for frame in range(len(clip) + 1):
        if frame == len(clip) or frame in jumps or not good[frame]:
            if frame - start >= SHORTEST_PART_S * clip.fps:
                parts.append((start, frame))
            start = frame if frame < len(clip) and good[frame] else frame + 1
    return [
        replace(
            clip,
            name=f"{clip.name}#{number}",
            global_orient=clip.global_orient[start:stop],
            body_pose=clip.body_pose[start:stop],
            transl=clip.transl[start:stop],
        )
        for number, (start, stop) in enumerate(parts, start=1)
    ]


def without_duplicates(clips: Iterable[MocapClip]) -> list[MocapClip]:
    """The clips in their order, each motion once, mirrored copies included.

    Archives repeat each other's clips, in other formats too, where hands and feet differ a little: two
    clips of one length are the same motion when their hips, knees and shoulders are, each to
    `SAME_MOTION_RAD` on average.
    """
    limbs = [JOINT_NAMES.index(f"{side}_{joint}") - 1 for side in ("left", "right") for joint in _LIMB_ROOTS]
    kept: list[MocapClip] = []
    by_length: dict[int, list[np.ndarray]] = {}
    for clip in clips:
        seen = by_length.setdefault(len(clip), [])
        motions = [c.body_pose.reshape(-1, 23, 3)[:, limbs] for c in (clip, mirror(clip))]
        same = (np.abs(motion - other).mean(axis=(0, 2)).max() for motion in motions for other in seen)
        if not any(difference < SAME_MOTION_RAD for difference in same):
            kept.append(clip)
            seen.append(motions[0])
    return kept


def split(
    clips: Sequence[MocapClip], share: float = HELD_OUT_SHARE
) -> tuple[list[MocapClip], list[MocapClip]]:
    """Clips to train on and clips to test on, the same for the same clips in any order.

    Whole activities are held out: clips of one source whose names differ in numbers, "mirror" or test /
    train folder only (takes of one activity by one subject) stay on one side. Within each source,
    activities are drawn in a fixed random order until `share` of that source's time is held out; one
    that would hold out over twice `share` is passed over.
    """
    groups: dict[str, dict[str, list[MocapClip]]] = {}
    for clip in clips:
        groups.setdefault(clip.source, {}).setdefault(activity(clip.name), []).append(clip)
    held_out: set[int] = set()
    for source, activities in groups.items():
        total = sum(clip.seconds for group in activities.values() for clip in group)
        taken = 0.0
        for name in sorted(activities, key=lambda name: _draw(f"{source}/{name}")):
            seconds = sum(clip.seconds for clip in activities[name])
            if taken < share * total and taken + seconds <= 2 * share * total:
                taken += seconds
                held_out |= {id(clip) for clip in activities[name]}
    return [clip for clip in clips if id(clip) not in held_out], [
        clip for clip in clips if id(clip) in held_out
    ]


def activity(name: str) -> str:
    """What a clip shows, from its name: without its folder, take number, mirroring."""
    stem = (
        Path(name.split("#")[0]).stem.replace("~mirrored", "").replace("_mirror", "").replace("_long_", "_")
    )
    return re.sub(r"[\d_]+$", "", stem) or stem


def pack(clips: Sequence[MocapClip], path: Path) -> None:
    """Write clips as one .npz without pickles, frames of all clips joined (see `load_packed`)."""
    if not clips:
        raise ChorosError(f"no clip to write to {path}; check the folder and the sources")
    np.savez_compressed(
        path,
        global_orient=np.concatenate([clip.global_orient for clip in clips]),
        body_pose=np.concatenate([clip.body_pose for clip in clips]),
        transl=np.concatenate([clip.transl for clip in clips]),
        starts=np.cumsum([0, *(len(clip) for clip in clips)]),
        fps=np.array([clip.fps for clip in clips]),
        shippable=np.array([clip.shippable for clip in clips]),
        name=np.array([clip.name for clip in clips]),
        source=np.array([clip.source for clip in clips]),
        licence=np.array([clip.licence for clip in clips]),
    )


def load_packed(path: Path) -> list[MocapClip]:
    """The clips of a file that `pack` wrote.

    Raises:
        ChorosError: the file is missing or of another kind.
    """
    try:
        with open_npz(path) as file:
            data = {key: file[key] for key in file.files}
        bounds = list(zip(data["starts"][:-1], data["starts"][1:], strict=True))
        return [
            MocapClip(
                name=str(data["name"][k]),
                source=str(data["source"][k]),
                shippable=bool(data["shippable"][k]),
                licence=str(data["licence"][k]),
                fps=float(data["fps"][k]),
                global_orient=data["global_orient"][start:stop],
                body_pose=data["body_pose"][start:stop],
                transl=data["transl"][start:stop],
            )
            for k, (start, stop) in enumerate(bounds)
        ]
    except (OSError, KeyError, ValueError) as error:
        raise ChorosError(
            f"{path}: not a file of packed clips ({error}); make it again with pack()"
        ) from error


def _vectors(clip: MocapClip) -> np.ndarray:  # (T, 24, 3) axis-angle, radians
    return np.concatenate([clip.global_orient, clip.body_pose], axis=1).reshape(len(clip), 24, 3)


def _draw(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
