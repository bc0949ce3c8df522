"""Every table, one row per column, in the vendor's order (api-contract 4).

`source` is a SQL expression over the fields of `RequestLogged` (or of `ServedEntity` for the dimension).
"""

import msgspec


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: Spark SQL type, and the expression that fills it."""

    name: str
    sql_type: str
    source: str


def _columns(*rows: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, sql_type=sql_type, source=source) for name, sql_type, source in rows)


REQUEST_TIME = "timestamp_millis(received_at_ms)"

ENDPOINT_USAGE = _columns(
    ("account_id", "STRING", "account_id"),
    ("workspace_id", "STRING", "workspace_id"),
    ("client_request_id", "STRING", "client_request_id"),
    ("databricks_request_id", "STRING", "request_id"),
    ("requester", "STRING", "requester"),
    ("status_code", "INT", "status_code"),
    ("request_time", "TIMESTAMP", REQUEST_TIME),
    ("input_token_count", "BIGINT", "input_token_count"),
    ("output_token_count", "BIGINT", "output_token_count"),
    ("input_character_count", "BIGINT", "input_character_count"),
    ("output_character_count", "BIGINT", "output_character_count"),
    ("usage_context", "MAP<STRING,STRING>", "usage_context"),
    ("request_streaming", "BOOLEAN", "streaming"),
    ("served_entity_id", "STRING", "served_entity_id"),
)

PAYLOAD = _columns(
    ("databricks_request_id", "STRING", "request_id"),
    ("request_date", "DATE", f"to_date({REQUEST_TIME})"),
    ("client_request_id", "STRING", "client_request_id"),
    ("request_time", "TIMESTAMP", REQUEST_TIME),
    ("status_code", "INT", "status_code"),
    ("sampling_fraction", "DOUBLE", "1.0D"),
    ("execution_duration_ms", "BIGINT", "execution_duration_ms"),
    ("request", "STRING", "request"),
    ("response", "STRING", "response"),
    ("logging_error_codes", "ARRAY<STRING>", "logging_error_codes"),
    ("served_entity_id", "STRING", "served_entity_id"),
    ("requester", "STRING", "requester"),
)

SERVED_ENTITIES = _columns(
    ("served_entity_id", "STRING", "served_entity_id"),
    ("account_id", "STRING", "account_id"),
    ("workspace_id", "STRING", "workspace_id"),
    ("created_by", "STRING", "created_by"),
    ("endpoint_name", "STRING", "endpoint_name"),
    ("endpoint_id", "STRING", "endpoint_id"),
    ("served_entity_name", "STRING", "served_entity_name"),
    ("entity_type", "STRING", "entity_type"),
    ("entity_name", "STRING", "entity_name"),
    ("entity_version", "STRING", "entity_version"),
    ("endpoint_config_version", "INT", "endpoint_config_version"),
    ("task", "STRING", "task"),
    ("external_model_config", "STRUCT<provider: STRING>", "named_struct('provider', provider)"),
    (
        "foundation_model_config",
        "STRUCT<min_provisioned_throughput: INT, max_provisioned_throughput: INT>",
        "null",
    ),
    ("custom_model_config", "STRUCT<min_concurrency: INT, max_concurrency: INT, compute_type: STRING>", "null"),
    ("feature_spec_config", "STRUCT<min_concurrency: INT, max_concurrency: INT, compute_type: STRING>", "null"),
    ("change_time", "TIMESTAMP", "timestamp_millis(change_time_ms)"),
    ("endpoint_delete_time", "TIMESTAMP", "timestamp_millis(endpoint_delete_time_ms)"),
)
