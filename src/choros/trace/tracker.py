"""TRACE as a tracker: one run of the network a frame, whoever is there.

The memory unit joins people, and the camera's path in the world comes of how they went. `TraceTracker` says what is
TRACE's own; the rest is `choros.tracking.online`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.onto_keypoints import KeypointFitRules
from choros.camera_motion.background import BackgroundRules
from choros.detection.protocols import Detector, checked_detections
from choros.journal import State
from choros.keypoints import box_area, box_iou
from choros.rotation import rotmat_to_rotvec
from choros.trace.boxed_people import BoxRules, places_in_boxes, with_boxed
from choros.trace.cameras import camera_of, transl_of
from choros.trace.centres import CentreRules, find_centres
from choros.trace.encoders import EncodedFrame, FrameEncoder
from choros.trace.memory import MemoryRules, similarities, subjects_among
from choros.trace.network import TraceNetwork
from choros.trace.people import PeopleRules, SeenPeople, believable, busy_boxes, nobody, seen_people
from choros.trace.propagation import TraceState
from choros.trace.tracked_fit import fit_people, fit_rules
from choros.trace.tracks import FIELDS, boxes_of, remember_boxes
from choros.trace.world import LEVEL, WorldRules, camera_from_people, camera_step, mean_turn
from choros.tracking.appearance import Colours, alikeness, remember
from choros.tracking.fitted import turn_fitted
from choros.tracking.lifecycle import LifeRules
from choros.tracking.online import Affinity, Flags, Indices, Moment, OnlineTracker, Tracks, Verdict, seen_as
from choros.video.cuts import CutRules

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class TrackerConfig:
    """What TRACE's tracker can be told. Times are in seconds, so frame rates do not enter."""

    memory: MemoryRules = field(default_factory=MemoryRules)
    world: WorldRules = field(default_factory=WorldRules)
    people: PeopleRules = field(default_factory=PeopleRules)
    # Ours: the small size's maps are coarse, and nobody is nearer to another than its cells.
    centres: CentreRules = field(default_factory=lambda: CentreRules(window=3))
    least_height: float = 0.12  # paper 2.3: of a centre
    boxes: BoxRules | None = field(default_factory=BoxRules)  # ours; None: the map of centres finds everyone
    # Release: .18 of somebody followed, .3 in a first frame and .8 of a new subject; ours, as scores go.
    life: LifeRules = field(
        default_factory=lambda: LifeRules(
            certain_score=0.6, birth_score=0.25, first_score=0.3, lost_s=MemoryRules.forgotten_s
        )
    )
    subjects: int | None = None  # paper: those of the first frame and nobody else; None: everyone
    remembers: bool = True  # False: the ablation without the memory unit
    flow: bool = True  # False: that without optical flow
    fit: KeypointFitRules | None = field(default_factory=fit_rules)  # ours; None: as the maps say
    coast_s: float = 0.4  # ours: who is hidden goes on as before for about so long
    velocity_memory_s: float = 0.3
    shape_memory_s: float = 2.0  # ours: shapes are means of what is seen
    overlap_worth: float = 0.3  # ours: of boxes, beside the memory's own similarity
    same_box_iou: float = (
        0.5  # ours: of boxes of frames in a row that may be one person's, whatever the distance says
    )
    colours_worth: float = 1.0  # ours: of clothes that are alike, against those of which nothing is known
    colours_memory_s: float = 1.0
    crowded_iou: float = 0.3
    nearest_m: float = 0.3
    cuts: CutRules = field(default_factory=CutRules)
    background: BackgroundRules = field(default_factory=BackgroundRules)

    def forgetful(self) -> TrackerConfig:
        """The same without the memory unit: whoever is not seen is gone."""
        return replace(self, remembers=False, life=replace(self.life, lost_s=0.0))


@dataclass(frozen=True, eq=False)
class FrameDetections:
    """One picture, looked at; ``people`` are those that the network sees in it after the frames before."""

    encoded: EncodedFrame
    busy_px: NDArray[np.float32]  # (n, 4) boxes in which somebody may be
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    given_px: NDArray[np.float32] | None = None  # (m, 4) of people whom a user named
    detected: tuple[Floats, Floats] | None = None  # boxes (b, 4) and scores (b,) of a detector
    people: SeenPeople | None = None

    @property
    def boxes_px(self) -> Floats:
        """(m, 4) xyxy; before the network has run, of what is no background."""
        return self.busy_px if self.people is None else self.people.boxes_px

    @property
    def scores(self) -> Floats:
        """(m,) 0 to 1."""
        return np.ones(len(self.busy_px)) if self.people is None else self.people.height


class TraceTracker(OnlineTracker[FrameDetections, Affinity]):
    """It keeps the network's state, the last picture for flow, and the camera's path, beside its tracks."""

    fields = FIELDS

    def __init__(
        self,
        network: TraceNetwork,
        encoder: FrameEncoder,
        body: BodyModel,
        config: TrackerConfig,
        detector: Detector | None = None,
    ) -> None:
        self._network, self._encoder, self._body, self._config = network, encoder, body, config
        self._detector = detector
        self._state: TraceState | None = None
        self._before: EncodedFrame | None = None
        self._T_first_camera: NDArray[np.float64] = np.eye(4)
        self._knows_camera = False

    def detect(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None
    ) -> FrameDetections:
        """A picture, looked at; who is in it is for `recall`."""
        encoded = self._encoder.encode(image)
        lies = self._encoder.place(image.shape[1], image.shape[0])
        busy = np.zeros((0, 4), np.float32)
        if self._network.config.keypoints:
            busy = busy_boxes(encoded.features, lies, self._network.config.input_stride)
        detected = None
        if self._detector is not None and boxes_px is None:
            detected = checked_detections(self._detector, image)
        return FrameDetections(encoded, busy, image, boxes_px, detected)

    @torch.inference_mode()
    def recall(self, moment: Moment[FrameDetections]) -> FrameDetections:
        """Who the network sees in this frame, after those before it."""
        found, network = moment.found, self._network
        encoded, before = found.encoded, self._before
        flow = None
        if before is not None and self._config.flow:
            flow = self._encoder.flow(before, encoded)
        maps, self._state = network(encoded.features, flow, self._state)
        self._before = encoded
        lies, config = self._encoder.place(moment.width, moment.height), self._config

        def at(places: torch.Tensor) -> SeenPeople:
            return seen_people(network, maps, places, moment.K, lies, self._body, config.memory, found.image)

        def in_boxes(boxes_px: Floats) -> SeenPeople:
            return at(places_in_boxes(maps.centre_3d[0], boxes_px, lies, network.config, config.boxes))

        if moment.given and found.given_px is not None:
            people = in_boxes(found.given_px)._replace(height=np.ones(len(found.given_px)))
            return replace(found, people=people._replace(boxes_px=found.given_px.astype(np.float64)))
        people = at(find_centres(maps.centre_3d[0], config.least_height, config.centres)[0])
        if config.boxes is not None and found.detected is not None:
            people = with_boxed(people, *found.detected, in_boxes, lies, network.config, config.boxes)
        keep = believable(people, config.subjects, config.memory, config.people)
        return replace(found, people=people.of(keep))

    def begin_shot(self, left: Tracks) -> None:
        """The world begins anew, at the camera; the network forgets."""
        self._state, self._before = None, None
        self._T_first_camera, self._knows_camera = np.eye(4), False

    def predict(self, tracks: Tracks, moment: Moment[FrameDetections]) -> None:
        """Who is hidden goes on for a while, and everybody is where the camera that turned shows them."""
        if not len(tracks):
            return
        config = self._config
        tracks["last_cam"], tracks["last_told"] = tracks["pelvis"], tracks["told"]
        hidden = tracks["seen_s"] < moment.time_s - moment.dt_s - 1e-9
        tracks["velocity"][hidden] *= np.exp(-moment.dt_s / config.coast_s)
        for name in ("pelvis", "told"):
            tracks[name][hidden] += tracks["velocity"][hidden] * moment.dt_s
        if moment.turn is not None:
            for name in ("pelvis", "told", "velocity"):
                tracks[name] = tracks[name] @ moment.turn.T
            tracks["rotations"][:, 0] = moment.turn @ tracks["rotations"][:, 0]
            turn_fitted(tracks, moment.turn)
        tracks["pelvis"][:, 2] = np.maximum(tracks["pelvis"][:, 2], config.nearest_m)

    def affinity(self, tracks: Tracks, moment: Moment[FrameDetections]) -> Affinity:
        """By place: of this frame, and, of those seen in the last one, of then."""
        people, config = _people(moment), self._config
        unseen_s = np.maximum(moment.time_s - moment.dt_s - tracks["seen_s"], 0)
        there = similarities(tracks["told"], people.pelvis, unseen_s, config.memory)
        then = similarities(tracks["last_told"], people.pelvis_before, unseen_s, config.memory)
        alike = np.where(unseen_s[:, None] < 1e-9, np.maximum(there, then), there)
        overlap = box_iou(boxes_of(tracks, moment.K), people.boxes_px)
        worn = alikeness(Colours(tracks["lab"], tracks["lab_weight"]), Colours(people.lab, people.lab_weight))
        # Ours: distances of faint centres are guesses; who was seen a frame ago is also known by their box.
        same_box = (overlap >= config.same_box_iou) & (unseen_s[:, None] < 1e-9)
        alike = np.where(same_box, np.maximum(alike, 0), alike) + config.colours_worth * (worn - 0.5)
        return Affinity(np.where(alike >= 0, alike + config.overlap_worth * overlap, -1))

    def measure(self, tracks: Tracks, affinity: Affinity, moment: Moment[FrameDetections]) -> None:
        """Whoever is seen is as they are seen; the others are remembered as they were."""
        mine, theirs = seen_as(tracks)
        sure = _people(moment).height[theirs] >= self._config.memory.remembered_height
        self._see(tracks, mine[sure], theirs[sure], moment)
        unseen = tracks["detection"] < 0
        tracks["confidence"][unseen] *= np.exp(-moment.dt_s / self._config.memory.forgotten_s)

    def newcomers(self, tracks: Tracks, affinity: Affinity, moment: Moment[FrameDetections]) -> Flags:
        """Whoever is likely; of subjects the nearest, in the first frame of a shot alone."""
        people, config = _people(moment), self._config
        fresh = people.height >= (config.life.first_score if moment.begins_shot else config.life.birth_score)
        if config.subjects is None:
            return fresh
        which = np.flatnonzero(fresh & moment.begins_shot)
        chosen = np.zeros(len(people.height), bool)
        chosen[which[subjects_among(people.camera[which], config.subjects)]] = True
        return chosen

    def begin(
        self,
        tracks: Tracks,
        new: Indices,
        affinity: Affinity,
        moment: Moment[FrameDetections],
        born: Tracks,
    ) -> None:
        """The new are as they are seen; a doubtful one where somebody is already must last (`LifeRules`)."""
        born["fitted_s"] = -np.inf
        self._see(born, np.arange(len(born)), new, moment, first=True)
        boxes_px = _people(moment).boxes_px[new]
        overlap = box_iou(boxes_px, boxes_of(tracks, moment.K)).max(-1, initial=0)
        born["crowded"] = (overlap > self._config.crowded_iou) & (self._config.subjects is None)

    def judge(self, tracks: Tracks, sure: Flags, moment: Moment[FrameDetections]) -> Verdict:
        """Everybody confirmed is shown, and whoever is there in a shot's first frame."""
        self._step_camera(tracks, moment)
        boxes_px = boxes_of(tracks, moment.K)
        cut = np.clip(boxes_px, 0, [moment.width, moment.height] * 2)
        inside = box_area(cut) > 0.15 * box_area(boxes_px)
        at_once = np.full(len(tracks), moment.begins_shot or self._config.subjects is not None)
        return Verdict(inside, sure | at_once, np.ones(len(tracks), bool))

    def describe(
        self, rows: NDArray[np.void], tracks: Tracks, shown: Flags, moment: Moment[FrameDetections]
    ) -> Mapping[str, NDArray[Any]] | None:
        """Bodies of the shown; boxes and keypoints as seen."""
        tracks, people = tracks[shown], _people(moment)
        pose = rotmat_to_rotvec(tracks["rotations"]).reshape(-1, 72)
        rows["global_orient"], rows["body_pose"] = pose[:, :3], pose[:, 3:]
        rows["betas"], rows["confidence"] = tracks["betas"], tracks["confidence"]
        rows["transl"] = tracks["pelvis"] - self._at_rest(tracks["betas"])
        rows["box_px"] = boxes_of(tracks, moment.K)
        mine, theirs = seen_as(tracks)
        rows["box_px"][mine] = people.boxes_px[theirs]
        rows["keypoints_px"][mine] = people.keypoints_px[theirs]
        return None

    def camera(self) -> NDArray[np.float64] | None:
        """Where the camera is in the world, once somebody was seen in it."""
        return LEVEL @ self._T_first_camera if self._knows_camera else None

    def state(self) -> State:
        """What the network carries on, the last picture, and the camera's path."""
        kept = {
            "T_first_camera": self._T_first_camera,
            "knows_camera": np.array(self._knows_camera),
        }
        if self._state is not None and self._before is not None:
            kept |= {
                "trace_previous": self._state.previous.numpy(force=True),
                "trace_picture": self._before.picture,
            }
            kept |= {
                f"trace_memory_{k}": layer.numpy(force=True) for k, layer in enumerate(self._state.memory)
            }
        return kept

    def restore(self, state: State) -> None:
        """Continue from a larger state that `state` is part of."""
        self._T_first_camera = state["T_first_camera"].copy()
        self._knows_camera = bool(state["knows_camera"])
        self._state, self._before = None, None
        if "trace_previous" not in state:
            return
        place = next(self._network.parameters()).device
        layers = sorted(name for name in state if name.startswith("trace_memory_"))
        memory = tuple(torch.from_numpy(state[name].copy()).to(place) for name in layers)
        self._state = TraceState(torch.from_numpy(state["trace_previous"].copy()).to(place), memory)
        # Of the last frame flow needs its picture alone.
        self._before = EncodedFrame(torch.zeros(0), state["trace_picture"].copy())

    # ----------------------------------------------------------------------------------------------

    def _see(
        self,
        tracks: Tracks,
        which: Indices,
        seen_as: Indices,
        moment: Moment[FrameDetections],
        *,
        first: bool = False,
    ) -> None:
        """The tracks ``which`` (k,) are the people ``seen_as`` (k,) of this frame."""
        if not len(which):
            return
        config, people = self._config, _people(moment).of(seen_as)
        some = tracks[which]
        share = 1.0 if first else 1 - np.exp(-moment.dt_s / config.shape_memory_s)
        some["betas"] += share * (people.betas - some["betas"])
        some["told"] = people.pelvis
        rotations, pelvis = people.rotations, people.pelvis
        if config.fit is not None:
            rotations, pelvis = fit_people(some, people, self._body, moment.K, moment.time_s, config.fit)
        if first:
            some["last_cam"], some["last_told"] = pelvis, people.pelvis
            some["first_cam"] = self._in_first_camera(pelvis, moment)
        elif moment.dt_s > 0:
            speed = (pelvis - some["pelvis"]) / np.maximum(moment.time_s - some["seen_s"], moment.dt_s)[
                :, None
            ]
            some["velocity"] += (1 - np.exp(-moment.dt_s / config.velocity_memory_s)) * (
                speed - some["velocity"]
            )
        some["rotations"], some["pelvis"], some["height"] = rotations, pelvis, people.height
        old, now = Colours(some["lab"], some["lab_weight"]), Colours(people.lab, people.lab_weight)
        share = 1.0 if first else 1 - np.exp(-moment.dt_s / config.colours_memory_s)
        worn = remember(old, now, np.full(len(some), share))
        some["lab"], some["lab_weight"] = worn.lab, worn.weight
        some["confidence"] = np.where(
            people.keypoints_px[..., 2].any(-1), people.keypoints_px[..., 2].mean(-1), people.height
        )
        remember_boxes(some, people.boxes_px, moment.K)
        tracks[which] = some

    def _in_first_camera(self, pelvis: Floats, moment: Moment[FrameDetections]) -> Floats:
        """(s, y, x) in the first camera of people before today's, (n, 3)."""
        T = self._T_first_camera
        place = torch.from_numpy(pelvis @ T[:3, :3].T + T[:3, 3])
        return camera_of(place, self._square_K(moment), self._network.config).numpy(force=True)

    def _square_K(self, moment: Moment[FrameDetections]) -> torch.Tensor:
        lies = self._encoder.place(moment.width, moment.height)
        return torch.from_numpy(lies.K(moment.K))

    def _step_camera(self, tracks: Tracks, moment: Moment[FrameDetections]) -> None:
        """The camera's place in the world by those who were seen in this frame and in the last."""
        world, people = self._config.world, _people(moment)
        mine, theirs = seen_as(tracks)
        if moment.begins_shot or not self._knows_camera:
            self._knows_camera = self._knows_camera or bool(len(mine))
            return
        lasted = tracks["born_s"][mine] < moment.time_s - 1e-9
        mine, theirs = mine[lasted], theirs[lasted]
        if not self._network.config.metric_motion:
            self._step_as_published(tracks, mine, people.of(theirs), moment)
            return
        if world.stands and moment.turn is None:
            return
        turn = mean_turn(people.turn[theirs], people.height[theirs])
        self._T_first_camera = camera_step(
            self._T_first_camera, turn, tracks["last_cam"][mine], tracks["pelvis"][mine], people.way[theirs]
        )

    def _step_as_published(
        self, tracks: Tracks, mine: Indices, people: SeenPeople, moment: Moment[FrameDetections]
    ) -> None:
        """The same of a network that tells people's ways and turns in the first camera (paper)."""
        if not len(mine):
            return
        stretch = self._config.world.stretched
        tracks["first_cam"][mine] += people.way * [1, stretch, stretch]
        numbers = torch.from_numpy(tracks["first_cam"][mine])
        place = transl_of(numbers, self._square_K(moment), self._network.config).numpy(force=True)
        self._T_first_camera = camera_from_people(
            people.turn, tracks["rotations"][mine, 0], place, tracks["pelvis"][mine], people.height
        )

    def _at_rest(self, betas: Floats) -> Floats:
        """Pelves (n, 3) of bodies at rest, metres."""
        with torch.inference_mode():
            shapes = torch.from_numpy(np.asarray(betas)).to(self._body.dtype)
            return self._body.rest_joints(shapes)[:, 0].double().numpy(force=True)


def _people(moment: Moment[FrameDetections]) -> SeenPeople:
    return nobody() if moment.found.people is None else moment.found.people
