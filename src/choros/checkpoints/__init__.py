"""Other people's checkpoints: what a file of weights is, and its tensors for a module of ours; nothing in it runs.

PyTorch's files are pickles, which are programs. They are read by `choros.restricted_pickle` with an inert `Shell` in
place of every name that plain data does not need.
"""

from choros.checkpoints.conversion import companion, conversion_of, convert, fingerprint
from choros.checkpoints.kinds import Checkpoint, what_is
from choros.checkpoints.loading import LoadReport, load_into
from choros.checkpoints.reading import read_state_dict

__all__ = [
    "Checkpoint",
    "LoadReport",
    "companion",
    "conversion_of",
    "convert",
    "fingerprint",
    "load_into",
    "read_state_dict",
    "what_is",
]
