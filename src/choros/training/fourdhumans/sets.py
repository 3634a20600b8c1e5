"""The public sets that HMR 2.0 learns from, by the names that its recipes have for them; whoever trains has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from choros.datasets.ava import AVA
from choros.datasets.coco import COCO, read_coco
from choros.datasets.hmr_npz import SPIN24, read_hmr_npz
from choros.datasets.human36m import read_human36m_npz
from choros.datasets.instavariety import read_instavariety
from choros.datasets.mpi_inf_3dhp import read_mpi_inf_3dhp_npz
from choros.datasets.mpii import MPII, read_mpii
from choros.datasets.official import Official
from choros.datasets.sample import Samples
from choros.datasets.test_footage import refuse_test_footage
from choros.errors import ChorosError

AI_CHALLENGER = Official(
    "AI Challenger",
    "github.com/AIChallenger/AI_Challenger_2017 (human keypoints) and npz labels in the form of 4DHumans'",
    "research only, as agreed to on registration",
)


def _npz_or(official: Official, read: Callable[[Path, Path], Samples]) -> Callable[[Path, Path], Samples]:
    """Fits in HMR's npz form where the labels are such a file, else the set's own labels."""
    return lambda labels, images: (
        read_hmr_npz(official, labels, images, SPIN24) if labels.suffix == ".npz" else read(labels, images)
    )


def _npz(official: Official) -> Callable[[Path, Path], Samples]:
    """Pseudo-labels in HMR's npz form: the set itself has neither pose nor keypoints."""
    return lambda labels, images: read_hmr_npz(official, labels, images, SPIN24)


#: From labels and a folder of pictures to samples.
READERS: dict[str, Callable[[Path, Path], Samples]] = {
    "human36m": read_human36m_npz,
    "mpii": _npz_or(MPII, read_mpii),
    "mpi-inf-3dhp": read_mpi_inf_3dhp_npz,
    "coco": _npz_or(COCO, read_coco),
    "ava": _npz(AVA),
    "ai-challenger": _npz(AI_CHALLENGER),
    "instavariety": read_instavariety,
}


def open_set(name: str, labels: str | Path, images: str | Path) -> Samples:
    """The samples of a set that the user has.

    Raises ``ChorosError`` for a name that no recipe has, for test footage, and for what the reader refuses.
    """
    if name not in READERS:
        raise ChorosError(f'HMR 2.0 learns from no set called "{name}"; there are: {", ".join(READERS)}.')
    refuse_test_footage([labels, images])
    return READERS[name](Path(labels), Path(images))
