"""GLAMR's global stage against plain alternatives and without its parts (tables 1, 5 and 6), and its time.

``python benchmarks/world.py --data world moving --clips 3`` takes the true bodies before the camera for what a
system said, cut where people are hidden: what is left is what the stage itself does. ``--data DIR --motions DIR``
takes a folder of clips (``choros scenes make``), what a system said of them (``choros bench --keep``, its folder of
the system), and the turns and ways of the camera from their videos; with ``--film`` clips of a set are filmed for
that. Of a system that tells its own camera, that camera is a row, and where the stage begins in another. ``--adam``
compares the solver with 500 steps of Adam on the paper's own variables. Seconds are those of one core. ``--time 300
10`` tells seconds of each stage, of so many frames and people.
"""

import argparse
import itertools
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation, Slerp

from choros.body import BodyModel
from choros.camera_motion.evidence import CameraEvidence
from choros.camera_motion.odometry import camera_evidence
from choros.evaluation.benchmark import Recorded, clip_name
from choros.evaluation.compare import compare, pooled_scores
from choros.evaluation.sources import SceneSource, open_data
from choros.glamr.egocentric import N_EGO, ego_to_global, global_to_ego
from choros.glamr.energies import energies
from choros.glamr.infiller import MotionInfiller
from choros.glamr.initial_world import first_world
from choros.glamr.observations import observations_of
from choros.glamr.options import Sigmas, WorldOptions
from choros.glamr.person_trajectories import person_trajectories
from choros.glamr.pipeline import world_of
from choros.glamr.solve import solve
from choros.glamr.trajectory import TrajectoryPredictor
from choros.glamr.variables import WorldVariables
from choros.motion import ROW, Motion
from choros.rotation import (
    columns_to_rotmat,
    rotmat_geodesic_distance,
    rotmat_to_columns,
    rotvec_to_rotmat,
)
from choros.scenes import SceneConfig, make_scene

SHOWN = (
    ("g_mpjpe_mm", "G-MPJPE\nmm", 0), ("wa_mpjpe_mm", "WA-\nMPJPE\nmm", 0), ("rte_percent", "RTE\n%", 1),
    ("accel_mm_s2", "Accel\nmm/s²", 0), ("foot_slide_cm_s", "foot\nslide\ncm/s", 0),
    ("ground_penetration_mm", "in the\nfloor\nmm", 1), ("pa_mpjpe_mm", "PA-\nMPJPE\nmm", 1),
    ("pa_mpjpe_occluded_mm", "when\nhidden\nmm", 1), ("relative_translation_mm", "relative\nplace\nmm", 0),
    ("relative_rotation_deg", "relative\nturn\ndeg", 1), ("jitter_m_s3", "jitter\nm/s³", 0),
)  # fmt: skip

KNEES = [3, 4]  # of the 23 joints of ``body_pose``


class Standing:
    """No trajectory predictor: everybody stands upright, the lowest joint at an ankle's height."""

    def predict_all(self, people):
        paths = []
        for joints in people:
            ego = torch.zeros(len(joints), N_EGO)
            ego[:, 2] = 0.06 - joints[..., 1].amin(-1)
            ego[:, 3], ego[:, 5], ego[:, 10] = 1, -1, 1
            paths.append(ego)
        return paths


@dataclass(frozen=True)
class Clip:
    name: str
    truth: Motion
    said: Motion
    video: Path | None


def clips(data, count, motions, frames, film):
    """Every clip's truth and what was said of it; clips of a set are filmed into the folder ``film``, if given."""
    for source in [source for name in data for source in open_data(name)[:count]]:
        if isinstance(source, SceneSource) and not film:
            truth, video = make_scene(source.kind, source.seed, source.config).truth, None
        else:
            clip = source.open((film or Path()) / clip_name(source), lambda what, done, total: None)
            truth, video = clip.truth, clip.video
        said = Recorded(motions).motion(clip_name(source)) if motions else as_seen(truth)
        yield Clip(clip_name(source), truth[:frames], said[:frames], video)


def as_seen(truth):
    """What a perfect system would say: true bodies where they can be seen, and nothing of the camera."""
    return standing(replace(truth, rows=truth.rows[truth.visible]))


def standing(motion):
    """The same people before a camera of which nothing is known."""
    frames = motion.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), False
    return replace(motion, frames=frames)


def knee_turn_deg(motion):
    """By how much the knees turn from frame to frame in the one case of a hundred in which they turn most."""
    turns = []
    for person in motion.people:
        knees = rotvec_to_rotmat(person.rows["body_pose"].astype(np.float64).reshape(-1, 23, 3)[:, KNEES])
        turns.append(
            rotmat_geodesic_distance(knees[1:], knees[:-1])[np.diff(person.rows["frame"]) == 1].ravel()
        )
    return np.degrees(np.percentile(np.concatenate(turns), 99))


def filled(motion, hold):
    """Gaps of everybody filled in camera space: by their last pose, or straight on (slerp of each joint)."""
    tables = []
    for person in motion.people:
        rows = person.rows[person.visible]
        if not len(rows):
            continue
        wanted = np.arange(rows["frame"][0], rows["frame"][-1] + 1)
        before = np.searchsorted(rows["frame"], wanted, side="right") - 1
        out = rows[before].copy()
        out["visible"] = np.isin(wanted, rows["frame"])
        if not hold and len(rows) > 1:
            pose = np.concatenate([rows["global_orient"], rows["body_pose"]], -1).reshape(-1, 24, 3)
            pose = np.stack(
                [
                    Slerp(rows["frame"], Rotation.from_rotvec(pose[:, j]))(wanted).as_rotvec()
                    for j in range(24)
                ],
                1,
            )
            out["global_orient"], out["body_pose"] = pose[:, 0], pose[:, 1:].reshape(-1, 69)
            for name in ("transl", "box_px"):
                out[name] = np.stack([np.interp(wanted, rows["frame"], c) for c in rows[name].T], -1)
        out["frame"] = wanted
        tables.append(out)
    rows = np.concatenate([np.zeros(0, ROW), *tables])
    return replace(motion, rows=rows[np.lexsort((rows["person"], rows["frame"]))])


def variants(clip, infiller, predictor):
    """Name -> what makes the motion."""
    said = clip.said
    evidence = camera_evidence(said, clip.video) if clip.video else None
    fine = Sigmas()

    def ours(predictor=predictor, evidence=evidence, **options):
        return lambda: world_of(said, WorldOptions(**options), infiller, predictor, evidence)

    made = {
        "as it is, camera stands": lambda: standing(said),
        "straight on, camera stands": lambda: filled(standing(said), hold=False),
        "last pose, camera stands": lambda: filled(standing(said), hold=True),
        "GLAMR": ours(),
        "choros world, camera stands": ours(camera="static", evidence=None),
        "without the background": ours(evidence=None),
        "without the ground": ours(evidence=evidence and replace(evidence, ground=None)),
        "without optimisation": ours(camera="moving", optimise=False, evidence=None),
        "without predictor": ours(predictor=Standing()),
        "not egocentric": ours(egocentric=False),
        "without floor": ours(sigmas=replace(fine, floor_m=np.inf)),
        "without contact": ours(sigmas=replace(fine, contact_m=np.inf)),
        "poses not smoothed": ours(smooth_s=0),
        "feet free": ours(feet="free"),
        "poses said anew": ours(keep_visible=False),
    }
    if said.tells_camera:
        made |= {
            "as it is, its own camera": lambda: said,
            "GLAMR from its own camera": ours(from_motion=True),
            "the same without the background": ours(from_motion=True, evidence=None),
        }
    if evidence is None:
        for name in ("without the background", "without the ground", "the same without the background"):
            made.pop(name, None)
    return made


def adam(world, observations, sigmas, steps=500, rate=1e-3):
    """The paper's optimisation on its own variables, without E_pen: the world it comes to, and seconds."""
    tensor = {
        name: torch.from_numpy(np.ascontiguousarray(getattr(observations, name))).float()
        for name in ("keypoints", "keypoints_px", "confidence", "R_camera_root", "K", "size_px")
    }
    weight = tensor["confidence"] * torch.from_numpy(observations.seen)[..., None]
    R, root = (torch.from_numpy(a).float().transpose(0, 1) for a in (world.R_world_root, world.root_m))
    first = global_to_ego(root, R)
    ego = first.clone().requires_grad_()
    turn = rotmat_to_columns(torch.from_numpy(world.R_world_camera).float()).requires_grad_()
    place = torch.from_numpy(world.camera_m).float().requires_grad_()
    optimiser = torch.optim.Adam([ego, turn, place], lr=rate)
    scale = torch.tensor([3.0, 3, 100, 5, 5, *[100] * 6]) / 10  # appendix E
    began = time.process_time()
    for _ in range(steps):
        root, R = ego_to_global(ego)
        root, R = root.transpose(0, 1), R.transpose(0, 1)
        R_wc = columns_to_rotmat(turn)
        points = tensor["keypoints"] @ R.mT + (root - place[:, None])[:, :, None]
        points = points @ R_wc[:, None]
        px = (tensor["K"][:, None] @ points.mT).mT
        px = px[..., :2] / px[..., 2:].clamp_min(0.2)
        off = (px - tensor["keypoints_px"]).square().sum(-1) / (0.03 * tensor["size_px"][..., None]) ** 2
        loss = (weight * off / (1 + off / 9)).sum()
        seen = torch.from_numpy(observations.seen)
        loss = (
            loss + 10 * ((R_wc[:, None].mT @ R - tensor["R_camera_root"]).square().sum((-1, -2)) * seen).sum()
        )
        loss = loss + (scale * (ego - first))[:, 1:].square().sum()
        loss = (
            loss
            + 100 * (place.diff(dim=0).square().sum() + R_wc.diff(dim=0).square().sum())
            - R_wc[:, 2, 1].sum()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    seconds = time.process_time() - began
    with torch.no_grad():
        root, R = ego_to_global(ego)
        R_wc = columns_to_rotmat(turn)
    there = WorldVariables(
        R_wc.double().numpy(), place.detach().double().numpy(),
        R.transpose(0, 1).double().numpy(), root.transpose(0, 1).double().numpy(),
    )  # fmt: skip
    return there, seconds


def timing(clip, body, infiller, predictor, with_adam):
    began = time.process_time()
    people = person_trajectories(clip.said, body, infiller, predictor, smooth_s=WorldOptions().smooth_s)
    observations = observations_of(clip.said, people)
    prepared = time.process_time() - began
    world, sigmas = first_world(people, observations, "moving", None, None), Sigmas()

    def energy(world):
        return sum(term.cost for term in energies(world, observations, sigmas))

    began = time.process_time()
    solved = solve(world, observations, sigmas, "moving")
    seconds = time.process_time() - began
    whole = time.process_time()
    world_of(clip.said, None, infiller, predictor)
    print(
        f"{clip.name}: {len(clip.said)} frames, {len(people)} people; whole stage {time.process_time() - whole:.1f} s, "
        f"of it gaps and paths {prepared:.1f} s; one solve with a moving camera {seconds:.2f} s, {solved.steps} steps, "
        f"energy {energy(world):.0f} -> {solved.total:.0f}"
    )
    if with_adam:
        there, slow = adam(world, observations, sigmas)
        print(
            f"500 steps of Adam {slow:.1f} s, {slow / seconds:.0f} times as long; energy there {energy(there):.0f}"
        )


def stage_times(frames, people):
    """Seconds of each stage, of true bodies before a camera that stands, in a video whose background does not turn."""
    config = SceneConfig(960, 540, Fraction(25), frames / 25, device="cpu", people=people)
    said = as_seen(make_scene("crowd", 950101, config).truth)
    still = CameraEvidence(
        np.tile(np.eye(3), (frames - 1, 1, 1)), np.ones(frames - 1), np.zeros(frames - 1, bool)
    )
    marks = []

    def report(what, done, total):
        marks.append((what, time.process_time(), time.perf_counter()))

    report("reading", 0, 0)
    world_of(said, None, MotionInfiller.load(), TrajectoryPredictor.load(), still, report=report)
    print(f"{len(said)} frames, {len(said.ids)} people, {len(said.rows)} rows")
    for what in dict.fromkeys(mark[0] for mark in marks[:-1]):
        spans = [np.subtract(b[1:], a[1:]) for a, b in itertools.pairwise(marks) if a[0] == what]
        cpu, wall = np.sum(spans, 0)
        print(f"{what}: {cpu:.1f} s of the processor, {wall:.1f} s by the clock")
    cpu, wall = np.subtract(marks[-1][1:], marks[0][1:])
    print(f"all: {cpu:.1f} s of the processor, {wall:.1f} s by the clock")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["world", "moving"])
    parser.add_argument("--clips", type=int, default=3, help="of each set")
    parser.add_argument("--motions", type=Path, help="what a system said of the clips")
    parser.add_argument(
        "--film", type=Path, metavar="DIR", help="film the clips of a set there, to see the background"
    )
    parser.add_argument("--frames", type=int, help="only so many of each clip")
    parser.add_argument("--only", nargs="+", help="only these variants, by name")
    parser.add_argument("--adam", action="store_true", help="only time, and that of Adam")
    parser.add_argument(
        "--time", nargs=2, type=int, metavar=("FRAMES", "PEOPLE"), help="only seconds of each stage"
    )
    args = parser.parse_args()
    if args.time:
        return stage_times(*args.time)
    torch.set_num_threads(1)
    body, infiller, predictor = BodyModel.load(), MotionInfiller.load(), TrajectoryPredictor.load()
    parts, knees = {}, {}
    for clip in clips(args.data, args.clips, args.motions, args.frames, args.film):
        if args.adam:
            timing(clip, body, infiller, predictor, with_adam=True)
            continue
        for name, make in variants(clip, infiller, predictor).items():
            if not args.only or name in args.only:
                motion = make()
                parts.setdefault(name, []).append(compare(clip.truth, motion, body))
                knees.setdefault(name, []).append(knee_turn_deg(motion))
        if not args.only:
            timing(clip, body, infiller, predictor, with_adam=False)
    table = Table("", *(title for _, title, _ in SHOWN), "knees\nturn\ndeg", title=" ".join(args.data))
    for name, comparisons in parts.items():
        scores = pooled_scores(comparisons)
        shown = [f"{scores[key]:.{digits}f}" for key, _, digits in SHOWN]
        table.add_row(name, *shown, f"{np.mean(knees[name]):.1f}")
    if parts:
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
