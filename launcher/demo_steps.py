"""The walk: which cell runs when, what it waits for, and what its outcome has to be."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from launcher.demo_sql import Rows
from launcher.notebook import Outcome

Check = Callable[[Outcome], str | None]  # what is wrong; None when nothing is

PLAYGROUND_CALLS = 4
BLOCKED_CALLS = 2
LIMIT = 10
REFUSED_CALLS = 3  # the eleventh call, and the openai client's two retries of it
PAYLOADS = PLAYGROUND_CALLS + BLOCKED_CALLS + LIMIT
USED = PAYLOADS + REFUSED_CALLS
RAW_PII = ("rpatel@imaginary-tech.net", "(555) 987-6543")
TABLE = "users.takaaki_yayoi.`taka_ai_gateway_endpoint_payload`"
USAGE = "system.serving.endpoint_usage"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `rows`: tables and how many of the walk's rows must lie in them before the cell runs."""

    title: str
    cell: str
    check: Check
    rows: Mapping[str, int] = {}


def quiet(outcome: Outcome) -> str | None:
    """Nothing was raised."""
    return None if outcome.error is None else f"it raised {type(outcome.error).__name__}: {outcome.error}"


def _holds(condition: Callable[[Outcome], bool], wanted: str) -> Check:
    def check(outcome: Outcome) -> str | None:
        return quiet(outcome) or (None if condition(outcome) else f"wanted: {wanted}")

    return check


def prints(text: str) -> Check:
    """It printed `text` somewhere."""
    return _holds(lambda outcome: text in outcome.printed, f"the words {text!r}")


def answers(**parts: Any) -> Check:
    """Its value holds these parts: a key for each, dots going inward (`__` in its keyword)."""
    paths = {name.replace("__", "."): value for name, value in parts.items()}
    return _holds(lambda o: all(_at(o.value, path) == value for path, value in paths.items()), f"{paths}")


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def lists(count: int) -> Check:
    """Its value is so many rows, at least."""
    return _holds(lambda o: isinstance(o.value, Rows) and len(o.value.rows) >= count, f"{count} rows or more")


def one_text(outcome: Outcome) -> str | None:
    """Its value is one row with one text."""
    wrong = quiet(outcome)
    if wrong is not None:
        return wrong
    values = [value for row in outcome.value.rows for value in row.values()]
    return None if len(values) == 1 and values[0] else "wanted: one text"


def counts(column: str, wanted: Mapping[int, int]) -> Check:
    """Summed over the rows, `column` counts so many for each status code."""

    def sums(outcome: Outcome) -> dict[int, int]:
        found: dict[int, int] = {}
        for row in outcome.value.rows:
            found[row["status_code"]] = found.get(row["status_code"], 0) + int(row.get(column, 1))
        return found

    return _holds(lambda o: sums(o) == dict(wanted), f"{column} by status {dict(wanted)}")


def limited(outcome: Outcome) -> str | None:
    """Ten calls were answered, then the endpoint's limit refused one."""
    if type(outcome.error).__name__ != "RateLimitError" or "rate limit exceeded for endpoint" not in str(outcome.error):
        return f"wanted: a RateLimitError at the eleventh call, got {outcome.error!r}"
    said = outcome.printed.count(" sent:")
    return None if said == LIMIT else f"wanted: {LIMIT} answers before it, got {said}"


def masked(outcome: Outcome) -> str | None:
    """One row per request and status, and what a guardrail found is nowhere in them."""
    wrong = counts("rows", {200: PLAYGROUND_CALLS + LIMIT, 400: BLOCKED_CALLS})(outcome)
    if wrong is not None:
        return wrong
    told = [text for text in RAW_PII if any(text in str(value) for value in _values(outcome.value))]
    return f"the table holds {told}, which the guardrail found" if told else None


def _values(rows: Rows) -> Iterator[Any]:
    for row in rows.rows:
        yield from row.values()


BLOCKED = "guardrails__input__pii__behavior"
STEPS = (
    Step(title="Connect with the SDK", cell="names", check=quiet),
    Step(title="Keep the provider's key as a secret", cell="secret", check=quiet),
    Step(title="Define a helper for the REST API", cell="helper", check=quiet),
    Step(
        title="Create an endpoint for gpt-4o-mini",
        cell="create",
        check=answers(state={"ready": "READY", "config_update": "NOT_UPDATING"}, task="llm/v1/chat"),
    ),
    Step(title="Ask it from SQL: ai_query", cell="ai_query", check=one_text),
    Step(
        title="Track usage, log payloads to an inference table",
        cell="inference_table",
        check=answers(inference_table_config__table_name_prefix="taka_ai_gateway_endpoint"),
    ),
    Step(title="Ask it from three clients", cell="playground", check=prints("openai, streamed: An AI gateway")),
    Step(
        title="Read the inference table",
        cell="payload_rows",
        check=lists(PLAYGROUND_CALLS),
        rows={TABLE: PLAYGROUND_CALLS},
    ),
    Step(title="Take texts and tokens out of the payloads", cell="payload_details", check=lists(PLAYGROUND_CALLS)),
    Step(title="Who talks about SuperSecretProject?", cell="mentions", check=lists(2)),
    Step(
        title="Make it an invalid keyword",
        cell="keyword_config",
        check=answers(guardrails__input__invalid_keywords=["SuperSecretProject"], **{BLOCKED: "NONE"}),
    ),
    Step(title="Ask about it", cell="keyword_call", check=prints("無効なキーワードが検出されました")),
    Step(
        title="Block personal data, in and out",
        cell="pii_config",
        check=answers(guardrails__output__pii_detection=True, **{BLOCKED: "BLOCK"}),
    ),
    Step(
        title="Ask for a phone number and an e-mail address",
        cell="pii_call",
        check=prints("PII(個人を特定できる情報)が検出"),
    ),
    Step(title="Queries per minute", cell="per_minute", check=lists(1)),
    Step(
        title="Limit the endpoint to ten calls a minute",
        cell="limit_config",
        check=answers(rate_limits=[{"calls": LIMIT, "key": "endpoint", "renewal_period": "minute"}]),
    ),
    Step(title="Call it eleven times: the last one is refused", cell="limit_calls", check=limited),
    Step(
        title="Add gpt-4o, half of the traffic each",
        cell="second_model",
        check=answers(
            config__traffic_config__routes=[
                {"served_model_name": "gpt-4o-mini", "traffic_percentage": 50},
                {"served_model_name": "gpt-4o", "traffic_percentage": 50},
            ]
        ),
    ),
    Step(
        title="system.serving.endpoint_usage",
        cell="usage",
        check=counts("requests", {200: PLAYGROUND_CALLS + LIMIT, 400: BLOCKED_CALLS, 429: REFUSED_CALLS}),
        rows={USAGE: USED, TABLE: PAYLOADS},
    ),
    Step(title="system.serving.served_entities", cell="entities", check=lists(2)),
    Step(title="users.takaaki_yayoi.taka_ai_gateway_endpoint_payload", cell="payload", check=masked),
)
