"""The status file: what each part is doing, for the ingress to show."""

from pathlib import Path
from typing import Literal

import msgspec

State = Literal["starting", "ready", "restarting", "stopped"]


class Status:
    """Each part's state, in memory and in a JSON file that is always whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.states: dict[str, State] = {}

    def set(self, part: str, state: State) -> None:
        """Note it and write the file, when it is news."""
        if self.states.get(part) != state:
            self.states[part] = state
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(msgspec.json.encode(self.states))
            fresh.replace(self._path)
