"""Tracking scores against tables worked by hand and against TrackEval itself."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choros.errors import ChorosError
from choros.evaluation.metrics.hota import hota, hota_curves
from choros.evaluation.metrics.tracking import (
    TrackingFrames,
    accumulate,
    clear,
    concatenate,
    frames_from_boxes,
    frames_from_keypoints,
    identity,
)

# Name here -> (TrackEval's metric, its field).
CLEAR_FIELDS = {
    "MOTA": "MOTA", "MOTP": "MOTP", "recall": "CLR_Re", "precision": "CLR_Pr", "id_switches": "IDSW",
    "fragmentations": "Frag", "mostly_tracked": "MT", "partly_tracked": "PT", "mostly_lost": "ML",
    "true_positives": "CLR_TP", "false_positives": "CLR_FP", "false_negatives": "CLR_FN",
}  # fmt: skip
IDENTITY_FIELDS = ("IDF1", "IDP", "IDR", "IDTP", "IDFP", "IDFN")
HOTA_FIELDS = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA")


def random_frames(rng: np.random.Generator) -> TrackingFrames:
    """People who come, go and swap ids; similarities from continuous to a few tied levels."""
    people, ids = rng.integers(0, 13, size=2)
    presence = rng.uniform(size=2) ** 0.5 * (rng.uniform(size=2) > 0.05)
    levels = rng.choice([0, 1, 2, 4, 20])
    density = rng.uniform()
    usual = rng.permutation(max(people, ids))
    gt_ids, pred_ids, similarity = [], [], []
    for _ in range(rng.integers(0, 25)):
        if rng.uniform() < 0.1:
            rng.shuffle(usual)
        silent = rng.uniform(size=2) < 0.1
        gt = rng.permutation(np.flatnonzero(rng.uniform(size=people) < presence[0])) * (not silent[0])
        pred = rng.permutation(np.flatnonzero(rng.uniform(size=ids) < presence[1])) * (not silent[1])
        gt, pred = gt[: 0 if silent[0] else None], pred[: 0 if silent[1] else None]
        matrix = rng.uniform(size=(len(gt), len(pred))) * (rng.uniform(size=(len(gt), len(pred))) < density)
        matrix = np.maximum(matrix, (usual[gt, None] == pred) * rng.uniform(0.3, 1, size=matrix.shape))
        gt_ids.append(gt)
        pred_ids.append(pred)
        similarity.append(np.round(matrix * levels) / levels if levels else matrix)
    return TrackingFrames(gt_ids, pred_ids, similarity)


def trackeval_data(frames: TrackingFrames) -> dict:
    """What TrackEval's data sets hand to its metrics: ids renumbered without holes."""

    def renumber(ids):
        names = np.unique(np.concatenate([np.zeros(0, int), *ids]))
        return [np.searchsorted(names, i) for i in ids], len(names)

    gt_ids, gt_names = renumber(frames.gt_ids)
    pred_ids, pred_names = renumber(frames.pred_ids)
    return {
        "num_timesteps": len(gt_ids),
        "num_gt_ids": gt_names,
        "num_tracker_ids": pred_names,
        "num_gt_dets": sum(map(len, gt_ids)),
        "num_tracker_dets": sum(map(len, pred_ids)),
        "gt_ids": gt_ids,
        "tracker_ids": pred_ids,
        "similarity_scores": list(frames.similarity),
    }


@pytest.fixture(scope="module")
def references() -> dict:
    metrics = pytest.importorskip("trackeval.metrics")
    quiet = {"PRINT_CONFIG": False, "THRESHOLD": 0.5}
    return {"clear": metrics.CLEAR(quiet), "identity": metrics.Identity(quiet), "hota": metrics.HOTA()}


def evaluate(metric, frames: TrackingFrames) -> dict:
    # Past TrackEval's decorator, which prints the time each call took.
    return type(metric).eval_sequence.__wrapped__(metric, trackeval_data(frames))


def assert_equal_to_trackeval(frames: TrackingFrames, reference: dict, message: str = "") -> None:
    ours = clear(frames)
    for name, field in CLEAR_FIELDS.items():
        assert ours[name] == pytest.approx(reference["clear"][field], abs=1e-9), f"{message} {name}"
    ours = identity(frames)
    for name in IDENTITY_FIELDS:
        assert ours[name] == pytest.approx(reference["identity"][name], abs=1e-9), f"{message} {name}"
    curves = hota_curves(frames)
    for name in HOTA_FIELDS:
        np.testing.assert_allclose(
            curves[name], reference["hota"][name], rtol=0, atol=1e-9, err_msg=f"{message} {name}"
        )


def test_equals_trackeval_on_random_sequences(references):
    for seed in range(600):
        frames = random_frames(np.random.default_rng(seed))
        reference = {name: evaluate(metric, frames) for name, metric in references.items()}
        assert_equal_to_trackeval(frames, reference, f"seed {seed}")


def test_concatenated_videos_equal_trackeval_combined(references):
    videos = [random_frames(np.random.default_rng(seed)) for seed in range(1000, 1030)]
    reference = {
        name: metric.combine_sequences({str(i): evaluate(metric, v) for i, v in enumerate(videos)})
        for name, metric in references.items()
    }
    assert_equal_to_trackeval(concatenate(videos), reference)


@pytest.mark.parametrize("clip", ["TUD-Campus", "TUD-Stadtmitte"])
def test_equals_trackeval_on_tud(references, clip):
    folder = Path(pytest.importorskip("motmetrics").__file__).parent / "data" / clip
    rows = []
    for name in ("gt.txt", "test.txt"):
        table = np.loadtxt(folder / name, delimiter=",")
        boxes = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
        rows += [table[:, 0], table[:, 1], boxes]
    frames = frames_from_boxes(*rows)
    assert_equal_to_trackeval(frames, {name: evaluate(metric, frames) for name, metric in references.items()})


def test_tud_campus_equals_motmetrics():
    # motmetrics' own published table for these files: MOTA 52.6 %, IDF1 55.8 %, 7 switches, 7 breaks.
    folder = Path(pytest.importorskip("motmetrics").__file__).parent / "data" / "TUD-Campus"
    gt, test = (np.loadtxt(folder / name, delimiter=",") for name in ("gt.txt", "test.txt"))
    gt, test = gt[gt[:, 6] == 1], test
    corners = [np.concatenate([t[:, 2:4], t[:, 2:4] + t[:, 4:6]], axis=1) for t in (gt, test)]
    frames = frames_from_boxes(gt[:, 0], gt[:, 1], corners[0], test[:, 0], test[:, 1], corners[1])
    scores = clear(frames) | identity(frames)
    assert scores["MOTA"] == pytest.approx(0.526, abs=5e-4)
    assert scores["IDF1"] == pytest.approx(0.558, abs=5e-4)
    assert (scores["id_switches"], scores["fragmentations"]) == (7, 7)


def test_two_people_who_swap_ids():
    """Four frames; from the third on, predicted ids 1 and 2 change places.

    CLEAR: 8 matches, 2 switches: MOTA = 1 - 2/8. Identity: each person keeps an id for 2 of 4 frames:
    IDF1 = 4/8. HOTA: DetA = 1; each pair of ids meets in 2 frames of 4 + 4 - 2: AssA = 1/3.
    """
    eye = np.eye(2)
    frames = TrackingFrames([np.array([7, 9])] * 4, [np.array([1, 2])] * 4, [eye, eye, eye[::-1], eye[::-1]])
    scores = clear(frames) | identity(frames) | hota(frames)
    assert scores["MOTA"] == 0.75
    assert scores["id_switches"] == 2
    assert scores["fragmentations"] == 0
    assert scores["IDF1"] == 0.5
    assert scores["HOTA"] == pytest.approx(np.sqrt(1 / 3))
    assert scores["LocA"] == 1


def test_lost_person_found_under_a_new_id():
    """One person, 6 frames: matched as id 1, missed twice, matched as id 2 at similarity 0.6.

    A frame in which nobody is predicted breaks no partnership (TrackEval's reading), one with a stranger
    does: so one fragmentation and one switch. MOTP = (2 * 1 + 2 * 0.6) / 4.
    """
    one, two, stranger = np.array([1]), np.array([2]), np.array([5])
    frames = TrackingFrames(
        [one] * 6,
        [one, one, stranger[:0], stranger, two, two],
        [np.ones((1, 1))] * 2 + [np.zeros((1, 0)), np.zeros((1, 1))] + [np.full((1, 1), 0.6)] * 2,
    )
    scores = clear(frames)
    assert scores["id_switches"] == 1
    assert scores["fragmentations"] == 1
    assert scores["MOTP"] == pytest.approx(0.8)
    assert scores["MOTA"] == pytest.approx(1 - (2 + 1 + 1) / 6)
    assert (scores["mostly_tracked"], scores["partly_tracked"], scores["mostly_lost"]) == (0, 1, 0)


def test_mota_has_no_floor():
    ghosts = np.arange(31)
    frames = TrackingFrames([np.array([0])], [ghosts], [np.zeros((1, 31))])
    assert clear(frames)["MOTA"] == -31


def test_partner_of_the_last_frame_is_kept_over_a_closer_stranger():
    first = np.array([[0.9, 0.0]])
    frames = TrackingFrames([np.array([0])] * 2, [np.array([0, 1])] * 2, [first, np.array([[0.6, 0.9]])])
    assert clear(frames)["id_switches"] == 0


@given(seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_names_of_ids_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    frames = random_frames(rng)
    frames = TrackingFrames(  # no ties: which of two equals wins may depend on order
        frames.gt_ids, frames.pred_ids, [m * rng.uniform(0.99, 1, m.shape) for m in frames.similarity]
    )
    gt_names, pred_names = rng.permutation(1000) - 500, rng.permutation(1000)
    renamed = TrackingFrames(
        [gt_names[i] for i in frames.gt_ids], [pred_names[i] for i in frames.pred_ids], frames.similarity
    )
    for score in (clear, identity, hota):
        assert score(renamed) == pytest.approx(score(frames), abs=1e-12)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_perfect_prediction_scores_one(seed):
    ids = random_frames(np.random.default_rng(seed)).gt_ids
    scores = {}
    frames = TrackingFrames(ids, [i + 3 for i in ids], [np.eye(len(i)) for i in ids])
    for score in (clear, identity, hota):
        scores |= score(frames)
    if any(len(i) for i in ids):
        assert {scores[name] for name in ("MOTA", "MOTP", "IDF1", "HOTA", "AssA", "DetA")} == {1.0}
    assert scores["id_switches"] == 0


def test_rows_in_any_order_and_frames_without_rows():
    frames = accumulate([5, 2, 2], [1, 1, 3], [4, 2], [8, 9], lambda gt, pred: np.ones((len(gt), len(pred))))
    assert [list(i) for i in frames.gt_ids] == [[1, 3], [], [], [1]]
    assert [list(i) for i in frames.pred_ids] == [[9], [], [8], []]
    nobody = frames_from_boxes([], [], np.zeros((0, 4)), [], [], np.zeros((0, 4)))
    assert clear(nobody)["MOTA"] == identity(nobody)["IDF1"] == hota(nobody)["HOTA"] == 0


def test_keypoints_are_compared_at_the_scale_of_the_truth():
    """Two people 300 px apart, 1 px off: OKS of each is the mean of exp(-1 / (2 area (2 sigma)^2))."""
    from choros.keypoints import COCO_SIGMAS

    truth = np.zeros((2, 17, 3))
    truth[1, :, :2], truth[..., 2] = 300, 1
    prediction = truth[::-1] + np.array([0, 1, 0])
    area = np.array([2500, 900])
    frames = frames_from_keypoints([0, 0], [1, 2], truth, area, [0, 0], [1, 2], prediction)
    expected = np.exp(-1 / (2 * area[:, None] * (2 * COCO_SIGMAS) ** 2)).mean(axis=1)
    np.testing.assert_allclose(frames.similarity[0], np.diag(expected)[:, ::-1], atol=1e-9)
    assert clear(frames)["MOTA"] == 1


def test_mistakes_of_the_caller_are_named():
    with pytest.raises(ChorosError, match="Id 4 stands twice in frame 1 of the truth"):
        _ = TrackingFrames(
            [np.array([4]), np.array([4, 4])], [np.zeros(0, int)] * 2, [np.zeros((1, 0)), np.zeros((2, 0))]
        ).pairs
    with pytest.raises(ChorosError, match="rows are the truth"):
        _ = TrackingFrames([np.array([1])], [np.array([1, 2])], [np.zeros((2, 1))]).pairs
    with pytest.raises(ChorosError, match="not a number"):
        _ = TrackingFrames([np.array([1])], [np.array([1])], [np.full((1, 1), np.nan)]).pairs
