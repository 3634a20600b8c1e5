"""``Motion``: the one record that every system produces and everything else consumes.

People over time as SMPL parameters, with the frames they were seen in. In memory, in the journal of a
running video (``journal.py``) and in ``motion.npz`` it has the same two tables: one entry a frame
(``FRAME``) and one entry a person and frame (``ROW``), sorted by frame, then person. ``tables`` says what
every column means; ``record`` has ``Motion``, ``person`` one of its people, ``header`` what is true of the
whole video, ``npz`` its file, ``extras`` the further columns of a system, ``settling`` what the end of a video tells,
``resampling`` a motion at a constant rate.
"""

from choros.motion.amass import SMPL_PELVIS, amass_layout
from choros.motion.frame_result import FrameResult
from choros.motion.header import Header
from choros.motion.mot import write_mot
from choros.motion.npz import write_npz
from choros.motion.person import People, Person
from choros.motion.record import Motion
from choros.motion.tables import FRAME, ROW, VERSION

__all__ = [
    "FRAME",
    "ROW",
    "SMPL_PELVIS",
    "VERSION",
    "FrameResult",
    "Header",
    "Motion",
    "People",
    "Person",
    "amass_layout",
    "write_mot",
    "write_npz",
]
