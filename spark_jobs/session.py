"""The Spark session of every program of the lake, sized for two cores beside a broker and workers."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from spark_jobs import names

PLUGINS = "headgate-spark.jar"
LOG4J = Path(__file__).with_name("log4j2.properties")
MEMORY = "768m"

# lakehouse.md 4: the first two decide how long a small Delta table takes.
LOCAL: Mapping[str, str] = {
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.master": "local[2]",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.streaming.numRecentProgressUpdates": "2",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.debug.maxToStringFields": "100",
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|jaas|keystore[.]key",  # Spark's own, and Kafka's
}
DELTA: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension,headgate.AiQueryExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.speculation": "false",  # a task tried twice would call a model twice
    # The newer way puts a query's parameters in while parsing, and Delta's parser does not pass them on.
    "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
}


def build(name: str, *, lake: Path, jars: Path, ansi: bool, log_level: str = "warn") -> SparkSession:
    """Start the session and mount the lake's catalogs.

    `ansi`: on for jobs; off for people, because the vendor's SQL indexes arrays that may be empty.
    `log_level`: what the JVM logs. FileNotFoundError when the jars were not fetched.
    """
    needed = jars / PLUGINS
    if not needed.is_file():
        raise FileNotFoundError(f"{needed} is missing: run `make setup`")
    options = [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Duser.timezone=UTC",
        f"-Dlog4j2.configurationFile={LOG4J}",
        f"-Dheadgate.spark.log={log_level}",
    ]
    own = {
        "spark.app.name": name,
        "spark.driver.memory": MEMORY,
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.driver.extraClassPath": f"{jars / 'spark'}/*:{needed}",
        "spark.sql.warehouse.dir": str(lake / ".warehouse"),
        "spark.sql.ansi.enabled": str(ansi).lower(),
    }
    # pyspark's own logger repeats every failed query with its whole plan; the exception says enough.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    builder = SparkSession.builder
    for key, value in {**LOCAL, **DELTA, **own}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    mount(spark, lake)
    return spark


def mount(spark: SparkSession, lake: Path) -> None:
    """Give the session a catalog for each directory of the lake it does not know yet; cheap."""
    for catalog in names.catalogs(lake):
        key = f"spark.sql.catalog.{catalog}"
        if spark.conf.get(key, None) is None:
            spark.conf.set(f"{key}.root", str(lake / catalog))
            spark.conf.set(key, "headgate.PathCatalog")
