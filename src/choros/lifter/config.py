"""What the lifter system can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from choros.body.likely import LiftConfig
from choros.camera_motion.background import BackgroundRules
from choros.lifter.shape_estimator import ShapeRules
from choros.lifter.uprightness import UprightRules
from choros.tracking.box_filter import BoxRules
from choros.tracking.lifecycle import LifeRules
from choros.tracking.likelihood import LikelihoodRules
from choros.video.cuts import CutRules


@dataclass(frozen=True)
class LifterSystemConfig:
    """Everything the lifter system can be told. ``accurate`` takes MoveNet Thunder instead of Lightning."""

    accurate: bool = False
    lift: LiftConfig = field(default_factory=LiftConfig)
    life: LifeRules = field(default_factory=LifeRules)
    box: BoxRules = field(default_factory=BoxRules)
    alike: LikelihoodRules = field(default_factory=LikelihoodRules)
    belief_s: float = 0.5  # seconds of sights that count as one independent one
    belief_step_s: float = 0.2  # the most that one sight counts
    max_belief: float = 4.0
    min_belief: float = -1.0  # below it, somebody shown turns out to be nobody
    min_ghost_ratio: float = 0.0  # log likelihood ratio of an unseen track and a person who is another track
    smooth_share: float = 0.4  # of the filtered box in the box that is reported; the rest is as detected
    hidden_iou: float = 0.5  # an unseen person's box overlapping a seen one's by this is hidden behind it
    hidden_gap_m: float = 0.3
    doubt: float = 2.0  # log odds against a track that is not confirmed yet
    doubt_crowded: float = 3.0  # and began where others are: rather a box around two of them
    #: Log density of place, per height² and log height, above which two may stand in one place.
    same_place_log: float = 1.0
    upright: UprightRules = field(default_factory=UprightRules)
    shape: ShapeRules = field(default_factory=ShapeRules)
    heights_m: Mapping[int, float] = field(default_factory=dict)  # statures that are known, by person
    same_person_oks: float = 0.6  # a new person this like a tracked one is not new
    crowded_iou: float = 0.2  # overlap with somebody tracked that makes a new person doubtful
    crowded_oks: float = 0.1  # a certain one is doubted only if their skeleton is this like another's
    min_keypoints: int = 5  # confident ones that anybody must show
    confident: float = 0.3
    dim: float = 0.2  # confidence enough where the box is certain: people cut off, or seen from behind
    appearance_memory_s: float = 2.0
    appearance_overlap: float = 0.3  # IoU with somebody else above which colours are not remembered
    velocity_memory_s: float = 0.4
    depth_velocity_share: float = 0.4  # of what is learned of the speed along the ray: it is mostly noise
    max_speed_m_s: float = 4.0
    coast_memory_s: float = 2.0  # how soon an unseen person's speed is forgotten
    background: BackgroundRules = field(default_factory=BackgroundRules)
    cuts: CutRules = field(default_factory=CutRules)
    same_people: bool = False  # after a cut, who is dressed like somebody before it is them
