"""Amodal completion: people while nobody saw them, said anew once it is known how they came back (section 4, S.4).

Offline. Every gap of a person is a question to the pose transformer, between the sights on its two sides; whoever was
seen in a frame stays as they were seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.posed import Skeleton
from choros.camera import project_in_front
from choros.errors import ChorosError
from choros.fourdhumans.phalp.predict import Completer
from choros.fourdhumans.phalp.tracks import NEAR_M
from choros.fourdhumans.pose_tracks import PoseTrack
from choros.fourdhumans.pose_transformer import PoseTransformer
from choros.motion import Motion
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat

Floats = NDArray[np.float64]
Rows = NDArray[np.void]

SIGHTS_BESIDE = 48  # that a gap is completed from, on either side; more would find no room in a window


def refine(
    motion: Motion | str | Path, body: BodyModel | str | Path | None = None, network: Completer | None = None
) -> Motion:
    """The same motion with its ghosts completed: rows that are not visible, between two sights of a person in a shot.

    Their pose, shape, place and box are said anew, all others stay as they are to the last bit. ``body`` is the model
    or SMPL file that the motion was tracked with; ``network`` None is the pose transformer that ships. A camera that
    turns within a gap is taken to go on as it did. Raises ``ChorosError`` for a motion that cannot be read.
    """
    motion = Motion.of(motion)
    if motion.pictures:
        raise ChorosError(
            f"{motion.header.source or 'this motion'} holds photographs with nothing in common, so nobody is missing."
        )
    network, skeleton, rows = network or PoseTransformer.load(), Skeleton.of(body), motion.rows.copy()
    for sights, ghosts in _gaps(motion):
        rows[ghosts] = _completed(rows[sights], rows[ghosts], motion, skeleton, network)
    provenance = motion.header.provenance | {"refined": True}
    return Motion(replace(motion.header, provenance=provenance), motion.frames, rows)


def _gaps(motion: Motion) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Of every gap the rows of sights about it, and the rows in it, in order of time."""
    rows, shots = motion.rows, motion.shot[motion.row_frame]
    for one in np.unique(np.stack([rows["person"], shots], -1), axis=0):
        mine = np.flatnonzero((rows["person"] == one[0]) & (shots == one[1]))
        seen = rows["visible"][mine]
        order = np.cumsum(seen)  # how many sights there were up to each row
        places = np.flatnonzero(seen)
        for before in range(1, len(places)):
            ghosts = mine[~seen & (order == before)]
            if len(ghosts):
                beside = places[max(before - SIGHTS_BESIDE, 0) : before + SIGHTS_BESIDE]
                yield mine[beside], ghosts


def _completed(sights: Rows, ghosts: Rows, motion: Motion, skeleton: Skeleton, network: Completer) -> Rows:
    """The rows ``ghosts`` (k,) as the ``sights`` (n,) about them tell."""
    times_s = torch.from_numpy(motion.pts_s)
    at_s, asked_s = times_s[sights["frame"].astype(np.int64)], times_s[ghosts["frame"].astype(np.int64)]
    pose = np.concatenate([sights["global_orient"], sights["body_pose"]], -1).astype(np.float64)
    rotations = torch.from_numpy(rotvec_to_rotmat(pose.reshape(-1, 24, 3))).float()
    pelvis = torch.from_numpy(skeleton.rest(sights)[:, 0] + sights["transl"]).float()
    betas = torch.from_numpy(sights["betas"].astype(np.float32))
    track = PoseTrack(at_s - at_s[0], rotations, pelvis, betas)
    (said,) = network.complete([track], [asked_s - at_s[0]])
    done = ghosts.copy()
    turns = rotmat_to_rotvec(said.rotations.double().numpy()).reshape(-1, 72)
    done["global_orient"], done["body_pose"], done["betas"] = turns[:, :3], turns[:, 3:], said.betas.numpy()
    there = said.pelvis.double().numpy()
    before = skeleton.rest(ghosts)[:, 0] + ghosts["transl"]
    done["transl"] = there - skeleton.rest(done)[:, 0]
    if motion.space == "camera":
        done["box_px"] = _moved(ghosts["box_px"].astype(np.float64), before, there, motion.K[ghosts["frame"]])
    return done


def _moved(boxes_px: Floats, before: Floats, there: Floats, K: Floats) -> Floats:
    """Boxes (k, 4) xyxy px of people whose pelvis was ``before`` (k, 3) and is ``there``, metres, by K (k, 3, 3)."""
    near, far = (np.concatenate([at[:, :2], np.maximum(at[:, 2:], NEAR_M)], -1) for at in (before, there))
    old_px, new_px = (project_in_front(at, K)[0][:, None] for at in (near, far))
    larger = (near[:, 2] / far[:, 2])[:, None, None]
    return ((boxes_px.reshape(-1, 2, 2) - old_px) * larger + new_px).reshape(-1, 4)
