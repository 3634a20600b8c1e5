"""Those who were lost a short while ago: who is new and looks like one of them, and like no other, is that person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.fourdhumans.phalp.texture import Texture, TextureRules, unlikeness
from choros.tracking.online import Indices, Tracks


@dataclass(frozen=True)
class GoneRules:
    """Ours: the release forgets whoever is lost. Of an earlier shot nobody is remembered."""

    memory_s: float = 4.5  # since the last sight
    people: int = 32  # the last ones
    alike: float = 0.6  # `unlikeness` of the same person, at most
    clearly: float = 1.4  # times as unlike is anybody else, of the lost and of the new


def set_aside(gone: Tracks, leaving: Tracks, now_s: float, rules: GoneRules) -> Tracks:
    """The lost, with those who leave now; without whoever was not seen for too long."""
    named = leaving[leaving["id"] > 0]
    everybody = np.concatenate([gone, named])
    return everybody[now_s - everybody["seen_s"] <= rules.memory_s][-rules.people :]


def known_again(
    new: Tracks, gone: Tracks, rules: GoneRules, texture: TextureRules
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Who of the ``new`` (k,) is which of the ``gone`` (k,)."""
    unlike = unlikeness(_looks(new), _looks(gone), texture)
    unlike = np.where(np.isnan(unlike), np.inf, unlike)
    if not unlike.size:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    rival = np.full_like(unlike, np.inf)
    for row in range(unlike.shape[0]):
        for column in range(unlike.shape[1]):
            others = np.concatenate([np.delete(unlike[row], column), np.delete(unlike[:, column], row)])
            rival[row, column] = others.min(initial=np.inf)
    which, who = np.nonzero((unlike <= rules.alike) & (rules.clearly * unlike < rival))
    return which, who


def go_on(tracks: Tracks, unnamed: Indices, gone: Tracks, rules: GoneRules, texture: TextureRules) -> Tracks:
    """Name those of the ``unnamed`` who were lost; gives the lost who still are."""
    which, who = known_again(tracks[unnamed], gone, rules, texture)
    tracks["id"][unnamed[which]] = gone["id"][who]
    return np.delete(gone, who)


def _looks(tracks: Tracks) -> Texture:
    return Texture(tracks["texture_lab"], tracks["texture_weight"])
