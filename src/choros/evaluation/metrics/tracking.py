"""Identity over time: CLEAR MOT (Bernardin & Stiefelhagen 2008) and IDF1 (Ristani et al. 2016).

Truth and prediction meet in `TrackingFrames`, one similarity matrix a frame (IoU of boxes or OKS of
keypoints); every score here and in ``hota.py`` reads that record and nothing else. Figures equal those
of TrackEval 1.3.0, the field's reference, down to how ties are matched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from choros.errors import ChorosError
from choros.keypoints import box_iou, oks

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_EPS = np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class PairTable:
    """All (truth, prediction) pairs of a sequence whose similarity is not zero, sorted by frame.

    Ids are renumbered 0, 1, 2, ... over the sequence; a detection is one person in one frame.
    """

    frame: Ints  # (K,) frame of each pair
    row: Ints  # (K,) place of the truth within its frame
    column: Ints  # (K,) place of the prediction within its frame
    similarity: Floats  # (K,)
    gt: Ints  # (K,) detection number of the truth, 0 .. sum(gt_count) - 1
    pred: Ints  # (K,) detection number of the prediction
    first: Ints  # (F + 1,) pairs of frame f are first[f] : first[f + 1]
    gt_count: Ints  # (F,) people in each frame
    pred_count: Ints  # (F,)
    gt_id: Ints  # (sum(gt_count),) renumbered id of each detection
    pred_id: Ints  # (sum(pred_count),)

    @property
    def gt_ids(self) -> int:
        """How many different people the truth holds."""
        return int(self.gt_id.max(initial=-1)) + 1

    @property
    def pred_ids(self) -> int:
        """How many different ids the prediction holds."""
        return int(self.pred_id.max(initial=-1)) + 1

    @cached_property
    def identity(self) -> Ints:
        """(K,) one number for each (truth id, predicted id)."""
        return self.gt_id[self.gt] * self.pred_ids + self.pred_id[self.pred]

    def where(self, keep: Bools) -> "PairTable":
        """The same sequence with only the pairs marked in keep (K,)."""
        return replace(
            self,
            frame=self.frame[keep],
            row=self.row[keep],
            column=self.column[keep],
            similarity=self.similarity[keep],
            gt=self.gt[keep],
            pred=self.pred[keep],
            first=np.concatenate([[0], np.cumsum(keep)])[self.first],
        )

    def contested_frames(self) -> Ints:
        """Frames in which someone has more than one candidate; in all others every pair is a match."""
        rivals = np.bincount(self.gt)[self.gt] + np.bincount(self.pred)[self.pred] > 2
        return np.unique(self.frame[rivals])

    def match_all(self, score: Floats) -> Bools:
        """`match` of every frame, (K,) scores -> (K,).

        Where all true people have a clear favourite and no two the same, that is the one best matching
        and needs no solver; favourites closer than rounding could reach are left to it.
        """
        margin = 1e-9
        starts = np.flatnonzero(np.diff(self.gt, prepend=-1))
        pairs_of_person = np.diff(starts, append=len(score))
        best = np.repeat(np.maximum.reduceat(score, starts), pairs_of_person) if len(starts) else score
        matched = (score == best) & (score > margin)
        rivals = np.bincount(self.gt[score > best - margin])[self.gt]
        claims = np.bincount(self.pred[matched], minlength=self.pred.max(initial=-1) + 1)[self.pred]
        unsettled = (rivals > 1) | (claims > 1) | (best <= margin)
        for frame in np.unique(self.frame[unsettled]):
            pairs = slice(self.first[frame], self.first[frame + 1])
            matched[pairs] = self.match(int(frame), score[pairs])
        return matched

    def match(self, frame: int, score: Floats) -> Bools:
        """The one-to-one matching of a frame that maximises the sum of score, one number per pair.

        The full matrix goes to the solver, zeros included, so that ties fall as in TrackEval.
        """
        pairs = slice(self.first[frame], self.first[frame + 1])
        row, column = self.row[pairs], self.column[pairs]
        matrix = np.zeros((self.gt_count[frame], self.pred_count[frame]))
        matrix[row, column] = -score
        partner = np.full(len(matrix), -1)
        rows, columns = linear_sum_assignment(matrix)
        partner[rows] = columns
        return partner[row] == column


@dataclass(frozen=True, eq=False)
class TrackingFrames:
    """Who was there, who was said to be there, and how alike they are, frame by frame.

    All three have one entry per frame. Ids are any integers, unique within a frame; similarity lies in
    0 .. 1 with rows for the truth and columns for the prediction. Frames may be empty on either side.

    Raises ChorosError, on first use, where lengths or shapes disagree, an id stands twice in a frame or a
    similarity is not a number.
    """

    gt_ids: Sequence[Ints]  # F x (n_gt,)
    pred_ids: Sequence[Ints]  # F x (n_pred,)
    similarity: Sequence[Floats]  # F x (n_gt, n_pred)

    @cached_property
    def pairs(self) -> PairTable:
        """The sequence as one sparse table, built on first use."""
        if not len(self.gt_ids) == len(self.pred_ids) == len(self.similarity):
            raise ChorosError(
                "Tracking metrics need ids of truth, ids of prediction and similarity per frame."
            )
        for f, matrix in enumerate(self.similarity):
            if matrix.shape != (len(self.gt_ids[f]), len(self.pred_ids[f])):
                raise ChorosError(
                    f"Frame {f} has {len(self.gt_ids[f])} true and {len(self.pred_ids[f])} predicted people "
                    f"but a similarity of shape {matrix.shape}; rows are the truth, columns the prediction."
                )
        gt_count, gt_id = _renumber(self.gt_ids, "truth")
        pred_count, pred_id = _renumber(self.pred_ids, "prediction")
        dense = np.concatenate([np.zeros(0), *(np.ravel(matrix) for matrix in self.similarity)])
        if not (dense >= 0).all():
            raise ChorosError("Similarities must lie in 0 .. 1; one is negative or not a number.")
        kept = np.flatnonzero(dense)
        end = np.cumsum(gt_count * pred_count)
        frame = np.searchsorted(end, kept, side="right")
        start = end - gt_count * pred_count
        row, column = np.divmod(kept - start[frame], pred_count[frame])
        return PairTable(
            frame=frame,
            row=row,
            column=column,
            similarity=dense[kept],
            gt=(np.cumsum(gt_count) - gt_count)[frame] + row,
            pred=(np.cumsum(pred_count) - pred_count)[frame] + column,
            first=np.searchsorted(frame, np.arange(len(gt_count) + 1)),
            gt_count=gt_count,
            pred_count=pred_count,
            gt_id=gt_id,
            pred_id=pred_id,
        )


def _renumber(ids: Sequence[Ints], side: str) -> tuple[Ints, Ints]:
    """People per frame (F,) and, over all detections, ids as 0, 1, 2, ..."""
    count = np.fromiter((len(i) for i in ids), np.int64, len(ids))
    names, number = np.unique(np.concatenate([np.zeros(0, np.int64), *ids]), return_inverse=True)
    frame = np.repeat(np.arange(len(ids)), count)
    seen, times = np.unique(frame * len(names) + number, return_counts=True)
    if (times > 1).any():
        f, which = divmod(int(seen[times > 1][0]), len(names))
        raise ChorosError(f"Id {names[which]} stands twice in frame {f} of the {side}; ids must be unique.")
    return count, number


def accumulate(
    gt_frame: ArrayLike,
    gt_id: ArrayLike,
    pred_frame: ArrayLike,
    pred_id: ArrayLike,
    similarity: Callable[[Ints, Ints], Floats],
) -> TrackingFrames:
    """Bring flat rows (one row per person and frame, in any order) together frame by frame.

    gt_frame, gt_id (N,), pred_frame, pred_id (M,): integers, frames from any start.
    similarity: given the n row numbers of the truth and the m of the prediction in one frame, their
        (n, m) similarity. The frames run from the first to the last that has a row.
    """
    gt_frame, gt_id, pred_frame, pred_id = (
        np.asarray(rows, dtype=np.int64) for rows in (gt_frame, gt_id, pred_frame, pred_id)
    )
    frames = np.union1d(gt_frame, pred_frame)
    frames = np.arange(frames[0], frames[-1] + 1) if len(frames) else frames
    gt_order, pred_order = np.argsort(gt_frame, kind="stable"), np.argsort(pred_frame, kind="stable")
    gt_rows = np.split(gt_order, np.searchsorted(gt_frame[gt_order], frames[1:])) if len(frames) else []
    pred_rows = (
        np.split(pred_order, np.searchsorted(pred_frame[pred_order], frames[1:])) if len(frames) else []
    )
    return TrackingFrames(
        [gt_id[rows] for rows in gt_rows],
        [pred_id[rows] for rows in pred_rows],
        [
            similarity(gt, pred) if len(gt) and len(pred) else np.zeros((len(gt), len(pred)))
            for gt, pred in zip(gt_rows, pred_rows, strict=True)
        ],
    )


def frames_from_boxes(
    gt_frame: ArrayLike,
    gt_id: ArrayLike,
    gt_box_px: ArrayLike,
    pred_frame: ArrayLike,
    pred_id: ArrayLike,
    pred_box_px: ArrayLike,
) -> TrackingFrames:
    """Flat rows with boxes (N, 4) and (M, 4), xyxy in px, compared by intersection over union."""
    gt_box = np.asarray(gt_box_px, dtype=float).reshape(-1, 4)
    pred_box = np.asarray(pred_box_px, dtype=float).reshape(-1, 4)
    return accumulate(
        gt_frame, gt_id, pred_frame, pred_id, lambda gt, pred: box_iou(gt_box[gt], pred_box[pred])
    )


def frames_from_keypoints(
    gt_frame: ArrayLike,
    gt_id: ArrayLike,
    gt_keypoints_px: ArrayLike,
    gt_area_px2: ArrayLike,
    pred_frame: ArrayLike,
    pred_id: ArrayLike,
    pred_keypoints_px: ArrayLike,
) -> TrackingFrames:
    """Flat rows with COCO-17 keypoints (N, 17, 3) and (M, 17, 3), compared by OKS at the truth's scale.

    gt_area_px2 (N,): area of each true person, px². A keypoint of confidence 0 is one that is not there.
    """
    gt, pred = np.asarray(gt_keypoints_px, dtype=float), np.asarray(pred_keypoints_px, dtype=float)
    area = np.asarray(gt_area_px2, dtype=float)
    return accumulate(
        gt_frame,
        gt_id,
        pred_frame,
        pred_id,
        lambda a, b: oks(gt[a], pred[b], area[a], min_confidence=0.0),
    )


def concatenate(sequences: Sequence[TrackingFrames]) -> TrackingFrames:
    """Several videos as one whose people are all different; scores of it are a data set's scores.

    Every count adds up and HOTA's association is weighted by its matches, which is TrackEval's
    COMBINED row; the mean of the videos' scores is something else.
    """
    gt_ids: list[Ints] = []
    pred_ids: list[Ints] = []
    gt_shift = pred_shift = 0
    for frames in sequences:
        for ids, all_ids, shift in (
            (frames.gt_ids, gt_ids, gt_shift),
            (frames.pred_ids, pred_ids, pred_shift),
        ):
            _, number = _renumber(ids, "sequence")
            lengths = np.cumsum([len(i) for i in ids])[:-1]
            all_ids.extend(np.split(number + shift, lengths) if len(ids) else [])
        gt_shift += frames.pairs.gt_ids
        pred_shift += frames.pairs.pred_ids
    return TrackingFrames(gt_ids, pred_ids, [m for frames in sequences for m in frames.similarity])


def clear_matches(frames: TrackingFrames, threshold: float = 0.5) -> PairTable:
    """The pairs that CLEAR matches: at least threshold alike, last frame's partner first, then most alike.

    A frame without truth or without prediction is passed over: it breaks no partnership (as TrackEval).
    """
    table = frames.pairs
    table = table.where((table.similarity >= threshold - _EPS) & (table.similarity > _EPS))
    matched = np.ones(len(table.frame), dtype=bool)
    contested = table.contested_frames()
    # Pairs since .. until are those of the last frame before with people on both sides; none before the first.
    active = np.flatnonzero((table.gt_count > 0) & (table.pred_count > 0))
    place = np.searchsorted(active, contested)
    since = np.append(0, table.first[active])[place]
    until = np.append(0, table.first[active + 1])[place]
    for frame, start, stop in zip(contested.tolist(), since.tolist(), until.tolist(), strict=True):
        pairs = slice(table.first[frame], table.first[frame + 1])
        partners = table.identity[start:stop][matched[start:stop]]
        kept = (table.identity[pairs, None] == partners).any(axis=1)
        matched[pairs] = table.match(frame, 1000 * kept + table.similarity[pairs])
    return table.where(matched)


def clear(frames: TrackingFrames, threshold: float = 0.5) -> dict[str, float]:
    """CLEAR MOT: MOTA, MOTP and their counts, fractions in 0 .. 1 (100 times that in most tables).

    MOTA = 1 - (misses + false alarms + id switches) / true detections. It has no lower bound: -15 was
    seen where annotations are missing (CoMotion A.1), and it is never clamped. Without any truth it is 0.
    MOTP: mean similarity of the matches, 0 without a match.
    id_switches: a person gets another id than at their last match, however long ago.
    fragmentations: a person is matched again after frames without a match, their own absence included.
    mostly_tracked / partly_tracked / mostly_lost: people matched in > 80 %, 20 to 80 %, < 20 % of
    their frames.
    """
    table, matches = frames.pairs, clear_matches(frames, threshold)
    true, predicted, hits = len(table.gt_id), len(table.pred_id), len(matches.frame)

    person, given = matches.gt_id[matches.gt], matches.pred_id[matches.pred]
    time = np.cumsum((table.gt_count > 0) & (table.pred_count > 0))[matches.frame]
    order = np.lexsort((time, person))
    again = np.diff(person[order]) == 0
    switches = int((again & (np.diff(given[order]) != 0)).sum())
    gaps = int((again & (np.diff(time[order]) > 1)).sum())

    seen = np.bincount(person, minlength=table.gt_ids) / np.bincount(table.gt_id, minlength=table.gt_ids)
    mostly, partly = int((seen > 0.8).sum()), int(((seen >= 0.2) & (seen <= 0.8)).sum())
    return {
        "MOTA": (hits - (predicted - hits) - switches) / true if true else 0.0,
        "MOTP": float(matches.similarity.sum()) / max(1, hits),
        "recall": hits / max(1, true),
        "precision": hits / max(1, predicted),
        "id_switches": switches,
        "fragmentations": gaps,
        "mostly_tracked": mostly,
        "partly_tracked": partly,
        "mostly_lost": table.gt_ids - mostly - partly,
        "true_positives": hits,
        "false_positives": predicted - hits,
        "false_negatives": true - hits,
    }


def identity(frames: TrackingFrames, threshold: float = 0.5) -> dict[str, float]:
    """IDF1, IDP and IDR (Ristani et al. 2016), fractions in 0 .. 1: one id per person for the whole video.

    Each person is given at most one predicted id, so that the frames in which the two are at least
    threshold alike (IDTP) are as many as can be; all other detections are wrong. 0 without a detection on one
    side.
    """
    table = frames.pairs
    together = np.bincount(
        table.identity[table.similarity >= threshold], minlength=table.gt_ids * table.pred_ids
    ).reshape(table.gt_ids, table.pred_ids)
    hits = int(together[linear_sum_assignment(together, maximize=True)].sum())
    true, predicted = len(table.gt_id), len(table.pred_id)
    return {
        "IDF1": 2 * hits / max(1, true + predicted),
        "IDP": hits / max(1, predicted),
        "IDR": hits / max(1, true),
        "IDTP": hits,
        "IDFP": predicted - hits,
        "IDFN": true - hits,
    }
