"""What PHALP' can be told, every number with its source. Ages are in seconds, so frame rates do not enter."""

from __future__ import annotations

from dataclasses import dataclass, field

from choros.camera_motion.background import BackgroundRules
from choros.fourdhumans.phalp.cost import CostRules
from choros.fourdhumans.phalp.gone import GoneRules
from choros.fourdhumans.phalp.place import PlaceRules
from choros.fourdhumans.phalp.texture import TextureRules
from choros.tracking.lifecycle import LifeRules
from choros.tracking.likelihood import LikelihoodRules
from choros.video.cuts import CutRules

#: Sights of a person that are kept, at most; what is remembered of them does not grow with the video.
SIGHTS = 16
SIGHTS_APART_S = 1 / 30  # of two closer than that the later takes the other's place


@dataclass(frozen=True)
class PhalpConfig:
    """The release confirms after 5 frames and forgets after 50, at any frame rate; `LifeRules` has both in seconds."""

    use_pose: bool = True
    use_place: bool = True
    use_appearance: bool = True
    constant_velocity: bool = False  # in place of the pose transformer
    life: LifeRules = field(default_factory=LifeRules)
    cost: CostRules = field(default_factory=CostRules)
    place: PlaceRules = field(default_factory=PlaceRules)
    texture: TextureRules = field(default_factory=TextureRules)
    gone: GoneRules = field(default_factory=GoneRules)
    # Ours, as the lifter's, for detectors that err: how sights make somebody believed in (`tracking.likelihood`).
    alike: LikelihoodRules = field(default_factory=LikelihoodRules)
    belief_s: float = 0.5
    belief_step_s: float = 0.2
    max_belief: float = 4.0
    min_belief: float = -1.0
    min_keypoints: int = 5  # confident ones that anybody must show
    confident: float = 0.3
    same_person_oks: float = 0.6  # a new person this like a tracked one is not new
    crowded_iou: float = 0.2  # overlap with somebody tracked that makes a new person doubtful
    crowded_oks: float = 0.1  # a certain one is doubted only if their skeleton is this like another's
    texture_overlap: float = 0.5  # IoU with somebody else above which looks are not remembered
    confidence_memory_s: float = 2.0  # how soon trust in an unseen person's pose is lost
    cuts: CutRules = field(default_factory=CutRules)
    background: BackgroundRules = field(default_factory=BackgroundRules)
