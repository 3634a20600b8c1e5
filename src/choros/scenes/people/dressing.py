"""What people wear, from the skin outwards: our own clothes and hair, or MakeHuman's from a user's folder.

``dress`` cuts and paints what a ``PersonAppearance`` says, for one body in its T-pose. Only the skin
that shows is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.scenes.people.cloth import Piece, cut
from choros.scenes.people.fitting import Fitting, RestBody
from choros.scenes.people.garments import TOPS, wear_bag, wear_bottom, wear_scarf, wear_shoes, wear_top
from choros.scenes.people.hair_and_hats import grow_hair, show_skin, strand_uv, wear_hat
from choros.scenes.people.makehuman import Garment, Wardrobe, fitted, hidden_skin, read_wardrobe
from choros.scenes.people.person_appearance import DENIMS, LEATHERS, NEUTRALS, PersonAppearance, sample_colour
from choros.scenes.place import textures
from choros.scenes.place.photo_album import Album

Floats = NDArray[np.float64]

REAL = 0.8  # how often somebody takes clothes, and hair, out of a given wardrobe


@dataclass(frozen=True)
class Closet:
    """What people dress from besides what ships."""

    wardrobe: Wardrobe | None = None  # MakeHuman's clothes and hair
    album: Album | None = None  # photographs, for prints


def open_closet(wardrobe: Path | None, photos: Path | None) -> Closet:
    """The closet of two folders. Raises ``ChorosError`` for one that holds nothing to dress from."""
    return Closet(
        None if wardrobe is None else read_wardrobe(Path(wardrobe)),
        None if photos is None else Album(Path(photos)),
    )


@dataclass(frozen=True)
class Dressed:
    """One mesh of all that shows of somebody, ready to be posed and painted."""

    points: NDArray[np.float32]  # (M, 3) metres, T-pose
    faces: NDArray[np.int32]  # (F, 3)
    skin_joints: NDArray[np.int32]  # (M, 4)
    skin_weights: NDArray[np.float32]  # (M, 4), rows sum to 1
    source: NDArray[np.int32]  # (M, 2) vertices of the body whose pose correctives it shares, -1 none
    share: NDArray[np.float32]  # (M,) of the second of them
    uv: NDArray[np.float32]  # (M, 2) repeats of the texture
    texture: NDArray[np.int32]  # (F,) into textures
    textures: NDArray[np.uint8]  # (n, LEVELS, S, S, 3)
    sole_m: float  # lowest point, y


def dress(rest: RestBody, appearance: PersonAppearance, closet: Closet | None = None) -> Dressed:
    """Clothes, hair and skin of one body. Raises ``ChorosError`` for files of the closet that cannot be read."""
    f, closet = Fitting(rest, appearance), closet or Closet()
    taken = _taken(np.random.default_rng([appearance.seed, 1]), appearance, closet.wardrobe)
    if "shoes" in taken:
        _put_on(f, taken["shoes"], None)
    else:
        wear_shoes(f)
    if "outfit" in taken:
        _put_on(f, taken["outfit"], closet.album)
    else:
        _own_clothes(f, closet.album)
    if appearance.scarf:
        wear_scarf(f)
    if "hair" in taken:
        _put_on(f, taken["hair"], None)
    elif appearance.hair_style != "bald":
        grow_hair(f)
    if "hat" in taken:
        _put_on(f, taken["hat"], None)
    elif appearance.hat != "none":
        wear_hat(f)
    if appearance.bag:
        wear_bag(f, f.cloth(0.1) if closet.album is None else f.paint(_photo(f, closet.album)))
    show_skin(f)
    return _sewn(f.pieces, np.stack([textures.stack(p) for p in f.paintings]))


# --- our own ----------------------------------------------------------------------------------------


def _own_clothes(f: Fitting, album: Album | None) -> None:
    """Top and bottom; photographs are prints on the chest, or all over the cloth."""
    appearance, rng, how = f.appearance, f.rng, TOPS[f.appearance.top]
    prints: list[int] = []
    if album is not None and rng.uniform() < 0.25:
        cloth = f.paint(_photo(f, album))
    else:
        cloth = f.cloth(how.patterned)
        if rng.uniform() < how.printed:
            picture = textures.emblem(rng, f.paintings[cloth]) if album is None else _picture(f, album)
            prints = [f.paint(picture)]
    below = cloth if appearance.top == "suit" else None
    if album is not None and "skirt" in appearance.bottom and rng.uniform() < 0.4:
        below = f.paint(_photo(f, album))
    wear_bottom(f, below)
    wear_top(f, cloth, prints)


def _picture(f: Fitting, album: Album) -> Floats:
    """A part of a photograph, upright on a texture whose second axis goes up."""
    return album.cut(f.rng, 128, 128)[::-1] / 255.0


def _photo(f: Fitting, album: Album) -> Floats:
    """Cloth printed all over with a part of a photograph, mirrored so that it repeats without a seam."""
    return textures.mirror_tiled(album.cut(f.rng, 64, 64))


# --- MakeHuman's ------------------------------------------------------------------------------------


def _taken(
    rng: np.random.Generator, appearance: PersonAppearance, wardrobe: Wardrobe | None
) -> dict[str, Garment]:
    """What somebody takes out of the wardrobe."""
    dressed, coiffed, hatted = rng.uniform(size=3)
    kinds = []
    if dressed < REAL:
        kinds += ["outfit", "shoes"]
    if coiffed < REAL and appearance.hair_style != "bald" and appearance.hat == "none":
        kinds.append("hair")
    if hatted < 0.3 and appearance.hat != "none":
        kinds.append("hat")
    if wardrobe is None:
        return {}
    found = {kind: wardrobe.pick(rng, kind, "female" if appearance.beard else "none") for kind in kinds}
    return {kind: garment for kind, garment in found.items() if garment is not None}


def _put_on(f: Fitting, garment: Garment, album: Album | None) -> None:
    """One of MakeHuman's garments: fitted, lifted off the skin, coloured piece by piece."""
    points, weights, nearest = fitted(garment, f.skin.points, f.skin.weights)
    points = f.lift(points, nearest, 0.004)
    follows = np.stack([nearest, nearest], axis=1)
    whole = Piece(points, garment.faces, weights, follows, np.zeros(len(points)), points[:, :2])
    if garment.kind == "hair":
        texture = f.paint(textures.strands(f.rng, f.appearance.hair))
        f.pieces.append(replace(whole, uv=strand_uv(f, points), texture=texture))
        return
    hidden = hidden_skin(garment)
    f.bare = _without(f.bare, hidden)
    if garment.kind == "outfit":
        hem = float(points[:, 1].min()) + 0.02
        f.pieces = [cut(under, hem - under.points[:, 1]) for under in f.pieces]
    for number, piece in enumerate(_parts(f, whole, garment)):
        f.add_cloth(piece, _cloth_of(f, garment.kind, number, piece, album))


def _parts(f: Fitting, whole: Piece, garment: Garment) -> list[Piece]:
    """Its connected pieces, all small ones as one; overalls are parted at the waist."""
    part = garment.parts[garment.faces[:, 0]]
    pieces = [replace(whole, faces=garment.faces[part == n]) for n in range(min(int(part.max()) + 1, 2))]
    pieces.append(replace(whole, faces=garment.faces[part >= 2]))
    parted = []
    for piece in pieces:
        used = piece.points[np.unique(piece.faces)] if len(piece.faces) else np.zeros((0, 3))
        if len(used) and used[:, 1].min() < f.m.knee and used[:, 1].max() > f.m.armpit:
            below = f.m.waist - 0.03 * f.m.size - piece.points[:, 1]
            parted += [cut(piece, below), cut(piece, -below)]
        elif len(used):
            parted.append(cut(piece, np.ones(len(piece.points))))
    return parted


def _cloth_of(f: Fitting, kind: str, number: int, piece: Piece, album: Album | None) -> int:
    """A new texture for a part of a garment; trousers are denim or sober."""
    rng = f.rng
    if kind == "shoes":
        if number == 1:
            return len(f.paintings) - 1  # its twin
        colour = (
            LEATHERS[rng.integers(len(LEATHERS))] if number == 0 else NEUTRALS[rng.integers(len(NEUTRALS))]
        )
        return f.paint(textures.plain(rng, colour, grain=0.04))
    if kind == "outfit" and piece.points[:, 1].min() < f.m.crotch and piece.points[:, 1].max() < f.m.armpit:
        if rng.uniform() < 0.5:
            denim = textures.denim(rng, DENIMS[rng.integers(len(DENIMS))])
            return f.paint(textures.creased(rng, denim))
        return f.paint(textures.woven(rng, sample_colour(rng, 0.85)))
    if album is not None and rng.uniform() < 0.25:
        return f.paint(_photo(f, album))
    return f.cloth(0.4 if kind == "outfit" and number < 2 else 0.0)


def _without(skin: Piece, hidden: NDArray[np.bool_]) -> Piece:
    """Skin without the faces all of whose corners are hidden (V,)."""
    gone = hidden[skin.source[:, 0]]
    return replace(skin, faces=skin.faces[~gone[skin.faces].all(axis=1)])


def _sewn(pieces: list[Piece], paintings: NDArray[np.uint8]) -> Dressed:
    """All pieces as one mesh with four weights a vertex."""
    pieces = [cut(piece, np.ones(len(piece.points))) for piece in pieces]  # without unused vertices
    starts = np.cumsum([0, *(len(p.points) for p in pieces)])
    points = np.concatenate([p.points for p in pieces])
    weights = np.concatenate([p.weights for p in pieces])
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    four = np.take_along_axis(weights, joints, axis=1)
    return Dressed(
        points=points.astype(np.float32),
        faces=np.concatenate([p.faces + s for p, s in zip(pieces, starts[:-1], strict=True)]).astype(
            np.int32
        ),
        skin_joints=joints.astype(np.int32),
        skin_weights=(four / four.sum(axis=1, keepdims=True)).astype(np.float32),
        source=np.concatenate([p.source for p in pieces]).astype(np.int32),
        share=np.concatenate([p.share for p in pieces]).astype(np.float32),
        uv=np.concatenate([p.uv for p in pieces]).astype(np.float32),
        texture=np.concatenate([np.full(len(p.faces), p.texture) for p in pieces]).astype(np.int32),
        textures=paintings,
        sole_m=float(points[:, 1].min()),
    )
