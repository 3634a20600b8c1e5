"""Identities on vtest: known answers, and one known switch of each kind with its cause."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.evaluation.real.causes import counted, explain, switches
from choros.evaluation.real.tracking import (
    DetectedBoxes,
    box_tracker_row,
    boxes_of,
    on_the_ground,
    read_truth,
    vtest_row,
)
from choros.motion import FRAME, ROW, Header, Motion

SHARED = Path(__file__).resolve().parents[3] / "shared/assets"


def motion_of(boxes, n_frames, space="camera"):
    """A motion that says what it is given: (frame, person, box, seen) each."""
    frames, rows = np.zeros(n_frames, FRAME), np.zeros(len(boxes), ROW)
    frames["number"] = np.arange(n_frames)
    frames["pts"][:, 0], frames["pts"][:, 1] = np.arange(n_frames), 10
    for row, (frame, person, box, seen) in zip(rows, sorted(boxes, key=lambda b: b[:2]), strict=True):
        row["frame"], row["person"], row["box_px"], row["visible"] = frame, person, box, seen
    return Motion(Header(Fraction(10), 768, 576, space=space), frames, rows)


@pytest.fixture
def footage(tmp_path):
    """Two people who walk side by side for 40 frames."""
    lines = [
        f"{frame + 1},{person},{10 + 100 * person + 2 * frame},50,40,100,1,{person + 0.1 * frame},{2 * person},0"
        for frame in range(40)
        for person in (1, 2)
    ]
    (tmp_path / "real").mkdir()
    (tmp_path / "real/vtest_gt.csv").write_text("\n".join(lines))
    return tmp_path


def box(person, frame):
    x = 10 + 100 * person + 2 * frame
    return [x, 50, x + 40, 150]


def test_the_truth_itself_is_right_in_all(footage):
    said = motion_of([(f, p, box(p, f), True) for f in range(40) for p in (1, 2)], 40)
    row = vtest_row(said, footage)
    assert row["HOTA"] == row["IDF1"] == row["MOTA"] == row["LocA_seen"] == pytest.approx(1)
    assert row["id_switches"] == 0
    assert not switches(said, read_truth(footage).boxes)


def test_tails_do_not_count_and_bridges_do(footage):
    rows = [(f, p, box(p, f), p == 1 or f not in (10, 11)) for f in range(40) for p in (1, 2)]
    rows = [(f, p, b, seen and not (p == 2 and f >= 30)) for f, p, b, seen in rows]
    row = vtest_row(motion_of(rows, 40), footage)
    assert row["false_negatives"] == 10
    assert row["false_negatives_seen"] == 12


def test_causes_of_switches(footage):
    """Person 1 gets a new track while their own lives on unseen; person 2 comes to the old one of person 1."""
    rows = [(f, 1, box(1, f), True) for f in range(20)] + [(f, 1, box(4, f), False) for f in range(20, 30)]
    rows += [(f, 3, box(1, f), True) for f in range(20, 40)]
    rows += [(f, 2, box(2, f), True) for f in range(30)] + [(f, 1, box(2, f), True) for f in range(30, 40)]
    found = switches(motion_of(rows, 40), read_truth(footage).boxes)
    assert [(s.frame, s.true_person, s.before, s.after, s.own, s.other) for s in found] == [
        (20, 1, 1, 3, "unseen", "new"),
        (30, 2, 2, 1, "ended", "somebody else's"),
    ]
    assert not any(s.overlapped for s in found)
    assert sum(counted(found).values()) == 4  # two causes, and both with nobody overlapping
    assert len(explain(motion_of(rows, 40), footage)) == 1 + 2 + 3


def test_the_ground_after_a_turn_and_a_shift(footage):
    said = motion_of([(f, p, box(p, f), True) for f in range(40) for p in (1, 2)], 40, "world")
    truth = read_truth(footage)
    turned = 1.1 * truth.ground_m @ np.array([[0.0, 1], [-1, 0]]) + [5, -3]
    said.rows["transl"][:, :2] = turned
    row = on_the_ground(said, truth)
    assert row["ground_scale"] == pytest.approx(1.1, abs=1e-4)
    centred = truth.ground_m - truth.ground_m.mean(0)
    assert row["ground_error_m"] == pytest.approx(np.median(0.1 * np.linalg.norm(centred, axis=1)), abs=1e-3)
    assert row["ground_mean_m"] == pytest.approx(np.mean(0.1 * np.linalg.norm(centred, axis=1)), abs=1e-3)


def test_no_truth(tmp_path):
    with pytest.raises(ChorosError, match=r"vtest_gt\.csv"):
        read_truth(tmp_path)


def test_bare_boxes(footage):
    pytest.importorskip("trackers")
    found = [DetectedBoxes(np.array([box(1, f), box(2, f)], float), np.full(2, 0.9)) for f in range(40)]
    row = box_tracker_row(found, footage)
    assert row["IDF1"] > 0.9
    assert row["id_switches"] == 0


@pytest.mark.skipif(not (SHARED / "real/vtest_gt.csv").is_file(), reason="the footage is not here")
def test_the_real_truth():
    truth = read_truth(SHARED)
    assert len(truth.boxes.frame) == 4650
    assert (truth.boxes.frame.min(), truth.boxes.frame.max()) == (0, 794)
    assert len(boxes_of(np.zeros(0, ROW)).frame) == 0
