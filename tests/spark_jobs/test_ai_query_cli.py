"""`ai_query` in the plain `spark-sql` command, with nothing but a properties file."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from spark_jobs import session
from tests.spark_jobs.gateway import Gateway, texts

SPARK_SQL = Path(sys.executable).with_name("spark-sql")


def properties(jars: Path, scratch: Path, master: str = "local[2]") -> str:
    """The file, as the documentation shows it; the last lines keep this test's files out of the tree."""
    return f"""
spark.sql.extensions {session.DELTA["spark.sql.extensions"]}
spark.sql.catalog.spark_catalog {session.DELTA["spark.sql.catalog.spark_catalog"]}
spark.sql.catalogImplementation in-memory
spark.driver.extraClassPath {jars / "spark"}/*:{jars / session.PLUGINS}
spark.master {master}
spark.ui.enabled false
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.sql.warehouse.dir {scratch / "warehouse"}
spark.hadoop.javax.jdo.option.ConnectionURL jdbc:derby:memory:headgate;create=true
spark.driver.extraJavaOptions -Dderby.stream.error.file={scratch / "derby.log"}
"""


def spark_sql(query: str, configuration: str, scratch: Path, **environ: str) -> list[str]:
    """Run the command and return the lines it prints."""
    file = scratch / "headgate.conf"
    file.write_text(configuration)
    path = {"SPARK_LOCAL_IP": "127.0.0.1", "PATH": f"{SPARK_SQL.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(SPARK_SQL), "--properties-file", str(file), "-e", query],
        cwd=scratch,
        env={**os.environ, **path, **environ},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if line]


def test_a_properties_file_is_all_the_plain_command_needs(gateway: Gateway, jars: Path, tmp_path: Path) -> None:
    query = "SELECT ai_query('ep', id) FROM range(3); SELECT ai_query('broken', 'x', failOnError => false).errorMessage"
    *answers, error = spark_sql(query, properties(jars, tmp_path), tmp_path)
    assert answers == ["you said 0", "you said 1", "you said 2"]
    assert "answered 400" in error


REPEATED = """
SET spark.headgate.aiQuery.dedupe=false;
SELECT ai_query('flaky', IF(id % 2 = 0, 'same', string(id))) FROM range(0, 20, 1, 2);
SELECT ai_query('flaky', IF(id % 2 = 0, 'same', string(id))) FROM range(0, 20, 1, 2);
RESET;
CREATE TABLE asked USING delta AS SELECT id, ai_query('flaky', concat('text ', id)) AS a FROM range(0, 200, 1, 2);
INSERT INTO asked SELECT id, ai_query('flaky', concat('more ', id)) AS a FROM range(0, 200, 1, 2);
SELECT count(*), count(DISTINCT a) FROM asked;
"""


def test_a_task_tried_again_makes_the_same_calls_under_the_same_ids(
    gateway: Gateway, jars: Path, tmp_path: Path
) -> None:
    *_, counted = spark_sql(REPEATED, properties(jars, tmp_path, master="local[2,2]"), tmp_path)
    asked = gateway.of("flaky")
    first, rest = asked[:30], asked[30:]  # 10 rows of the one task, twice the 10 of the one that failed at "7"
    repeats = Counter(body["client_request_id"] for body in first)
    assert sorted(repeats.values()) == [1] * 10 + [2] * 10
    of_each = {(text, body["client_request_id"]) for text, body in zip(texts(first), first, strict=True)}
    assert Counter(text for text, _ in of_each) == {"same": 10, **{str(n): 1 for n in range(1, 20, 2)}}

    again, written = rest[:20], rest[20:]
    assert sorted(texts(again)) == sorted(text for text, _ in of_each)
    assert len({body["client_request_id"] for body in again} - repeats.keys()) == 20

    assert counted.split() == ["400", "400"]
    calls = Counter((text, body["client_request_id"]) for text, body in zip(texts(written), written, strict=True))
    assert len({client_id for _, client_id in calls}) == len(calls) == 400
    assert {text: times for (text, _), times in calls.items() if times > 1} == {"text 150": 2, "more 50": 2}
