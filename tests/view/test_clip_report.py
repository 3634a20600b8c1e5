"""The page on a clip: what it says of quality and limits, what it holds, and that it fetches nothing."""

import re
from dataclasses import replace

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.motion import Motion
from choros.motion.actions import with_actions
from choros.view.clip_report import write_clip_report
from choros.view.limits_told import limits_of
from tests.exporters.walkers import walkers


def told(motion: Motion) -> str:
    return " ".join(limits_of(motion))


def boxed(motion: Motion, height_px: float, bottom_px: float) -> Motion:
    rows = motion.rows.copy()
    rows["box_px"] = np.float32([100, bottom_px - height_px, 150, bottom_px])
    return replace(motion, rows=rows)


def test_small_people_and_those_cut_off_are_told():
    motion = walkers()
    small = told(boxed(motion, 40, 200))
    assert "under 60 px tall" in small
    assert "cut off" not in small
    tall = told(boxed(motion, 100, motion.height))
    assert "under 60 px tall" not in tall
    assert "cut off by the picture's lower side" in tall


def test_gaps_cuts_and_the_lens_are_told():
    motion = walkers()
    assert "No frame of the clip is lost" in told(motion)
    assert "is assumed" in told(motion)
    frames = motion.frames.copy()
    frames["gap_before"][[3, 9]] = True
    frames["cut_before"][5] = True
    given = replace(motion.header, provenance={"options": {"fov_deg": 60.0}})
    worse = told(Motion(given, frames, motion.rows))
    assert "lost or damaged in 2 places" in worse
    assert "1 cut;" in worse
    assert "is assumed" not in worse


def test_page_holds_everything_and_fetches_nothing(tmp_path):
    motion = walkers()
    scores = np.zeros((len(motion.rows), 1))
    scores[motion.row_person == 1] = 0.9
    motion = with_actions(motion, ["wave"], scores)
    standing = np.tile([True, False], (len(motion.rows), 1))
    motion = motion.with_extras({"foot_contact": standing})
    path = tmp_path / "report.html"
    write_clip_report(motion, path, "<clip>", joints=("knee",))
    text = path.read_text()
    assert "<title>&lt;clip&gt;</title>" in text
    headings = re.findall(
        r"<h2>(?:<span.*?</span>)?(.*?)</h2>", text[: text.index("<iframe")] + text[text.index("</iframe>") :]
    )
    assert headings[:7] == [
        "Quality and limits", "In 3D", "Who is there when", "Actions", "Feet on the ground", "Paths from above",
        "Joint angles",
    ]  # fmt: skip
    assert "person 1: wave" in text
    outside = re.sub(r'srcdoc=".*?"', "", text, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!#|data:)', re.sub(r'xlink:href="#.*?"', "", outside))


def test_nobody_has_no_report(tmp_path):
    motion = walkers()
    with pytest.raises(ChorosError, match="nobody is in"):
        write_clip_report(motion.where(np.zeros(len(motion.rows), bool)), tmp_path / "r.html", "m")
    assert list(tmp_path.iterdir()) == []
