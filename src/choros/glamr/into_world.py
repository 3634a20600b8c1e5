"""``choros.world``: everyone in one world, from a motion, its video and what is known of the camera."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choros.devices import AUTO, Device
from choros.errors import ChorosError
from choros.glamr.progress import Report, nobody, stages
from choros.motion import Motion

if TYPE_CHECKING:
    from choros.body import BodyModel
    from choros.camera_motion.camera_path import CameraPath
    from choros.camera_motion.evidence import CameraEvidence
    from choros.glamr.options import WorldOptions
    from choros.glamr.person_trajectories import PersonTrajectory

FEET = ("locked", "free")
FOCAL_FROM = ("people", "assumed")
CAMERAS = ("auto", "static", "turning", "moving")

#: How many rows of people take as long, all that is done with them, as to follow the background of one frame.
FOLLOW_COST = 20.0
LENS_COST = 0.3  # what of that it takes to find the lens


def world(
    motion: Motion | str | Path,
    video: str | Path | None = None,
    *,
    camera: str | Path = "auto",
    begin: str | None = None,
    focal_from: str = "people",
    seed: int = 0,
    keep_visible: bool = True,
    feet: str = "locked",
    smooth_s: float = 0.07,
    body: BodyModel | str | Path | None = None,
    infiller: str | Path | None = None,
    trajectory: str | Path | None = None,
    device: str = AUTO,
    report: Report = nobody,
) -> Motion:
    """Bring everyone into one world: z up, the floor at 0, nobody missing where they were hidden (GLAMR).

    >>> world = choros.world(choros.track("clip.mp4"), "clip.mp4")

    ``video`` is the one that the motion was tracked in: its background then tells how the camera turned and went.
    ``camera`` is what it does, one of ``CAMERAS``, or the file or COLMAP folder of one that is solved. ``begin`` names
    the motion's own system, for the camera's path to begin as that told it. Where nobody gave the lens, and no
    metadata, ``focal_from`` "people" takes the one that agrees with how people stand and with upright edges of the
    video, if they say enough; "assumed" keeps the assumed one (``Header.K_source`` and ``focal_spread`` tell). ``seed``
    0 fills gaps with the most likely motion, any other draws a possible one. Without ``keep_visible`` poses are said
    anew also where people were seen, as by the paper's program. ``feet`` "locked" holds feet still that stand, and legs
    reach for them; "free" leaves them as poses have them; the extra ``foot_contact`` tells which stand. ``smooth_s`` is
    the widest that poses are smoothed over where they tremble, seconds, a standard deviation; 0 never. ``body`` is the
    model or SMPL file that the motion was tracked with. ``infiller`` and ``trajectory`` are files of GLAMR's two
    networks, None those that ship. ``device`` is where these run, as of ``choros.load``. ``report(what, done, total)``
    is called as the work goes on: how much of all is done, of one total from beginning to end. Raises ``ChorosError``
    if motion, video, body and camera do not belong together, and of photographs.
    """
    from choros.body.skinned import model_of
    from choros.glamr.networks import load_infiller, load_predictor
    from choros.glamr.options import WorldOptions
    from choros.glamr.pipeline import world_of

    _check(feet, smooth_s, focal_from)
    motion = _film(Motion.of(motion), begin)
    place = Device(device).torch_device()  # refused before the background is followed, as are files
    networks = load_infiller(infiller).to(place), load_predictor(trajectory).to(place)
    given, model = solved_camera(camera), None if body is None else model_of(body)
    asked = focal_from == "people" and begin is None  # that path was told with the lens that was assumed
    followed = video is not None and given is None and camera != "static" and bool(motion.visible.any())
    seeing, following, placing = stages(report, _costs(motion, asked, followed))
    moves: Any = camera if given is None else "auto"
    kept: Any = {"feet": feet, "smooth_s": smooth_s, "device": device}
    options = WorldOptions(moves, begin is not None, seed, keep_visible, **kept)
    people = None
    if asked:
        motion, people = _with_its_lens(motion, video, model, networks, options, seeing)
    evidence = _followed(motion, video, following) if video is not None and followed else None
    metric = not Path(camera).is_dir()
    return world_of(motion, options, *networks, evidence, given, metric, model, people, placing)


def _costs(motion: Motion, asked: bool, followed: bool) -> list[float]:
    """What it costs to ask people for the lens, to follow the background, and to place everyone: for ``stages``."""
    rows = len(motion.rows) or 1
    return [LENS_COST * rows * asked, FOLLOW_COST * len(motion) * followed, rows]


def _with_its_lens(
    motion: Motion,
    video: str | Path | None,
    model: BodyModel | None,
    networks: Any,
    options: WorldOptions,
    report: Report,
) -> tuple[Motion, list[list[PersonTrajectory]] | None]:
    """The motion with the lens that its people tell, where one was only assumed, and for that these of each shot.

    Gaps are then those most likely, for the lens is not to hang on a draw: with other ``options`` the world's stage
    has people of its own, and None is told of these, as where nobody was asked.
    """
    from choros.body import BodyModel
    from choros.glamr.estimated_lens import lens_of, with_lens
    from choros.glamr.person_trajectories import trajectories_of_shots
    from choros.threads import at_most

    if motion.header.K_source != "assumed" or motion.space != "camera" or not motion.visible.any():
        return motion, None
    body = model or BodyModel.load()
    if motion.header.body != body.name:
        return motion, None  # of which the world's stage says what is wrong
    filling, looking = stages(report, [1.0, 1.0])
    with at_most(1):
        people = trajectories_of_shots(motion, body, *networks, smooth_s=options.smooth_s, report=filling)
        lens = lens_of(motion, people, video, report=looking)
    if lens is not None:
        motion = with_lens(motion, lens, body)
    return motion, people if options.seed == 0 and options.keep_visible else None


def _film(motion: Motion, begin: str | None) -> Motion:
    """The motion. Raises ``ChorosError`` of photographs, and if it is not of the system ``begin``, if that is named."""
    name = motion.header.source or "this motion"
    if motion.pictures:
        raise ChorosError(f"{name} holds photographs with nothing in common, so there is no world.")
    if begin is not None and begin != motion.header.system:
        raise ChorosError(
            f"{name} was tracked by {motion.header.system or 'no system'} and not by {begin}; track it with --system "
            f"{begin}, or name the system that it is of."
        )
    return motion


def _followed(motion: Motion, video: str | Path, report: Report) -> CameraEvidence:
    """What the background of the ``video`` says."""
    from choros.camera_motion.odometry import camera_evidence

    told = partial(report, "following the background")
    told(0, 0)
    return camera_evidence(motion, video, told)


def _check(feet: str, smooth_s: float, focal_from: str) -> None:
    if focal_from not in FOCAL_FROM:
        raise ChorosError(f"the focal length is from {' or '.join(FOCAL_FROM)}, not {focal_from!r}.")
    if feet not in FEET:
        raise ChorosError(f"feet are {' or '.join(FEET)}, not {feet!r}.")
    if not 0 <= smooth_s <= 1:
        raise ChorosError(f"poses are smoothed over 0 to 1 seconds, not {smooth_s:g}; 0 is not at all.")


def solved_camera(camera: str | Path) -> CameraPath | None:
    """The path in a file of poses or the folder of a COLMAP model; None of a word for what a camera does.

    Raises ``ChorosError`` if it is neither.
    """
    from choros.camera_motion.solved_cameras import read_colmap, read_poses

    if camera in CAMERAS:
        return None
    path = Path(camera)
    if not path.exists():
        raise ChorosError(
            f"{camera} is neither a file or folder nor one of: {', '.join(CAMERAS)}; check the camera."
        )
    return read_colmap(path) if path.is_dir() else read_poses(path)
