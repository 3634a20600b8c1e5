"""Mending a motion after it was tracked: who is who, who is there, and what its camera, people and floor measure.

``identities`` and ``measures`` hold the operations, pure functions of a ``Motion`` that return another; ``edits`` says
each of them in one record, ``edit_list`` keeps those in a TOML file, and ``replay`` does them in order. ``suggestions``
finds pairs of tracks that are likely one person.
"""

from choros.editing.edit_list import read_list, write_list
from choros.editing.edits import Edit
from choros.editing.replay import Replayed, replay
from choros.editing.suggestions import Suggestion, suggest

__all__ = ["Edit", "Replayed", "Suggestion", "read_list", "replay", "suggest", "write_list"]
