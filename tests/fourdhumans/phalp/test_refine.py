"""Gaps of a motion, completed: ghosts alone are said anew, from the sights about them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.body.posed import joints_of
from choros.cli.main import main
from choros.fourdhumans.phalp.refine import refine
from choros.motion import FRAME, ROW, Header, Motion

GAP = slice(12, 20)


def walking(n=32):
    """Somebody who walks sideways and lifts a knee, unseen for eight frames, while predicted to stand still."""
    frames = np.zeros(n, FRAME)
    frames["pts"][:, 0], frames["pts"][:, 1] = np.arange(n), 25
    frames["K"], frames["T_world_camera"] = [[300, 0, 160], [0, 300, 120], [0, 0, 1]], np.eye(4)
    rows = np.zeros(n, ROW)
    rows["frame"], rows["person"], rows["visible"] = np.arange(n), 1, True
    rows["global_orient"] = [np.pi, 0, 0]
    rows["transl"] = np.stack([0.03 * np.arange(n), np.zeros(n), np.full(n, 4.0)], -1)
    rows["body_pose"][:, 9] = 0.05 * np.arange(n)  # the left knee
    rows["box_px"] = [100, 40, 160, 220]
    rows["box_px"][:, [0, 2]] += 300 / 4 * rows["transl"][:, :1]
    truth = rows.copy()
    rows["visible"][GAP] = False
    for name in ("transl", "body_pose", "box_px"):
        rows[name][GAP] = rows[name][GAP.start - 1]
    return Motion(Header(Fraction(25), 320, 240), frames, rows), truth


def test_ghosts_go_the_way_between_and_nothing_else_changes():
    motion, truth = walking()
    done = refine(motion)
    seen = motion.visible
    assert (done.rows[seen] == motion.rows[seen]).all()
    away = [
        np.linalg.norm(joints_of(one.rows[GAP]) - joints_of(truth[GAP]), axis=-1).mean()
        for one in (motion, done)
    ]
    assert away[1] < 0.03 < 0.1 < away[0]
    assert abs(done.rows["box_px"][GAP] - truth["box_px"][GAP]).max() < 3
    assert done.header.provenance["refined"] is True
    assert "refined" not in motion.header.provenance


def test_without_a_sight_on_both_sides_nothing_is_completed():
    motion, _ = walking()
    rows = motion.rows.copy()
    rows["visible"] = np.arange(len(rows)) < GAP.start
    assert (refine(replace(motion, rows=rows)).rows == rows).all()
    frames = motion.frames.copy()
    frames["cut_before"][15] = True  # another shot begins in the gap
    cut = replace(motion, frames=frames)
    assert (refine(cut).rows == cut.rows).all()


def test_from_the_command_line(tmp_path, capsys):
    motion, _ = walking()
    motion.save(tmp_path / "motion.npz")
    main(["refine", str(tmp_path), "-o", str(tmp_path / "refined.npz")])
    assert "8 rows" in capsys.readouterr().out
    made = Motion.load(tmp_path / "refined.npz")
    np.testing.assert_array_equal(made.rows, refine(motion).rows)
    with pytest.raises(SystemExit):
        main(["refine", str(tmp_path / "motion.npz"), "-o", str(tmp_path / "motion.npz")])
