"""What the libraries below choros leave on a machine or tell others of their own accord, and what is done about it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4


def keep_out_of_home() -> None:
    """Matplotlib lists the machine's fonts in the home folder; here in one that goes when the command ends.

    That costs half a second where a plot is drawn. Somebody's own MPLCONFIGDIR stays.
    """
    if "MPLCONFIGDIR" not in os.environ:
        # Matplotlib makes it, where it is used at all.
        folder = os.environ["MPLCONFIGDIR"] = str(Path(tempfile.gettempdir()) / f"choros-{uuid4().hex}")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def traces() -> list[tuple[str, str, str]]:
    """Whose, what it would write or send, and what becomes of it with choros."""
    from choros.cli.eyes import eyes_folder
    from choros.compiled import kept_in

    code = kept_in() or "nowhere, since no folder can be written: compiled anew each time"
    return [
        ("onnxruntime", "a device ID and reports of use, in the home folder and to its maker", _reports()),
        ("matplotlib", "the list of fonts, in the home folder", "in a temporary folder, deleted at the end"),
        ("numba", "compiled loops", code),
        ("torch", "an empty folder torchinductor_USER", tempfile.gettempdir()),
        ("viser", "the page of `choros view`", "at this machine's own address; nothing is fetched for it"),
        ("tensorboard", "curves of `choros train --tensorboard`", "beside the weights"),
        (
            "ray",
            "reports of use, to its makers",
            "not sent by `choros batch --ray`; its logs are in its own folder of /tmp",
        ),
        ("python", "its compiled sources", "beside the sources, where these can be written"),
        ("choros", "networks that `choros eyes get` fetches", str(eyes_folder())),
        ("others", "nothing", "nothing"),
    ]


def _reports() -> str:
    if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":
        return "neither: turned off before it is loaded"
    return "both: somebody took ORT_DISABLE_TELEMETRY=1 out of the environment"
