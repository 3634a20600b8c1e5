"""Crops as they are learned from, the optimiser, and a run from the command line to keypoints."""

import numpy as np
import pytest
import torch

from choros.cli.main import main
from choros.detection import OwnKeypoints
from choros.detection.eyes.dark import peaks
from choros.keypoints import box_of_keypoints
from choros.training.keypoints.held_out import scores, turned
from choros.training.keypoints.network import begun_with
from choros.training.keypoints.optimiser import LEAST, RelativeAdam
from choros.training.keypoints.people import People, Person, split
from choros.training.keypoints.people_set import IMAGES, LABELS, Shown, write_people
from choros.training.keypoints.recipe import CropVariety, KeypointRecipe
from choros.training.keypoints.task import KeypointTask, Sources, as_input
from choros.training.keypoints.teachers import Taught
from choros.training.keypoints.variation import Lesson, lesson, target
from tests.training.keypoints.untaught import untaught

NOBODY = np.zeros((0, 256, 192, 4), np.uint8)


def dotted(seed=0):
    """A picture with a white spot at each of somebody's joints, and them."""
    points = np.ones((17, 3))
    points[:, :2] = np.random.default_rng(seed).uniform([60, 40], [140, 260], (17, 2))
    picture = np.zeros((300, 200, 3), np.uint8)
    y, x = np.mgrid[:300, :200] + 0.5
    for px, py in points[:, :2]:
        picture[(x - px) ** 2 + (y - py) ** 2 < 16] = 255
    box = np.array([50.0, 30, 150, 270])
    return picture, Person(0, box, points, np.zeros(17, bool), np.zeros((0, 17, 3)))


def test_joints_stay_on_the_person_however_the_crop_is_turned():
    picture, person = dotted()
    plain = CropVariety(coarse_rate=0, jpeg_rate=0, cover_rate=0, beside_rate=0, any_turn_rate=0.5)
    for seed in range(12):
        found = lesson(person, picture, NOBODY, np.random.default_rng(seed), plain)
        x, y = np.floor(found.points_px[found.known]).astype(int).T
        spots = found.image.max(-1)
        assert (spots[y, x] > 0.6 * spots.max()).all()
        assert not (found.known & found.absent).any()


def test_whoever_is_turned_fits_into_the_crop():
    """Somebody tall, on their side: the crop is as large as it would be about somebody who lies."""
    corners = np.array([[90, 20], [110, 20], [110, 280], [90, 280]])
    points = np.concatenate([np.tile(corners, (4, 1)), corners[:1]])
    person = Person(
        0,
        np.array([80.0, 10, 120, 290]),
        np.c_[points, np.ones(17)],
        np.zeros(17, bool),
        np.zeros((0, 17, 3)),
    )
    turned_only = CropVariety(0, 0, 0, 0, 1, 0, 0, coarse=(1.3, 4), jpeg_rate=0, cover_rate=0, beside_rate=0)
    for seed in range(20):
        found = lesson(person, dotted()[0], NOBODY, np.random.default_rng(seed), turned_only)
        assert found.known.all()
        assert 0.6 < (np.ptp(found.points_px, axis=0) / [192, 256]).max() < 0.8


def test_mirrored_people_have_left_for_right():
    picture, person = dotted()
    still = CropVariety(0, 0, 0, 0, 0, 0, 0, coarse=(1.3, 4), jpeg_rate=0, cover_rate=0, beside_rate=0)
    seen = {}
    for seed in range(8):
        found = lesson(person, picture, NOBODY, np.random.default_rng(seed), still)
        seen[round(found.points_px[5, 0], 3)] = found.points_px
    one, other = seen.values()
    assert one[5, 0] + other[6, 0] == pytest.approx(192)
    assert one[5, 1] == pytest.approx(other[6, 1])


def test_who_is_pasted_in_front_hides_joints():
    picture, person = dotted()
    wall = np.full((1, 256, 192, 4), 255, np.uint8)
    beside = CropVariety(beside_rate=1, beside=(0.3, 0.3), beside_scale=(1, 1), half_rate=0, any_turn_rate=0)
    known = [
        lesson(person, picture, wall, np.random.default_rng(seed), beside).known.sum() for seed in range(6)
    ]
    assert 0 <= min(known) < 17


def test_targets_have_their_tops_at_the_joints():
    at = np.random.default_rng(1).uniform([20, 20], [170, 230], (17, 2))
    known = np.arange(17) != 4
    maps = target(Lesson(np.zeros((256, 192, 3), np.uint8), at, known, ~known), 2.0)
    assert maps.shape == (17, 64, 48)
    assert peaks(maps)[known, :2] * 4 == pytest.approx(at[known], abs=0.1)
    assert not maps[4].any()


def test_a_step_is_a_share_of_what_it_changes():
    weights = torch.nn.Parameter(
        torch.tensor([[[[100.0]], [[-100.0]]], [[[1.0]], [[1.0]]], [[[0.0]], [[0.0]]]])
    )
    before = weights.detach().clone()
    optimiser = RelativeAdam([weights], lr=0.01)
    weights.grad = torch.full_like(weights, 1e-3)
    optimiser.step()
    moved = (before - weights.detach()).reshape(3, 2).numpy()
    usual = before.square().mean().sqrt().item()
    assert moved[0] == pytest.approx(np.ones(2), rel=1e-3)
    assert moved[1:] == pytest.approx(np.full((2, 2), 0.01 * LEAST * usual), rel=1e-3)


def test_a_picture_is_held_back_whatever_else_is_given():
    sets = {f"{n}.jpg": People([], []) for n in range(200)}
    learned, held = split(sets, 10)
    assert 8 <= len(held) <= 35
    assert len(learned) + len(held) == 200
    fewer = dict(list(sets.items())[:100])
    assert [one for one in split(fewer, 10)[1] if one in held] == split(fewer, 10)[1]


def test_who_is_held_back_is_turned_with_their_joints_and_their_box():
    picture, person = dotted()
    few = Person(
        0, person.box_px, person.keypoints_px * (np.arange(17) < 5)[:, None], person.absent, person.others_px
    )
    over = turned(People([picture], [person, few]), times=3)
    assert len(over) == len(over.pictures) == 3
    ways = []
    for one in over.people:
        x, y = np.floor(one.keypoints_px[:, :2]).astype(int).T
        spots = over.pictures[one.picture].max(-1)
        assert (spots[y, x] > 0.6 * spots.max()).all()
        low, high = box_of_keypoints(one.keypoints_px).reshape(2, 2)
        sides = (one.box_px[2:] - one.box_px[:2]) / (high - low)
        assert (abs(sides - 1.25) < 0.13).all()
        ways.append(one.keypoints_px[0, :2] - one.keypoints_px[9, :2])
    assert len(np.unique(np.round(ways), axis=0)) == 3
    perfect = scores(np.stack([one.keypoints_px for one in over.people]), over)
    assert perfect == pytest.approx({"oks": 1, "pck_05": 1, "pck_10": 1, "on_a_neighbour": 0})


@pytest.fixture(scope="module")
def begin(tmp_path_factory):
    return untaught(tmp_path_factory.mktemp("begin") / "begin.safetensors")


def test_torch_and_the_graph_see_the_same(begin):
    own, network = OwnKeypoints(begin, threads=1), begun_with(begin).eval()
    crops = np.random.default_rng(0).integers(0, 256, (2, 256, 192, 3), np.uint8)
    with torch.inference_mode():
        maps = network(as_input(crops)).sigmoid().numpy()
    (seen,) = own._graph.run(own._kind.normalisation.blob(crops)).values()
    assert seen == pytest.approx(maps, abs=1e-3)


def test_the_loss_falls_on_what_is_shown_again_and_again(begin):
    picture, person = dotted()
    sources = Sources([(1.0, People([picture], [person]))], NOBODY, People([picture], [person]))
    recipe = KeypointRecipe(batch=2, steps=8, warmup=1, lr=3e-3)
    task = KeypointTask(begun_with(begin), sources, recipe)
    batch, losses = task.batch(0, 0), []
    task.network.train()
    for step in range(6):
        task.optimiser.zero_grad()
        loss, _ = task.losses(task.predict(batch), batch, step)
        loss.backward()
        task.optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not any(p.requires_grad for p in task.network.stem.parameters())


def folder_of_people(folder, count):
    def shown():
        for seed in range(count):
            picture, person = dotted(seed)
            one = Taught(person.keypoints_px[None], person.absent[None])
            yield Shown(picture, person.box_px[None], one)

    write_people(shown(), folder)


def test_the_command_writes_weights_that_eyes_takes(begin, tmp_path, capsys):
    folder_of_people(tmp_path / "set", 30)
    output = tmp_path / "eyes.safetensors"
    truth = f"{tmp_path / 'set' / LABELS},{tmp_path / 'set' / IMAGES}"
    words = ["train", "keypoints", "--truth", truth, "--begin", str(begin), "--steps", "1", "-o", str(output)]
    main(words)
    assert "trained on" in capsys.readouterr().out
    picture, person = dotted()
    found = OwnKeypoints(output, 1).estimate(picture, person.box_px[None])
    assert np.isfinite(found).all()
    assert OwnKeypoints(output, 1).identity() != OwnKeypoints(begin, 1).identity()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["keypoints"], "nobody labelled by hand"),
        (["keypoints", "--truth", "a,b"], "--begin FILE"),
        (["keypoints", "--truth", "labels.json", "--begin", "none.safetensors"], "LABELS,IMAGES"),
        (["keypoints", "--truth", "a,b", "--share", "0"], "--share"),
        (["label-keypoints", "-o", "somewhere"], "footage to label or --made-up"),
        (["label-keypoints", "clip.mp4", "--mocap", "acts", "-o", "somewhere"], "--made-up N with it"),
    ],
)
def test_what_cannot_be_is_refused(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["train", *words])
    assert sentence in capsys.readouterr().err
