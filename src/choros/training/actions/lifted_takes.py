"""Takes as tracking sees them: filmed by cameras, their keypoints told with a network's mistakes, and lifted.

What a tracker says of somebody far away, cut off or seen from above is wrong in ways that no noise on true poses has;
so poses come from the lifter itself, frame after frame. Nothing is rendered. Some takes keep their poses, with such
noise, for what better systems say, or people tell by hand, is to be understood too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.fourdhumans.actions.people import R_CAMERA_Z_UP, PersonTokens, pose_shape
from choros.lifter.lift import Lifting, Past
from choros.skeleton import MIRROR_JOINTS
from choros.training.actions.by_construction import Labels
from choros.training.actions.takes import FPS, SECONDS, Somebody, Take
from choros.training.lifter.keypoint_noise import KeypointNoise, corrupt, log_uniform
from choros.training.pose_transformer import track_noise
from choros.training.pose_transformer.track_noise import FLICKER, SLOW, Strength
from choros.training.pose_transformer.track_windows import tracked

Floats = NDArray[np.float64]

_MIRROR = np.array([-1.0, 1, 1])

SHORTEST = 8  # frames of a track
AT_ONCE = 256  # people whom one pass of the lifter takes
#: Cameras: how far they are from the first person, metres; what their longer side takes in, degrees; and how far the
#: focal length that tracking assumes is from the true one.
DEPTH_M, FIELD_OF_VIEW_DEG, FOCAL_WRONG = (2.0, 15.0), (25.0, 80.0), (0.75, 1.35)
NEAREST_M = 0.8
LEAST_INSIDE = 5  # keypoints of a person that the picture must hold
TEMPO = (0.8, 1.25)
PLAIN = 0.35  # share of the takes that are not lifted
ALONE = 0.5  # share of the takes of one person that get somebody of another take beside them, within so many metres
BESIDE_M = 2.5


class Track(NamedTuple):
    """One person as tracking has them, n instants, and what they do."""

    tokens: PersonTokens
    labels: Labels


#: People whom one camera saw at the same time.
LiftedTake = tuple[Track, ...]


class _Filmed(NamedTuple):
    """One person before a camera; the plane z = 1 as tracking takes it to be."""

    keypoints: Floats  # (n, 17, 3) as reported
    plain: NDArray[np.float32] | None  # (n, 229) tokens of whoever is not lifted
    detected: NDArray[np.bool_]  # (n,)
    labels: Labels


def lifted(takes: Sequence[Take], fps: float, views: int, seed: int) -> list[LiftedTake]:
    """All takes, in pieces of some seconds and each before so many cameras, at about ``fps`` instants a second."""
    lifting = Lifting(BodyModel.load())
    films = [film for take in _pieces(takes) for film in _films(take, takes, lifting, fps, views, seed)]
    people = [person for film, _ in films for person in film]
    steps = np.repeat([step_s for _, step_s in films], [len(film) for film, _ in films])
    tracks = iter(_lift(people, steps, lifting))
    return [tuple(next(tracks) for _ in film) for film, _ in films]


def _pieces(takes: Iterable[Take]) -> Iterator[tuple[int, Take]]:
    """Numbered stretches of takes that are no longer than those of scenes."""
    number, long = 0, round(SECONDS * FPS)
    for take in takes:
        for start in range(0, len(take[0].pelvis), long):
            yield number, tuple(_during(somebody, slice(start, start + long)) for somebody in take)
            number += 1


def _during(somebody: Somebody, frames: slice | NDArray[np.int64]) -> Somebody:
    labels = Labels(somebody.labels.true[frames], somebody.labels.known[frames])
    return Somebody(somebody.rotations[frames], somebody.pelvis[frames], labels)


def _films(
    piece: tuple[int, Take], takes: Sequence[Take], lifting: Lifting, fps: float, views: int, seed: int
) -> Iterator[tuple[list[_Filmed], float]]:
    """What cameras see of a piece, each with the seconds from frame to frame."""
    number, take = piece
    for view in range(views):
        rng = np.random.default_rng([seed, number, view])
        step = FPS / fps * float(log_uniform(rng, TEMPO, 1)[0])
        frames = np.rint(np.arange(0, len(take[0].pelvis) - 0.5, step)).astype(np.int64)
        if len(frames) < SHORTEST:
            continue
        people = [_during(somebody, frames[frames < len(somebody.pelvis)]) for somebody in take]
        other = takes[int(rng.integers(len(takes)))][0]
        if len(people) == 1 and rng.random() < ALONE and len(other.pelvis) > frames[-1]:
            people.append(_beside(_during(other, frames), people[0], rng))
        yield _film(people, lifting, step / FPS, rng), step / FPS


def _beside(other: Somebody, somebody: Somebody, rng: np.random.Generator) -> Somebody:
    """Somebody of another take, who begins near where another does."""
    shift = somebody.pelvis[:1] - other.pelvis[:1] + rng.uniform(-BESIDE_M, BESIDE_M, 3)
    return other._replace(pelvis=(other.pelvis + shift * [1, 1, 0]).astype(np.float32))


def _film(
    people: Sequence[Somebody], lifting: Lifting, step_s: float, rng: np.random.Generator
) -> list[_Filmed]:
    """People before one camera that stands about upright, somewhere around the first of them."""
    tilt = Rotation.from_euler("xz", [rng.normal(0.1, 0.2), rng.normal(0, 0.07)]).as_matrix()
    turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)).as_matrix()
    R = tilt @ R_CAMERA_Z_UP @ turn
    half = np.tan(np.deg2rad(log_uniform(rng, FIELD_OF_VIEW_DEG, 1)[0]) / 2)
    depth = log_uniform(rng, DEPTH_M, 1)[0]
    spot = depth * np.array([rng.normal(0, 0.4 * half), rng.normal(0, 0.15 * half), 1.0])
    places = [somebody.pelvis.astype(np.float64) @ R.T for somebody in people]
    shift = spot - places[0].mean(0)
    nearest = min(float(place[:, 2].min()) for place in places) + shift[2]
    shift[2] += max(0.0, NEAREST_M - nearest)
    sides = half * np.array([1.0, rng.choice([9 / 16, 3 / 4, 1.0])])
    window = np.concatenate([-sides, sides])[None]
    plain = rng.random() < PLAIN
    mirrored, wrong = rng.random() < 0.5, log_uniform(rng, FOCAL_WRONG, 1)[0]
    films = []
    for somebody, place in zip(people, places, strict=True):
        rotations = somebody.rotations.astype(np.float64)
        rotations[:, 0] = R @ rotations[:, 0]
        place = place + shift
        if mirrored:
            rotations = rotations[:, list(MIRROR_JOINTS)] * (_MIRROR[:, None] * _MIRROR)
            place = place * _MIRROR
        betas = np.tile(np.clip(rng.normal(size=10), -2.5, 2.5), (len(place), 1))
        transl = place - lifting.points.shaped(betas[:1])[0][:, 0]
        points = lifting.points.keypoints(betas, rotations, transl)
        far = np.maximum(points[..., 2], 0.3)
        plane = points[..., :2] / far[..., None]
        told = corrupt(rng, plane[None], far[None], window, np.array([step_s]), KeypointNoise())[0]
        inside = np.all(np.abs(plane) < sides, -1) & (points[..., 2] > 0.3)
        told[..., :2] *= wrong
        tokens = _noised(rotations, transl, betas, step_s, rng) if plain else None
        films.append(_Filmed(told, tokens, inside.sum(-1) >= LEAST_INSIDE, somebody.labels))
    return films


def _noised(
    rotations: Floats, transl: Floats, betas: Floats, step_s: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Tokens (n, 229) of true poses, a little wrong."""
    strength = Strength(track_noise.log_uniform(rng, *SLOW), track_noise.log_uniform(rng, *FLICKER))
    exact = [torch.from_numpy(np.ascontiguousarray(part)).float() for part in (rotations, transl, betas)]
    wrong = tracked(exact[0], exact[1], exact[2], step_s, strength, rng)
    turned, moved, shaped = (part.numpy().astype(np.float64) for part in wrong)
    return pose_shape(turned, shaped, moved)


def _lift(people: Sequence[_Filmed], step_s: Floats, lifting: Lifting) -> list[Track]:
    """Everybody who is not plain, frame after frame, many at once."""
    tracks = {number: _track(one.plain, one) for number, one in enumerate(people) if one.plain is not None}
    order = sorted(set(range(len(people))) - set(tracks), key=lambda one: -len(people[one].keypoints))
    for first in range(0, len(order), AT_ONCE):
        some = order[first : first + AT_ONCE]
        lengths = np.array([len(people[one].keypoints) for one in some])  # falling
        said = [np.zeros((n, 229), np.float32) for n in lengths]
        past = lifting.no_past(len(some))
        for t in range(lengths[0]):
            there = int((lengths > t).sum())
            dt_s = step_s[some[:there]] * (t > 0)
            past = Past(
                dt_s, past.hidden[:there], past.rotations[:there], past.betas[:there],
                past.betas_weight[:there], past.transl[:there],
            )  # fmt: skip
            keypoints = np.stack([people[one].keypoints[t] for one in some[:there]])
            found = lifting(keypoints, np.eye(3), past)
            past = Past(dt_s, found.hidden, found.rotations, found.betas, found.betas_weight, found.transl)
            for row, tokens in zip(
                said, pose_shape(found.rotations, found.betas, found.transl), strict=False
            ):
                row[t] = tokens
        for one, tokens in zip(some, said, strict=True):
            tracks[one] = _track(tokens, people[one])
    return [tracks[number] for number in range(len(people))]


def _track(tokens: NDArray[np.float32], film: _Filmed) -> Track:
    return Track(PersonTokens(np.arange(len(tokens)), tokens, film.detected), film.labels)
