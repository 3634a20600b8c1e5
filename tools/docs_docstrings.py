"""Docstrings as Markdown, for the reference of the documentation: examples become blocks of code.

An extension of griffe, which reads the sources for mkdocstrings; ``mkdocs.yml`` names it.
"""

import re
from typing import Any

import griffe

#: Lines from a prompt to the next empty line.
EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.M)


class Examples(griffe.Extension):
    """Fences what begins with a prompt; what a double colon announces is indented, which is code already."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
            obj.docstring.value = re.sub(r"::$", ":", text, flags=re.M)
