"""Everyone in one world: a motion in camera axes becomes whole, places people and camera, and has a floor (GLAMR).

``world_of`` is the whole of the paper's figure 2 after stage I, which any system may have been.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.camera import project
from choros.errors import ChorosError
from choros.glamr.cameras import (
    CameraEvidence,
    CameraPath,
    following_camera,
    gone_over_ground,
    in_metres,
    standing_camera,
)
from choros.glamr.figure import BALL_JOINTS
from choros.glamr.people import Course, Infiller, Predictor, courses
from choros.glamr.rigid import UP, exp, from_heading, log
from choros.glamr.shots import Shot, empty_world, in_the_same_room, joined, recognised, shots_of
from choros.glamr.sights import Sights, Spreads, World
from choros.glamr.solve import CameraIs, Solved, solve
from choros.keypoints import box_of_keypoints
from choros.motion import Header, Motion

Floats = NDArray[np.float64]
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class WorldOptions:
    """What the global stage can be told."""

    camera: Literal["auto", "static", "turning", "moving"] = "auto"
    seed: int = 0  # of the motion in gaps; 0 is the most likely one
    keep_visible: bool = (
        True  # False: poses are said anew by the infiller in every frame, as by the paper's code
    )
    smooth_s: float = 0.07  # width over which body poses that were seen are averaged, a standard deviation
    spreads: Spreads = field(default_factory=Spreads)
    egocentric: bool = True  # False: people are held to predicted places, not steps (the paper's ablation)
    optimise: bool = True  # False: as initialised


def world_of(
    motion: Motion,
    options: WorldOptions | None = None,
    infiller: Infiller | None = None,
    predictor: Predictor | None = None,
    evidence: CameraEvidence | None = None,
    given: CameraPath | None = None,
    given_in_metres: bool = True,
    body: BodyModel | None = None,
    report: Report = lambda what, done, total: None,
) -> Motion:
    """The same people in a world with z up and the floor at 0, from the first to the last frame they were seen in.

    Networks are those that ship unless given. ``given`` is a camera path in such a world, which is then kept;
    one of any scale and any way up (``given_in_metres`` False) is brought there first. Each person gets one shape.
    Every shot is a world of its own, with its own floor, origin and camera, unless ``evidence`` recognises where an
    earlier one was filmed; nobody is filled in over a cut. Of a motion in which nobody was seen, the world is empty.
    Raises ``ChorosError`` if motion, body, camera and evidence are not of the same frames.
    """
    options = options or WorldOptions()
    body = body or BodyModel.load()
    _check(motion, body, evidence, given)
    shots = list(shots_of(motion, evidence, given))
    if not motion.visible.any():
        return joined([empty_world(shot) for shot in shots])
    if infiller is None:
        from choros.glamr.infiller import MotionInfiller

        infiller = MotionInfiller.load()
    if predictor is None:
        from choros.glamr.trajectory import TrajectoryPredictor

        predictor = TrajectoryPredictor.load()
    worlds: list[Motion] = []
    for shot in shots:
        if evidence is not None:
            shot = in_the_same_room(shot, worlds, evidence.again)
        if shot.motion.visible.any():
            metric = given is None or given_in_metres
            world = _world_of_shot(shot, options, infiller, predictor, metric, body, report)
        else:
            world = empty_world(shot)
        worlds.append(recognised(world) if given is None and shot.given is not None else world)
    return joined(worlds)


def _world_of_shot(
    shot: Shot,
    options: WorldOptions,
    infiller: Infiller,
    predictor: Predictor,
    given_in_metres: bool,
    body: BodyModel,
    report: Report,
) -> Motion:
    _, motion, evidence, given = shot
    people = courses(
        motion, body, infiller, predictor,
        seed=options.seed, keep_visible=options.keep_visible, smooth_s=options.smooth_s, report=report,
    )  # fmt: skip
    if given is not None and not given_in_metres:
        given = in_metres(given, people)
    sights = sights_of(motion, people)
    best: tuple[CameraMoves, Solved] | None = None
    for kind in _kinds(options, given, evidence):
        world = first_world(people, sights, kind, evidence, given)
        solved = _optimised(world, sights, options, kind, evidence, report)
        if best is None or solved.total < best[1].total * MORE_FREEDOM_FOR:
            best = kind, solved
    assert best is not None
    return _packed(motion, people, sights, best[1].world, options, best[0])


#: What the camera does: stands still, turns where it stands, goes about; or that is known.
CameraMoves = Literal["static", "turning", "moving", "given"]
#: A camera is taken to have more freedom only if that leaves less than this share of the energy.
MORE_FREEDOM_FOR = 0.9
WENT_SHARE = 0.5  # of the frames whose background shows that the camera went about, for one that does
TURNING_STEP_M = 0.03  # how far, per root of a second, a camera strays that only turns


def _check(
    motion: Motion, body: BodyModel, evidence: CameraEvidence | None, given: CameraPath | None
) -> None:
    name = motion.header.source or "this motion"
    if motion.pictures:
        raise ChorosError(
            f"{name} is of photographs that have nothing to do with each other, so there is no world."
        )
    if motion.space != "camera":
        raise ChorosError(
            f"{name} is in the world already; give a motion.npz that `choros track` wrote without the camera's pose."
        )
    if motion.header.body != body.name:
        raise ChorosError(
            f"{name} was tracked with the {motion.header.body} body, not the {body.name} one; name it with --body."
        )
    if given is not None and len(given.place_m) != len(motion):
        raise ChorosError(
            f"the camera file has {len(given.place_m)} poses and {name} {len(motion)} frames; give one pose a frame."
        )
    if evidence is not None and len(evidence.turn) != len(motion) - 1:
        raise ChorosError(
            f"the background was followed over {len(evidence.turn) + 1} frames and {name} has {len(motion)}; "
            "give the video it was tracked in."
        )


def _kinds(
    options: WorldOptions, given: CameraPath | None, evidence: CameraEvidence | None
) -> list[CameraMoves]:
    """What the camera may have done. Near things that pass far ones tell best whether it went about."""
    if given is not None:
        return ["given"]
    if options.camera != "auto":
        return [options.camera]
    if evidence is None or evidence.went is None or not evidence.weight.any():
        return ["static", "turning", "moving"]
    went = np.average(evidence.went, weights=evidence.weight) > WENT_SHARE
    return ["moving"] if went else ["static", "turning"]


def _optimised(
    world: World,
    sights: Sights,
    options: WorldOptions,
    kind: CameraMoves,
    evidence: CameraEvidence | None,
    report: Report,
) -> Solved:
    """From coarse to fine: at first feet may slide fast and still be thought to stand."""
    if not options.optimise:
        return Solved(world)
    path = None if options.egocentric else world
    fine, steps = options.spreads, 0
    if kind == "turning":
        fine = replace(fine, camera_step_m=TURNING_STEP_M)
    variables: CameraIs = "moving" if kind == "turning" else kind
    for spreads in (
        replace(
            fine,
            contact_m=4 * fine.contact_m,
            contact_outlier_m_s=3 * fine.contact_outlier_m_s,
            root_outlier=6.0,
        ),
        fine,
    ):
        solved = solve(
            world, sights, spreads, variables, evidence, path,
            report=lambda step: report(f"placing everyone, {kind} camera", step, 0),
        )  # fmt: skip
        world, steps = solved.world, steps + solved.steps
    return replace(solved, steps=steps)


def places_of(people: Sequence[Course]) -> list[int]:
    """A place for each person, as few as there are people at once: who has left makes place for somebody else."""
    free_from: list[int] = []
    places = [0] * len(people)
    for number in sorted(range(len(people)), key=lambda n: people[n].start):
        one = people[number]
        place = next((p for p, frame in enumerate(free_from) if frame <= one.start), len(free_from))
        if place == len(free_from):
            free_from.append(0)
        free_from[place] = one.frames.stop
        places[number] = place
    return places


def sights_of(motion: Motion, people: Sequence[Course]) -> Sights:
    """What the energies know of everybody, as arrays over frames and places."""
    places = places_of(people)
    T, S = len(motion), max(places) + 1
    eye = np.eye(3)
    sights = Sights(
        times_s=motion.pts_s,
        there=np.zeros((T, S), bool),
        linked=np.zeros((T - 1, S), bool),
        seen=np.zeros((T, S), bool),
        K=motion.K,
        keypoints=np.zeros((T, S, 17, 3)),
        soles=np.zeros((T, S, 4, 3)),
        balls=np.zeros((T, S, len(BALL_JOINTS), 3)),
        keypoints_px=np.zeros((T, S, 17, 2)),
        confidence=np.zeros((T, S, 17)),
        size_px=np.ones((T, S)),
        R_camera_root=np.tile(eye, (T, S, 1, 1)),
        depth_m=np.ones((T, S)),
        step=np.zeros((T - 1, S, 3)),
        turn=np.tile(eye, (T - 1, S, 1, 1)),
        up_root=np.tile(UP, (T, S, 1)),
        height_m=np.zeros((T, S)),
        low=np.zeros((T, S, 4)),
    )
    for one, s in zip(people, places, strict=True):
        now = one.frames
        sights.there[now, s], sights.seen[now, s] = True, one.seen
        sights.keypoints[now, s], sights.soles[now, s] = one.figure.keypoints, one.figure.soles
        sights.balls[now, s] = one.figure.joints[:, BALL_JOINTS]
        sights.R_camera_root[now, s] = one.R_camera_root
        depth = np.where(one.seen, np.maximum(one.root_cam_m[:, 2], 0.2), 1)
        sights.depth_m[now, s] = depth
        sights.size_px[now, s] = TALL_M * motion.K[now, 0, 0] / depth
        points_px, confidence = _evidence(motion, one)
        sights.keypoints_px[now, s], sights.confidence[now, s] = points_px, confidence
        # The predicted path.
        R, place = one.R_path_root, one.path_m
        onward = slice(now.start, now.stop - 1)
        sights.linked[onward, s] = True
        step = np.diff(place, axis=0)
        sights.step[onward, s] = (np.swapaxes(from_heading(R[:-1]), -1, -2) @ step[..., None])[..., 0]
        sights.turn[onward, s] = np.swapaxes(R[:-1], -1, -2) @ R[1:]
        up = np.swapaxes(R, -1, -2) @ UP
        sights.up_root[now, s], sights.height_m[now, s] = up, place[:, 2]
        sole = np.einsum("tki,ti->tk", one.figure.soles, up)
        sights.low[now, s] = np.exp(-0.5 * ((sole - sole.min(1, keepdims=True)) / LOW_M) ** 2)
    return sights


TALL_M = 1.7  # what a person's size in the picture is taken from
LOW_M = 0.03  # how far above the lowest a sole may be and stand
OWN_CONFIDENCE = 0.5  # of the system's own body in the picture, where it names no keypoints


def _evidence(motion: Motion, one: Course) -> tuple[Floats, Floats]:
    """Keypoints (n, 17, 2) px and confidence (n, 17); where there is no evidence, the body as the system had it."""
    points, confidence = np.zeros((len(one), 17, 2)), np.zeros((len(one), 17))
    shown = motion.keypoints_px[one.row[one.seen]].astype(np.float64)
    points[one.seen], confidence[one.seen] = shown[..., :2], shown[..., 2]
    without = one.seen & (confidence.max(1) == 0)
    R, place = one.R_camera_root[without], one.root_cam_m[without]
    points_cam = one.figure.keypoints[without] @ np.swapaxes(R, -1, -2) + place[:, None]
    in_front = points_cam[..., 2] > 0.2
    K = motion.K[one.frames][without][:, None]
    points[without] = project(np.where(in_front[..., None], points_cam, [0, 0, 1]), K)
    confidence[without] = OWN_CONFIDENCE * in_front
    return points, confidence


def first_world(
    people: Sequence[Course],
    sights: Sights,
    kind: CameraMoves,
    evidence: CameraEvidence | None,
    given: CameraPath | None,
) -> World:
    """Where everything begins: people as they were seen by a camera that stands, or turns and goes as its
    background says.

    Of a camera that moves before no background only people know: they are on their predicted paths (equation 15).
    """
    T, S = sights.there.shape
    R, root = np.tile(np.eye(3), (T, S, 1, 1)), np.zeros((T, S, 3))
    if kind == "moving" and evidence is None:
        camera, paths = following_camera(people, sights.times_s)
    else:
        camera = given or standing_camera(people, T, None if kind == "static" else evidence)
        if kind == "moving" and evidence is not None and evidence.ground is not None:
            camera = gone_over_ground(camera, evidence.ground)
        paths = [_bridged(one, camera) for one in people]
    for one, s, (turn, place) in zip(people, places_of(people), paths, strict=True):
        R[one.frames, s], root[one.frames, s] = turn, place
    return World(camera.R_world_camera, camera.place_m, R, root)


def _bridged(one: Course, camera: CameraPath) -> tuple[Floats, Floats]:
    """A person as a known camera saw them, and on their predicted path in between, bent to meet both ends."""
    R_wc, eye = camera.R_world_camera[one.frames], camera.place_m[one.frames]
    R = R_wc @ one.R_camera_root
    place = (R_wc @ one.root_cam_m[..., None])[..., 0] + eye
    shown = np.flatnonzero(one.seen)
    for a, b in pairwise(shown):
        if b == a + 1:
            continue
        gap = np.arange(a + 1, b)
        share = ((gap - a) / (b - a))[:, None]
        to_world = from_heading(R[a]) @ from_heading(one.R_path_root[a]).T
        places = (one.path_m[a : b + 1] - one.path_m[a]) @ to_world.T + place[a]
        turns = R[a] @ one.R_path_root[a].T @ one.R_path_root[a : b + 1]
        place[gap] = places[1:-1] + share * (place[b] - places[-1])
        R[gap] = exp(share * log(R[b] @ turns[-1].T)) @ turns[1:-1]
    return R, place


def _packed(
    motion: Motion,
    people: Sequence[Course],
    sights: Sights,
    world: World,
    options: WorldOptions,
    kind: CameraMoves,
) -> Motion:
    """The world as a ``Motion``."""
    frames = motion.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), True
    frames["T_world_camera"][:, :3, :3] = world.R_world_camera
    frames["T_world_camera"][:, :3, 3] = world.camera_m
    tables = []
    for one, s in zip(people, places_of(people), strict=True):
        rows = np.zeros(len(one), motion.rows.dtype)  # extras are empty where nobody followed them
        known = one.row >= 0
        rows[known] = motion.rows[one.row[known]]
        rows["frame"], rows["person"] = np.arange(one.start, one.frames.stop), one.id
        rows["betas"], rows["kid"], rows["visible"] = one.betas, one.kid, one.seen
        pose = Rotation.from_matrix(one.body_rotations.reshape(-1, 3, 3)).as_rotvec()
        rows["body_pose"] = pose.reshape(-1, 69)
        R, root = world.R_world_root[one.frames, s], world.root_m[one.frames, s]
        rows["global_orient"] = log(R)
        rows["transl"] = root - one.figure.pelvis_rest
        _tell_unseen(rows, one, sights, world, s)
        tables.append(rows)
    rows = np.concatenate(tables)
    rows = rows[np.lexsort((rows["person"], rows["frame"]))]
    return Motion(_header(motion, options, kind), frames, rows)


def _header(motion: Motion, options: WorldOptions, kind: str) -> Header:
    said = {"camera": kind, "seed": options.seed, "keep_visible": options.keep_visible}
    return replace(motion.header, space="world", provenance=motion.header.provenance | {"world": said})


def _tell_unseen(rows: NDArray[np.void], one: Course, sights: Sights, world: World, s: int) -> None:
    """Boxes, and less and less confidence, for the frames in which nobody saw the person."""
    unseen = np.flatnonzero(~one.seen)
    if not len(unseen):
        return
    shown = np.flatnonzero(one.seen)
    nearest = shown[np.abs(unseen[:, None] - shown).argmin(1)]
    away_s = np.abs(one.times_s[unseen] - one.times_s[nearest])
    rows["confidence"][unseen] = rows["confidence"][nearest] * np.exp(-away_s)
    rows["keypoints_px"][unseen] = 0
    t = one.start + unseen
    points = one.figure.keypoints[unseen] @ np.swapaxes(world.R_world_root[t, s], -1, -2)
    points_cam = (points + (world.root_m[t, s] - world.camera_m[t])[:, None]) @ world.R_world_camera[t]
    in_front = points_cam[..., 2] > 0.1
    points_px = project(np.where(in_front[..., None], points_cam, [0, 0, 1]), sights.K[t][:, None])
    box = box_of_keypoints(np.concatenate([points_px, in_front[..., None]], -1))
    rows["box_px"][unseen] = np.where(np.isfinite(box), box, 0)
