"""How each table lies on disk."""

from contract import tables
from spark_jobs.delta_writes import Layout
from spark_jobs.quarantine import QUARANTINE as QUARANTINE_COLUMNS

_REQUESTS = ("request_time", "served_entity_id", "status_code", "databricks_request_id")

USAGE = Layout(columns=tables.ENDPOINT_USAGE, cluster_by=("request_time",), statistics=_REQUESTS)
PAYLOAD = Layout(columns=tables.PAYLOAD, cluster_by=("request_time",), statistics=_REQUESTS)
ENTITIES = Layout(
    columns=tables.SERVED_ENTITIES,
    cluster_by=("served_entity_id",),
    statistics=("served_entity_id", "endpoint_id", "change_time"),
)
QUARANTINE = Layout(
    columns=QUARANTINE_COLUMNS,
    cluster_by=("timestamp",),
    statistics=("topic", "partition", "offset", "timestamp"),
)
