"""``choros demo``: people who cross and hide each other, made up, filmed, tracked and scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, arg

from choros.cli.arguments import Flag
from choros.cli.networks import Networks, with_flags

#: What the table shows: key of the scores, name, unit, factor.
SHOWN = (
    ("IDF1", "IDF1", "%", 100.0),
    ("HOTA", "HOTA", "%", 100.0),
    ("MOTA", "MOTA", "%", 100.0),
    ("id_switches", "id switches", "", 1.0),
    ("recall_visible", "found while visible", "%", 100.0),
    ("recall_occluded", "found while hidden", "%", 100.0),
    ("mpjpe_mm", "MPJPE", "mm", 1.0),
    ("pa_mpjpe_mm", "PA-MPJPE", "mm", 1.0),
    ("mpjpe_occluded_mm", "MPJPE while hidden", "mm", 1.0),
)


@dataclass
class Demo:
    """Make a short video of several people crossing, track it, and print how well against the truth."""

    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("choros-demo")
    """Folder to write to: motion.npz, tracks.txt, overlay.mp4, world.npz, and the scene with its truth."""
    seed: int = 7
    """Another seed gives other people on other paths."""
    seconds: float = 6.0
    """Length of the video."""
    people: int = 5
    """How many people."""
    world: Flag = False
    """Also bring everyone into one world, without gaps, as world.npz."""
    networks: Annotated[Networks, OmitArgPrefixes, arg(constructor_factory=partial(with_flags, Networks))] = (
        field(default_factory=lambda: with_flags(Networks)())
    )

    def run(self) -> None:
        """Film a synthetic scene, track it and draw the result, all into one folder."""
        from choros.outputs import claimed

        self.networks.check()
        with claimed(self.output / "motion.npz"):
            self._run()

    def _run(self) -> None:
        from rich.console import Console
        from rich.table import Table

        from choros import render
        from choros.cli.progress import TrackProgress
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.evaluation.compare import evaluate_motion
        from choros.motion import Motion
        from choros.scenes import SceneConfig, make_scene
        from choros.track_video import track_to_file

        leave_cores_to_the_networks()
        system = self.networks.loaded()
        scene = make_scene("crossing", self.seed, SceneConfig(seconds=self.seconds, people=self.people))
        folder = self.output / "scene"
        with TrackProgress("filming a made-up scene") as progress:
            scene.write(folder, progress.count)
        video = folder / "video.mp4"
        with TrackProgress() as progress:
            done = track_to_file(video, self.output / "motion.npz", system, progress=progress.update)
        progress.summary(done.path)
        motion = Motion.load(done.path)
        with TrackProgress("drawing") as progress:
            render(motion, video, self.output / "overlay.mp4", progress=progress.count)

        scores = evaluate_motion(Motion.load(folder / "motion.npz"), motion)
        table = Table(
            "measure", "value", title=f"{self.networks.system} against the truth", title_justify="left"
        )
        for key, name, unit, factor in SHOWN:
            value = scores[key] * factor
            text = "not measured" if value != value else f"{value:.0f}" if not unit else f"{value:.1f} {unit}"
            table.add_row(name, text)
        Console().print(table)
        if self.world:
            from choros.cli.world import World

            World(done.path, str(video), output=self.output / "world.npz", device=self.networks.device).run()
        print(f"look at {self.output / 'overlay.mp4'}")
