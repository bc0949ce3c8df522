"""Error bodies: what each of them holds besides what a test is about."""

from typing import Any

from contract.refusals import REQUEST_INFO


def named(body: Any, request_id: str) -> dict[str, Any]:
    """An error's body without its `details`, which must name the request `request_id` and hold nothing else."""
    rest = dict(body)
    assert rest.pop("details") == [{"@type": REQUEST_INFO, "request_id": request_id, "serving_data": ""}]
    return rest


def of(answer: Any) -> dict[str, Any]:
    """The same for an HTTP answer, whose headers say the id; with `httpx` or `requests`."""
    assert answer.headers["x-request-id"] == answer.headers["x-databricks-request-id"]
    return named(answer.json(), answer.headers["x-databricks-request-id"])
