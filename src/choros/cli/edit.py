"""``choros edit``: a motion mended by commands or by a list of them, and pairs of tracks that are likely one person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from choros.cli.arguments import Flag, Heights, Metres, Numbers, OptionalFile, OptionalFolder, matrix_of
from choros.cli.edit_words import in_order
from choros.cli.grammar import check_places
from choros.cli.motions import motion_file
from choros.cli.stopping import whole_or_not
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.editing import Edit as OneEdit
    from choros.editing import Suggestion
    from choros.motion import Motion

MOST_SHOWN = 30  # suggestions
People = UseAppendAction[Annotated[tuple[str, ...], arg(metavar="ID,ID[,ID...]", help_behavior_hint="")]]
Pair = UseAppendAction[Annotated[tuple[str, ...], arg(metavar="ID,ID[@S-S]", help_behavior_hint="")]]
Later = UseAppendAction[Annotated[tuple[str, ...], arg(metavar="ID,ID[@S]", help_behavior_hint="")]]
AtTime = UseAppendAction[Annotated[tuple[str, ...], arg(metavar="ID@S[=ID]", help_behavior_hint="")]]
Renamed = UseAppendAction[Annotated[tuple[str, ...], arg(metavar="ID=ID", help_behavior_hint="")]]
While = UseAppendAction[Annotated[tuple[str, ...], arg(metavar="ID[,ID...]@S-S", help_behavior_hint="")]]
Probability = Annotated[float | None, arg(metavar="PROBABILITY", constructor=float, help_behavior_hint="")]


@dataclass
class Edit:
    """Mend a motion: who is who, who is there, what lens, people and floor measure. Edits are done as written."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION")]]
    """The motion.npz that `choros track` or `choros world` wrote, or the folder with it."""
    video: Positional[
        Annotated[str | None, arg(metavar="[VIDEO]", constructor=str, help_behavior_hint="")]
    ] = None
    """The video it was tracked in, so that suggestions know clothes and have pictures."""
    list_file: Annotated[OptionalFile, arg(name="list")] = None
    """A list of edits (TOML), of this command or of the page of `choros view`; done before what is said here."""
    merge: People = ()
    """These people are one, called as the first. Of several in a frame, who is seen stays, then who is named first."""
    swap: Pair = ()
    """They change places, in a while (2,5@12.4-15.0), or from a time on (2,5@12.4-)."""
    split: AtTime = ()
    """From a time on it is somebody else, with the next number or the one given."""
    same: Later = ()
    """The second is the first who came back, from a time on if one is said; refused if both are there at once."""
    rename: Renamed = ()
    """Somebody gets another number."""
    delete: People = ()
    """These people go."""
    cut: While = ()
    """These people go for a while (2@3.0-4.5, 2@3.0-)."""
    height: Heights = ()
    """How tall somebody is; in camera space they are then as much farther away."""
    K: Numbers = ()
    """Intrinsics, px, of every frame: nine numbers, or fx fy cx cy; everybody is then as far away as they say."""
    floor: Metres = None
    """In world space: how high above its floor the true one is."""
    suggest: Flag = False
    """Show pairs of tracks that are likely one person, the likeliest first."""
    accept: Probability = None
    """Merge the suggested pairs that are at least so likely, such as .9."""
    pictures: OptionalFolder = None
    """Folder for a picture of each suggested pair: both as last and first seen. Needs the video."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("edited.npz")
    """File to write: the mended motion."""
    save_list: OptionalFile = None
    """File for all edits that were done, accepted suggestions too, to be replayed with --list."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it; for --K and --height."""

    def run(self) -> None:
        """Do the edits and write the motion; or show what could be done.

        Raises ``ChorosError`` if nothing is asked for, or an edit cannot be done.
        """
        from choros.motion import Motion
        from choros.outputs import check_output

        check_places("edit", self.motion, [self.video] if self.video else [])
        self.motion = motion_file(self.motion)
        self._check()
        edits = self._edits()
        suggests = self.suggest or self.accept is not None or self.pictures is not None
        if not edits and not suggests:
            raise ChorosError(
                f"say what to mend in {self.motion}: --merge 3,7, --swap 2,5@12.4-15.0, --list FILE or --suggest."
            )
        for output in (self.output, self.save_list):
            if output is not None:
                check_output(output, self.motion, self.video, self.list_file, self.body)
        with whole_or_not(self.output):
            motion, said = self._replayed(Motion.load(self.motion), edits)
            if suggests:
                motion, said, edits = self._suggested(motion, said, edits)
            for line in said:
                print(line)
            if edits:
                self._save(motion, edits)

    def _check(self) -> None:
        if self.accept is not None and not 0 < self.accept <= 1:
            raise ChorosError(f"--accept {self.accept:g} is no probability; give one above 0, such as .9.")
        if self.pictures is not None and self.video is None:
            raise ChorosError(f"pictures need the video: `choros edit {self.motion} VIDEO --pictures DIR`.")
        if self.pictures is not None and self.pictures.is_file():
            raise ChorosError(f"{self.pictures} is a file; name a folder after --pictures.")

    def _edits(self) -> list[OneEdit]:
        """Those of the list, then those of the command line as they stand there, then K and the floor."""
        from choros.editing import Edit as OneEdit
        from choros.editing import read_list
        from choros.editing.edits import edit_of
        from choros.options import heights_of

        edits = [] if self.list_file is None else read_list(self.list_file)
        words = {
            name: getattr(self, name)
            for name in ("merge", "swap", "split", "same", "rename", "delete", "cut")
        }
        edits += [edit_of(do, text) for do, text in in_order(words)]
        for person, height_m in heights_of(self.height).items():
            edits.append(OneEdit("height", (person,), value=(height_m,)))
        K = matrix_of(self.K)
        if K is not None:
            edits.append(OneEdit("K", value=tuple(float(number) for row in K for number in row)))
        if self.floor is not None:
            edits.append(OneEdit("floor", value=(self.floor,)))
        return edits

    def _replayed(self, motion: Motion, edits: list[OneEdit]) -> tuple[Motion, list[str]]:
        from choros.editing import replay

        done = replay(motion, edits, self.body)
        return done.motion, done.notes

    def _suggested(
        self, motion: Motion, said: list[str], edits: list[OneEdit]
    ) -> tuple[Motion, list[str], list[OneEdit]]:
        """Show what is likely, and do what is accepted of it."""
        from choros.cli.progress import TrackProgress
        from choros.editing import suggest
        from choros.editing.suggestions import accepted

        with TrackProgress("looking at clothes") as progress:
            found = suggest(motion.settled(), self.video, progress=progress.count)
        self._show(found)
        if self.pictures is not None and self.video is not None:
            from choros.editing.pictures import draw_pairs

            for path in draw_pairs(motion, self.video, found[:MOST_SHOWN], self.pictures):
                print(path)
        if self.accept is None:
            return motion, said, edits
        taken = [each.edit for each in accepted(found, self.accept, motion)]
        motion, more = self._replayed(motion, taken)
        if not taken:
            more = [f"nothing is as likely as {self.accept:g}, so nothing is merged"]
        return motion, said + more, edits + taken

    def _show(self, found: list[Suggestion]) -> None:
        if not found:
            print("no two tracks are likely one person")
        for each in found[:MOST_SHOWN]:
            print(f"likely one: {each}")
        if len(found) > MOST_SHOWN:
            print(f"and {len(found) - MOST_SHOWN} less likely")

    def _save(self, motion: Motion, edits: list[OneEdit]) -> None:
        from choros.editing import write_list

        motion.save(self.output)
        if self.save_list is not None:
            write_list(self.save_list, edits)
            print(f"{self.save_list}: {len(edits)} edits")
        print(f"{self.output}: {len(motion)} frames, {len(motion.ids)} people")
