"""HOTA (Luiten et al., IJCV 2021): detection and association in one score, over 19 thresholds.

One matching a frame serves all thresholds; what follows is sums over the sparse table of pairs, for all
thresholds at once. Figures equal TrackEval 1.3.0, also where similarities tie.
"""

import numpy as np

from choros.evaluation.metrics.tracking import Bools, Floats, PairTable, TrackingFrames

#: Similarity thresholds alpha, 0.05 to 0.95.
ALPHAS = np.arange(0.05, 0.99, 0.05)

_EPS = np.finfo(float).eps


def hota(frames: TrackingFrames) -> dict[str, float]:
    """HOTA and its parts, each the mean over `ALPHAS`, fractions in 0 .. 1.

    DetA, DetRe, DetPr: how many people are found. AssA, AssRe, AssPr: how long they keep their id.
    LocA: how alike the matches are. Without truth or without prediction all are 0, and LocA is 1.
    """
    return {name: float(curve.mean()) for name, curve in hota_curves(frames).items()}


def hota_curves(frames: TrackingFrames) -> dict[str, Floats]:
    """The same scores at each threshold, (19,) each."""
    table = frames.pairs
    gt_length = np.bincount(table.gt_id, minlength=table.gt_ids)
    pred_length = np.bincount(table.pred_id, minlength=table.pred_ids)
    matches = table.where(_matching(frames, table))

    # A match counts for the first `level` thresholds; counting pairs of ids by level and summing from
    # the strictest down gives the matches of every pair of ids at every threshold.
    level = (matches.similarity[:, None] >= ALPHAS - _EPS).sum(axis=1)
    identities, index = np.unique(matches.identity, return_inverse=True)
    shape = len(identities), len(ALPHAS) + 1
    by_level = np.bincount(index * shape[1] + level, minlength=shape[0] * shape[1]).reshape(shape)
    together = by_level[:, :0:-1].cumsum(axis=1)[:, ::-1]  # (pairs of ids, 19)
    likeness = np.bincount(level, weights=matches.similarity, minlength=shape[1])[:0:-1].cumsum()[::-1]

    hits = together.sum(axis=0)
    true, predicted = len(table.gt_id), len(table.pred_id)
    in_truth = gt_length[identities // max(1, table.pred_ids)][:, None]
    in_prediction = pred_length[identities % max(1, table.pred_ids)][:, None]

    def association(length: np.ndarray) -> Floats:
        return (together * (together / np.maximum(1, length))).sum(axis=0) / np.maximum(1, hits)

    det_a = hits / np.maximum(1, true + predicted - hits)
    ass_a = association(in_truth + in_prediction - together)
    return {
        "HOTA": np.sqrt(det_a * ass_a),
        "DetA": det_a,
        "AssA": ass_a,
        "DetRe": hits / max(1, true),
        "DetPr": hits / max(1, predicted),
        "AssRe": association(in_truth),
        "AssPr": association(in_prediction),
        "LocA": np.maximum(1e-10, likeness) / np.maximum(1e-10, hits),
    }


def _matching(frames: TrackingFrames, table: PairTable) -> Bools:
    """Which pairs (K,) belong together: alike in this frame and over the whole video.

    The sums run in TrackEval's order, so that two matchings that tie there to the last bit tie here.
    """
    gt_sum = np.concatenate([np.zeros(0), *(np.add.reduce(m, axis=1) for m in frames.similarity)])
    pred_sum = np.concatenate([np.zeros(0), *(np.add.reduce(m, axis=0) for m in frames.similarity)])
    either = pred_sum[table.pred] + gt_sum[table.gt] - table.similarity
    share = np.divide(table.similarity, either, out=np.zeros_like(either), where=either > _EPS)

    identities, index = np.unique(table.identity, return_inverse=True)
    overlap = np.bincount(index, weights=share, minlength=len(identities))
    gt_length = np.bincount(table.gt_id)[identities // max(1, table.pred_ids)]
    pred_length = np.bincount(table.pred_id)[identities % max(1, table.pred_ids)]
    return table.match_all((overlap / (gt_length + pred_length - overlap))[index] * table.similarity)
