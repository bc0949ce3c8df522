"""What the launcher takes from its surroundings; nothing else in this house reads them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

REPOSITORY = Path(__file__).resolve().parents[1]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are. `environ` is handed on to every child."""

    environ: dict[str, str]
    data: Path
    jars: Path

    def __repr__(self) -> str:  # the environment may hold the admin's token and the master key
        return f"Settings(data={self.data}, jars={self.jars})"

    @property
    def python(self) -> str:
        """The interpreter that runs every Python child: this one."""
        return sys.executable

    @classmethod
    def from_env(cls, data: str | None, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment; `data` is the command line's `--data`, which wins."""
        env = dict(os.environ if environ is None else environ)
        return cls(
            environ=env,
            data=Path(data or env.get("HEADGATE_DATA") or ".headgate").resolve(),
            jars=Path(env.get("HEADGATE_JARS") or REPOSITORY / ".headgate" / "jars").resolve(),
        )
