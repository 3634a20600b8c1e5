"""What a second camera is worth: PA-MPJPE of two fused views against the better of the two, and how well they align.

On made-up scenes filmed by two cameras of other start and phase, and on Pose2Sim's four views of one man (tracked with
their true K, as `choros bench real --rows pose2sim --keep DIR` leaves them; the clips are in step, and the fusion is
not told):

    python benchmarks/fuse.py --scenes easy:960001:3 --keep DIR
    python benchmarks/fuse.py --footage DIR --motions DIR/lifter
"""

import argparse
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros import fuse, load
from choros.body import BodyModel
from choros.camera import project
from choros.evaluation.bodies import joints_m
from choros.evaluation.metrics.pose import pa_mpjpe_mm
from choros.evaluation.real.pose2sim import Pose2SimTruth, view_of
from choros.motion import Motion
from choros.options import TrackOptions
from choros.rotation import rotmat_geodesic_distance, rotvec_to_rotmat
from choros.scenes import SceneConfig, make_scene
from choros.scenes.camera.camera_moves import FrameCameras
from choros.scenes.render.frames import FrameRenderer
from choros.scenes.scene import Scene
from choros.track_video import track_to_file
from choros.video import VideoWriter

TWICE = 50  # frames/s of which either camera takes every second one
SECONDS = 4.0
LATE = 23  # frames of these before the second camera begins: .46 s, half a frame out of step
AROUND_DEG = (55.0, -80.0, 110.0)  # about the people's middle, from the first camera's side


class Case(NamedTuple):
    """One camera's clip of a scene."""

    motion: Motion
    joints_world: NDArray[np.float64]  # (T, P, 24, 3) metres
    T_world_camera: NDArray[np.float64]  # (4, 4)


def round_the_side(scene: Scene, angle_deg: float) -> None:
    """Film from elsewhere from now on."""
    middle = np.concatenate([actor.places[:, 0] for actor in scene.actors]).mean(0) * [1, 1, 0]
    turn = np.eye(4)
    turn[:3, :3] = rotvec_to_rotmat(np.array([0.0, 0.0, np.radians(angle_deg)]))
    turn[:3, 3] = middle - turn[:3, :3] @ middle
    scene.cameras = FrameCameras(scene.cameras.K, turn @ scene.cameras.T_world_camera)
    scene.renderer = FrameRenderer(
        scene.surroundings, scene.camera_setup, scene.cameras, tuple(a.dressed for a in scene.actors), scene._posed,
        scene._grounded, scene.config.device,
    )  # fmt: skip


def filmed(kind: str, seed: int, keep: Path, mocap: Path | None) -> list[Case]:
    """What was tracked and the truth, of either camera; what is there already is not made again."""
    views = []
    for camera, first in enumerate((0, LATE)):
        folder = keep / f"{kind}_{seed}_{camera}"
        if not (folder / "motion.npz").is_file():
            config = SceneConfig(
                640, 360, Fraction(TWICE), SECONDS, camera="static", mocap=mocap, device="cpu"
            )
            scene = make_scene(kind, seed, config)
            if camera:
                round_the_side(scene, AROUND_DEG[seed % len(AROUND_DEG)])
            folder.mkdir(parents=True, exist_ok=True)
            frames = range(first, scene.n_frames, 2)
            with VideoWriter(folder / "video.mp4", 640, 360, Fraction(TWICE, 2)) as writer:
                for count, frame in enumerate(frames):
                    writer.write(scene.taken(frame), Fraction(2 * count, TWICE))
            np.savez(
                folder / "truth.npz",
                joints_world=np.stack([actor.places[frames] for actor in scene.actors], 1),
                T_world_camera=scene.cameras.T_world_camera[0],
            )
            K = tuple(map(tuple, scene.camera_setup.K.tolist()))
            track_to_file(folder / "video.mp4", folder / "motion.npz", load, TrackOptions(K=K))
        with np.load(folder / "truth.npz") as truth:
            views.append(Case(Motion.load(folder), truth["joints_world"], truth["T_world_camera"]))
    return views


def errors(
    motion: Motion, people: list[int], case: Case, body: BodyModel
) -> dict[tuple[int, int, int], float]:
    """PA-MPJPE of rows in which somebody is seen, mm, by frame, true person and number; hands and feet left out.

    A row belongs to the true person who is nearest in the picture, if within a quarter of the row's height.
    """
    T = np.linalg.inv(case.T_world_camera)
    truth = case.joints_world @ T[:3, :3].T + T[:3, 3]
    joints, found = joints_m(motion.rows, body), {}
    for row, mine in zip(motion.rows, joints, strict=True):
        frame, person = int(row["frame"]), int(row["person"])
        if not row["visible"] or person not in people:
            continue
        true_px, my_px = (project(points, motion.K[frame]) for points in (truth[frame], mine))
        apart = np.linalg.norm(true_px - my_px, axis=-1).mean(-1)
        who = int(apart.argmin())
        if apart[who] < 0.25 * (row["box_px"][3] - row["box_px"][1]):
            found[frame, who, person] = float(pa_mpjpe_mm(mine[:22], truth[frame, who, :22]))
    return found


def on_scenes(texts: list[str], keep: Path, mocap: Path | None) -> None:
    body = BodyModel.load()
    for text in texts:
        kind, first, count = text.split(":")
        for seed in range(int(first), int(first) + int(count)):
            cases = filmed(kind, seed, keep, mocap)
            fusion = fuse([case.motion for case in cases], names=["first", "second"])
            where = fusion.views[1]
            ours = set(fusion.views[0].people.values()) & set(where.people.values())
            true = np.linalg.inv(cases[0].T_world_camera) @ cases[1].T_world_camera
            means = []
            for case, view in zip(cases, fusion.views, strict=True):
                both = [theirs for theirs, one in view.people.items() if one in ours]
                means.append(np.mean(list(errors(case.motion, both, case, body).values())))
            fused = np.mean(list(errors(fusion.motion, sorted(ours), cases[0], body).values()))
            print(
                f"{kind}:{seed}  lag {where.lag_s:.3f} s (true {LATE / TWICE:.2f})  {off(where.T_first_view, true)}  "
                f"{told(means, fused)}  people {where.people}",
                flush=True,
            )


def on_pose2sim(footage: Path, motions: Path) -> None:
    truth, body = Pose2SimTruth.load(footage / "real" / "single_truth.npz"), BodyModel.load()
    names = [f"single_cam0{number}" for number in range(1, 5)]
    views = [Motion.load(motions / name) for name in names]
    single = [view_of(view, truth, number, body).scores()["pa_mpjpe_mm"] for number, view in enumerate(views)]
    shares = []
    for count in (2, 3, 4):
        for chosen in combinations(range(4), count):
            fusion = fuse([views[one] for one in chosen], names=[names[one] for one in chosen])
            fused = view_of(fusion.motion, truth, chosen[0], body).scores()["pa_mpjpe_mm"]
            for one, where in zip(chosen[1:], fusion.views[1:], strict=True):
                true, a = np.eye(4), chosen[0]
                true[:3, :3] = truth.R[a] @ truth.R[one].T
                true[:3, 3] = truth.t[a] - true[:3, :3] @ truth.t[one]
                print(
                    f"  {names[a]} {names[one]}: lag {where.lag_s:+.3f} s (true 0), {off(where.T_first_view, true)}"
                )
            if count == 2:
                shares.append(1 - fused / min(single[one] for one in chosen))
            print(f"views {chosen}  {told([single[one] for one in chosen], fused)}", flush=True)
    print(f"two views, mean of {len(shares)} pairs: {100 * np.mean(shares):.0f} % below the better one")


def off(T: NDArray[np.float64], true: NDArray[np.float64]) -> str:
    """How far a placement is from the true one."""
    turn = np.degrees(rotmat_geodesic_distance(T[:3, :3], true[:3, :3]))
    away = np.linalg.norm(T[:3, 3] - true[:3, 3])
    return f"turn {turn:.1f} deg and place {away:.2f} m off, {np.linalg.norm(true[:3, 3]):.1f} m apart"


def told(single: list[float], fused: float) -> str:
    return (
        f"PA-MPJPE {' '.join(f'{each:.1f}' for each in single)} -> {fused:.1f} mm "
        f"({100 * (1 - fused / min(single)):.0f} % below the better)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", nargs="+", default=[], metavar="KIND:SEED:COUNT")
    parser.add_argument("--keep", type=Path, default=Path("fuse-scenes"), metavar="DIR")
    parser.add_argument("--mocap", type=Path, metavar="DIR", help="motion capture for the scenes' people")
    parser.add_argument("--footage", type=Path, metavar="DIR")
    parser.add_argument("--motions", type=Path, metavar="DIR", help="tracked single_cam01 to single_cam04")
    asked = parser.parse_args()
    if asked.scenes:
        on_scenes(asked.scenes, asked.keep, asked.mocap)
    if asked.footage and asked.motions:
        on_pose2sim(asked.footage, asked.motions)


if __name__ == "__main__":
    main()
