"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[
    Path, typer.Option("--directory", help="Where the running system keeps its addresses, keys and secrets.")
]
