"""``choros track``: a video in, motion.npz, tracks.txt and perhaps overlay.mp4 out."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, Name, OptionalFile, Rate, Seconds, rate_of
from choros.cli.tracking import TrackingFlags, whole_tracking
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.cli.progress import TrackProgress
    from choros.encoders import Makes
    from choros.track_video import Tracked
    from choros.video import Spool

Encoders = Annotated[int | None, arg(metavar="NUMBER", constructor=int, help_behavior_hint="")]

MOST_STATURES = 12  # lines of the summary
BEFORE = "motion-before.npz"  # what a list of edits mended


@dataclass
class Track:
    """Find everyone in a video and follow their bodies in 3D."""

    input: Positional[Annotated[str, arg(metavar="INPUT")]]
    """A video file, an image, a folder of images, a pipe (-), a camera (/dev/video0) or a stream (rtsp://, http://)."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("choros-out")
    """Folder to write to: motion.npz, tracks.txt, overlay.mp4, world.npz."""
    start: Seconds = None
    """Where in the video to begin."""
    end: Seconds = None
    """Where in the video to stop."""
    fps: Rate = None
    """How many pictures of a folder make a second, such as 25 or 30000/1001; 30 if it is not said."""
    photos: Flag = False
    """The folder holds photographs that have nothing to do with each other: each by itself, of any size."""
    overlay: Flag = False
    """Also draw everyone over the video, as overlay.mp4 (--photos: the folder overlay); pipes are kept, up to 4 GiB."""
    world: Flag = False
    """Also bring everyone into one world, without gaps, as world.npz; `choros world` has more to choose."""
    smooth: Flag = False
    """Smooth everyone's motion when it is complete (one-Euro filter); what is measured is never smoothed."""
    edits: OptionalFile = None
    """A list of `choros edit` for the motion in DIR: from --from on, the clip is tracked again by the mended people."""
    from_: Annotated[Seconds, arg(name="from")] = None
    """With --edits: where in the clip to begin again; what is before it stays, as mended."""
    encoders: Encoders = None
    """How many processes look at frames ahead, of one long video; what they find is put together in this one."""
    ray: Name = None
    """Where --encoders run: in a Ray cluster (extra `ray`), auto or its ADDRESS, instead of on this machine."""
    sandbox: Flag = False
    """Decode INPUT, a file or folder that nobody trusts, in a process with few rights: memory, time, files, network."""
    resume: Flag = False
    """Go on where an earlier run of the same command was stopped; one with other choices is refused."""
    tracking: TrackingFlags = field(default_factory=lambda: whole_tracking()())

    def run(self) -> None:
        """Track the video and write the motion, with an overlay if one is asked for.

        Raises ``ChorosError`` for options that do not go together, and if another run writes the same files.
        """
        from choros.outputs import claimed

        self._check()
        with ExitStack() as until_done:
            # Of everything that is written here, from before networks are loaded to the end of the overlay.
            until_done.enter_context(claimed(self.output / "motion.npz"))
            spool = self._spool(until_done)
            if self.edits is not None and self.from_ is not None:
                self._track_again(self.edits, self.from_)
            else:
                self._track(spool)
            if self.smooth and not self._smoothed():
                self._smooth()
            if self.overlay:
                self._draw(spool)
            if self.world:
                self._bring_into_the_world(spool)

    def _check(self) -> None:
        """Refuse now what would be refused after all the work."""
        from choros.outputs import check_output
        from choros.video import is_address, open_video

        self.tracking.check()
        self._check_again()
        if self.output.suffix.lower() == ".npz" and not self.output.is_dir():
            raise ChorosError(
                f"{self.output} is a file's name; after -o comes a folder, for motion.npz and more."
            )
        if self.photos and self.world:
            raise ChorosError("photographs have no world in common; leave out --world or --photos.")
        if self.world and self.tracking.in_world:
            raise ChorosError(
                "with --live-world, or where the camera is known, people are in the world already; leave --world out."
            )
        if self.encoders is not None and (self.encoders < 1 or self.photos or self.edits is not None):
            raise ChorosError("--encoders are 1 or more, of a video; leave out --photos and --edits.")
        if self.ray is not None and self.encoders is None:
            raise ChorosError("--ray is where --encoders run; say how many, or leave it out.")
        if self.sandbox and (self.overlay or self.world):
            raise ChorosError(
                "--overlay and --world decode the video once more, without --sandbox; leave one of them out."
            )
        written = ["motion.npz", "tracks.txt", *["overlay.mp4"] * self.overlay, *["world.npz"] * self.world]
        for name in written:
            check_output(self.output / name, self.input, *self.tracking.files())
        if self.overlay and is_address(self.input):
            with open_video(self.input) as reader:
                if reader.info.is_live:
                    raise ChorosError(
                        f"{self.input} cannot be seen again to draw over it; leave out --overlay, or record it first."
                    )

    def _check_again(self) -> None:
        """Refuse what does not go together with a list of edits."""
        if (self.edits is None) != (self.from_ is None):
            raise ChorosError(
                "give --edits and --from together: a list of `choros edit`, and from when on to track again."
            )
        if self.edits is None:
            return
        if self.resume or self.photos or self.start is not None or self.fps is not None:
            raise ChorosError(
                "--edits goes on from the motion there is; leave out --resume, --photos, --start and --fps."
            )
        if not (self.output / "motion.npz").is_file():
            raise ChorosError(f"{self.output} holds no motion.npz to mend; track the clip first.")

    def _spool(self, until_done: ExitStack) -> Spool | None:
        """What keeps a pipe that is to be seen again."""
        from choros.video import Spool, is_pipe

        if (self.overlay or self.world) and is_pipe(self.input):
            return until_done.enter_context(Spool(self.output))
        return None

    def _track(self, spool: Spool | None) -> None:
        from choros.cli.progress import TrackProgress
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.track_video import track_to_file

        options = self.tracking.options(self.start, self.end, rate_of(self.fps), self.photos)
        options = replace(options, sandbox=self.sandbox)
        motion_path = self.output / "motion.npz"
        with TrackProgress() as progress:
            progress.say("loading")
            leave_cores_to_the_networks()
            done = track_to_file(
                self.input,
                motion_path,
                self.tracking.loaded,
                options,
                resume=self.resume,
                # A finished run that was smoothed is the one to go on with where it is to be smoothed, and no other.
                provenance={"smoothed": True} if self.resume and self.smooth and self._smoothed() else None,
                spool=spool,
                encoders=self._encoders(),
                progress=progress.update,
            )
        self._say(done, motion_path, progress)

    def _encoders(self) -> Makes | None:
        from choros.encoders import OnRay, Processes

        if self.encoders is None:
            return None
        load, count, address = self.tracking.loading(), self.encoders, self.ray
        if address is None:
            return lambda stream, K: Processes(load, count, K)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports to its makers
        return lambda stream, K: OnRay(load, count, K, address)

    def _track_again(self, list_path: Path, from_s: float) -> None:
        """From a moment on, by people as the list mends them; what was there before is kept beside it."""
        from choros.cli.progress import TrackProgress
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.editing import read_list, replay
        from choros.motion import Motion
        from choros.retrack import track_again

        motion_path = self.output / "motion.npz"
        edits = read_list(list_path)
        mended = replay(Motion.load(motion_path), edits, self.tracking.body_file)
        for line in mended.notes:
            print(line)
        Motion.load(motion_path).save(motion_path.with_name(BEFORE))
        options = replace(self.tracking.options(end_s=self.end), sandbox=self.sandbox)
        about = {"mended": {"edits": [str(edit) for edit in edits], "from_s": from_s}}
        with TrackProgress() as progress:
            progress.say("loading")
            leave_cores_to_the_networks()
            done = track_again(
                self.input, mended.motion, from_s, motion_path, self.tracking.loaded,
                options, provenance=about, progress=progress.update,
            )  # fmt: skip
        self._say(done, motion_path, progress)

    def _say(self, done: Tracked, motion_path: Path, progress: TrackProgress) -> None:
        for note in done.notes:
            print(f"note: {note}")
        for gap in done.gaps:
            if self.photos:
                print(f"left out: {gap.reason}")
                continue
            end = "the end" if gap.end_s is None else f"{gap.end_s:.2f} s"
            print(f"gap: {gap.start_s:.2f} s to {end} could not be read ({gap.reason})")
        progress.summary(motion_path)
        if done.n_people == 0:
            print("nobody was found")
        for person, (stature_m, std_m) in sorted(done.statures.items())[:MOST_STATURES]:
            print(f"person {person}: {stature_m:.2f} m ± {std_m:.2f}")
        if len(done.statures) > MOST_STATURES:
            print(
                f"and {len(done.statures) - MOST_STATURES} more; choros export --to csv has everybody's stature"
            )

    def _smoothed(self) -> bool:
        from choros.journal import header_if_finished

        header = header_if_finished(self.output / "motion.npz")
        return header is not None and "smoothed" in header.provenance

    def _smooth(self) -> None:
        from choros.motion import Motion
        from choros.tracking.smoothing import smooth_motion

        motion_path = self.output / "motion.npz"
        motion = smooth_motion(Motion.load(motion_path))
        # Said in the file, so that --resume neither smooths it again nor takes it for a plain run's.
        provenance = motion.header.provenance | {"smoothed": True}
        replace(motion, header=replace(motion.header, provenance=provenance)).save(motion_path)

    def _draw(self, spool: Spool | None) -> None:
        from choros.cli.show import Show

        motion_path = self.output / "motion.npz"
        output = self.output / ("overlay" if self.photos else "overlay.mp4")
        video = self.input if spool is None else str(spool.kept())
        Show(motion_path, video, output=output, body=self.tracking.body_file).run()

    def _bring_into_the_world(self, spool: Spool | None) -> None:
        from choros.cli.world import World

        motion_path, output = self.output / "motion.npz", self.output / "world.npz"
        stays = Path(self.input).is_file() or Path(self.input).is_dir()  # no camera or stream
        video = str(spool.kept()) if spool is not None else self.input if stays else None
        World(
            motion_path, video, output=output, device=self.tracking.device, body=self.tracking.body_file
        ).run()
