"""`ai_query` in the plain `spark-sql` command, with nothing but a properties file."""

import os
import subprocess
import sys
from pathlib import Path

from spark_jobs import session
from tests.spark_jobs.gateway import Gateway

SPARK_SQL = Path(sys.executable).with_name("spark-sql")


def properties(jars: Path, scratch: Path) -> str:
    """The file, as the documentation shows it; the last lines keep this test's files out of the tree."""
    return f"""
spark.sql.extensions {session.DELTA["spark.sql.extensions"]}
spark.sql.catalog.spark_catalog {session.DELTA["spark.sql.catalog.spark_catalog"]}
spark.sql.catalogImplementation in-memory
spark.driver.extraClassPath {jars / "spark"}/*:{jars / session.PLUGINS}
spark.master local[2]
spark.ui.enabled false
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.sql.warehouse.dir {scratch / "warehouse"}
spark.hadoop.javax.jdo.option.ConnectionURL jdbc:derby:memory:headgate;create=true
spark.driver.extraJavaOptions -Dderby.stream.error.file={scratch / "derby.log"}
"""


def test_a_properties_file_is_all_the_plain_command_needs(gateway: Gateway, jars: Path, tmp_path: Path) -> None:
    file = tmp_path / "headgate.conf"
    file.write_text(properties(jars, tmp_path))
    query = "SELECT ai_query('ep', id) FROM range(3); SELECT ai_query('broken', 'x', failOnError => false).errorMessage"
    done = subprocess.run(
        [str(SPARK_SQL), "--properties-file", str(file), "-e", query],
        cwd=tmp_path,
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PATH": f"{SPARK_SQL.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *answers, error = [line for line in done.stdout.splitlines() if line]
    assert answers == ["you said 0", "you said 1", "you said 2"]
    assert "answered 400" in error
