"""Everyone in one world: a motion in camera axes becomes whole, places people and camera, and has a floor (GLAMR).

``world_of`` is the whole of the paper's figure 2 after stage I, which any system may have been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from choros.body import BodyModel
from choros.camera_motion.camera_path import CameraPath
from choros.camera_motion.evidence import CameraEvidence
from choros.devices import Device
from choros.errors import ChorosError
from choros.glamr.camera_from_people import in_metres, told_camera
from choros.glamr.floors import floor_heights, with_floors, without_flights
from choros.glamr.initial_world import first_world
from choros.glamr.networks import load_infiller, load_predictor
from choros.glamr.observations import Observations, observations_of
from choros.glamr.options import CameraMoves, WorldOptions
from choros.glamr.people_in_world import people_in_world
from choros.glamr.person_trajectories import (
    Infiller,
    PersonTrajectory,
    Predictor,
    as_seen_in,
    person_trajectories,
)
from choros.glamr.progress import Report, nobody, stages
from choros.glamr.shots import Shot, empty_world, in_the_same_place, joined, recognised, shots_of
from choros.glamr.side_by_side import side_by_side
from choros.glamr.solve import CameraIs, Solved, solve
from choros.glamr.variables import WorldVariables
from choros.glamr.world_motion import motion_of
from choros.motion import Motion
from choros.threads import at_most

#: A camera is taken to have more freedom only if that leaves less than this share of the energy.
MORE_FREEDOM_FOR = 0.9
WENT_SHARE = 0.5  # of the frames whose background shows that the camera went about, for one that does
#: What gaps and paths, all steps that one kind of camera may take, and feet cost in proportion.
FILL_COST, SOLVE_COST, PLANT_COST = 1.0, 12.0, 0.1
#: Frames times the square of people and camera, above which kinds are solved one after the other: a gigabyte each.
MOST_BLOCKS_TWICE = 1_000_000
TURNING_STEP_M = 0.03  # how far, per root of a second, a camera strays that only turns


def world_of(
    motion: Motion,
    options: WorldOptions | None = None,
    infiller: Infiller | None = None,
    predictor: Predictor | None = None,
    evidence: CameraEvidence | None = None,
    given: CameraPath | None = None,
    given_in_metres: bool = True,
    body: BodyModel | None = None,
    people: Sequence[Sequence[PersonTrajectory]] | None = None,
    report: Report = nobody,
) -> Motion:
    """The same people in a world with z up and the floor at 0, from the first to the last frame they were seen in.

    Networks are those that ship, on the device of the options, unless given. ``given`` is a camera path in such a
    world, which is then kept; one of any scale and any way up (``given_in_metres`` False) is brought there first. Each
    person gets one shape. Every shot is a world of its own, with its own floor, origin and camera, unless ``evidence``
    recognises where an earlier one was filmed; nobody is filled in over a cut. ``people`` are those of each shot, if
    ``trajectories_of_shots`` has them by the same options, whatever the lens was. Of a motion in which nobody was seen,
    the world is empty. ``report(what, done, total)`` tells how much of all is done, see ``progress``.
    Raises ``ChorosError`` if motion, body, camera and evidence are not of the same frames.
    """
    options = options or WorldOptions()
    body = body or BodyModel.load()
    device = Device(options.device).torch_device()
    _check(motion, body, evidence, given)
    if options.from_motion:
        _check_told(motion, given)
    shots = list(shots_of(motion, evidence, given))
    if not motion.visible.any():
        return joined([empty_world(shot) for shot in shots])
    infiller = infiller or load_infiller().to(device)
    predictor = predictor or load_predictor().to(device)
    metric = given is None or given_in_metres
    worlds: list[Motion] = []
    rows = [float(shot.motion.visible.sum()) for shot in shots]
    of_shots = [None] * len(shots) if people is None else people
    for shot, known, told in zip(shots, of_shots, stages(report, rows), strict=True):
        if evidence is not None:
            shot = in_the_same_place(shot, worlds, evidence.again)
        if shot.motion.visible.any():
            with at_most(1):  # many small products, see ``threads``
                world = _world_of_shot(shot, known, options, infiller, predictor, metric, body, told)
        else:
            world = empty_world(shot)
        worlds.append(recognised(world) if given is None and shot.given is not None else world)
    return joined(worlds)


def _world_of_shot(
    shot: Shot,
    known_people: Sequence[PersonTrajectory] | None,
    options: WorldOptions,
    infiller: Infiller,
    predictor: Predictor,
    given_in_metres: bool,
    body: BodyModel,
    report: Report,
) -> Motion:
    _, motion, evidence, given = shot
    kinds = _kinds(options, given, evidence)
    fill_cost = FILL_COST if known_people is None else 0.0
    costs = [fill_cost, SOLVE_COST * options.optimise * len(kinds), PLANT_COST]
    filling, solving, planting = stages(report, costs)
    if known_people is None:
        people = person_trajectories(
            motion, body, infiller, predictor,
            seed=options.seed, keep_visible=options.keep_visible, smooth_s=options.smooth_s, report=filling,
        )  # fmt: skip
    else:
        people = as_seen_in(motion, known_people, body)
    if given is not None and not given_in_metres:
        given = in_metres(given, people)
    observations = observations_of(motion, people)
    begun = in_metres(told_camera(motion), people) if options.from_motion else None

    def solved_as(kind: CameraMoves, report: Report) -> tuple[Observations, Solved]:
        world = first_world(people, observations, kind, evidence, given, begun)
        known = with_floors(observations, world)
        return known, _optimised(world, known, options, kind, evidence, report)

    at_once = len(motion) * (1 + len(people)) ** 2 <= MOST_BLOCKS_TWICE
    tried = side_by_side(solved_as, kinds, solving, at_once)
    (moves, (known, best)), *others = zip(kinds, tried, strict=True)
    for kind, (also_known, solved) in others:
        if solved.total < best.total * MORE_FREEDOM_FOR:
            moves, known, best = kind, also_known, solved
    found = people_in_world(
        people, best.world, floor_heights(known), locked=options.feet == "locked", report=planting
    )
    return motion_of(motion, people, observations, best.world, found, options, moves)


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


def _check_told(motion: Motion, given: CameraPath | None) -> None:
    name = motion.header.source or "this motion"
    if given is not None:
        raise ChorosError(
            "a camera that is solved already begins as it is; leave out the one that the motion tells."
        )
    if motion.visible.any() and not motion.tells_camera:
        raise ChorosError(
            f"{name} was tracked by {motion.header.system or 'a system'}, which tells no camera; track it with one "
            "that does, or leave the beginning to the background."
        )


def _kinds(
    options: WorldOptions, given: CameraPath | None, evidence: CameraEvidence | None
) -> list[CameraMoves]:
    """What the camera may have done. Near things that pass far ones tell best whether it went about."""
    if given is not None:
        return ["given"]
    if options.camera != "auto":
        return [options.camera]
    if options.from_motion:
        return ["moving"]
    if evidence is None or evidence.went is None or not evidence.weight.any():
        return ["static", "turning", "moving"]
    went = np.average(evidence.went, weights=evidence.weight) > WENT_SHARE
    return ["moving"] if went else ["static", "turning"]


def _optimised(
    world: WorldVariables,
    observations: Observations,
    options: WorldOptions,
    kind: CameraMoves,
    evidence: CameraEvidence | None,
    report: Report,
) -> Solved:
    """From coarse to fine: at first feet may slide fast and still be thought to stand."""
    if not options.optimise:
        return Solved(world)
    path = None if options.egocentric else world
    fine, steps = options.sigmas, 0
    if kind == "turning":
        fine = replace(fine, camera_step_m=TURNING_STEP_M)
    variables: CameraIs = "moving" if kind == "turning" else kind
    rounds = (
        replace(
            fine,
            contact_m=4 * fine.contact_m,
            contact_outlier_m_s=3 * fine.contact_outlier_m_s,
            root_outlier=6.0,
        ),
        fine,
    )
    for sigmas, told in zip(rounds, stages(report, [1] * len(rounds)), strict=True):
        solved = solve(
            world, observations, sigmas, variables, evidence, path,
            report=partial(told, f"placing everyone, {kind} camera"),
        )  # fmt: skip
        world, steps = solved.world, steps + solved.steps
        observations = without_flights(observations, world)
    return replace(solved, steps=steps)
