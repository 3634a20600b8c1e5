"""A TRACE whose maps show what a detector finds, for tests of what is around the network."""

import numpy as np
import torch

from choros.crops import Letterbox
from choros.trace.centres import CentreRules
from choros.trace.config import TraceConfig
from choros.trace.encoders import EncodedFrame
from choros.trace.maps import TraceMaps
from choros.trace.propagation import TraceState
from choros.trace.regression import PeopleAnswers, PersonSamples

CONFIG = TraceConfig(
    encoder="told", input_channels=4, map_size=32, depth=4, features=8, width=8, memory_layers=1, input_stride=16,
    root_about_ray=True, metric_motion=True,
)  # fmt: skip
STRAIGHT = torch.tensor([1.0, 0, 0, 1, 0, 0])


class ToldEncoder:
    """Each box of a detector is a mark in the cell of its middle: height of its centre, scale, y and x."""

    def __init__(self, detector):
        self.detector = detector

    def place(self, width, height):
        return Letterbox(width, height, CONFIG.image_size_px)

    def encode(self, image):
        boxes, scores = self.detector.detect(image)
        lies = self.place(image.shape[1], image.shape[0])
        marks = torch.zeros(1, 4, CONFIG.map_size, CONFIG.map_size)
        corners = lies.to_crop(np.asarray(boxes, np.float64).reshape(-1, 2, 2))
        for number, ((low, high), score) in enumerate(zip(corners, scores, strict=True)):
            y, x = ((low + high) / 2 / CONFIG.image_size_px * 2 - 1)[::-1]
            cell = np.clip((np.array([y, x]) + 1) / 2 * CONFIG.map_size, 0, CONFIG.map_size - 1).astype(int)
            scale = max((high[1] - low[1]) / CONFIG.image_size_px * 1.1, 0.05)
            marks[0, :, cell[0], cell[1]] = torch.tensor([score - 0.001 * number, scale, y, x])
        return EncodedFrame(marks, np.ascontiguousarray(image[::8, ::8, 1]))

    def flow(self, before, now):
        moved = float(now.picture.mean()) - float(before.picture.mean())
        return torch.full((1, 2, CONFIG.map_size, CONFIG.map_size), moved / 255)


class ToldNetwork(torch.nn.Module):
    """Says what the marks are; poses depend on every frame before, so that a lost state shows."""

    config = CONFIG

    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, features, flow, state):
        seen = features.mean((2, 3), keepdim=True).expand(-1, -1, 2, 2)
        moved = 0.0 if flow is None else flow.mean()
        memory = seen if state is None else 0.9 * state.memory[0] + 0.1 * seen + moved
        centre = features[:, 0]
        deep = torch.stack([centre, *[0.1 * centre] * 3], 1)
        blank = torch.zeros(1, 3, CONFIG.map_size, CONFIG.map_size)
        person = memory.mean((2, 3))[:, :, None, None].expand(-1, -1, CONFIG.map_size, CONFIG.map_size)
        volume = blank[:, :, None].expand(-1, -1, 4, -1, -1)
        maps = TraceMaps(
            centre, deep, volume, blank, volume, person, blank, blank.repeat(1, 2, 1, 1), features,
        )  # fmt: skip
        return maps, TraceState(seen, (memory,))

    def sample(self, maps, places, frames=None):
        z, y, x = places.unbind(-1)
        marks = maps.inputs[0, :, y, x].T
        at = torch.stack([torch.full_like(marks[:, 0], 0.5), (y + 0.5) / 16 - 1, (x + 0.5) / 16 - 1], -1)
        camera = torch.where(marks[:, :1] > 0, marks[:, 1:], at)
        none = torch.zeros(len(places), 3)
        feature = maps.person[0, :, y, x].T
        return PersonSamples(feature, camera, maps.centre_3d[0, z, y, x], none, none, none.repeat(1, 2))

    def regressors(self, samples):
        n = len(samples.camera)
        pose = STRAIGHT.repeat(n, 24, 1)
        pose[:, 0] = torch.tensor([1.0, 0, 0, -1, 0, 0])  # upright
        pose[:, 4, 2] = samples.feature.mean(-1)
        return PeopleAnswers(
            pose, torch.zeros(n, 10), samples.camera, samples.motion, pose[:, 0] + samples.rotation,
            samples.camera_motion,
        )  # fmt: skip


def told_trace(detector, **changes):
    """The system around a detector."""
    from dataclasses import replace

    from choros.body import BodyModel
    from choros.trace.system import Trace
    from choros.trace.tracker import TrackerConfig

    config = replace(TrackerConfig(), fit=None, centres=CentreRules(window=1), **changes)
    system = object.__new__(Trace)
    system.config, system.threads = config, 1
    system.body, system.network, system.encoder = (
        BodyModel.load(detail="light"),
        ToldNetwork(),
        ToldEncoder(detector),
    )
    system._fast, system._files, system._place, system._detector, system._gru = False, {}, {}, None, True
    return system
