"""Initialisation (CoMotion, 3 and A.3): boxes that no track explains to the people in them.

The pelvis is placed through K by an image point and an inverse depth (A.4, equations 1 and 2), so the same
pixels under another K give the same people, nearer or farther. The heuristic twin is the ablation of A.2.1.
"""

from __future__ import annotations

from torch import Tensor, nn

from choros.body import BodyModel
from choros.comotion.attention_prior import anchors_of
from choros.comotion.config import ComotionConfig
from choros.comotion.decoder import Decoder
from choros.comotion.encoder import ImageTokens
from choros.comotion.heatmap_sampling import N_EVIDENCE, evidence, shortcut
from choros.comotion.person_states import (
    PersonStates,
    place_pelvis,
    standing_columns,
    standing_in_boxes,
    standing_joints,
    standing_rotations,
)
from choros.layers.perceptron import perceptron
from choros.layers.positions import sinusoids
from choros.rotation import columns_to_rotmat


class Initialisation(nn.Module):
    """Boxes to tokens, rounds over the image, tokens to SMPL and hidden state.

    The answers are offsets from someone who stands in the box: the image point in box sides, the inverse
    depth as a factor, the pose as columns of the rotations.
    """

    def __init__(self, config: ComotionConfig, body: BodyModel) -> None:
        super().__init__()
        self.config = config
        n_tokens = config.tokens * config.token_width
        width = config.encoder_width
        self.encode_box = perceptron(4 * (1 + 2 * config.bands), width, n_tokens)
        if config.evidence:
            self.encode_evidence = perceptron(N_EVIDENCE, width // 2, n_tokens)
            self.shortcut = shortcut(0, 24 * 6 + 10 + 3, slice(0), slice(24 * 6 + 10, 24 * 6 + 12), 1.0)
        self.rounds = Decoder(config)
        self.decode_person = perceptron(n_tokens, width, 24 * 6 + 10 + 3, out_scale=0.1)
        if config.hidden_state:
            self.decode_hidden = perceptron(n_tokens, width, config.hidden_width)
        self.standing: Tensor
        self.register_buffer("standing", standing_columns(), persistent=False)
        self.standing_joints: Tensor
        self.register_buffer("standing_joints", standing_joints(body), persistent=False)

    def forward(self, image: ImageTokens, boxes_px: Tensor, K: Tensor, present: Tensor) -> PersonStates:
        """``boxes_px`` (B, N, 4) xyxy in the network's image; ``K`` (B, 3, 3); ``present`` (B, N) bool."""
        config = self.config
        boxes_px = boxes_px.masked_fill(~present[..., None], 0)
        encoded = self.encode_box(sinusoids(boxes_px / config.image_size_px, config.bands))
        middle_px, rho = standing_in_boxes(boxes_px, config.standing_height_m)
        side_px = rho.exp() * config.standing_height_m
        joints_px = middle_px[..., None, :] + rho.exp()[..., None, None] * self.standing_joints[:, :2]
        if config.evidence:
            said = evidence(image, joints_px, side_px)
            encoded = encoded + self.encode_evidence(said)
        tokens = self.rounds(encoded, image, present, anchors_of(joints_px, side_px, config))
        answer = self.decode_person(tokens).to(K.dtype)
        if config.evidence:
            answer = answer + self.shortcut(said).to(K.dtype)
        columns, betas, place = answer.split([24 * 6, 10, 3], -1)

        pelvis_px = middle_px + place[..., :2] * side_px[..., None]
        return PersonStates(
            columns_to_rotmat(columns.unflatten(-1, (24, 6)) + self.standing),
            betas,
            place_pelvis(pelvis_px, rho + place[..., 2], K[:, None]),
            # Within the range that the recurrent update keeps its state in.
            self.decode_hidden(tokens).tanh().to(K.dtype) if config.hidden_state else tokens[..., :0],
            present,
        )


class StandingInitialisation(nn.Module):
    """No network: everyone stands in their box and faces the camera (A.2.1's heuristic)."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        self.config = config
        self.standing: Tensor
        self.register_buffer("standing", standing_rotations(), persistent=False)

    def forward(self, image: ImageTokens, boxes_px: Tensor, K: Tensor, present: Tensor) -> PersonStates:
        """People who fill boxes, (B, P, 4) xyxy px, as if they stood upright.

        ``K`` (B, 3, 3) px and ``present`` (B, P); absent people's boxes count for nothing.
        """
        boxes_px = boxes_px.masked_fill(~present[..., None], 0)
        pelvis_px, rho = standing_in_boxes(boxes_px, self.config.standing_height_m)
        n_hidden = self.config.hidden_width if self.config.hidden_state else 0
        return PersonStates(
            self.standing.expand(*present.shape, -1, -1, -1),
            boxes_px.new_zeros(*present.shape, 10),
            place_pelvis(pelvis_px, rho, K[:, None]),
            boxes_px.new_zeros(*present.shape, n_hidden),
            present,
        )


def make_initialisation(config: ComotionConfig, body: BodyModel) -> nn.Module:
    """The way to begin that ``config`` asks for."""
    return Initialisation(config, body) if config.learned_initialisation else StandingInitialisation(config)
