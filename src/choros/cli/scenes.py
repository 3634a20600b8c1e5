"""``choros scenes``: synthetic videos with perfect truth, a sheet of some, and moving cameras from still ones."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from choros.cli.arguments import Degrees, Flag, OptionalFolder
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.scenes import SceneConfig

Count = Annotated[int | None, arg(metavar="N", constructor=int, help_behavior_hint="")]
Name = Annotated[str | None, arg(metavar="NAME", constructor=str, help_behavior_hint="")]


@dataclass
class SceneOptions:
    """What both commands take."""

    seed: int = 1
    """The first scene's; each further scene takes the next number."""
    count: int = 1
    """How many scenes."""
    kind: Annotated[str, arg(metavar="KIND|mixed")] = "mixed"
    """easy, crossing, crowd, longgone, moving or world; mixed draws one by the seed."""
    width: int = 960
    """Of the picture, px."""
    height: int = 540
    """Of the picture, px."""
    fps: Annotated[str, arg(metavar="RATE")] = "25"
    """Frames per second: 25, 29.97 or 30000/1001."""
    seconds: float = 6.0
    """Length of a scene."""
    people: Count = None
    """How many people; else the kind says."""
    fov: Degrees = None
    """Field of view across the longer side; else drawn."""
    camera: Name = None
    """How the camera moves: static, pan, dolly, handheld, zoom, travel, swing, shake; else the kind says."""
    children: float = 0.0
    """Share of the people who are children."""
    damage: float = 1.0
    """0 a perfect camera; 1 what phones and webcams do to a picture."""
    collide: Flag = False
    """People may walk through each other."""
    photos: OptionalFolder = None
    """Photographs, for backgrounds and prints on clothes."""
    wardrobe: OptionalFolder = None
    """MakeHuman's clothes and hair (.mhclo with .obj)."""
    mocap: OptionalFolder = None
    """Motion capture, as for choros train."""

    def scenes(self) -> list[tuple[str, int, SceneConfig]]:
        """Kind, seed and configuration of each."""
        import numpy as np

        from choros.scenes import KINDS, SceneConfig

        if self.count < 1 or self.seed < 0:
            raise ChorosError(f"--count {self.count} --seed {self.seed} is no scene; both count from 1.")
        if self.kind not in (*KINDS, "mixed"):
            raise ChorosError(f'there is no --kind "{self.kind}"; take one of: {", ".join(KINDS)}, mixed.')
        try:
            fps = Fraction(self.fps)
        except (ValueError, ZeroDivisionError):
            fps = Fraction(0)
        if fps <= 0:
            raise ChorosError(f"--fps {self.fps} is no frame rate; write it like 25, 29.97 or 30000/1001.")
        config = SceneConfig(
            width=self.width,
            height=self.height,
            fps=fps,
            seconds=self.seconds,
            people=self.people,
            fov_deg=self.fov,
            camera=self.camera,
            children=self.children,
            damage=self.damage,
            collide=self.collide,
            photos=self.photos,
            wardrobe=self.wardrobe,
            mocap=self.mocap,
        )
        seeds = range(self.seed, self.seed + self.count)
        drawn = {seed: str(np.random.default_rng(seed).choice(list(KINDS))) for seed in seeds}
        return [(drawn[seed] if self.kind == "mixed" else self.kind, seed, config) for seed in seeds]


@dataclass
class Make(SceneOptions):
    """Make scenes, each into DIR/KIND_SEED: video.mp4 and its truth. Run again to go on after a stop."""

    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("choros-scenes")
    """Folder to write to, one for each scene; scenes that are there already are kept."""
    format: tuple[Literal["motion", "posetrack", "coco", "mot", "masks"], ...] = ("motion",)
    """Forms of the truth: motion.npz with arrays.npz, PoseTrack21's json, COCO's json, a MOT sequence, PNG masks."""

    def run(self) -> None:
        """Film each scene into a folder named by kind and seed, and print it; scenes that are there are kept."""
        from choros.cli.progress import RunProgress
        from choros.scenes.truth.writers import ensure_scene

        for kind, seed, config in self.scenes():
            folder = self.output / f"{kind}_{seed:06d}"
            with RunProgress(f"filming {folder.name}", stream="stderr") as progress:
                made = ensure_scene(folder, kind, seed, config, self.format, progress.count)
            print(folder if made else f"{folder}: was there")


@dataclass
class Sheet(SceneOptions):
    """Look before making many: a picture with some frames of each scene, one scene a line."""

    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("scenes.png")
    """Picture to write."""
    frames: int = 4
    """Frames of each scene, spread over its length."""

    def run(self) -> None:
        """Draw one frame of each scene, with its caption, into one picture."""
        import cv2
        import numpy as np

        from choros.cli.progress import TrackProgress
        from choros.outputs import atomic_write
        from choros.scenes import make_scene
        from choros.view.sheet import contact_sheet

        images, captions, scenes = [], [], self.scenes()
        if self.frames < 1 or self.output.suffix not in (".png", ".jpg"):
            raise ChorosError(
                f"--frames {self.frames} -o {self.output} is no picture; take 1 frame or more, and a .png or .jpg."
            )
        with TrackProgress("filming") as progress:
            for kind, seed, config in scenes:
                scene = make_scene(kind, seed, config)
                for frame in np.linspace(0, scene.n_frames - 1, self.frames + 2)[1:-1].round().astype(int):
                    images.append(scene.frame(int(frame)))
                    captions.append(f"{kind} {seed}  {scene.times_s[frame]:.1f} s")
                    progress.count(len(images), len(scenes) * self.frames)
        sheet = contact_sheet(images, self.frames, captions)
        encoded = cv2.imencode(self.output.suffix, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1]
        with atomic_write(self.output) as file:
            file.write(encoded.tobytes())
        print(self.output)


@dataclass
class Dynamic:
    """A moving camera from one that stood still: what a window shows that swings about somebody, and its truth."""

    clip: Positional[Annotated[Path, arg(metavar="VIDEO|CLIP_DIR")]]
    """A folder that `choros scenes make` wrote, or any video with its truth beside it as motion.npz."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("choros-dynamic")
    """New folder to write to: video.mp4 and motion.npz (and arrays.npz, if there is one)."""
    person: Annotated[int | None, arg(metavar="ID", constructor=int, help_behavior_hint="")] = None
    """Whom the window swings about; else whoever is there the longest."""
    width: float = 0.3
    """Of the window, share of the video's height."""
    height: float = 0.6
    """Of the window, share of the video's height."""
    reach: float = 0.2
    """How far it swings to either side, share of the video's height."""
    period: Annotated[float, arg(metavar="SECONDS")] = 4.8
    """Of a swing to and fro."""

    def run(self) -> None:
        """Make of a folder's clip one that a moving camera took, and its true motion.

        Raises ``ChorosError`` if the swing is none.
        """
        from choros.cli.progress import TrackProgress
        from choros.motion import Motion
        from choros.scenes.truth.scene_truth import SceneTruth
        from choros.scenes.truth.swinging_window import Swing, write_dynamic

        if self.period <= 0 or self.reach < 0:
            raise ChorosError(
                f"--period {self.period} --reach {self.reach} is no swing; take positive numbers."
            )
        video = self.clip / "video.mp4" if self.clip.is_dir() else self.clip
        if not video.is_file():
            raise ChorosError(
                f"{video} does not exist; give a video that has its truth, motion.npz, beside it."
            )
        motion, arrays = Motion.load(video.with_name("motion.npz")), video.with_name("arrays.npz")
        truth = SceneTruth.load(arrays) if arrays.exists() else None
        swing = Swing(self.width, self.height, self.reach, self.period)
        with TrackProgress("swinging") as progress:
            write_dynamic(video, motion, self.output, swing, self.person, truth, progress.count)
        print(self.output)


@dataclass
class Scenes:
    """Synthetic videos of people, with perfect truth."""

    do: Annotated[
        Annotated[Make, tyro.conf.subcommand("make")]
        | Annotated[Sheet, tyro.conf.subcommand("sheet")]
        | Annotated[Dynamic, tyro.conf.subcommand("dynamic")],
        arg(name=""),  # no heading of its own in the help
    ]

    @property
    def output(self) -> Path:
        """What the chosen command writes, for messages of all commands."""
        return self.do.output

    def run(self) -> None:
        """Run the chosen command."""
        from choros.cli.threads import leave_cores_to_the_networks

        leave_cores_to_the_networks()
        self.do.run()
