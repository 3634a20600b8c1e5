"""A person's appearance in a scene as attributes: garments, colours, hair; ``dressing`` makes the meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from choros.scenes.place.textures import Colour

SKINS: tuple[Colour, ...] = (
    (0.93, 0.77, 0.68), (0.89, 0.71, 0.6), (0.85, 0.65, 0.53), (0.78, 0.58, 0.45), (0.67, 0.48, 0.36),
    (0.55, 0.38, 0.28), (0.43, 0.29, 0.21), (0.34, 0.23, 0.17),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.1, 0.08, 0.07), (0.16, 0.11, 0.08), (0.28, 0.18, 0.11), (0.42, 0.28, 0.16), (0.66, 0.52, 0.32),
    (0.48, 0.22, 0.12), (0.55, 0.54, 0.52), (0.78, 0.76, 0.73),
)  # fmt: skip
FAIR, GREY = (3, 4, 5), (6, 7)  # which of them go with pale skin only, and with age
NEUTRALS: tuple[Colour, ...] = (
    (0.12, 0.12, 0.13), (0.22, 0.23, 0.25), (0.45, 0.45, 0.46), (0.72, 0.71, 0.69), (0.92, 0.91, 0.88),
    (0.16, 0.2, 0.32), (0.5, 0.42, 0.32), (0.72, 0.64, 0.5), (0.32, 0.34, 0.26),
)  # fmt: skip
DENIMS: tuple[Colour, ...] = ((0.2, 0.28, 0.42), (0.34, 0.44, 0.58), (0.14, 0.17, 0.25), (0.5, 0.58, 0.68))
LEATHERS: tuple[Colour, ...] = (
    (0.1, 0.09, 0.09), (0.14, 0.13, 0.13), (0.25, 0.16, 0.1), (0.45, 0.3, 0.18), (0.88, 0.87, 0.85),
    (0.8, 0.8, 0.82), (0.45, 0.44, 0.42), (0.5, 0.14, 0.13), (0.18, 0.22, 0.35),
)  # fmt: skip


@dataclass(frozen=True)
class PersonAppearance:
    """What somebody wears, and in which colours."""

    skin: Colour
    hair: Colour
    hair_style: str  # "short", "crop", "long", "bob", "bun", "tail", "afro", "bald"
    hat: str  # "none", "cap", "beanie"
    beard: bool
    top: str  # one of garments.TOPS
    bottom: str  # "trousers", "jeans", "shorts", "skirt", "long skirt", "leggings", "none"
    scarf: bool
    bag: bool
    loose: float  # 0 tight to 1 wide
    seed: int  # of patterns and colours


def sample_appearance(rng: np.random.Generator, kid: float = 0.0) -> PersonAppearance:
    """A passer-by; kid 0 adult to 1 child."""

    def pick(choices: str, *odds: float) -> str:
        return str(rng.choice(choices.split(","), p=np.asarray(odds) / sum(odds)))

    style = pick("short,crop,long,bob,bun,tail,afro,bald", 4, 2, 2.5, 1, 0.8, 1.2, 0.8, 0.5)
    top = pick("tshirt,shirt,sweater,hoodie,vest,jacket,coat,suit,dress", 4, 3, 2, 2, 1, 2, 1.5, 1, 1)
    below = pick("trousers,jeans,shorts,skirt,long skirt,leggings", 3, 4, 1.5, 1.2, 0.6, 1)
    skin, shade = int(rng.integers(len(SKINS))), int(rng.integers(len(HAIRS)))
    if (skin >= 4 and shade in FAIR) or (kid > 0 and shade in GREY):
        shade %= 3
    may_have_beard = kid == 0 and style in ("short", "crop", "bald", "afro") and top != "dress"
    may_have_beard &= "skirt" not in below
    return PersonAppearance(
        skin=SKINS[skin],
        hair=HAIRS[shade],
        hair_style="short" if style == "bald" and kid > 0 else style,
        hat=pick("none,cap,beanie", 7, 1, 1),
        beard=bool(rng.uniform() < 0.35) and may_have_beard,
        top=top,
        bottom={"suit": "trousers", "dress": pick("none,leggings", 2, 1)}.get(top, below),
        scarf=bool(rng.uniform() < (0.2 if top in ("jacket", "coat") else 0.05)),
        bag=bool(rng.uniform() < 0.2),
        loose=float(rng.uniform(0.1, 0.9)),
        seed=int(rng.integers(2**31)),
    )


def sample_colour(rng: np.random.Generator, sober: float = 0.6) -> Colour:
    """A colour that people wear: ``sober`` of them black, white, grey, navy, beige; the rest real colours."""
    if rng.uniform() < sober:
        base = np.asarray(NEUTRALS[rng.integers(len(NEUTRALS))])
    else:
        hue, value, pale = rng.uniform(0, 6), rng.uniform(0.25, 0.8), rng.uniform(0.3, 0.85)
        wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
        base = value * (pale + (1 - pale) * wheel)
    r, g, b = np.clip(base * rng.uniform(0.9, 1.1), 0.04, 0.95)
    return float(r), float(g), float(b)
