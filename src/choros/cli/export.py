"""``choros export``: a motion in the formats of other software."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, Hertz, OptionalFile, Rate, Seconds, rate_of
from choros.cli.motions import motion_file
from choros.errors import ChorosError, Nobody


@dataclass
class Export:
    """Write a motion for other software: Blender, Unity, OpenSim, your own code."""

    motion: Positional[
        Annotated[Path | None, arg(metavar="MOTION", constructor=Path, help_behavior_hint="")]
    ] = None
    """The motion.npz that `choros track` wrote, or the folder with it."""
    to: Annotated[tuple[str, ...], arg(metavar="FORMAT...", help_behavior_hint="")] = ()
    """What to write: glb, bvh, usd, csv, amass and more; --list shows them all."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("choros-export")
    """Folder to write to; files are called after the motion's."""
    space: Annotated[
        Literal["camera", "world"] | None, arg(constructor=Literal["camera", "world"], help_behavior_hint="")
    ] = None
    """Where people stand: before the camera of each frame, or in the world. Without it, as in the motion."""
    people: Annotated[tuple[int, ...], arg(metavar="ID...", help_behavior_hint="")] = ()
    """Only these people."""
    start: Seconds = None
    """Where in the clip to begin."""
    end: Seconds = None
    """Where in the clip to stop."""
    fps: Rate = None
    """Frames a second, such as 30 or 30000/1001, counted from 0: poses between frames are those of their times."""
    lowpass: Hertz = None
    """Filter everybody's motion without lag (Butterworth, forwards and backwards): half of the power is left there."""
    frame: Annotated[int | None, arg(metavar="NUMBER", constructor=int, help_behavior_hint="")] = None
    """The frame that formats of one moment hold, by the source's number; without it, the first with anybody."""
    quantised: Flag = False
    """Smaller glb files: numbers of 8 and 16 bits, for viewers with KHR_mesh_quantization."""
    rig: Annotated[str | None, arg(metavar="NAME", constructor=str, help_behavior_hint="")] = None
    """Of glb, fbx, bvh, usd: smpl, mixamo, unreal, unity, blender-rigify, vrm or mhr; --list tells of each."""
    rest_pose: Annotated[
        Literal["T", "A"] | None, arg(constructor=Literal["T", "A"], help_behavior_hint="")
    ] = None
    """How skeletons rest: arms out or hanging by 45 degrees. Without it, as the rig does."""
    units: Annotated[
        Literal["m", "cm"] | None, arg(constructor=Literal["m", "cm"], help_behavior_hint="")
    ] = None
    """Of bvh and usd. Without it, the rig's; glb is always in metres."""
    up: Annotated[Literal["y", "z"] | None, arg(constructor=Literal["y", "z"], help_behavior_hint="")] = None
    """Of bvh and usd. Without it, the rig's; glb always has y up."""
    in_place: Flag = False
    """Skeletons without the way across the ground."""
    apart: Flag = False
    """A file a person, without the camera, where one would hold everybody."""
    onto: OptionalFile = None
    """Your SMPL, SMPL-H or SMPL-X file, for --to amass: betas of that body by which people measure the same."""
    robot: OptionalFile = None
    """MJCF or URDF of the robot that --to robot is for."""
    robot_map: OptionalFile = None
    """TOML that says which of the robot's bodies is which joint, where their names do not tell."""
    tentative: Flag = False
    """Also people who were in sight for less than .2 s, who may be nobody."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""
    list: Flag = False
    """Show the formats, their units, axes and times, and the rigs, and stop."""

    def run(self) -> None:
        """Write the motion in each format asked for.

        Raises ``ChorosError`` for an unknown format or rig, or an option that does not fit the motion.
        """
        from choros.exporters import FORMATS

        if self.list:
            self._show_formats()
            return
        known = ", ".join(FORMATS)
        if self.motion is None or not self.to:
            raise ChorosError(f"give a motion.npz and after --to what to make of it: {known}.")
        for name in self.to:
            if name not in FORMATS:
                raise ChorosError(f"there is no format {name}; after --to there may be {known}.")
        if self.robot is None and "robot" in self.to:
            raise ChorosError("a robot's motion needs its model; name an MJCF or URDF file after --robot.")
        if self.output.exists() and not self.output.is_dir():
            raise ChorosError(f"{self.output} is a file; name a folder after -o.")

        from choros import Motion, export
        from choros.exporters.amass import carried
        from choros.exporters.anny.report import told as told_of_anny
        from choros.exporters.rigs import RIGS, rig_named
        from choros.exporters.robot.report import told

        rig_named(self.rig)
        file = motion_file(self.motion)
        motion = Motion.load(file)
        for name in dict.fromkeys(self.to):
            path = self.output / f"{file.stem}{FORMATS[name].suffix}"
            try:
                for written in export(
                    motion, path, name, space=self.space, people=self.people, frame=self.frame,
                    quantised=self.quantised, rig=self.rig, rest_pose=self.rest_pose, units=self.units, up=self.up,
                    in_place=self.in_place, apart=self.apart, onto=self.onto,
                    robot=self.robot, robot_map=self.robot_map, tentative=self.tentative, body=self.body,
                    start_s=self.start, end_s=self.end, fps=rate_of(self.fps), lowpass_hz=self.lowpass,
                ):  # fmt: skip
                    print(f"{written}: {written.stat().st_size / 1000:,.0f} kB")
                    if name == "amass" and self.onto is not None:
                        print(f"  {carried(written)}")
                    if name == "anny":
                        print(f"  {told_of_anny(written)}")
                    if name == "robot" and written.suffix == ".npz":
                        print(f"  {told(written)}")
            except Nobody as nothing:
                print(f"{name}: {nothing}")
        if self.rig is not None:
            print(f"{self.rig}: {RIGS[self.rig].lacks}.")

    def _show_formats(self) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        from choros.exporters.formats import table
        from choros.exporters.rigs import rig_table

        shown = Table.grid(padding=(0, 2))
        for row in (*table(), *rig_table()):
            for heading, words in row.items():
                if words:
                    style = "bold" if heading in ("format", "rig") else ""
                    shown.add_row(heading, Text(words, style))
            shown.add_row()
        Console().print(shown)
