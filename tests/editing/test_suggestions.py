"""Suggestions: who walks on behind something is one person, clothes tell who of two, and who is seen at once is two."""

import cv2
import numpy as np
import pytest

from choros.cli.main import main
from choros.editing import read_list, suggest
from choros.editing.pictures import HEIGHT_PX, draw_pairs
from choros.editing.suggestions import Suggestion, SuggestionRules, accepted, measured
from choros.editing.tracks import colours_of, tracks_of
from choros.errors import ChorosError
from choros.motion import Motion
from tests.editing.coloured import BLUE, FPS, GREEN, HIGH, RED, Walk, film, motion_of

SECONDS = 8
#: 1 is lost for two seconds and goes on as 3; 2 walks the other way all the time, farther down.
HIDDEN = [Walk(1, 0, 3, 60, 60), Walk(3, 5, 8, 160, 60), Walk(2, 0, 8, 250, 130, -20, BLUE)]
#: Where 1 is expected two people appear at once: the red one is 1.
TWO = [Walk(1, 0, 3, 60, 60, colour=RED), Walk(4, 5, 8, 130, 60, colour=RED), Walk(3, 5, 8, 190, 60, colour=GREEN),
       Walk(2, 0, 8, 250, 130, -20, BLUE)]  # fmt: skip


def pairs(found, least=0.0):
    return [(each.earlier, each.later) for each in found if each.probability >= least]


def test_whoever_walks_on_is_suggested(tmp_path):
    motion = motion_of(HIDDEN, SECONDS)
    (guess,) = suggest(motion)
    (sure,) = suggest(motion, film(tmp_path / "walks.mp4", HIDDEN, SECONDS))
    for each in (guess, sure):
        assert (each.earlier, each.later) == (1, 3)
        assert each.gap_s == pytest.approx(2.1)
        assert each.miss == pytest.approx(0, abs=0.06)  # speeds are taken for a tenth less than they look
    assert np.isnan(guess.colours)
    assert sure.colours < 2
    assert guess.probability < 0.9 < sure.probability


def test_clothes_tell_who_of_two_it_is(tmp_path):
    motion = motion_of(TWO, SECONDS)
    without = suggest(motion)
    assert set(pairs(without)) == {(1, 3), (1, 4)}
    assert sum(each.probability for each in without) < 1  # one of the two, or nobody
    found = suggest(motion, film(tmp_path / "walks.mp4", TWO, SECONDS))
    assert pairs(found, 0.9) == [(1, 4)]


def test_what_many_wear_says_less(tmp_path):
    """1 and 3 in red; beside them a second one in red who is somebody else."""
    alike = [HIDDEN[0], HIDDEN[1], Walk(2, 0, 8, 250, 130, -20, RED)]
    probability = [
        suggest(motion_of(walks, SECONDS), film(tmp_path / f"{name}.mp4", walks, SECONDS))[0].probability
        for name, walks in (("other", HIDDEN), ("alike", alike))
    ]
    assert probability[1] < probability[0] - 0.005


def test_people_who_are_seen_at_once_are_two():
    both = [Walk(1, 0, 5, 60, 60), Walk(3, 4, 8, 140, 60)]
    assert suggest(motion_of(both, SECONDS)) == []
    moment = [Walk(1, 0, 4.2, 60, 60), Walk(3, 4, 8, 140, 60)]  # as at a change of identity
    assert pairs(suggest(motion_of(moment, SECONDS))) == [(1, 3)]


def test_somebody_of_another_size_or_far_off_is_nobody():
    far = [Walk(1, 0, 3, 10, 20), Walk(3, 3.5, 8, 250, 160)]
    assert pairs(suggest(motion_of(far, SECONDS)), 0.1) == []
    motion = motion_of(HIDDEN, SECONDS)
    (before,) = suggest(motion)
    low = motion.row_person == 3
    motion.rows["box_px"][low, 1] += 0.4 * HIGH
    motion.rows["box_px"][low, 3] -= 0.3 * HIGH
    assert [each for each in suggest(motion) if each.probability > 0.5 * before.probability] == []


def test_after_a_cut_place_says_nothing(tmp_path):
    motion = motion_of(HIDDEN, SECONDS)
    motion.frames["cut_before"][4 * FPS] = True
    rules = SuggestionRules()
    tracks = tracks_of(motion)
    one, other = tracks[0], tracks[2]
    assert (one.id, other.id) == (1, 3)
    assert measured(one, other, tracks, rules).tolist() == [1, 1, 1, pytest.approx(2.1), 0]
    (found,) = suggest(motion, film(tmp_path / "walks.mp4", HIDDEN, SECONDS))
    assert (found.earlier, found.later) == (1, 3)


def test_colours_of_a_track_are_those_of_the_clothes(tmp_path):
    colours = colours_of(motion_of(HIDDEN, SECONDS), film(tmp_path / "walks.mp4", HIDDEN, SECONDS))
    expected = cv2.cvtColor(np.float32([[RED, BLUE]]) / 255, cv2.COLOR_RGB2LAB)[0]
    for person, lab in ((1, expected[0]), (3, expected[0]), (2, expected[1])):
        assert abs(colours[person].lab[0] - lab).max() < 4
        assert colours[person].weight.min() > 0.9


def test_accepted_ones_make_nobody_two_places_at_once():
    """1 is followed by 2 or by 3, who are there at once; 4 comes after all of them."""
    walks = [Walk(1, 0, 2, 60, 60), Walk(2, 3, 5, 100, 60), Walk(3, 3, 5, 200, 60), Walk(4, 6, 8, 140, 60)]
    motion = motion_of(walks, SECONDS)
    found = [
        Suggestion(a, b, p, 1.0, 0.1, 1.0)
        for a, b, p in ((1, 4, 0.99), (1, 2, 0.95), (3, 4, 0.94), (2, 4, 0.93), (1, 3, 0.5))
    ]
    assert pairs(accepted(found, 0.9, motion)) == [(1, 4), (1, 2)]
    assert accepted(found, 0.995, motion) == []


def test_a_motion_of_nobody_or_one():
    assert suggest(motion_of(HIDDEN, SECONDS).select([])) == []
    assert suggest(motion_of(HIDDEN[:1], SECONDS)) == []


def test_pictures_show_both(tmp_path):
    motion = motion_of(HIDDEN, SECONDS)
    video = film(tmp_path / "walks.mp4", HIDDEN, SECONDS)
    paths = draw_pairs(motion, video, suggest(motion, video), tmp_path / "pairs")
    assert paths == [tmp_path / "pairs" / "1_and_3.png"]
    image = cv2.imread(str(paths[0]))
    assert HEIGHT_PX <= image.shape[0] < HEIGHT_PX + 20
    red = (image[..., 2].astype(int) - image[..., 0] > 100).mean(0)
    assert (np.diff((red > 0.3).astype(int)) == 1).sum() == 6  # three sights of each


def test_the_command_line_shows_and_accepts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    motion_of(TWO, SECONDS).save("motion.npz")
    film(tmp_path / "walks.mp4", TWO, SECONDS)
    main(["edit", "motion.npz", "walks.mp4", "--suggest", "--pictures", "pairs"])
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("likely one: 1 and 4: 1.00, 2.1 s between, 0.4 heights")
    assert not (tmp_path / "edited.npz").exists()
    assert (tmp_path / "pairs" / "1_and_4.png").is_file()
    main(["edit", "motion.npz", "walks.mp4", "--rename", "2=8", "--accept", ".9", "--save-list", "list.toml"])
    assert Motion.load("edited.npz").ids.tolist() == [1, 3, 8]
    assert [str(edit) for edit in read_list("list.toml")] == ["rename 2=8", "merge 1,4"]
    capsys.readouterr()
    main(["edit", "motion.npz", "--accept", ".9", "-o", "none.npz"])
    assert "nothing is as likely as 0.9" in capsys.readouterr().out
    assert not (tmp_path / "none.npz").exists()


def test_another_video_is_refused(tmp_path):
    small = motion_of(HIDDEN, SECONDS)
    video = film(tmp_path / "walks.mp4", HIDDEN, SECONDS)
    other = Motion(type(small.header)(small.fps, 640, 480), small.frames, small.rows)
    with pytest.raises(ChorosError, match="but the motion was tracked in a video of 640x480 px"):
        suggest(other, video)
