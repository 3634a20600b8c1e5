"""What somebody looks like, in words and colours; ``wardrobe`` makes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from choros.scenes.textures import Colour

SKINS: tuple[Colour, ...] = (
    (0.93, 0.77, 0.68), (0.89, 0.71, 0.6), (0.85, 0.65, 0.53), (0.78, 0.58, 0.45), (0.67, 0.48, 0.36),
    (0.55, 0.38, 0.28), (0.43, 0.29, 0.21), (0.34, 0.23, 0.17),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.1, 0.08, 0.07), (0.16, 0.11, 0.08), (0.28, 0.18, 0.11), (0.42, 0.28, 0.16), (0.66, 0.52, 0.32),
    (0.48, 0.22, 0.12), (0.55, 0.54, 0.52), (0.78, 0.76, 0.73),
)  # fmt: skip
NEUTRALS: tuple[Colour, ...] = (
    (0.12, 0.12, 0.13), (0.22, 0.23, 0.25), (0.45, 0.45, 0.46), (0.72, 0.71, 0.69), (0.92, 0.91, 0.88),
    (0.16, 0.2, 0.32), (0.5, 0.42, 0.32), (0.72, 0.64, 0.5), (0.32, 0.34, 0.26),
)  # fmt: skip
DENIMS: tuple[Colour, ...] = ((0.2, 0.28, 0.42), (0.34, 0.44, 0.58), (0.14, 0.17, 0.25), (0.5, 0.58, 0.68))
LEATHERS: tuple[Colour, ...] = (
    (0.1, 0.09, 0.09), (0.25, 0.16, 0.1), (0.45, 0.3, 0.18), (0.88, 0.87, 0.85), (0.55, 0.12, 0.12),
    (0.2, 0.25, 0.4),
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What somebody wears, and in which colours."""

    skin: Colour
    hair: Colour
    hair_style: str  # "short", "crop", "long", "bun", "bald"
    hat: str  # "none", "cap", "beanie"
    beard: bool
    top: str  # "tshirt", "shirt", "sweater", "vest", "jacket", "coat"
    bottom: str  # "trousers", "jeans", "shorts", "skirt", "leggings"
    bag: bool
    loose: float  # 0 tight to 1 wide
    seed: int  # of patterns and colours


def sample_look(rng: np.random.Generator) -> Look:
    """A passer-by."""

    def pick(choices: str, *odds: float) -> str:
        return str(rng.choice(choices.split(), p=np.asarray(odds) / sum(odds)))

    style = pick("short crop long bun bald", 4, 2, 4, 1.5, 0.5)
    return Look(
        skin=SKINS[rng.integers(len(SKINS))],
        hair=HAIRS[rng.integers(len(HAIRS))],
        hair_style=style,
        hat=pick("none cap beanie", 7, 1, 1),
        beard=style in ("short", "crop", "bald") and bool(rng.uniform() < 0.35),
        top=pick("tshirt shirt sweater vest jacket coat", 4, 3, 3, 1, 3, 2),
        bottom=pick("trousers jeans shorts skirt leggings", 3, 4, 1.5, 1.5, 1),
        bag=bool(rng.uniform() < 0.2),
        loose=float(rng.uniform(0.1, 0.9)),
        seed=int(rng.integers(2**31)),
    )


def sample_colour(rng: np.random.Generator) -> Colour:
    """A colour that people wear: half of them black, white, grey, navy, beige; half of them real colours."""
    if rng.uniform() < 0.5:
        base = np.asarray(NEUTRALS[rng.integers(len(NEUTRALS))])
    else:
        hue, value, pale = rng.uniform(0, 6), rng.uniform(0.25, 0.8), rng.uniform(0.2, 0.75)
        wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
        base = value * (pale + (1 - pale) * wheel)
    r, g, b = np.clip(base * rng.uniform(0.9, 1.1), 0.04, 0.95)
    return float(r), float(g), float(b)
