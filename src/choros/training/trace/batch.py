"""Clips as one batch for TRACE: maps to be met, and everybody in every frame as a person to be met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from choros.trace.cameras import camera_of, ray_turn
from choros.trace.config import TraceConfig
from choros.trace.keypoints import blank_answers
from choros.training.comotion.labelled_clip import LabelledClip
from choros.training.trace.clip import TraceClip
from choros.training.trace.targets import CentreKernels, centre_map, centre_volume, depth_indices

Floats = NDArray[np.floating]


class PersonTargets(NamedTuple):
    """What is true of N people in their frames. Where it is not known is 0 in ``posed``, ``placed`` and the like."""

    K: Tensor  # (N, 3, 3) of the square
    camera: Tensor  # (N, 3) scale, y, x
    ray: Tensor  # (N, 3, 3) of `ray_turn`
    rotations: Tensor  # (N, 24, 3, 3) the pelvis as the network tells it
    betas: Tensor  # (N, 10)
    about: Tensor  # (N, 41, 3) metres about the pelvis, in the axes that the pelvis is told in
    points: Tensor  # (N, 41, 2) in the square, -1 to 1
    pointed: Tensor  # (N, 41) how much each counts
    posed: Tensor  # (N,)
    placed: Tensor  # (N,)
    shaped: Tensor  # (N,)


class WorldTargets(NamedTuple):
    """Where the N people are in the world of their clips, the first camera's axes, and how they got there."""

    motion: Tensor  # (N, 3) of the camera's numbers since the last frame
    moved: Tensor  # (N,) where that is known
    root: Tensor  # (N, 3, 3) pelvis
    place: Tensor  # (N, 3) metres
    way: Tensor  # (N, 3) metres since the last frame, in the axes of the camera where it is
    turn: Tensor  # (N, 3, 3) of the camera since the last frame
    known: Tensor  # (N,) ``root`` and ``place``
    stepped: Tensor  # (N,) ``way`` and ``turn``
    pairs: Tensor  # (2, M) of the same person, both known
    track: Tensor  # (N,) whose clip and person


class TraceBatch(NamedTuple):
    """B clips of T frames; N people in frames of theirs."""

    answers: Tensor  # (B, T, 51, h, h)
    flow: Tensor  # (B, T, 2, H, W)
    centre: Tensor  # (B * T, H, W)
    centre_3d: Tensor  # (B * T, D, H, W)
    everyone: Tensor  # (B * T,) whether all who are to be seen are in the maps
    frames: Tensor  # (N,) of the B * T
    places: Tensor  # (N, 3) depth, y and x of cells
    shown: Tensor  # (N,) who is to be seen
    people: PersonTargets
    world: WorldTargets


def batch_of(clips: Sequence[TraceClip], config: TraceConfig, kernels: CentreKernels) -> TraceBatch:
    """Clips of as many frames each."""
    parts = [_ClipPeople.of(clip, config) for clip in clips]
    T = len(clips[0].answers)
    heat = [part.maps(config, kernels) for part in parts]
    side = config.image_size_px // config.input_stride
    answers = torch.stack([on_square(clip, side, config.input_stride) for clip in clips])
    frames = [torch.from_numpy(part.t) + number * T for number, part in enumerate(parts)]
    return TraceBatch(
        answers,
        torch.stack([_flow(clip, config.map_size) for clip in clips]),
        torch.from_numpy(np.concatenate([maps for maps, _ in heat])),
        torch.from_numpy(np.concatenate([volumes for _, volumes in heat])),
        torch.tensor([clip.labels.everyone for clip in clips]).float().repeat_interleave(T),
        torch.cat(frames),
        torch.from_numpy(np.concatenate([part.places for part in parts])),
        torch.from_numpy(np.concatenate([part.shown for part in parts])),
        PersonTargets(*(torch.cat(some) for some in zip(*(part.people for part in parts), strict=True))),
        _world([part.world for part in parts]),
    )


def on_square(clip: TraceClip, side: int, stride: int) -> Tensor:
    """What the trunk answers in the whole square, (T, 51, side, side); nothing beyond the picture."""
    square = blank_answers(len(clip.answers), side)
    x, y = (at // stride for at in clip.origin_px)
    height, width = clip.answers.shape[-2:]
    square[..., y : y + height, x : x + width] = torch.from_numpy(clip.answers).float()
    return square


def _flow(clip: TraceClip, side: int) -> Tensor:
    """A clip's flow, (T, 2, side, side): of maps of that size or a multiple of it."""
    flow = torch.from_numpy(clip.flow.astype(np.float32))
    return avg_pool2d(flow, flow.shape[-1] // side)


def _world(parts: Sequence[WorldTargets]) -> WorldTargets:
    """Those of several clips; nobody is in two."""
    sizes = np.cumsum([0, *(len(part.track) for part in parts)])[:-1]
    first = np.cumsum([0, *(int(part.track.max()) + 1 if len(part.track) else 0 for part in parts)])[:-1]
    moved = [
        part._replace(pairs=part.pairs + int(size), track=part.track + int(number))
        for part, size, number in zip(parts, sizes, first, strict=True)
    ]
    columns = dict(zip(WorldTargets._fields, zip(*moved, strict=True), strict=True))
    return WorldTargets(
        **{name: torch.cat(some, 1 if name == "pairs" else 0) for name, some in columns.items()}
    )


class _ClipPeople:
    """Everybody of one clip who has a place, frame by frame."""

    def __init__(self, clip: TraceClip, config: TraceConfig) -> None:
        self.clip, self.config = clip, config
        labels = clip.labels
        self.t, self.p = (at.astype(np.int64) for at in np.nonzero(labels.placed))
        self.shown = clip.shown[self.t, self.p]
        K = torch.from_numpy(labels.K.astype(np.float32))[self.t]
        self.pelvis = torch.from_numpy(clip.pelvis_cam[self.t, self.p]).float()
        self.camera = camera_of(self.pelvis, K, config)
        self.places = self._places()
        self.people = self._people(K)
        self.world = self._world()

    @classmethod
    def of(cls, clip: TraceClip, config: TraceConfig) -> _ClipPeople:
        """The people of a clip."""
        return cls(clip, config)

    def _places(self) -> NDArray[np.int64]:
        """Depth, y and x of everybody's cell, (N, 3): the middle of the keypoints that are in the picture."""
        config, labels = self.config, self.clip.labels
        x0, y0, x1, y1 = labels.content_px or (0, 0, config.image_size_px, config.image_size_px)
        points = labels.points_px[self.t, self.p, 24:].astype(np.float64)
        there = labels.pointed[self.t, self.p, 24:] > 0
        inside = there & np.all((points > [x0, y0]) & (points < [x1, y1]), -1)
        some = np.where(inside.any(-1, keepdims=True), inside, there)[..., None]
        middle = (points * some).sum(1) / np.maximum(some.sum(1), 1)
        middle = np.clip(middle, [x0, y0], [x1 - 1, y1 - 1])
        cells = (middle * config.map_size / config.image_size_px).astype(np.int64)[:, ::-1]
        depth = depth_indices(self.camera[:, 0].double().numpy(), config)
        return np.concatenate([depth[:, None], cells], -1)

    def _people(self, K: Tensor) -> PersonTargets:
        labels, some, half = self.clip.labels, (self.t, self.p), self.config.image_size_px / 2
        ray = ray_turn(self.camera, K, self.config)
        rotations = _tensor(labels.rotations[some])
        rotations = torch.cat([(ray.mT @ rotations[:, 0])[:, None], rotations[:, 1:]], 1)
        return PersonTargets(
            K, self.camera, ray, rotations,
            _tensor(labels.betas[self.p]),
            _tensor(labels.about_pelvis[some]) @ ray,
            _tensor(labels.points_px[some]) / half - 1,
            _tensor(labels.pointed[some]), _tensor(labels.posed[some]), _tensor(labels.placed[some]),
            _tensor(labels.shaped[self.p]),
        )  # fmt: skip

    def _world(self) -> WorldTargets:
        clip, t, p = self.clip, self.t, self.p
        T_first = torch.from_numpy(clip.T_first_camera).float()
        row = np.full(clip.labels.placed.shape, -1)
        row[t, p] = np.arange(len(t))
        before = np.where(t > 0, row[np.maximum(t - 1, 0), p], -1)
        had = torch.from_numpy(before >= 0)
        last = torch.from_numpy(np.maximum(before, 0))
        to_first, to_last = T_first[t], T_first[np.maximum(t - 1, 0)]
        place = _moved(to_first, self.pelvis)
        root = to_first[:, :3, :3] @ _tensor(clip.labels.rotations[t, p][:, 0])
        known = torch.full((len(t),), float(clip.moves))
        posed = torch.from_numpy(clip.labels.posed[t, p])
        way = ((place - place[last])[:, None] @ to_first[:, :3, :3])[:, 0]
        return WorldTargets(
            motion=self.camera - self.camera[last],
            moved=had.float(),
            root=root,
            place=place,
            way=way * had[:, None],
            turn=to_last[:, :3, :3].mT @ to_first[:, :3, :3],
            known=known * posed,
            stepped=known * had,
            pairs=_pairs(p, known.numpy() * posed.numpy() > 0),
            track=torch.from_numpy(p),
        )

    def maps(self, config: TraceConfig, kernels: CentreKernels) -> tuple[Floats, Floats]:
        """Heat maps (T, H, W) and (T, D, H, W) of who is to be seen."""
        sizes = _box_sizes(self.clip.labels, config.image_size_px)
        T = len(self.clip.answers)
        flat = np.zeros((T, config.map_size, config.map_size), np.float32)
        deep = np.zeros((T, config.depth, config.map_size, config.map_size), np.float32)
        for frame in range(T):
            mine = (self.t == frame) & self.shown
            flat[frame] = centre_map(self.places[mine, 1:], sizes[frame, self.p[mine]], config, kernels)
            deep[frame] = centre_volume(self.places[mine], config, kernels)
        return flat, deep


def _box_sizes(labels: LabelledClip, square_px: int) -> Floats:
    """Height and width (T, P, 2) of everybody's points in the square, whose side is 2."""
    known = labels.pointed[..., None] > 0
    low = labels.points_px.min(2, initial=np.inf, where=known)
    high = labels.points_px.max(2, initial=-np.inf, where=known)
    size = np.where(np.isfinite(low), high - low, 0)[..., ::-1]
    return np.clip(size * 2 / square_px, 0, 2)


def _pairs(track: NDArray[np.int64], known: NDArray[np.bool_]) -> Tensor:
    """All ordered pairs (2, M) of rows of the same ``track`` (N,) that are both ``known``."""
    same = (track[:, None] == track) & known[:, None] & known & ~np.eye(len(track), dtype=bool)
    return torch.from_numpy(np.stack(np.nonzero(same)))


def _moved(T: Tensor, points: Tensor) -> Tensor:
    """Points (N, 3) by T (N, 4, 4)."""
    return (T[:, :3, :3] @ points[..., None])[..., 0] + T[:, :3, 3]


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
