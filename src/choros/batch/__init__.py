"""Many videos: one folder a clip, one table of how all went; on this machine's processes or on a Ray cluster.

What is to be done stands in `clips` and `sources`, what became of a clip in `outcome`, how one is done in `work`;
`pool` and `ray_engine` only hand clips out and take outcomes in, so that bytes do not depend on who did what when.
"""

from choros.batch.clips import Clip, named
from choros.batch.outcome import Outcome, write_table
from choros.batch.run import Limits, State, run_batch
from choros.batch.sources import clips_of

__all__ = ["Clip", "Limits", "Outcome", "State", "clips_of", "named", "run_batch", "write_table"]
