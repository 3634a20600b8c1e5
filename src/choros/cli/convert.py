"""``choros convert``: other people's checkpoints once and for all as safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from choros.cli.stopping import whole_or_not
from choros.devices import DTYPES

Numbers = Annotated[str | None, arg(metavar="|".join(DTYPES), constructor=str, help_behavior_hint="")]


@dataclass
class Convert:
    """Write a released checkpoint as safetensors, which opens at once: names stay, nothing of it runs."""

    file: Positional[Annotated[Path, arg(metavar="FILE|DIR")]]
    """A checkpoint as its authors gave it out, or the folder with CoMotion's three files."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("converted.safetensors")
    """File to write, which goes wherever the original did."""
    dtype: Numbers = None
    """In what to keep matrices; as they are if it is not said. Halves are smaller and a little less exact."""

    def run(self) -> None:
        """Convert it and say what it was, and under which terms."""
        from choros.checkpoints import convert
        from choros.comotion.released.files import files_in
        from choros.errors import ChorosError
        from choros.outputs import check_output

        if self.dtype not in (None, *DTYPES):
            raise ChorosError(f"matrices are not kept in {self.dtype!r}; give one of {', '.join(DTYPES)}.")
        parts = files_in(self.file) if self.file.is_dir() else self.file
        check_output(self.output, *(parts.values() if isinstance(parts, dict) else [parts]))
        with whole_or_not(self.output):
            found = convert(parts, self.output, self.dtype)
        for one in found.values():
            terms = "" if one.terms is None else f"; {one.terms}"
            print(f"{one.path} is {one.what}{terms}")
        print(f"{self.output}: {self.output.stat().st_size / 1e6:,.1f} MB")
