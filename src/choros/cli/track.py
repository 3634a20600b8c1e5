"""``choros track``: a video in, motion.npz, tracks.txt and perhaps overlay.mp4 out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, arg

from choros.cli.arguments import Flag, Seconds
from choros.cli.tracking import Tracking

MOST_STATURES = 12  # lines of the summary


@dataclass
class Track:
    """Find everyone in a video and follow their bodies in 3D."""

    input: Positional[Annotated[str, arg(metavar="INPUT")]]
    """A video file, an image, a folder of images, a camera (/dev/video0) or a stream (rtsp://, http://)."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("choros-out")
    """Folder for motion.npz, tracks.txt and overlay.mp4."""
    start: Seconds = None
    """Where in the video to begin."""
    end: Seconds = None
    """Where in the video to stop."""
    overlay: Flag = False
    """Also draw everyone over the video, as overlay.mp4."""
    world: Flag = False
    """Also bring everyone into one world, without gaps, as world.npz; `choros world` has more to choose."""
    smooth: Flag = False
    """Smooth everyone's motion when it is complete (one-Euro filter); what is measured is never smoothed."""
    resume: Flag = False
    """Go on where an earlier run of the same command was stopped."""
    tracking: OmitArgPrefixes[Tracking] = field(default_factory=Tracking)

    def run(self) -> None:
        from choros.cli.progress import TrackProgress
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.systems import track_to_file

        options = self.tracking.options(self.start, self.end)
        motion_path = self.output / "motion.npz"
        with TrackProgress() as progress:
            progress.say("loading")
            leave_cores_to_the_networks()
            system = self.tracking.loaded()
            provenance = self.tracking.provenance() | {"start_s": self.start, "end_s": self.end}
            done = track_to_file(
                self.input,
                motion_path,
                system,
                options,
                resume=self.resume,
                provenance=provenance,
                progress=progress.update,
            )
        for note in done.notes:
            print(f"note: {note}")
        for gap in done.gaps:
            end = "the end" if gap.end_s is None else f"{gap.end_s:.2f} s"
            print(f"gap: {gap.start_s:.2f} s to {end} could not be read ({gap.reason})")
        progress.summary(motion_path)
        for person, (stature_m, std_m) in sorted(done.statures.items())[:MOST_STATURES]:
            print(f"person {person}: {stature_m:.2f} m ± {std_m:.2f}")
        if len(done.statures) > MOST_STATURES:
            print(
                f"and {len(done.statures) - MOST_STATURES} more; choros export --to csv has everybody's stature"
            )
        if self.smooth:
            from choros.motion import Motion
            from choros.tracking.smoothing import smooth_motion

            motion = smooth_motion(Motion.load(motion_path))
            # Said in the file, so that --resume neither smooths it again nor takes it for a plain run's.
            provenance = motion.header.provenance | {"smoothed": True}
            replace(motion, header=replace(motion.header, provenance=provenance)).save(motion_path)
        if self.overlay:
            from choros.cli.show import Show

            Show(motion_path, self.input, output=self.output / "overlay.mp4", body=self.tracking.body).run()
        if self.world:
            from choros.cli.world import World

            stays = Path(self.input).is_file() or Path(self.input).is_dir()  # no camera or stream
            again = self.input if stays else None
            World(motion_path, again, output=self.output / "world.npz", body=self.tracking.body).run()
