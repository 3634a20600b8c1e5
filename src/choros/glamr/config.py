"""Every number of GLAMR's two networks, with its source; the defaults are the paper's, "small" is for the CPU.

The sizes differ in numbers only: there is one code path. Both networks speak of motion at ``FPS`` frames a
second, the rate they learn at; ``network_inputs.py`` goes there and back.
"""

from __future__ import annotations

from dataclasses import dataclass

FPS = 30  # the authors' code: videos and motion capture are resampled to it


@dataclass(frozen=True)
class InfillerConfig:
    """The motion infiller (section 3.1, appendix C)."""

    width: int = 256  # appendix C: queries, keys and values
    heads: int = 8  # appendix C
    blocks: int = 2  # appendix C: of every transformer
    feedforward: int = 512  # appendix C
    mlp: tuple[int, ...] = (512, 256)  # appendix C: hidden layers of the token-wise perceptron
    dropout: float = 0.1  # appendix C
    latent: int = 128  # appendix C
    context: int = 10  # appendix C: frames of a window that are filled already
    infilled: int = 30  # appendix C: 50 - 10 - 10
    lookahead: int = 10  # appendix C
    horizon: int = 100  # ours: frames after the window in which the next sight is looked for
    seam: int = 5  # ours: frames over which what is filled in bends to what was seen

    def __post_init__(self) -> None:
        object.__setattr__(self, "mlp", tuple(self.mlp))  # a list, where it was read from JSON

    @property
    def window(self) -> int:
        """Frames the network sees at once."""
        return self.context + self.infilled + self.lookahead


@dataclass(frozen=True)
class TrajectoryConfig:
    """The trajectory predictor (section 3.2, appendix D); the last two are the paper's ablations (table 4)."""

    lstm: int = 256  # appendix D: hidden size of a layer, half of it each way as in the authors' code
    layers: int = 2  # appendix D
    mlp: tuple[int, ...] = (512, 256)  # appendix D: hidden layers of every token-wise perceptron
    latent: int = 128  # appendix D
    transformer: bool = False  # attention over time instead of LSTMs
    egocentric: bool = True  # False: says places and rotations in the first frame's heading

    def __post_init__(self) -> None:
        object.__setattr__(self, "mlp", tuple(self.mlp))  # a list, where it was read from JSON


INFILLER_PRESETS = {
    "paper": InfillerConfig(),
    "small": InfillerConfig(
        width=96, heads=4, blocks=1, feedforward=192, mlp=(192, 96), dropout=0.0, latent=32
    ),
}
TRAJECTORY_PRESETS = {
    "paper": TrajectoryConfig(),
    "small": TrajectoryConfig(lstm=96, mlp=(192, 96), latent=16),
}
