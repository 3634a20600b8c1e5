"""``choros world``: everyone in a motion in one world, without gaps, and the camera with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from choros.cli.arguments import Device, Flag, Name, OptionalFile
from choros.cli.grammar import check_places
from choros.cli.motions import motion_file
from choros.cli.stopping import whole_or_not
from choros.devices import AUTO


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
    """File to write: the motion in the world."""
    camera: Annotated[str, arg(metavar="auto|static|turning|moving|FILE|DIR")] = "auto"
    """What the camera does; or one that is solved: JSON with T_world_camera, or the folder of a COLMAP model."""
    begin: Annotated[Name, arg(name="from", metavar="SYSTEM")] = None
    """Begin with the camera's path as the system that the motion is of told it, if it is one that does."""
    focal_from: Literal["people", "assumed"] = "people"
    """Where nobody gave the lens: the one that agrees with how people stand, if they say enough, or the assumed one."""
    seed: int = 0
    """0 fills gaps with the most likely motion; any other draws one of those that are possible."""
    anew: Flag = False
    """Say poses anew also where people were seen, as the paper's program does: smoother, further from the picture."""
    feet: Literal["locked", "free"] = "locked"
    """locked: feet that stand do not move, and legs reach for them; free: as the poses have them."""
    smooth_over: Annotated[float, arg(metavar="SECONDS")] = 0.07
    """Widest that poses are smoothed over where they tremble, without lag; fast moves keep their speed. 0: never."""
    infiller: OptionalFile = None
    """GLAMR's motion infiller: its authors' checkpoint, or what `choros train infiller` wrote."""
    trajectory: OptionalFile = None
    """GLAMR's trajectory predictor: its authors' checkpoint, or what `choros train trajectory` wrote."""
    device: Device = AUTO
    """Where networks run: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps; in float32."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        """Place everybody of a motion in one world, and write that motion."""
        from choros.outputs import check_output

        check_places("world", self.motion, [self.video] if self.video else [])
        self.motion = motion_file(self.motion)
        camera = self.camera if Path(self.camera).is_file() else None
        check_output(self.output, self.motion, self.video, camera, self.body, self.infiller, self.trajectory)
        self._say_licence()

        with whole_or_not(self.output):
            self._bring()

    def _say_licence(self) -> None:
        """Under which terms a checkpoint of GLAMR's authors is."""
        from choros.checkpoints import what_is

        for path in (self.infiller, self.trajectory):
            found = None if path is None else what_is(path)
            if found is not None and found.terms is not None:
                print(f"{path} is {found.what}; {found.terms}")

    def _bring(self) -> None:
        from choros import world
        from choros.cli.progress import TrackProgress
        from choros.glamr.estimated_lens import sentence_on_lens

        with TrackProgress("reading", shares=True) as progress:

            def report(what: str, done: int, total: int) -> None:
                progress.say(what)
                progress.count(done, total)

            made = world(
                self.motion, self.video, camera=self.camera, begin=self.begin, focal_from=self.focal_from,
                seed=self.seed, keep_visible=not self.anew, feet=self.feet, smooth_s=self.smooth_over, body=self.body,
                infiller=self.infiller, trajectory=self.trajectory, device=self.device, report=report,
            )  # fmt: skip
        made.save(self.output)
        said = made.header.provenance["world"]["camera"]
        print(f"{self.output}: {len(made)} frames, {len(made.ids)} people, camera {said}")
        if lens := sentence_on_lens(made):
            print(lens)
