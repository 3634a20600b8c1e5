"""What a motion is worth, in plain sentences: what was seen, what was guessed, and what the clip did not give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from choros.motion import Motion


@dataclass(frozen=True)
class TellingRules:
    """From when on something is worth a sentence; all of our choosing."""

    small_px: float = (
        60.0  # height of somebody in the picture, below which poses of legs and hands are guesses
    )
    unsure: float = 0.3  # confidence of a keypoint that was not really seen
    often: float = 0.1  # share of rows or frames
    short_s: float = 1.0  # of sight: identities so short are often pieces of others
    cut_off: float = 0.02  # share of the picture's side within which a box is cut off by it


def limits_of(motion: Motion, rules: TellingRules | None = None) -> list[str]:
    """Sentences on the quality and the limits of a motion, those on everybody first."""
    rules = rules or TellingRules()
    return [*_on_the_clip(motion), *_on_the_camera(motion), *_on_people(motion, rules)]


def _on_the_clip(motion: Motion) -> Iterator[str]:
    gaps, cuts = int(motion.gap_before.sum()), int(motion.cut_before[1:].sum())
    if gaps:
        at = ", ".join(f"{time_s:.1f}" for time_s in motion.pts_s[motion.gap_before][:6])
        more = " and on" if gaps > 6 else ""
        yield f"Frames are lost or damaged in {_times(gaps, 'place')} (at {at} s{more}); nobody is led over them."
    else:
        yield "No frame of the clip is lost or damaged."
    if cuts:
        yield f"The clip has {_times(cuts, 'cut')}; after each, people have new numbers unless they were joined."
    steps_s = np.diff(motion.pts_s)
    if len(steps_s) and steps_s.max() > 1.5 * np.median(steps_s):
        late = int((steps_s > 1.5 * np.median(steps_s)).sum())
        yield f"Frames come unevenly: {_times(late, 'step')} between two of them took half as long again or more."


def _on_the_camera(motion: Motion) -> Iterator[str]:
    source, spread = motion.header.K_source, motion.header.focal_spread
    field_deg = np.degrees(2 * np.arctan(motion.width / 2 / motion.K[0, 0, 0])) if len(motion) else 0.0
    within = "" if spread is None else f", its focal length to within {100 * spread:.0f} %"
    if source == "estimated":
        yield f"The lens is estimated from people: it sees {field_deg:.0f} degrees across the picture{within}."
    elif source == "metadata":
        yield f"The lens is as the file's metadata says: it sees {field_deg:.0f} degrees across the picture."
    elif source == "assumed" or not motion.header.provenance.keys() & {"K", "K_source", "options"}:
        yield (
            f"Nobody gave the lens: one of {field_deg:.0f} degrees across the picture is assumed, so that distances "
            "may be stretched by as much as it is wrong; angles of joints hardly are. `--fov` or `--K` mend that."
        )
    if motion.space == "camera" and not motion.tells_camera:
        yield "Where the camera was is not known: paths are those before the camera. `choros world` finds the ground."
    elif not motion.camera_known.all():
        unknown = 1 - motion.camera_known.mean()
        yield f"The camera's way is not known in {100 * unknown:.0f} % of the frames."


def _on_people(motion: Motion, rules: TellingRules) -> Iterator[str]:
    rows = motion.rows
    seen = rows[rows["visible"]]
    if not len(seen):
        yield "Nobody is seen in this clip."
        return
    unseen = 1 - len(seen) / len(rows)
    if unseen > 0:
        yield f"In {100 * unseen:.0f} % of all their frames people are predicted and not seen (pale in the pictures)."
    high = seen["box_px"][:, 3] - seen["box_px"][:, 1]
    small = [
        person for person in motion.ids.tolist()
        if (mine := high[seen["person"] == person]).size and np.median(mine) < rules.small_px
    ]  # fmt: skip
    if small:
        yield (
            f"{_people(small)} under {rules.small_px:.0f} px tall in the picture: poses of legs and hands are guesses, "
            "where they stand is not."
        )
    legs = seen["keypoints_px"][:, 13:, 2]
    for person in motion.ids.tolist():
        mine = legs[seen["person"] == person]
        if len(mine) and person not in small and (mine < rules.unsure).mean() > 0.5:
            yield f"Knees and ankles of person {person} are mostly hidden or cut off: poses of their legs are guesses."
    low = seen["box_px"][:, 3] > (1 - rules.cut_off) * motion.height
    cut = [
        person for person in motion.ids.tolist()
        if (mine := low[seen["person"] == person]).size and mine.mean() > rules.often
    ]  # fmt: skip
    if cut:
        yield (
            f"{_people(cut)} cut off by the picture's lower side for a while: feet, and with them distances, are "
            "guesses then."
        )
    frame_s = 1 / float(motion.fps)
    short = [
        person for person in motion.ids.tolist() if (seen["person"] == person).sum() * frame_s < rules.short_s
    ]
    if short:
        yield (
            f"{_people(short)} seen for less than {rules.short_s:.0f} s: such tracks are often pieces of others. "
            "`choros edit --suggest` tells whose."
        )


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _people(people: list[int]) -> str:
    if len(people) == 1:
        return f"Person {people[0]} is"
    shown = ", ".join(map(str, people[:8]))
    return f"People {shown}{' and more' if len(people) > 8 else ''} are"
