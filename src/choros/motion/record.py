"""``Motion``: the header and the two tables, what is read from them, and their parts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.amass import SMPL_PELVIS, one_to_amass
from choros.motion.columns import Columns
from choros.motion.data_frame import to_arrow, to_pandas
from choros.motion.extras import are_rows, with_extras
from choros.motion.header import Header, numbers_from_1
from choros.motion.mot import write_mot
from choros.motion.npz import read_npz, write_npz
from choros.motion.person import People, Person
from choros.motion.resampling import EXACT, evened, rate_of
from choros.motion.settling import seen_spans, tentative
from choros.motion.tables import FRAME
from choros.registered import registered

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from choros.video.frame import Picture


@dataclass(frozen=True)
class Motion(Columns):
    """Everyone's motion in one video; see ``motion.tables`` for columns, units and frames."""

    header: Header
    frames: NDArray[np.void]  # (T,) FRAME
    rows: NDArray[np.void]  # (N,) ROW, and extras, sorted by frame, then person

    def __post_init__(self) -> None:
        if self.frames.dtype != FRAME or not are_rows(self.rows):
            raise ChorosError("Motion takes frames of dtype FRAME and rows of dtype ROW.")
        frame, person = self.rows["frame"].astype(np.int64), self.rows["person"].astype(np.int64)
        if len(frame) and (frame.min() < 0 or frame.max() >= len(self.frames)):
            raise ChorosError(
                f"a row names frame {int(frame.max())}, but there are only {len(self.frames)} frames."
            )
        step, next_person = np.diff(frame), np.diff(person)
        if np.any(step < 0) or np.any((step == 0) & (next_person <= 0)):
            raise ChorosError("the rows are not sorted by frame, then person, with one row for each.")

    # --- what people read -------------------------------------------------------------------------

    def __repr__(self) -> str:
        length_s = float(self.pts_s[-1] - self.pts_s[0]) if len(self) else 0.0
        return (
            f"<Motion of {self.header.source or 'nothing named'} by {self.header.system or 'nobody named'}: "
            f"{len(self)} frames in {length_s:.1f} s, {len(self.ids)} people, {self.space} space>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the line of ``repr``, and the moment in which most people are seen."""
        picture = registered("picture")(self)
        line = f"<div>{escape(repr(self)[1:-1])}</div>"
        if picture is None:
            return line
        return f'{line}<img alt="{len(self.ids)} people" src="data:image/png;base64,{b64encode(picture).decode()}">'

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def fps(self) -> Fraction:
        """Nominal frames a second; exact times are ``pts``."""
        return self.header.fps

    @property
    def space(self) -> str:
        """Which axes ``transl`` and ``global_orient`` are in, "camera" or "world"."""
        return self.header.space

    @property
    def body(self) -> str:
        """Name of the body model whose shapes ``betas`` are."""
        return self.header.body

    @property
    def width(self) -> int:
        """Width of the frames in px, upright."""
        return self.header.width

    @property
    def height(self) -> int:
        """Height of the frames in px, upright."""
        return self.header.height

    @property
    def pts_s(self) -> NDArray[np.float64]:
        """Time of each frame, (T,) seconds."""
        pts = self.frames["pts"]
        return pts[:, 0] / np.maximum(pts[:, 1], 1)

    @property
    def pts(self) -> list[Fraction]:
        """Time of each frame, exact seconds."""
        return [Fraction(int(n), int(d)) for n, d in self.frames["pts"]]

    @property
    def K(self) -> NDArray[np.float64]:
        """Intrinsics of each frame, (T, 3, 3) px."""
        return self.frames["K"]

    @property
    def T_world_camera(self) -> NDArray[np.float64]:
        """Camera to world of each frame, (T, 4, 4), metres; the camera has OpenCV's axes. See ``camera_known``."""
        return self.frames["T_world_camera"]

    @property
    def camera_known(self) -> NDArray[np.bool_]:
        """Whether ``T_world_camera`` tells where the camera was, (T,); else it is the identity, or a guess."""
        return self.frames["camera_known"]

    @property
    def tells_camera(self) -> bool:
        """Whether the camera is known wherever somebody is, so that people can go to the world and come back."""
        return bool(self.camera_known.any() and self.camera_known[self.row_frame].all())

    @property
    def number(self) -> NDArray[np.int64]:
        """The source's own number of each frame, (T,); ``header.numbers`` tells what it is."""
        return self.frames["number"]

    @property
    def pictures(self) -> list[Picture]:
        """The picture of each frame, of a motion of photographs that have nothing to do with each other; else none."""
        from choros.video.frame import Picture

        told = {about["number"]: Picture(**about) for about in self.header.provenance.get("pictures", ())}
        return [told[number] for number in self.number.tolist()] if told else []

    @property
    def number_from_1(self) -> NDArray[np.int64]:
        """As formats have it whose first frame is 1, (T,): as in the names of pictures, else counted from 1."""
        return numbers_from_1(self.header, self.frames)

    @property
    def cut_before(self) -> NDArray[np.bool_]:
        """Whether another shot begins with each frame, (T,)."""
        return self.frames["cut_before"]

    @property
    def shot(self) -> NDArray[np.int64]:
        """Which shot each frame is of, (T,), counted from 0; nothing is continuous from one to the next."""
        begins = self.cut_before.astype(np.int64)
        begins[:1] = 0
        return np.cumsum(begins)

    @property
    def gap_before(self) -> NDArray[np.bool_]:
        """Whether frames are missing before each frame, (T,)."""
        return self.frames["gap_before"]

    @property
    def row_frame(self) -> NDArray[np.int32]:
        """Index of each row's frame, (N,)."""
        return self.rows["frame"]

    @property
    def row_person(self) -> NDArray[np.int32]:
        """Identity of each row's person, (N,)."""
        return self.rows["person"]

    @property
    def row_pts_s(self) -> NDArray[np.float64]:
        """Time of each row, (N,) seconds."""
        return self.pts_s[self.rows["frame"]]

    @property
    def ids(self) -> NDArray[np.int32]:
        """Identities, ascending."""
        return np.unique(self.rows["person"])

    @property
    def people(self) -> People:
        """Everybody, by identity: ``motion.people[3]`` is person 3, and a loop goes over each ``Person``."""
        return People(self)

    def person(self, person: int) -> Person:
        """One identity, as ``people[person]``. Raises ``ChorosError`` if nobody has it, naming those there are."""
        return self.people[person]

    def in_frame(self, frame: int) -> NDArray[np.void]:
        """The rows of one frame, (n,) ROW."""
        start, end = np.searchsorted(self.rows["frame"], [frame, frame + 1])
        return self.rows[start:end]

    # --- parts ------------------------------------------------------------------------------------

    def __getitem__(self, frames: slice) -> Motion:
        """A run of frames; frame numbers then count from its first."""
        start, stop, step = frames.indices(len(self.frames)) if isinstance(frames, slice) else (0, 0, 0)
        if step != 1:
            raise ChorosError(
                "a Motion is cut into runs of frames by a slice with step 1; rows are chosen by motion.where(...), a "
                "person is motion.people[id], a frame's rows are motion.in_frame(frame)."
            )
        inside = (self.rows["frame"] >= start) & (self.rows["frame"] < stop)
        rows = self.rows[inside].copy()
        rows["frame"] -= start
        return replace(self, frames=self.frames[start:stop], rows=rows)

    def between(self, start_s: float, end_s: float) -> Motion:
        """The frames with ``start_s <= time < end_s``."""
        start, end = np.searchsorted(self.pts_s, [start_s, end_s])
        return self[int(start) : int(end)]

    def select(self, people: Iterable[int]) -> Motion:
        """Only these identities; the frames stay."""
        return self.where(np.isin(self.row_person, list(people)))

    def where(self, keep: NDArray[np.bool_]) -> Motion:
        """Only the rows for which ``keep``, (N,) bool, is true; the frames stay.

        >>> motion.where(motion.visible & (motion.confidence > 0.5))
        >>> motion.where((motion.row_person == 2) & (motion.row_pts_s < 10))

        Raises ``ChorosError`` if it is not one truth for each row.
        """
        keep = np.asarray(keep)
        if keep.shape != (len(self.rows),) or keep.dtype != bool:
            raise ChorosError(
                f"a motion of {len(self.rows)} rows is filtered by as many true and false, such as motion.visible, "
                f"not by {keep.dtype} of shape {keep.shape}."
            )
        return replace(self, rows=self.rows[keep])

    def with_extras(self, extras: Mapping[str, NDArray[Any]]) -> Motion:
        """The same with these arrays, (N, ...) by name, among its ``extras``.

        Raises ``ChorosError`` for a name that is no identifier or a column's own, and arrays of another length.
        """
        return replace(self, rows=with_extras(self.rows, extras))

    def shots(self) -> list[Motion]:
        """The stretches between cuts, in order; each a Motion, whose frames count from its own first."""
        ends = [*np.flatnonzero(np.diff(self.shot)) + 1, len(self)]
        return [self[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def evenly(self, filled: bool = False) -> Motion:
        """The same at the constant rate ``fps``, for what counts frames instead of reading times.

        Frame k is at ``pts[0] + k / fps``. Where all frames are nearer than a quarter of a frame to different
        places of that grid, they are as they were, and only places without a frame are new; else all poses,
        places and the camera are those of the new times (turns the shortest way). A person is absent where frames
        were lost (``gap_before``) and while nobody followed them; ``filled`` leads them over that, not ``visible``
        and with ``confidence`` 0. Nothing is led over a cut. Itself where there is nothing to do.
        """
        frames, rows = evened(self.frames, self.rows, self.fps, filled)
        same = frames is self.frames and rows is self.rows
        return self if same else replace(self, frames=frames, rows=rows)

    def at_rate(self, fps: Fraction | float | str) -> Motion:
        """The same at another constant rate, ``fps`` frames a second: frame k is at ``pts[0] + k / fps``.

        As of ``evenly``, but that every pose is that of its own time, to a thousandth of a frame: turns go the
        shortest way, places straight on, and nobody is led over lost frames or a cut; where somebody comes or goes
        they stay as they were for up to half a frame. Frames are counted from 0 (``number``), unless this is the rate
        they have. Raises ``ChorosError`` for a rate that is none, and photographs.
        """
        rate = rate_of(fps)
        if rate == self.fps:
            return self.evenly()
        if self.header.photos:
            raise ChorosError("photographs have no times, and so no rate.")
        frames, rows = evened(self.frames, self.rows, rate, filled=False, snap=EXACT)
        frames = frames.copy()
        frames["number"] = np.arange(len(frames))
        return replace(
            self, header=replace(self.header, fps=rate, numbers="counted"), frames=frames, rows=rows
        )

    @property
    def tentative(self) -> list[int]:
        """People who were in sight for less than .2 s, and may be nobody; see ``settling``."""
        return tentative(seen_spans(self.rows), self.frames, float(self.fps))

    def settled(self) -> Motion:
        """Without tentative people: what exports, overlays, views and plots take unless told otherwise."""
        doubtful = self.tentative
        return self.where(~np.isin(self.row_person, doubtful)) if doubtful else self

    # --- in and out -------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write ``motion.npz``; the file appears whole or not at all."""
        write_npz(path, self.header, self.frames, self.rows)

    @classmethod
    def of(cls, motion: Motion | str | Path) -> Motion:
        """A motion as it is, or read from its file: what functions take that take either."""
        return motion if isinstance(motion, Motion) else cls.load(motion)

    @classmethod
    def load(cls, path: str | Path) -> Motion:
        """Read ``motion.npz``, or the one in a folder. Raises ``ChorosError`` if it is missing, damaged or else."""
        path = Path(path)
        path = path / "motion.npz" if path.is_dir() else path
        if not path.is_file():
            raise ChorosError(f"{path} does not exist; give a motion.npz that `choros track` wrote.")
        return cls(*read_npz(path))

    def to_pandas(self) -> pandas.DataFrame:
        """A flat table, one row a person and frame, whose columns' names tell what they hold and in which unit.

        ``frame`` (of this motion, from 0), ``number`` (the source's), ``time_s``, ``person``, ``visible``,
        ``confidence``, ``gap_before``, ``cut_before``; the box ``x0_px`` to ``y1_px``; ``transl_x_m``; turns as
        axis-angle, ``global_orient_x_rad`` and ``left_knee_x_rad`` by joint; ``betas_0``, ``kid``; evidence,
        ``nose_x_px``, ``nose_y_px``, ``nose_confidence``; the camera's ``fx_px``, ``fy_px``, ``cx_px``, ``cy_px``;
        extras, ``extra.score`` or ``extra.embedding.0`` and on.
        Raises ``ChorosError`` where pandas is not installed.
        """
        return to_pandas(self)

    def to_arrow(self) -> pyarrow.Table:
        """The table of ``to_pandas`` as an Arrow table. Raises ``ChorosError`` where pyarrow is not installed."""
        return to_arrow(self)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """What lets ``polars.DataFrame(motion)``, ``pyarrow.table(motion)`` and DuckDB read the table."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_amass(
        self, person: int, pelvis_rest: tuple[float, float, float] = SMPL_PELVIS
    ) -> dict[str, NDArray[Any]]:
        """One person in the layout of AMASS's npz files, z up, at the constant rate ``fps`` (``evenly``).

        Returns ``poses`` (n, 156): root, 21 body joints and 30 finger joints (zero) as axis-angle, rad;
        ``trans`` (n, 3) metres; ``betas`` (16,), the person's median shape padded with zeros;
        ``gender`` "neutral"; ``mocap_framerate``; and, beyond AMASS, ``times_s`` (n,) in the video,
        ``visible`` (n,), False too where nobody followed the person, and ``frames`` (m,), the numbers of the
        source's frames that the person is in: one each sample, unless the frames come unevenly or the person is
        away for a while. A motion in camera space is turned by a level camera's axes (camera y down to world z
        up) about the pelvis at rest, ``pelvis_rest``, metres: exact for the mean shape, else give
        ``body.joints(rest)[0]``.

        Raises ``ChorosError`` for a person who is not in the motion, or in several of its ``shots``.
        """
        return one_to_amass(self, person, pelvis_rest)

    def write_mot(self, path: str | Path) -> None:
        """MOT text (frame as in ``number_from_1``, id, left, top, width, height, confidence, -1, -1, -1).

        Each person from the first to the last frame they were seen in; what was predicted in between is
        written too, what was predicted after the last sight is not.
        """
        write_mot(path, self.header, self.frames, self.rows)
