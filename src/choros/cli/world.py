"""``choros world``: everyone in a motion in one world, without gaps, and the camera with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.cli.grammar import check_places
from choros.cli.motions import motion_file
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.camera_motion.camera_path import CameraPath
    from choros.motion import Motion

CAMERAS = ("auto", "static", "turning", "moving")


@dataclass
class World:
    """Bring everyone into one world: z up, the floor at 0, nobody missing where they were hidden (GLAMR)."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION")]]
    """The motion.npz that `choros track` wrote, or the folder with it."""
    video: Positional[
        Annotated[str | None, arg(metavar="[VIDEO]", constructor=str, help_behavior_hint="")]
    ] = None
    """The video it was tracked in: its background then tells how the camera turned and went."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("world.npz")
    """The motion to write."""
    camera: Annotated[str, arg(metavar="auto|static|turning|moving|FILE|DIR")] = "auto"
    """What the camera does; or one that is solved: JSON with T_world_camera, or the folder of a COLMAP model."""
    seed: int = 0
    """0 fills gaps with the most likely motion; any other draws one of those that are possible."""
    anew: Flag = False
    """Say poses anew also where people were seen, as the paper's program does: smoother, further from the picture."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        from choros.motion import Motion
        from choros.outputs import check_output

        check_places("world", self.motion, [self.video] if self.video else [])
        self.motion = motion_file(self.motion)
        camera = self.camera if Path(self.camera).is_file() else None
        check_output(self.output, self.motion, self.video, camera, self.body)
        motion = Motion.load(self.motion)
        if motion.pictures:
            raise ChorosError(
                f"{self.motion} is of photographs with nothing in common, so there is no world."
            )
        world = self.made(motion)
        world.save(self.output)
        said = world.header.provenance["world"]["camera"]
        print(f"{self.output}: {len(world)} frames, {len(world.ids)} people, camera {said}")

    def made(self, motion: Motion) -> Motion:
        """The motion in the world, by these options."""
        from choros.body import BodyModel
        from choros.camera_motion.odometry import camera_evidence
        from choros.cli.progress import TrackProgress
        from choros.glamr.options import WorldOptions
        from choros.glamr.pipeline import world_of

        given = self._given()
        body = BodyModel.load(self.body) if self.body else None
        with TrackProgress("reading") as progress:

            def report(what: str, done: int, total: int) -> None:
                progress.say(what)
                progress.count(done, total or None)

            evidence = None
            if self.video and given is None and self.camera != "static" and motion.visible.any():
                progress.say("following the background")
                evidence = camera_evidence(motion, self.video, progress.count)
            known = self.camera if given is None else "auto"
            return world_of(
                motion,
                WorldOptions(camera=known, seed=self.seed, keep_visible=not self.anew),  # type: ignore[arg-type]
                evidence=evidence,
                given=given,
                given_in_metres=not Path(self.camera).is_dir(),
                body=body,
                report=report,
            )

    def _given(self) -> CameraPath | None:
        from choros.camera_motion.solved_cameras import read_colmap, read_poses

        if self.camera in CAMERAS:
            return None
        path = Path(self.camera)
        if not path.exists():
            raise ChorosError(
                f"{self.camera} is neither a file or folder nor one of: {', '.join(CAMERAS)}; check --camera."
            )
        return read_colmap(path) if path.is_dir() else read_poses(path)
