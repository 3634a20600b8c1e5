"""Clips of motion, captured or made by the motion model, put on a scene's floor as somebody's role.

A captured clip is cut or looped to the clip's length, walks at this body's leg length with its soles on the
floor, and is turned and shifted so that it plays in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import MocapClip, load_folder, load_packed, mirror, resample
from choros.datasets.mocap.folder import LICENCES, open_body_rest
from choros.errors import ChorosError
from choros.rotation import rotmat_about, rotmat_to_rotvec, rotvec_to_rotmat
from choros.scenes.motion.floor_plan import FloorPlan
from choros.scenes.motion.foot_planting import plant
from choros.scenes.motion.rest_skeleton import (
    JOINT,
    SIDES,
    Floats,
    Poses,
    RestSkeleton,
    facing,
    joint_motion,
    turned_toward,
)
from choros.scenes.motion.roles import Proposal, Role
from choros.scenes.motion.routes import Route, smoothstep

BLEND_S = 0.4  # of a clip's end into its beginning
CONTACT_S = 1.0  # somebody touches the floor at least once in this time, or is in the air for good
IN_THE_AIR_M = 0.15
PLACES = 16  # where a clip is tried
TOES_M = 0.07  # from the joint of the toes to their tips
LIMB_M = 0.06  # how far skin reaches below joints other than the feet's
UPRIGHT = 0.5  # of the leg; with the pelvis lower somebody does not stand
STANDS_M, STANDS_M_S = 0.04, 0.45  # a ball of the foot stands when it is that low and that slow
SHORTEST_S = 1.0  # of clips that are worth playing


@lru_cache(maxsize=2)
def load_clips(path: Path) -> tuple[MocapClip, ...]:
    """Motion capture for scenes: a folder's clips, or those of a packed file; read once per process.

    Clips of public sets that may not shape published weights are left out; people's own BVH files are taken.
    Raises ``ChorosError`` if nothing is there, or a file is damaged.
    """
    if path.is_file():
        found = load_packed(path)
    else:
        sources = [
            source
            for source, (_, shippable) in LICENCES.items()
            if (shippable or source == "bvh") and source != "cmu-bvh"  # the named sets stay what they are
        ]
        found = list(load_folder(path, sources, shippable_only=False))
    usable = [c for c in found if (c.shippable or c.source == "bvh") and c.seconds >= SHORTEST_S]
    if not usable:
        raise ChorosError(f"{path} holds no motion capture that scenes may use; give another folder.")
    return tuple(usable)


def captured(
    clips: Sequence[MocapClip],
) -> Callable[[np.random.Generator, FloorPlan, Sequence[RestSkeleton]], Proposal]:
    """The act of doing what one of the clips shows."""
    weights = np.array([min(clip.seconds, 8.0) for clip in clips])

    def act(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
        for _ in range(8):
            clip = clips[int(rng.choice(len(clips), p=weights / weights.sum()))]
            poses, flies = play(rng, clip, skeletons[0], plan.frames_s)
            if not flies:
                break
        return _placed(rng, plan, skeletons[0], poses)

    return act


def improvised(rng: np.random.Generator, plan: FloorPlan, skeletons: Sequence[RestSkeleton]) -> Proposal:
    """The act of doing what the motion model makes up."""
    from choros.scenes.motion.motion_model import improvise

    return _placed(rng, plan, skeletons[0], improvise(rng, skeletons[0], plan.frames_s))


def _placed(rng: np.random.Generator, plan: FloorPlan, skeleton: RestSkeleton, poses: Poses) -> Proposal:
    """A clip turned at random and put where it plays in the picture; of some places, one that fits."""
    poses = toes_up(poses, skeleton)
    pelvis = poses.transl + skeleton.joints_rest[0]
    middle = (pelvis.min(axis=0) + pelvis.max(axis=0)) / 2
    half_time = float(plan.frames_s[len(plan.frames_s) // 2])
    for _ in range(PLACES):
        # SciPy's own here and below, where `choros.rotation` would round differently, and so make other scenes.
        turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))
        spot = np.append(plan.spot(rng, half_time), 0.0)
        moved = turn.apply(pelvis - [*middle[:2], 0.0]) + spot
        orient = (turn * Rotation.from_rotvec(poses.global_orient)).as_rotvec()
        clip = Poses(orient, poses.body_pose, moved - skeleton.joints_rest[0])
        proposal = Proposal((Role(_route(clip, moved, plan.frames_s), clip=clip),))
        if plan.fits(proposal):
            break
    return proposal


def _route(clip: Poses, pelvis: Floats, frames_s: Floats) -> Route:
    ahead = rotvec_to_rotmat(clip.global_orient)[:, :, 2]
    heading = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    place = pelvis[:, :2]
    speed = np.zeros(len(place))
    if len(place) > 1:
        speed = np.linalg.norm(np.gradient(place, frames_s, axis=0), axis=1)
    return Route(frames_s, place, heading, speed)


def play(
    rng: np.random.Generator, clip: MocapClip, skeleton: RestSkeleton, frames_s: Floats
) -> tuple[Poses, bool]:
    """A clip at a scene's frames, for a skeleton, near the origin; and whether it floats for lack of what it stood on.

    A long clip is cut at a random place, a short one looped; half of them are mirrored.
    """
    step_s = float(frames_s[1] - frames_s[0]) if len(frames_s) > 1 else 1.0
    wanted = int(np.ceil(frames_s[-1] * clip.fps)) + 3
    clip = mirror(clip) if rng.uniform() < 0.5 else clip
    if len(clip) < wanted:
        clip = looped(clip, wanted)
    first = int(rng.integers(len(clip) - wanted + 1))
    cut = slice(first, first + wanted)
    clip = replace(
        clip, global_orient=clip.global_orient[cut], body_pose=clip.body_pose[cut], transl=clip.transl[cut]
    )
    clip = resample(clip, 1 / step_s)
    count = len(frames_s)
    rest, sole_m = open_body_rest()
    upright = facing(np.array(np.pi / 2))  # from y up to z up
    orient = upright @ rotvec_to_rotmat(clip.global_orient[:count])
    pelvis = (clip.transl[:count] + rest[0]).astype(np.float64) @ upright.T
    pelvis = (pelvis - [*pelvis[0, :2], 0.0]) * (skeleton.leg_m / RestSkeleton(rest, sole_m).leg_m)
    poses = Poses(
        rotmat_to_rotvec(orient),
        clip.body_pose[:count].astype(np.float64),
        pelvis - skeleton.joints_rest[0],
    )
    poses, flies = grounded(poses, skeleton, step_s)
    return footed(poses, skeleton, frames_s), flies


def footed(poses: Poses, skeleton: RestSkeleton, frames_s: Floats) -> Poses:
    """Poses whose standing feet do not slide; those of somebody who rolls or crawls come back as they are."""
    rest = skeleton.joints_rest
    _, places = joint_motion(rest, poses)
    if len(frames_s) < 2 or places[:, 0, 2].min() < UPRIGHT * skeleton.leg_m:
        return poses
    balls = [JOINT[f"{side}_foot"] for side, _ in SIDES]
    speed = np.linalg.norm(np.gradient(places[:, balls], frames_s, axis=0), axis=-1)
    height = places[:, balls, 2] - (rest[balls, 1] - skeleton.sole_m)
    stands = (height < STANDS_M) & (gaussian_filter1d(speed, 1.0, axis=0) < STANDS_M_S)
    turns = np.concatenate([poses.global_orient, poses.body_pose], axis=1).reshape(-1, 24, 3)
    R_local, pelvis = plant(rotvec_to_rotmat(turns), places[:, 0], stands, skeleton, frames_s)
    rotvec = rotmat_to_rotvec(R_local).reshape(-1, 72)
    return Poses(rotvec[:, :3], rotvec[:, 3:], pelvis - rest[0])


def grounded(poses: Poses, skeleton: RestSkeleton, step_s: float) -> tuple[Poses, bool]:
    """Poses with their lowest point on the floor whenever they stand, and whether they are in the air for good."""
    low = lowest_m(poses, skeleton)
    low = low - np.quantile(low, 0.02)
    window = max(int(CONTACT_S / step_s) | 1, 3)
    # The lower envelope is the floor that the capture stood on; a jump is shorter than the window.
    level = minimum_filter1d(low, window)
    flies = bool(level.max() > IN_THE_AIR_M)
    level = gaussian_filter1d(maximum_filter1d(level, window), 0.15 / step_s)
    level = level * (1 - smoothstep((level - 0.06) / 0.06))
    sunk = np.maximum(level - low, 0)
    sunk = gaussian_filter1d(maximum_filter1d(sunk, max(int(0.2 / step_s) | 1, 3)), 0.06 / step_s)
    lift = low - lowest_m(poses, skeleton) - level + sunk
    return replace(poses, transl=poses.transl + lift[:, None] * [0.0, 0.0, 1.0]), flies


def toes_up(poses: Poses, skeleton: RestSkeleton) -> Poses:
    """Poses whose toes bend where they would reach into the floor."""
    turns, places = joint_motion(skeleton.joints_rest, poses)
    pose = poses.body_pose.reshape(-1, 23, 3).copy()
    for side, _ in SIDES:
        j = JOINT[f"{side}_foot"]
        tip = places[:, j] + turns[:, j] @ [0.0, skeleton.sole_m - skeleton.joints_rest[j, 1], TOES_M]
        sunk = np.clip(-tip[:, 2] / TOES_M, 0.0, 0.9)
        bent = Rotation.from_rotvec(pose[:, j - 1]) * Rotation.from_matrix(
            rotmat_about("x", -np.arcsin(sunk))
        )
        pose[:, j - 1] = bent.as_rotvec()
    return replace(poses, body_pose=pose.reshape(-1, 69))


def lowest_m(poses: Poses, skeleton: RestSkeleton) -> Floats:  # (T,)
    """Height of the lowest point of somebody: soles, or whatever limb they lie on."""
    turns, places = joint_motion(skeleton.joints_rest, poses)
    feet = []
    for side, _ in SIDES:
        for joint, ahead in (("ankle", -0.05), ("foot", 0.0), ("foot", TOES_M)):
            j = JOINT[f"{side}_{joint}"]
            feet.append(
                (places[:, j] + turns[:, j] @ [0.0, skeleton.sole_m - skeleton.joints_rest[j, 1], ahead])[
                    :, 2
                ]
            )
    others = [j for name, j in JOINT.items() if name.split("_")[-1] not in ("ankle", "foot")]
    return np.minimum(np.min(feet, axis=0), places[:, others, 2].min(axis=1) - LIMB_M)


def looped(clip: MocapClip, frames: int) -> MocapClip:
    """A clip of at least so many frames: again and again, going on from where it ended and as it was turned."""
    once = rotvec_to_rotmat(np.concatenate([clip.global_orient, clip.body_pose], axis=1).reshape(-1, 24, 3))
    rest, _ = open_body_rest()
    path_once = clip.transl + rest[0]
    overlap = max(min(int(BLEND_S * clip.fps), len(clip) // 3), 1)
    stride = min(int(clip.fps), len(clip) // 2)  # over which the turns of a walker's pelvis cancel
    weight = smoothstep((np.arange(overlap) + 1) / (overlap + 1))
    turns, path = once, path_once
    while len(turns) < frames:
        yaw = _yaw(turns[-stride:, 0]) - _yaw(once[:stride, 0])
        R = Rotation.from_euler("y", yaw).as_matrix()
        again = once.copy()
        again[:, 0] = R @ once[:, 0]
        shift = path[-overlap] - R @ path_once[0]
        path_again = path_once @ R.T + [shift[0], 0.0, shift[2]]
        seam = turns[-overlap:].reshape(-1, 3, 3).copy()
        turned_toward(seam, again[:overlap].reshape(-1, 3, 3), np.repeat(weight, 24))
        middle = path[-overlap:] + weight[:, None] * (path_again[:overlap] - path[-overlap:])
        turns = np.concatenate([turns[:-overlap], seam.reshape(-1, 24, 3, 3), again[overlap:]])
        path = np.concatenate([path[:-overlap], middle, path_again[overlap:]])
    vectors = rotmat_to_rotvec(turns).reshape(-1, 72).astype(np.float32)
    return replace(
        clip,
        global_orient=vectors[:, :3],
        body_pose=vectors[:, 3:],
        transl=(path - rest[0]).astype(np.float32),
    )


def _yaw(R: Floats) -> float:
    """Turn about the vertical, on average, of somebody (T, 3, 3) in a world with y up."""
    return float(np.arctan2(R[:, 0, 2].mean(), R[:, 2, 2].mean()))
