"""``choros.fuse``: motions of the same people from several cameras put together into one.

The first motion gives the clock, the frames, the axes and the numbers of people; every other one is laid over it in
time and space, and everybody is fitted to what all cameras saw of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.gauss_newton import Points, place_information
from choros.body.pose_prior import shipped_pose_prior
from choros.body.skinned import model_of
from choros.errors import ChorosError
from choros.fusing.alignment import Aligned, AlignmentRules, aligned, unlikeness
from choros.fusing.poses import Expected, ManyViewsConfig, Sight, fit_to_sights
from choros.fusing.views import PersonTrack, Samples, View, view_of
from choros.motion import ROW, Motion
from choros.rotation import rotmat_geodesic_distance, rotmat_to_rotvec, special_procrustes

if TYPE_CHECKING:
    from choros.body import BodyModel

Floats = NDArray[np.float64]
PROVENANCE = "fused"  # the entry of a header that says of what


@dataclass(frozen=True)
class FuseRules:
    """Chosen on scenes filmed from two sides."""

    alignment: AlignmentRules = field(default_factory=AlignmentRules)
    poses: ManyViewsConfig = field(default_factory=ManyViewsConfig)
    turn_std_rad: float = 0.25  # of joints' turns as views agree on them
    disagreement: float = 0.5  # of the views' difference, on top
    alone_std_rad: float = 0.05  # where one view alone sees somebody, who stays as they are
    depth_std: float = 0.15  # of the place along a view's ray, as a share of the distance
    side_std: float = 0.03  # and across


class FusedView(NamedTuple):
    """How one of the motions lies in the first."""

    name: str
    lag_s: float  # a time of the first is that of this one plus this
    T_first_view: Floats  # (4, 4) from its axes to the first's
    misfit: float  # keypoints off their epipolar lines, median, in standard deviations; 0 of the first
    people: dict[int, int]  # its people by the numbers that they have in the result


class Fusion(NamedTuple):
    """One motion of several, and how they were laid over each other."""

    motion: Motion
    views: list[FusedView]


def fuse(
    motions: Sequence[Motion | str | Path],
    *,
    names: Sequence[str] = (),
    body: BodyModel | str | Path | None = None,
    rules: FuseRules | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> Fusion:
    """Motions of the same people from cameras that stand still, or whose way is known, as one.

    >>> fusion = choros.fuse(["left/motion.npz", "right/motion.npz"])
    >>> fusion.motion.save("fused.npz")

    Clips need no common clock and no calibration: lags come from how people move, the cameras' places from their
    bodies and keypoints. The result has the frames and axes of the first motion, its world's if that tells where the
    camera was, and everybody whom any view sees at those times; keypoints and boxes are those of the first view.
    Extras are left out. ``names`` are used in messages. ``body`` is the model or SMPL file that all were tracked with.
    ``progress(done, total)`` is called before each person.

    Raises ``ChorosError`` for fewer than two motions, photographs, motions of different bodies, and those that have
    no time or nobody in common.
    """
    rules = rules or FuseRules()
    read = [Motion.of(motion).settled() for motion in motions]
    names = list(names) or [motion.header.source or f"motion {n}" for n, motion in enumerate(read, 1)]
    _check(read, names)
    model = model_of(body)
    if read[0].body != model.name:
        raise ChorosError(f"{names[0]} was tracked with the body {read[0].body}; give its file as the body.")
    points = Points.of(model)
    views = [view_of(name, motion, points) for name, motion in zip(names, read, strict=True)]
    _check_people(views)
    placed: list[tuple[View, Aligned | None]] = [(views[0], None)]
    placed += [(view, aligned(views[0], view, rules.alignment)) for view in views[1:]]
    people = _identities(placed, rules.alignment)
    rows = []
    for done, (identity, sightings) in enumerate(people.items()):
        progress(done, len(people))
        rows.append(_fused_person(identity, sightings, views[0], points, rules))
    told = [_told(view, where, people, number) for number, (view, where) in enumerate(placed)]
    return Fusion(_motion(views[0], rows, told), told)


def _check(motions: list[Motion], names: Sequence[str]) -> None:
    if len(motions) < 2:
        raise ChorosError(
            "give two motions or more to fuse, of clips that show the same people at the same time."
        )
    for motion, name in zip(motions, names, strict=True):
        if motion.pictures:
            raise ChorosError(f"{name} holds photographs, which have no times to be aligned.")
        if motion.body != motions[0].body:
            raise ChorosError(
                f"{names[0]} was tracked with the body {motions[0].body} and {name} with {motion.body}; track both "
                "with one."
            )


def _check_people(views: list[View]) -> None:
    for view in views:
        if not view.tracks:
            raise ChorosError(f"nobody is in {view.name}, so there is nothing to fuse.")


class _Sighting(NamedTuple):
    """A track of one view, and how to ask it by the first view's clock in the first view's axes."""

    view: int
    track: PersonTrack
    lag_s: float
    T: Floats  # (4, 4) from the view's axes to the first's

    def at(self, times_s: Floats) -> Samples:
        samples = self.track.at(times_s - self.lag_s)
        rotations = samples.rotations.copy()
        rotations[:, 0] = self.T[:3, :3] @ rotations[:, 0]
        return samples._replace(
            rotations=rotations,
            pelvis=samples.pelvis @ self.T[:3, :3].T + self.T[:3, 3],
            T_camera_space=samples.T_camera_space @ np.linalg.inv(self.T),
        )


def _identities(
    placed: list[tuple[View, Aligned | None]], rules: AlignmentRules
) -> dict[int, list[_Sighting]]:
    """Everybody's tracks: those of the first view, each with what others show of the same person; then the rest."""
    people: dict[int, list[_Sighting]] = {}
    for number, (view, where) in enumerate(placed):
        T, lag_s = (np.eye(4), 0.0) if where is None else (where.placement.T, where.lag_s)
        sightings = [_Sighting(number, track, lag_s, T) for track in view.tracks]
        if not number:
            people = {each.track.id: [each] for each in sightings}
            continue
        likely = []
        for place, sighting in enumerate(sightings):
            for identity, known in people.items():
                worth = min(
                    (_unlike(one, sighting, rules) for one in known if one.view != number), default=np.inf
                )
                if np.isfinite(worth):
                    likely.append((worth, identity, place))
        taken: set[int] = set()
        for _, identity, place in sorted(likely):
            mine = [one for one in people[identity] if one.view == number]
            if place not in taken and not any(_together(one, sightings[place]) for one in mine):
                people[identity].append(sightings[place])
                taken.add(place)
        for place, sighting in enumerate(sightings):
            if place not in taken:
                people[max(people, default=0) + 1] = [sighting]
    return people


def _unlike(one: _Sighting, other: _Sighting, rules: AlignmentRules) -> float:
    begin, end = other.track.times_s[[0, -1]] + other.lag_s
    times_s = one.track.times_s + one.lag_s
    times_s = times_s[(times_s >= begin) & (times_s <= end)]
    most = 2 * rules.placement.moments
    if len(times_s) > most:
        times_s = times_s[np.linspace(0, len(times_s) - 1, most).round().astype(int)]
    return unlikeness(one.at(times_s), other.at(times_s), np.eye(4), rules)


def _together(one: _Sighting, other: _Sighting) -> bool:
    """Whether two tracks of one view are there at once, and so are not one person."""
    return bool(np.intersect1d(one.track.rows["frame"], other.track.rows["frame"]).size)


def _fused_person(
    identity: int, sightings: list[_Sighting], first: View, points: Points, rules: FuseRules
) -> NDArray[np.void]:
    """The rows of one person in the first view's frames."""
    motion = first.motion
    several = [sighting.at(motion.pts_s) for sighting in sightings]
    frames = np.flatnonzero(np.any([each.there for each in several], axis=0))
    seen = [Samples._make(part[frames] for part in each) for each in several]
    shape = _usual_shape(sightings)
    rest, _ = points.shaped(shape[None])
    expected = _expected(seen, rest[0, 0], rules)
    sights = [Sight(each.T_camera_space, each.plane, each.std) for each in seen]
    betas = np.tile(shape, (len(frames), 1))
    rotations, transl = fit_to_sights(points, shipped_pose_prior(), betas, expected, sights, rules.poses)
    rows = np.zeros(len(frames), ROW)
    rows["frame"], rows["person"] = frames, identity
    turns = rotmat_to_rotvec(rotations)
    rows["global_orient"], rows["body_pose"] = turns[:, 0], turns[:, 1:].reshape(len(frames), 69)
    rows["betas"], rows["kid"], rows["transl"] = shape[:10], shape[10], transl
    _say_what_was_seen(rows, sightings, seen, points, first, rotations)
    return rows


def _usual_shape(sightings: list[_Sighting]) -> Floats:  # (11,) betas and kid
    """Between the views' own, by how long and how surely each saw the person."""
    shapes, weights = [], []
    for sighting in sightings:
        rows = sighting.track.rows
        shapes.append(
            np.median(np.concatenate([rows["betas"], rows["kid"][:, None]], -1).astype(np.float64), axis=0)
        )
        weights.append(float((rows["confidence"] * rows["visible"]).sum()) + 1e-6)
    return np.average(shapes, axis=0, weights=weights)


def _expected(seen: list[Samples], pelvis_rest: Floats, rules: FuseRules) -> Expected:
    """What views say of poses and places together: turns averaged on SO(3), places by how well each knows them."""
    weights = np.stack([each.weight for each in seen])  # (V, n)
    turns = np.stack([each.rotations for each in seen])  # (V, n, 24, 3, 3)
    shares = np.repeat(weights[..., None], 24, axis=-1)  # (V, n, 24)
    rotations = special_procrustes((shares[..., None, None] * turns).sum(0))
    for _ in range(5 if len(seen) > 2 else 0):  # of more than two, the odd one out counts less
        away = rotmat_geodesic_distance(np.broadcast_to(rotations, turns.shape), turns)
        robust = shares / np.maximum(away, 0.1)
        rotations = special_procrustes((robust[..., None, None] * turns).sum(0))
    away = rotmat_geodesic_distance(np.broadcast_to(rotations, turns.shape), turns)
    apart = (shares * away).sum(0) / np.maximum(shares.sum(0), 1e-9)
    alone = (weights > 0).sum(0) < 2
    std = np.where(alone[:, None], rules.alone_std_rad, rules.turn_std_rad + rules.disagreement * apart)
    information, pull = np.zeros((turns.shape[1], 3, 3)), np.zeros((turns.shape[1], 3))
    for each in seen:
        eyes = np.linalg.inv(each.T_camera_space)[:, :3, 3]
        ray = each.pelvis - eyes
        far = np.maximum(np.linalg.norm(ray, axis=1), 0.1)
        known = place_information(ray + 1e-9, rules.depth_std * far, rules.side_std * far)
        known = known * (each.weight > 0)[:, None, None]
        information += known
        pull += (known @ each.pelvis[..., None])[..., 0]
    pelvis = np.linalg.solve(information, pull[..., None])[..., 0]
    return Expected(rotations, std, pelvis - pelvis_rest, information)


def _say_what_was_seen(
    rows: NDArray[np.void], sightings: list[_Sighting], seen: list[Samples], points: Points, first: View,
    rotations: Floats,
) -> None:  # fmt: skip
    """Visible, confidence, and boxes and keypoints in the first view: its own, or those of the body."""
    visible, confidence = np.zeros(len(rows), bool), np.zeros(len(rows))
    for sighting, each in zip(sightings, seen, strict=True):
        times_s = first.motion.pts_s[rows["frame"]] - sighting.lag_s
        mine = sighting.track.rows[sighting.track.nearest(times_s)]
        visible |= each.there & mine["visible"]
        confidence = np.maximum(confidence, np.where(each.there, mine["confidence"], 0))
    rows["visible"], rows["confidence"] = visible, confidence
    shapes = np.concatenate([rows["betas"], rows["kid"][:, None]], -1).astype(np.float64)
    body = points.keypoints(shapes, rotations, rows["transl"].astype(np.float64))
    frame = rows["frame"]
    if first.in_world:
        T = np.linalg.inv(first.motion.T_world_camera[frame])
        body = body @ T[:, :3, :3].swapaxes(-1, -2) + T[:, None, :3, 3]
    on_plane = body / np.maximum(body[..., 2:], 0.1)
    image_px = (on_plane @ first.motion.K[frame].swapaxes(-1, -2))[..., :2]
    rows["keypoints_px"][..., :2] = image_px
    rows["box_px"] = np.concatenate([image_px.min(1), image_px.max(1)], -1)
    for sighting in sightings:
        if sighting.view == 0:
            own = sighting.track.rows
            _, here, there = np.intersect1d(frame, own["frame"], return_indices=True)
            for name in ("keypoints_px", "box_px"):
                rows[name][here] = own[name][there]


def _told(view: View, where: Aligned | None, people: dict[int, list[_Sighting]], number: int) -> FusedView:
    mine = {
        sighting.track.id: identity
        for identity, sightings in people.items()
        for sighting in sightings
        if sighting.view == number
    }
    if where is None:
        return FusedView(view.name, 0.0, np.eye(4), 0.0, mine)
    return FusedView(view.name, where.lag_s, where.placement.T, where.placement.misfit, mine)


def _motion(first: View, parts: list[NDArray[np.void]], views: list[FusedView]) -> Motion:
    rows = np.concatenate(parts) if parts else np.zeros(0, ROW)
    rows = rows[np.lexsort((rows["person"], rows["frame"]))]
    said = [
        {
            "source": view.name, "lag_s": round(view.lag_s, 6), "T_first_view": view.T_first_view.tolist(),
            "people": {str(theirs): ours for theirs, ours in view.people.items()},
        }
        for view in views
    ]  # fmt: skip
    header = first.motion.header
    header = replace(
        header,
        space="world" if first.in_world else "camera",
        provenance=header.provenance | {PROVENANCE: said},
    )
    return Motion(header, first.motion.frames, rows)
