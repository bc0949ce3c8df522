"""The ingest job, killed by its own hand right after it has written usage; run as a program by test_ingest."""

import os
import signal

from spark_jobs import names, session, settings
from spark_jobs.batches import Batches, Written
from spark_jobs.ingest import CHECKPOINT, Ingest, job_name, kafka
from spark_jobs.names import Table


def die(table: Table) -> None:
    """End at once, as the machine's power would."""
    if table == names.ENDPOINT_USAGE:
        os.kill(os.getpid(), signal.SIGKILL)


def ignore(written: Written) -> None:
    """Not reached."""


def main() -> None:
    """Run until the first write of usage."""
    config = settings.from_env()
    checkpoint = config.lake / CHECKPOINT
    spark = session.build("killed", lake=config.lake, jars=config.jars, ansi=True)
    batches = Batches(config.lake, job_name(checkpoint), wrote=die, done=ignore)
    Ingest(kafka(spark, config.brokers), batches, checkpoint, interval_seconds=None).query.awaitTermination()


if __name__ == "__main__":
    main()
