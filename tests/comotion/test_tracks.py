"""Records of tracks: what goes into the network and out of it, and who is one person twice."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from choros.comotion.duplicates import lesser_of, on_one_person
from choros.comotion.person_states import PersonStates
from choros.comotion.tracks import fields, people_of, remember, turn_with_camera
from choros.tracking.online import track_type

CPU = torch.device("cpu")


def test_people_come_back_as_they_were():
    g = torch.Generator().manual_seed(0)
    shapes = ((24, 3, 3), (10,), (3,), (6,))
    people = PersonStates(
        *(torch.randn(1, 3, *s, generator=g) for s in shapes), torch.ones(1, 3, dtype=torch.bool)
    )
    tracks = np.zeros(3, track_type(fields(6)))
    remember(tracks, people)
    assert all(torch.equal(a, b) for a, b in zip(people_of(tracks, CPU), people, strict=True))
    tracks["betas"] = 0  # memory is not shared
    assert not torch.equal(people_of(tracks, CPU).betas, people.betas)


def test_a_network_without_hidden_state_and_a_frame_without_people():
    people = people_of(np.zeros(0, track_type(fields(0))), CPU)
    assert [tuple(part.shape) for part in people] == [
        (1, 0, 24, 3, 3),
        (1, 0, 10),
        (1, 0, 3),
        (1, 0, 0),
        (1, 0),
    ]


def stick(x_px: float, height_px: float) -> np.ndarray:
    """Keypoints (17, 3) on a line."""
    return np.stack([np.full(17, x_px), np.linspace(0, height_px, 17), np.ones(17)], -1)


def test_one_person_looks_alike_in_one_place():
    keypoints = np.stack([stick(100, 300), stick(102, 301), stick(101, 299), stick(180, 300)])
    boxes = np.stack([[x - 40, 0, x + 40, h] for x, h in ((100, 300), (102, 301), (101, 299), (180, 300))])
    pelvis = np.array([[0, 0, 5.0], [0.02, 0, 5.1], [0, 0, 6.0], [0.4, 0, 5.0]])
    same = on_one_person(keypoints, boxes, pelvis, min_oks=0.6, near_m=0.25, near_share=0.05)
    assert np.argwhere(same).tolist() == [[0, 1], [1, 0]]  # the third is behind, the fourth beside them


def tracks_of(*people: tuple[int, float]) -> np.ndarray:
    tracks = np.zeros(len(people), track_type(fields(0)))
    tracks["id"], tracks["agreement"] = zip(*people, strict=True)
    return tracks


def test_the_better_track_stays():
    both = ~np.eye(2, dtype=bool)
    for tracks, lesser in (
        (tracks_of((1, 0.6), (2, 0.6)), [False, True]),  # the older, if all else is equal
        (tracks_of((1, 0.1), (2, 0.7)), [True, False]),  # the one that boxes agree with
        (tracks_of((1, 0.1), (0, 0.9)), [False, True]),  # the confirmed one
        (tracks_of((0, 0.3), (0, 0.9)), [True, False]),
    ):
        assert lesser_of(tracks, both).tolist() == lesser
        assert not lesser_of(tracks, np.zeros((2, 2), bool)).any()


def test_of_any_number_on_one_person_exactly_one_stays():
    rng = np.random.default_rng(0)
    for n in range(1, 8):
        tracks = tracks_of(*zip(rng.integers(0, 2, n), rng.uniform(0, 1, n), strict=True))
        assert (~lesser_of(tracks, ~np.eye(n, dtype=bool))).sum() == 1


def test_a_turn_takes_places_and_facings_along_and_nothing_else():
    rng = np.random.default_rng(0)
    tracks = np.zeros(2, track_type(fields(3)))
    tracks["rotations"] = Rotation.random(48, random_state=1).as_matrix().reshape(2, 24, 3, 3)
    tracks["pelvis_cam"], tracks["hidden"] = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    turn = Rotation.from_rotvec([0.1, -0.3, 0.05]).as_matrix()
    after = tracks.copy()
    turn_with_camera(after, turn)
    np.testing.assert_allclose(after["pelvis_cam"][0], turn @ tracks["pelvis_cam"][0], atol=1e-6)
    np.testing.assert_allclose(after["rotations"][1, 0], turn @ tracks["rotations"][1, 0], atol=1e-6)
    np.testing.assert_array_equal(after["rotations"][:, 1:], tracks["rotations"][:, 1:])
    np.testing.assert_array_equal(after["hidden"], tracks["hidden"])
