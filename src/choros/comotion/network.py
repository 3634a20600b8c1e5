"""CoMotion's network as a whole: encode a frame once, begin people from boxes, update everyone.

It knows single frames and lives on tensors; who is tracked, for how long and under which name is for the
tracker, what it is taught for `choros.training`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from choros import weights
from choros.backbones.movenet import MoveNetTrunk
from choros.backbones.trunk import SHIPPED_TRUNKS, ImageTrunk
from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.comotion.alignment import AlignmentConfig, align
from choros.comotion.config import TRUNK, ComotionConfig
from choros.comotion.encoder import ImageEncoder, ImageTokens
from choros.comotion.initialisation import make_initialisation
from choros.comotion.person_states import PersonStates
from choros.comotion.update import Update
from choros.errors import ChorosError
from choros.seeding import seeded

#: What weights files say they are for.
SYSTEM = "comotion"


class ComotionNetwork(nn.Module):
    """Encoder, initialisation and update of one size.

    The random weights of a new network depend on ``seed`` alone, and torch's own generator is left as it was.
    Without a ``trunk`` that of the configuration is made. The body, by default the light open one, has no
    weights of its own in `state_dict`.
    """

    def __init__(
        self,
        config: ComotionConfig | None = None,
        body: BodyModel | None = None,
        trunk: ImageTrunk | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config = config or ComotionConfig()
        self.body = BodyModel.load(detail="light") if body is None else body
        with seeded(seed):
            self.encoder = ImageEncoder(config, trunk)
            self.initialisation = make_initialisation(config, self.body)
            self.updater = Update(config)

    @cached_property
    def _points(self) -> Points:
        return Points.of(self.body)

    def encode(self, images: Tensor, origin_px: tuple[int, int] = (0, 0)) -> ImageTokens:
        """Frames (B, 3, H, W), RGB in 0..1, sides multiples of the trunk's coarsest stride, to image tokens.

        They may be less than the square of ``config.image_size_px``: a part of it whose corner is ``origin_px``
        (x, y). K, boxes and points are all in px of the square.
        """
        return self.encoder(images, origin_px)

    def initialise(
        self, image: ImageTokens, boxes_px: Tensor, K: Tensor, present: Tensor | None = None
    ) -> PersonStates:
        """The people in boxes (B, N, 4) xyxy px, seen through ``K`` (B, 3, 3) px; N may be 0.

        Boxes and K are of the weights' type, single precision as a rule, and of the image's place and scale.

        ``present`` (B, N) bool says which boxes are real; all are without it. What stands in the others
        reaches nobody.
        """
        if present is None:
            present = torch.ones(boxes_px.shape[:2], dtype=torch.bool, device=boxes_px.device)
        return self.initialisation(image, boxes_px, K, present)

    def update(self, image: ImageTokens, people: PersonStates, K: Tensor) -> PersonStates:
        """The same people in the frame that ``image`` shows; the gradient reaches the past by hidden state only."""
        before = people.detached().cleaned()
        return self.updater(image, before, before.joints_cam(self.body), K)

    def align(
        self, image: ImageTokens, people: PersonStates, K: Tensor, how: AlignmentConfig
    ) -> PersonStates:
        """``people`` as `update` gives them, put on the keypoints that ``image`` shows; cut off from the past.

        A network to which heatmaps are a help in training and no evidence leaves them as they are.
        """
        if not self.config.evidence:
            return people
        height_m = self.config.standing_height_m
        return align(self._points, image, people.detached(), K, height_m, how)

    def save(self, path: str | Path, metadata: dict[str, Any]) -> None:
        """Write the weights in half precision, with the configuration and what else is to be known of them.

        A trunk that ships with choros and was not trained on is left out.
        """
        state = self.state_dict()
        if self.has_shipped_trunk():
            state = {name: tensor for name, tensor in state.items() if not name.startswith(TRUNK)}
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()
        }
        config = dataclasses.asdict(self.config)
        weights.save(path, tensors, {**metadata, "system": SYSTEM, "config": config})

    def has_shipped_trunk(self) -> bool:
        """Whether the trunk is one that ships with choros, as it ships."""
        trunk = self.encoder.trunk
        return (
            isinstance(trunk, MoveNetTrunk) and self.config.trunk in SHIPPED_TRUNKS and trunk.is_pretrained()
        )

    def restore(self, tensors: Mapping[str, Tensor], whole_trunk: bool = False) -> None:
        """Take the weights that `save` wrote. Raises `RuntimeError` if they are another network's.

        With a ``whole_trunk``, one that has weights already, theirs may lack.
        """
        missing, unknown = self.load_state_dict(tensors, strict=False)
        if unknown or any(not name.startswith(TRUNK) for name in missing):
            raise RuntimeError(f"{len(missing)} tensors missing, {len(unknown)} unknown")
        if missing and not whole_trunk and self.config.trunk not in SHIPPED_TRUNKS:
            raise RuntimeError("the trunk is missing")

    @classmethod
    def load(
        cls, path: str | Path, body: BodyModel | None = None, trunk: ImageTrunk | None = None
    ) -> ComotionNetwork:
        """The network that `save` wrote, in single precision and ready to track.

        A ``trunk`` takes the place of its own; what the file has for it, it gets. Raises `ChorosError` if the file is
        missing, damaged or of another system or version, or was made with a trunk of other maps.
        """
        tensors, metadata = weights.load(path, SYSTEM)
        try:
            network = cls(ComotionConfig(**metadata["config"]), body, trunk)
            network.restore(tensors, whole_trunk=trunk is not None)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            if trunk is not None:
                raise ChorosError(
                    f"{path} was not made with the trunk {type(trunk).__name__} of {trunk.channels} channels at "
                    f"strides {trunk.strides}; give weights that were."
                ) from error
            raise ChorosError(
                f"{path} does not fit this version of CoMotion's network; train it anew or get its weights again."
            ) from error
        return network.eval()
