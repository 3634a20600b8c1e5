"""The update (CoMotion, 3, A.3 and A.4): everyone of the last frame, straight from the pixels of the new one.

The pose is predicted anew, the place as a residual, the shape is left as it was, and what else there is to
remember goes through a recurrent hidden state. Nobody needs to be visible.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from choros.comotion.attention_prior import anchors_of
from choros.comotion.config import ComotionConfig
from choros.comotion.decoder import Decoder
from choros.comotion.encoder import ImageTokens
from choros.comotion.heatmap_sampling import N_EVIDENCE, evidence, shortcut
from choros.comotion.person_states import PersonStates, pixels_per_metre, project_safely, standing_columns
from choros.layers.perceptron import perceptron
from choros.layers.positions import sinusoids
from choros.rotation import columns_to_rotmat, rotmat_to_columns

#: Joints outside the image are told apart this far, in image sides beyond its corners.
MARGIN = 1.0

#: Rotations (24 x 6), betas, pelvis (x, y, rho), and the joints about the pelvis (24 x 3).
N_BODY = 24 * 6 + 10 + 3 + 24 * 3


class Update(nn.Module):
    """People and where their joints are, to tokens, rounds over the image, tokens to people."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        self.config = config
        n_tokens = config.tokens * config.token_width
        width = config.encoder_width
        self.encode_2d = perceptron(24 * 2 * (1 + 2 * config.bands), width, n_tokens)
        self.encode_body = perceptron(N_BODY, width, n_tokens)
        if config.evidence:
            self.encode_evidence = perceptron(N_EVIDENCE, width // 2, n_tokens)
            gain = config.standing_height_m / config.step  # ways are in sizes of the person, steps in metres
            self.shortcut = shortcut(24 * 6, 24 * 6 + 3, slice(24 * 6), slice(24 * 6, 24 * 6 + 2), gain)
        self.rounds = Decoder(config)
        self.decode_person = perceptron(n_tokens, width, 24 * 6 + 3, out_scale=0.1)
        if config.hidden_state:
            self.encode_hidden = perceptron(config.hidden_width, width, n_tokens)
            self.decode_feedback = perceptron(n_tokens, width, config.hidden_width)
            self.memory = nn.GRUCell(config.hidden_width, config.hidden_width)
        self.standing: Tensor
        self.register_buffer("standing", standing_columns(), persistent=False)

    def forward(
        self, image: ImageTokens, people: PersonStates, joints_cam: Tensor, K: Tensor
    ) -> PersonStates:
        """``people`` clean and cut off from the past, ``joints_cam`` (B, N, 24, 3) theirs; ``K`` (B, 3, 3)."""
        config = self.config
        joints_px = project_safely(joints_cam, K[:, None, None])
        encoded = self.encode_2d(self.view(joints_px))
        encoded = encoded + self.encode_body(self.describe(people, joints_cam, K))
        if config.hidden_state:
            encoded = encoded + self.encode_hidden(people.hidden)
        size_px = pixels_per_metre(people.pelvis_cam[..., 2], K[:, None]).exp() * config.standing_height_m
        if config.evidence:
            said = evidence(image, joints_px, size_px)
            encoded = encoded + self.encode_evidence(said)
        anchors = anchors_of(joints_px, size_px, config)
        tokens = self.rounds(encoded, image, people.present, anchors)
        answer = self.decode_person(tokens).to(K.dtype)
        if config.evidence:
            before = (rotmat_to_columns(people.rotations) - self.standing).flatten(-2)
            answer = answer + self.shortcut(torch.cat([before, said], -1)).to(K.dtype)
        columns, step = answer.split([24 * 6, 3], -1)

        # A residual in metres across the view and in parts of the way along it: under another K the same
        # numbers move the pelvis by the same pixels.
        x, y, along = (config.step * step).split(1, -1)
        moved = torch.cat([x, y, torch.zeros_like(x)], -1) + along * people.pelvis_cam
        hidden = people.hidden
        if config.hidden_state:
            feedback = self.decode_feedback(tokens).to(hidden.dtype)
            hidden = self.memory(feedback.flatten(0, 1), hidden.flatten(0, 1)).unflatten(0, hidden.shape[:2])
        return people._replace(
            rotations=columns_to_rotmat(columns.unflatten(-1, (24, 6)) + self.standing),
            pelvis_cam=people.pelvis_cam + moved,
            hidden=hidden.to(K.dtype),
        )

    def view(self, joints_px: Tensor) -> Tensor:
        """The joints in the image, (B, N, 24 * 2 * (1 + 2 * bands))."""
        in_image = joints_px / self.config.image_size_px
        return sinusoids(in_image.clamp(-MARGIN, 1 + MARGIN).flatten(-2), self.config.bands)

    def describe(self, people: PersonStates, joints_cam: Tensor, K: Tensor) -> Tensor:
        """SMPL's parameters and the joints in 3D, (B, N, N_BODY).

        Rotations as two of their columns, for axis-angle jumps where people stand upright; the depth as the size
        that a metre has in the image, in image sides, which is what K does not change.
        """
        pelvis = people.pelvis_cam
        rho = pixels_per_metre(pelvis[..., 2], K[:, None]) - math.log(self.config.image_size_px)
        about_pelvis = joints_cam - pelvis[..., None, :]
        return torch.cat(
            [
                rotmat_to_columns(people.rotations).flatten(-2),
                people.betas,
                pelvis[..., :2],
                rho[..., None],
                about_pelvis.flatten(-2),
            ],
            -1,
        )
