"""Who frames a picture: people where the others are, and not a stray."""

import numpy as np

from choros.motion import Motion
from choros.view.gathering import gathered
from choros.view.world_view import WorldStyle, WorldView
from tests.view.test_world_view import walk


def test_strays_of_a_path_and_people_far_from_all_others_are_left_out():
    rng = np.random.default_rng(0)
    person = np.repeat([1, 2, 3, 9], 50)
    places = (
        rng.normal(0, 1, (200, 3)) + np.array([[0, 0, 0], [4, 0, 0], [0, 0, 5], [300, 0, 900]])[person // 3]
    )
    places[7] = 80, 0, 0
    places[60] = np.nan
    keep = gathered(places, person)
    assert not keep[person == 9].any()
    assert np.flatnonzero(~keep[person != 9]).tolist() == [7, 60]


def test_a_long_walk_and_one_person_alone_stay():
    along = np.linspace(0, 200, 100)[:, None] * [1.0, 0, 0]
    assert gathered(along, np.ones(100, int)).all()
    assert gathered(np.zeros((0, 3)), np.zeros(0, int)).shape == (0,)


def test_the_world_is_framed_without_somebody_hundreds_of_metres_away():
    motion = walk(6, "world")
    far = motion.rows.copy()
    far["person"] += 50
    far["transl"] += np.float32([400, 300, 0])
    rows = np.concatenate([motion.rows, far[far["person"] == far["person"].min()]])
    more = Motion(motion.header, motion.frames, rows[np.lexsort((rows["person"], rows["frame"]))])
    people = len(motion.ids)
    if people < 2:  # one and a stray are two alike
        pair = motion.rows.copy()
        pair["person"] += 10
        pair["transl"] += np.float32([0.5, 0.5, 0])
        rows = np.concatenate([rows, pair])
        more = Motion(motion.header, motion.frames, rows[np.lexsort((rows["person"], rows["frame"]))])
    style = WorldStyle(height=120)
    for name, views in WorldView(more, style=style).viewpoints.items():
        alone = WorldView(motion, style=style).viewpoints[name]
        away = np.linalg.norm(views[0].T_world_eye[:3, 3] - alone[0].T_world_eye[:3, 3])
        assert away < 6
