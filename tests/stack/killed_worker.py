"""A worker, killed by its own hand when it would answer a command that it has carried out; started by test_failures."""

import os
import signal
import sys

from contract.records import Reply, ReplyFinished
from processors import app
from processors.bus import Bus


class Dying(Bus):
    """A bus that never says that anything was changed."""

    async def reply(self, slot: int, record: Reply) -> None:
        """End at once, as the machine's power would, where a change is to be answered."""
        if isinstance(record, ReplyFinished) and record.state_offset >= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().reply(slot, record)


if __name__ == "__main__":
    app.Bus = Dying  # type: ignore[attr-defined]
    sys.exit(app.main())
