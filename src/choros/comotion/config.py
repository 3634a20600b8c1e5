"""Every number of CoMotion's network, with its source, and the sizes it comes in.

"Paper" is CoMotion's text, "release" the sizes of the code its authors published later, borrowed where the
text gives none; the rest is our choice. The sizes differ in numbers only: there is one code path.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: How names of the trunk's weights begin.
TRUNK = "encoder.trunk."


@dataclass(frozen=True)
class ComotionConfig:
    """Sizes and choices of the network; the defaults are the paper's scale."""

    trunk: str = "convnextv2-large"  # paper 3; a name of `choros.backbones.trunk.TRUNKS`
    image_size_px: int = 512  # paper 3: images are padded and resized to this square
    padded: bool = True  # paper 3; False: rows and columns of nothing but padding are left out
    # Paper 3: all stages' features. Else numbers of the trunk's maps, finest first, that the network takes: of a trunk
    # that was taught keypoints, its answers look alike in all kinds of pictures, features under them do not.
    maps: tuple[int, ...] = ()
    stride: int = 8  # paper 3: the features of all stages meet at 1/8 of the image
    attention_stride: int = 8  # paper 3: a key and a value for each such cell; a multiple of ``stride``
    image_width: int = 256  # release: channels of the fused features
    attention_width: int = 256  # release: 4 heads x 64, queries, keys and values of the image
    head_width: int = 64  # release
    bands: int = 8  # ours: the finest wave of a position is 1/64 of the image, one cell
    tokens: int = 24  # release: per person
    token_width: int = 512  # release
    encoder_width: int = 1024  # release: between the two linear layers of encoders and decoders
    hidden_width: int = 512  # release: the recurrent state of a person
    rounds: int = 2  # paper A.3, pseudo-code
    layers_between_people: int = 2  # release, per round
    layers_within_person: int = 2  # release, per round
    expansion: int = 4  # ours: width of a transformer layer's perceptron (Vaswani et al. 2017)
    n_keypoints: int = 17  # ours: heatmaps of COCO's keypoints, the auxiliary signal of paper 4.2
    hidden_state: bool = True  # paper A.2.1: False removes it
    learned_initialisation: bool = True  # paper A.2.1: False stands a body in the box; rounds then want more
    standing_height_m: float = 1.7  # ours: whose box is as high as the person is at that distance
    step: float = 0.1  # ours: an answer of 1 moves someone by this many metres, or parts of their distance
    # Ours, for the small size: SMPL's joints around which the tokens look (`choros.comotion.attention_prior`).
    # Without them tokens look for their people in the whole image, as in the paper, which takes its many steps.
    anchors: tuple[str, ...] = ()
    # Ours, for the small size: people are told what the heatmaps say of them (`choros.comotion.heatmap_sampling`).
    evidence: bool = False

    def __post_init__(self) -> None:
        for name in ("maps", "anchors"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # a list, where it was read from JSON
        if self.anchors and len(self.anchors) != self.tokens:
            raise ValueError(f"{len(self.anchors)} anchors for {self.tokens} tokens")


def _both(*names: str) -> tuple[str, ...]:
    """Joints of the left and of the right."""
    return tuple(f"{side}_{name}" for name in names for side in ("left", "right"))


PRESETS = {
    "large": ComotionConfig(),
    "base": ComotionConfig(
        trunk="convnextv2-tiny",
        image_width=192,
        attention_width=192,
        tokens=16,
        token_width=384,
        encoder_width=512,
        hidden_width=384,
    ),
    "small": ComotionConfig(
        trunk="movenet-multipose",
        image_size_px=512,
        padded=False,
        attention_stride=16,
        image_width=128,
        attention_width=128,
        head_width=32,
        tokens=12,
        token_width=192,
        encoder_width=384,
        hidden_width=256,
        layers_between_people=1,
        layers_within_person=1,
        expansion=2,
        evidence=True,
        anchors=("pelvis", "head", *_both("shoulder", "elbow", "wrist", "knee", "ankle")),
    ),
}
# Half of the small one, which sees nothing but what MoveNet answers (`choros.training.comotion.sketched`).
PRESETS["answers"] = replace(
    PRESETS["small"],
    maps=(0,),
    image_width=64,
    attention_width=96,
    head_width=24,
    token_width=144,
    encoder_width=224,
    hidden_width=192,
)
