"""The always-on job: `gateway.log` and `gateway.state` become tables.

`python -m spark_jobs.ingest` runs until SIGTERM, `--once` ends when it has caught up.
"""

import argparse
import logging
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from contract import logs, topics
from spark_jobs import session, settings
from spark_jobs.batches import Batches, Written
from spark_jobs.names import Table

LOG = logging.getLogger(__name__)
JOB = "gateway-log"
ROWS_PER_BATCH = 10_000
POLL_SECONDS = 0.5
OPEN: Mapping[str, str] = {}
Write = Callable[[DataFrame, int], None]
# Not a legal name for a catalog, and beside the tables: whoever removes the lake removes both.
CHECKPOINT = Path(".checkpoints", JOB)


def kafka(spark: SparkSession, brokers: str, security: Mapping[str, str] = OPEN) -> DataFrame:
    """Both topics as one stream, from their beginning. Lost data ends the query: see docs/lakehouse.md.

    `security`: what Kafka's own client needs besides the brokers' addresses.
    """
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", brokers)
        .options(**{f"kafka.{name}": said for name, said in security.items()})
        .option("subscribe", f"{topics.LOG.name},{topics.STATE.name}")
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", ROWS_PER_BATCH)
        .option("failOnDataLoss", "true")
        .option("groupIdPrefix", "headgate-lake")
        .load()
    )


def job_name(checkpoint: Path) -> str:
    """The name a checkpoint's transactions go by; it lies inside, because a new checkpoint counts from 0 again."""
    file = checkpoint / "headgate-id"
    if not file.exists():
        checkpoint.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(uuid.uuid4().hex)
        fresh.replace(file)
    return f"{JOB}:{file.read_text()}"


class Stopping(Exception):
    """A batch came after the end was asked for; it is not committed, so the next start repeats it."""


class Ingest:
    """One running query; `stop` lets the batch at work finish."""

    def __init__(self, source: DataFrame, write: Write, checkpoint: Path, *, interval_seconds: float | None) -> None:
        self._at_work = threading.Lock()
        self._stopped = False
        self._write = write
        writer = source.writeStream.foreachBatch(self._batch).option("checkpointLocation", str(checkpoint))
        once, every = {"availableNow": True}, {"processingTime": f"{interval_seconds} seconds"}
        writer = writer.queryName(JOB).trigger(**(once if interval_seconds is None else every))
        self.query: StreamingQuery = writer.start()

    def _batch(self, batch: DataFrame, number: int) -> None:
        with self._at_work:
            if self._stopped:
                raise Stopping
            self._write(batch, number)

    def initializing(self) -> bool:
        """Whether the source is still being looked at."""
        return self.query.isActive and self.query.status["message"] == "Initializing sources"

    def stop(self) -> None:
        """End the query, after the batch at work."""
        with self._at_work:
            self._stopped = True
        # Without the lock: a batch that waits for it here would keep the query from ending.
        self.query.stop()


def run(ingest: Ingest, stopping: threading.Event, hide: Callable[[str], str] = str) -> int:
    """Wait for the query's end or `stopping`; the process's exit code. `hide`: takes the password out of a text."""
    while ingest.initializing() and not stopping.wait(POLL_SECONDS):
        pass
    if ingest.query.isActive and not stopping.is_set():
        logs.event(LOG, logging.INFO, "ready")
    while ingest.query.isActive and not stopping.wait(POLL_SECONDS):
        pass
    failed = ingest.query.exception()
    if failed is None:
        ingest.stop()
        logs.event(LOG, logging.INFO, "stopped")
        return 0
    logs.event(LOG, logging.ERROR, "query failed", why=hide(str(failed))[:2000])
    return 1


def report(now: Callable[[], float]) -> Callable[[Written], None]:
    """Log what each batch held and how old its newest request was."""

    def batch_written(written: Written) -> None:
        age = None if written.newest_ms is None else round(now() - written.newest_ms / 1000, 1)
        facts = {name: getattr(written, name) for name in written.__struct_fields__}
        logs.event(LOG, logging.INFO, "batch written", **facts, age_seconds=age)

    return batch_written


def ignore(table: Table) -> None:
    """Nobody needs to know of a single table's write outside tests."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; 0 after SIGTERM or when caught up, 1 when the query failed."""
    parser = argparse.ArgumentParser(prog="python -m spark_jobs.ingest", description=__doc__)
    parser.add_argument("--once", action="store_true", help="write what the topics hold now, then end")
    parser.add_argument(
        "--new-checkpoint",
        action="store_true",
        help="read the topics from their beginning again, after Kafka lost data; rows already written stay single",
    )
    given = parser.parse_args(arguments)
    config = settings.from_env()
    logs.configure(config.log_level, "lake")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    checkpoint = config.lake / CHECKPOINT
    if given.new_checkpoint:
        shutil.rmtree(checkpoint, ignore_errors=True)
    spark = session.build("headgate-lake", lake=config.lake, jars=config.jars, ansi=True)
    batches = Batches(config.lake, job_name(checkpoint), wrote=ignore, done=report(time.time))  # noqa: TID251
    batches.ensure_system(spark)
    interval = None if given.once else config.interval_seconds
    source = kafka(spark, config.brokers, config.kafka.java(settings.text))
    code = run(Ingest(source, batches, checkpoint, interval_seconds=interval), stopping, config.kafka.hide)
    spark.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
