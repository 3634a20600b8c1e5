"""Parts of a motion at another rate: every pose at its time, nobody where nobody was."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import choros
from choros.cli.main import main
from choros.errors import ChorosError
from choros.exporters.part import part_of
from choros.tracking.lowpass import lowpass_motion
from tests.exporters.walkers import FPS, THERE, UNSEEN, walkers
from tests.test_motion import make_motion
from tests.test_resampling import assert_rides_on, at_times

RATES = [Fraction(10), Fraction(24), Fraction(30000, 1001), Fraction(50), Fraction(60), Fraction(120)]


@pytest.mark.parametrize("fps", RATES)
def test_every_pose_is_that_of_its_time(fps):
    motion = at_times([Fraction(k, 25) for k in range(40)], people=(1, 3))
    other = motion.at_rate(fps)
    assert other.fps == fps
    inside = other.between(0, 39 / 25 + 1e-9)  # the last pose is held for up to half a frame
    assert_rides_on(inside)
    assert other.pts[:3] == pytest.approx([0, 1 / fps, 2 / fps])
    assert len(other) in (round(39 / 25 * fps) + 1, int(39 / 25 * fps) + 1)
    assert other.number.tolist() == list(range(len(other)))
    assert other.header.numbers == "counted"


def test_turns_go_the_shortest_way_at_a_constant_speed():
    motion = make_motion(3, (1,), fps=Fraction(10))
    motion.rows["global_orient"] = [[0, 0, 3.0], [0, 0, -3.0], [0, 0, -2.5]]  # past half a turn
    motion.rows["body_pose"] = 0
    between = motion.at_rate(20).rows["global_orient"]
    expected = Rotation.from_euler(
        "z", np.array([[3.0, np.pi, 2 * np.pi - 3.0, 2 * np.pi - 2.75, 2 * np.pi - 2.5]]).T
    )
    assert (Rotation.from_rotvec(between) * expected.inv()).magnitude().max() < 1e-6


def test_twice_the_rate_and_back_are_the_same_poses():
    motion = walkers()
    again = motion.at_rate(2 * FPS).at_rate(FPS)
    for name in ("frame", "person", "transl", "visible", "confidence"):
        np.testing.assert_allclose(again.rows[name], motion.rows[name], atol=1e-6)
    assert again.pts == motion.pts


def test_nobody_is_led_over_a_gap_and_unseen_stays_unseen():
    """Person 5 is away in frames 10 to 15, and not seen from 20 on."""
    twice = walkers().at_rate(2 * FPS)
    five = twice.people[5]
    away = (five.frame / 2 > THERE[5][9] + 0.5) & (five.frame / 2 < THERE[5][10] - 0.5)
    assert not away.any()
    unseen = five.frame[~five.visible] / 2
    assert unseen.min() >= UNSEEN[5][0] - 0.5
    assert set(five.frame[five.frame <= 18].tolist()) == set(range(19))
    lost = walkers()
    lost.frames["gap_before"][15] = True
    between = (lost.at_rate(2 * FPS).row_frame == 29).sum()  # half a frame before it
    assert between < (twice.row_frame == 29).sum()


def test_a_part_keeps_the_times_of_the_clip():
    part = part_of(walkers(), 2.4, 2.8)
    assert [float(time) for time in part.pts] == pytest.approx([2.4 + k / FPS for k in range(10)])
    np.testing.assert_array_equal(part_of(walkers(), 2.4).frames["pts"], walkers()[10:].frames["pts"])
    assert len(part_of(walkers(), end_s=2.4)) == 10
    same = walkers()
    assert part_of(same) is same


def test_the_filter_sees_what_is_around_the_part():
    part = part_of(walkers(), 2.4, 2.8, lowpass_hz=4.0)
    np.testing.assert_array_equal(part.rows, lowpass_motion(walkers(), 4.0).between(2.4, 2.8).rows)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"start_s": 9.0}, "nothing lies between 9 and 3.2 s; this motion goes from 2.00 to 3.16 s"),
        ({"fps": 0}, "0 is no number of frames a second"),
        ({"fps": "many"}, "'many' is no number of frames a second"),
        ({"fps": 10**6}, "is no number of frames a second"),
        ({"lowpass_hz": 20}, "a low pass of 20 Hz is none for 25 frames/s"),
    ],
)
def test_what_cannot_be_is_said(options, says):
    with pytest.raises(ChorosError) as error:
        part_of(walkers(), **options)
    assert says in str(error.value)


def test_the_command_line_and_python_write_the_same(tmp_path, capsys):
    walkers().save(tmp_path / "motion.npz")
    line = "--to csv --start 2.2 --end 3 --fps 30 --lowpass 6 --people 1 2".split()  # noqa: SIM905
    main(["export", str(tmp_path / "motion.npz"), *line, "-o", str(tmp_path / "out")])
    choros.export(
        tmp_path / "motion.npz", tmp_path / "other.csv",
        start_s=2.2, end_s=3, fps=30, lowpass_hz=6, people=(1, 2),
    )  # fmt: skip
    text = (tmp_path / "out" / "motion.csv").read_text()
    assert text == (tmp_path / "other.csv").read_text()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert {row[2] for row in rows} == {"1", "2"}
    assert [row[1] for row in rows if row[2] == "1"][:3] == ["0.000000", "0.033333", "0.066667"]
