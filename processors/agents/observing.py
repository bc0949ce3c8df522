"""Judges that only observe: asked beside everything; the event log's row alone waits for what they find."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from contract import logs
from contract.records import Finding
from processors.agents.case import Case
from processors.agents.judges import Judges

log = logging.getLogger(__name__)


def observers(case: Case, judges: Judges) -> Judges:
    """The judges, who have until the request's deadline."""
    return judges._replace(until=None if case.bound is None else case.bound.when())


def observe(case: Case, judging: Coroutine[Any, Any, None]) -> None:
    """Have something judged beside the request; `judging` writes down what it finds."""
    case.observers.append(asyncio.create_task(_observed(case, judging)))


async def _observed(case: Case, judging: Coroutine[Any, Any, None]) -> None:
    try:
        await judging
    except Exception as error:  # the task's edge: who only observes can break nothing
        logs.event(log, logging.ERROR, "defect", request_id=case.request.request_id, error=type(error).__name__)
        log.debug("defect", exc_info=error)


async def all_findings(case: Case) -> tuple[Finding, ...]:
    """The case's findings once its observers have ended; for a caller who is gone nobody goes on observing."""
    if case.gone:
        for task in case.observers:
            task.cancel()
    await asyncio.gather(*case.observers, return_exceptions=True)
    return tuple(case.findings)
