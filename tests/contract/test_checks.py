"""Rules that span fields: one table of bodies that are refused, one of bodies that are taken."""

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import checks
from contract import endpoint as configured
from contract.endpoint import AiGateway, AiGatewayAsked, ConfigAsked, EndpointAsked, InferenceTable
from contract.refusals import Refusal

KEY = "{{secrets/scope/key}}"
Body = dict[str, Any]


def openai(**config: Any) -> Body:
    return {"openai_config": {"openai_api_key": KEY} | config}


def entity(name: str | None = None, model: str = "gpt-4o", provider: str = "openai", **configs: Any) -> Body:
    made: Body = {
        "external_model": {"provider": provider, "name": model, "task": "llm/v1/chat"} | (configs or openai())
    }
    return made if name is None else made | {"name": name}


def routes(*shares: tuple[str, int]) -> Body:
    return {"routes": [{"served_model_name": name, "traffic_percentage": share} for name, share in shares]}


def config(body: Body) -> str | None:
    refusal = checks.config(msgspec.convert(body, ConfigAsked))
    return None if refusal is None else refusal.message


def gateway(body: Body, before: AiGateway | None = None) -> Refusal | None:
    return checks.gateway(msgspec.convert(body, AiGatewayAsked), "chat", before)


PAIR = [entity("a"), entity("b")]
EVEN = routes(("a", 50), ("b", 50))

GOOD_CONFIGS: dict[str, Body] = {
    "one entity without routes": {"served_entities": [entity()]},
    "the deprecated name": {"served_models": [entity()]},
    "a pair with a split": {"served_entities": PAIR, "traffic_config": EVEN},
    "an entity for fallback alone": {"served_entities": PAIR, "traffic_config": routes(("a", 100), ("b", 0))},
    "an entity without a route": {"served_entities": PAIR, "traffic_config": routes(("a", 100))},
    "ten entities": {
        "served_entities": [entity(f"e{n}") for n in range(10)],
        "traffic_config": routes(*((f"e{n}", 10) for n in range(10))),
    },
    "a default name": {"served_entities": [entity(model="gpt-4.1:x")], "traffic_config": routes(("gpt-4-1-x", 100))},
}

BAD_CONFIGS: dict[str, tuple[Body, str]] = {
    "no entities": ({}, "served_entities: takes 1 to 10 entities, got 0"),
    "eleven": ({"served_entities": [entity(f"e{n}") for n in range(11)]}, "served_entities: takes 1 to 10"),
    "both names": ({"served_entities": [entity()], "served_models": [entity()]}, "served_entities: give"),
    "no model": ({"served_entities": [{"name": "a"}]}, "served_entities[0].external_model: is required"),
    "a custom model": (
        {"served_entities": [{"entity_name": "main.x.y", "entity_version": "1"}]},
        "served_entities[0].entity_name: only external models",
    ),
    "bad charset": ({"served_entities": [entity("a b")]}, "served_entities[0].name:"),
    "empty name": ({"served_entities": [entity("")]}, "served_entities[0].name:"),
    "bad default": ({"served_entities": [entity(model="a/b")]}, "served_entities[0].name:"),
    "twice": (
        {"served_entities": [entity("a"), entity("a")], "traffic_config": routes(("a", 100))},
        "served_entities: name 'a' occurs more than once",
    ),
    "default name twice": ({"served_entities": [entity(), entity()]}, "served_entities: name 'gpt-4o' occurs"),
    "no split": ({"served_entities": PAIR}, "traffic_config.routes: is required with more than one"),
    "99 percent": (
        {"served_entities": PAIR, "traffic_config": routes(("a", 50), ("b", 49))},
        "traffic_config.routes: traffic_percentage must add up to 100, got 99",
    ),
    "unknown entity": (
        {"served_entities": PAIR, "traffic_config": routes(("a", 50), ("c", 50))},
        "traffic_config.routes[1].served_entity_name: no served entity is named 'c'",
    ),
    "two routes": (
        {"served_entities": PAIR, "traffic_config": routes(("a", 50), ("a", 50))},
        "traffic_config.routes: served entity 'a' has more than one route",
    ),
    "no name in a route": (
        {"served_entities": PAIR, "traffic_config": {"routes": [{"traffic_percentage": 100}]}},
        "traffic_config.routes[0].served_entity_name: is required",
    ),
    "two names in a route": (
        {
            "served_entities": PAIR,
            "traffic_config": {
                "routes": [{"served_model_name": "a", "served_entity_name": "b", "traffic_percentage": 100}]
            },
        },
        "traffic_config.routes[0]: served_entity_name and served_model_name name different",
    ),
}


@pytest.mark.parametrize("name", GOOD_CONFIGS)
def test_a_config_that_keeps_the_rules_is_taken(name: str) -> None:
    assert config(GOOD_CONFIGS[name]) is None


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_a_config_that_breaks_a_rule_is_refused_by_field(name: str) -> None:
    body, starts = BAD_CONFIGS[name]
    message = config(body)
    assert message is not None and message.startswith(starts), message


def test_entities_of_different_tasks_are_refused() -> None:
    other = copy.deepcopy(entity("b"))
    other["external_model"]["task"] = "llm/v1/embeddings"
    message = config({"served_entities": [entity("a"), other], "traffic_config": EVEN})
    assert message is not None and "same task" in message


def limit(**fields: Any) -> Body:
    return {"renewal_period": "minute"} | fields


def limited(*entries: Body) -> Body:
    return {"rate_limits": list(entries)}


def table(**fields: Any) -> Body:
    return {"inference_table_config": {"enabled": True, "catalog_name": "main", "schema_name": "ai"} | fields}


def guard(**fields: Any) -> Body:
    return {"guardrails": {"output": fields}}


GOOD_GATEWAYS: dict[str, Body] = {
    "nothing": {},
    "calls and tokens of one key": limited(limit(calls=1), limit(tokens=1)),
    "zero calls": limited(limit(calls=0)),
    "default and one user": limited(limit(calls=1, key="user"), limit(calls=2, key="user", principal="a@b.c")),
    "five groups": limited(*(limit(calls=1, key="user_group", principal=f"g{n}") for n in range(5))),
    "twenty users": limited(*(limit(calls=1, key="user", principal=f"u{n}") for n in range(20))),
    "a table": table(),
    "a table with prefix": table(table_name_prefix="taka_1-x"),
    "a table switched off": {"inference_table_config": {"enabled": False}},
    "an empty guardrail side": guard(),
    "safety off": guard(safety=False, valid_topics=[], invalid_keywords=[]),
    "fallback": {"fallback_config": {"enabled": True}},
}
BAD_GATEWAYS: dict[str, tuple[Body, str]] = {
    "calls and tokens": (limited(limit(calls=1, tokens=1)), "rate_limits[0]: give exactly one of calls and tokens"),
    "neither": (limited(limit()), "rate_limits[0]: give exactly one"),
    "beyond int64": (limited(limit(tokens=2**70)), "rate_limits[0].tokens: must be at most"),
    "endpoint with principal": (limited(limit(calls=1, principal="a")), "rate_limits[0].principal: must not be set"),
    "group without": (limited(limit(calls=1, key="user_group")), "rate_limits[0].principal: is required"),
    "service principal without": (limited(limit(calls=1, key="service_principal")), "rate_limits[0].principal: is"),
    "empty user": (limited(limit(calls=1, key="user", principal="")), "rate_limits[0].principal: must not be empty"),
    "same twice": (
        limited(limit(calls=1, key="user", principal="a"), limit(calls=2, key="user", principal="a")),
        "rate_limits: more than one limit for user a calls",
    ),
    "twenty-one": (
        limited(*(limit(calls=1, key="user", principal=f"u{n}") for n in range(21))),
        "rate_limits: at most 20",
    ),
    "six groups": (
        limited(*(limit(calls=1, key="user_group", principal=f"g{n}") for n in range(6))),
        "rate_limits: at most 5 for user groups, got 6",
    ),
    "no catalog": (
        {"inference_table_config": {"enabled": True, "schema_name": "s"}},
        "inference_table_config.catalog_name: is required to enable",
    ),
    "no schema": (
        {"inference_table_config": {"enabled": True, "catalog_name": "s"}},
        "inference_table_config.schema_name: is required to enable",
    ),
    "a path": (table(catalog_name="../x"), "inference_table_config.catalog_name: must have 1 to 128"),
    "a path, switched off": (table(enabled=False, schema_name="a/b"), "inference_table_config.schema_name: must"),
    "empty prefix": (table(table_name_prefix=""), "inference_table_config.table_name_prefix: must have"),
    "a reserved catalog": (table(catalog_name="System"), "inference_table_config.catalog_name: 'System' is reserved"),
    "an empty keyword": (guard(invalid_keywords=["a", " \u3000"]), "guardrails.output.invalid_keywords[1]: must not"),
    "an unseen keyword": (guard(invalid_keywords=[" \u200b\u00ad"]), "guardrails.output.invalid_keywords[0]: must not"),
}
UNJUDGED: dict[str, tuple[Body, str]] = {
    "safety": (guard(safety=True), "guardrails.output.safety: no guard model is configured"),
    "topics": (guard(valid_topics=["a"]), "guardrails.output.valid_topics: no guard model is configured"),
    "injection": (
        {"guardrails": {"input": {"extensions": {"prompt_injection": True}}}},
        "guardrails.input.extensions.prompt_injection: no guard model is configured",
    ),
}


@pytest.mark.parametrize("name", GOOD_GATEWAYS)
def test_a_gateway_configuration_that_keeps_the_rules_is_taken(name: str) -> None:
    assert gateway(GOOD_GATEWAYS[name]) is None


@pytest.mark.parametrize("name", BAD_GATEWAYS)
def test_a_gateway_configuration_that_breaks_a_rule_is_refused_by_field(name: str) -> None:
    body, starts = BAD_GATEWAYS[name]
    refusal = gateway(body)
    assert refusal is not None and refusal.message.startswith(starts), refusal
    assert refusal.status == 400


@pytest.mark.parametrize("name", UNJUDGED)
def test_what_needs_a_judge_is_refused_by_field_where_there_is_none_and_left_to_the_writer(name: str) -> None:
    body, starts = UNJUDGED[name]
    asked = msgspec.convert(body, AiGatewayAsked)
    assert gateway(body) is None
    refusal = checks.judged(asked, safety=False, topics=False, injection=False)
    assert refusal is not None and refusal.message.startswith(starts), refusal


def test_what_needs_a_judge_is_taken_where_there_is_one_but_for_topics_of_answers() -> None:
    wanted = {"safety": True, "valid_topics": ["a"], "extensions": {"prompt_injection": True}}
    asked = msgspec.convert({"guardrails": {"input": wanted}}, AiGatewayAsked)
    assert checks.judged(asked, safety=True, topics=True, injection=True) is None
    assert checks.judged(None, safety=False, topics=False, injection=False) is None
    asked = msgspec.convert(guard(valid_topics=["a"]), AiGatewayAsked)
    refusal = checks.judged(asked, safety=True, topics=True, injection=True)
    assert refusal is not None and "on input alone" in refusal.message


BEFORE = AiGateway(
    inference_table_config=InferenceTable(catalog_name="main", schema_name="ai", table_name_prefix="chat", enabled=True)
)


@pytest.mark.parametrize("change", [{"catalog_name": "x"}, {"schema_name": "x"}, {"table_name_prefix": "x"}])
def test_a_table_moves_only_after_it_was_disabled(change: Body) -> None:
    refusal = gateway(table(**change), BEFORE)
    assert refusal is not None and "disable the inference table before" in refusal.message
    off = msgspec.structs.replace(BEFORE.inference_table_config, enabled=False)  # type: ignore[type-var]
    assert gateway(table(**change), AiGateway(inference_table_config=off)) is None


@pytest.mark.parametrize("body", [table(), table(table_name_prefix="chat"), table(enabled=False), {}])
def test_a_table_may_be_sent_again_as_it_is_or_switched_off(body: Body) -> None:
    assert gateway(body, BEFORE) is None


def endpoint(body: Body) -> str | None:
    refusal = checks.endpoint(msgspec.convert({"name": "chat"} | body, EndpointAsked))
    return None if refusal is None else refusal.message


@pytest.mark.parametrize("body", [{"ai_gateway": {}}, {"rate_limits": []}])
def test_gateway_or_limits_without_a_config_are_refused_in_the_vendors_words(body: Body) -> None:
    assert endpoint(body) == "Cannot specify ai_gateway when creating endpoints without a config."


def test_an_endpoint_without_config_is_taken() -> None:
    assert endpoint({}) is None


def test_the_name_is_checked_before_anything_else() -> None:
    message = endpoint({"name": "-", "ai_gateway": {}})
    assert message is not None and message.startswith("Endpoint name must be")


def test_fields_are_named_as_they_lie_in_a_create_body() -> None:
    assert (endpoint({"config": {}}) or "").startswith("config.served_entities: takes")
    whole = {"config": {"served_entities": [entity()]}}
    wrong = endpoint(whole | {"ai_gateway": limited(limit())}) or ""
    assert wrong.startswith("ai_gateway.rate_limits[0]: give exactly one")
    assert (endpoint(whole | limited(limit(tokens=1))) or "").startswith("rate_limits[0]: takes calls")
    assert (endpoint(whole | {"tags": [{"key": "a"}, {"key": "a"}]}) or "").startswith("tags: key 'a'")


def test_the_old_limits_of_an_endpoint_take_calls_for_user_and_endpoint() -> None:
    whole = {"config": {"served_entities": [entity()]}}
    assert endpoint(whole | limited(limit(calls=1), limit(calls=1, key="user"))) is None
    twice = endpoint(whole | limited(limit(calls=1)) | {"ai_gateway": limited(limit(calls=1))}) or ""
    assert twice.startswith("rate_limits: give them here or in ai_gateway")


Shares = st.lists(st.integers(0, 100), min_size=1, max_size=10)


@given(Shares)
def test_a_split_is_taken_exactly_when_it_adds_up_to_100(shares: list[int]) -> None:
    body = {
        "served_entities": [entity(f"e{n}") for n in range(len(shares))],
        "traffic_config": routes(*((f"e{n}", share) for n, share in enumerate(shares))),
    }
    assert (config(body) is None) == (sum(shares) == 100)


def _broken(body: Any, path: list[Any], value: Any) -> Any:
    at = copy.deepcopy(body)
    target = at
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return at


def _paths(body: Any, so_far: tuple[Any, ...] = ()) -> list[list[Any]]:
    items: Any = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    found = [[*so_far, key] for key, _ in items]
    return found + [path for key, inner in items for path in _paths(inner, (*so_far, key))]


WHOLE: Body = {
    "config": {"served_entities": PAIR, "traffic_config": EVEN},
    "ai_gateway": table(table_name_prefix="p") | limited(limit(calls=1)) | guard(invalid_keywords=["a"]),
}
Anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(path=st.sampled_from(_paths(WHOLE)), value=Anything)
def test_checking_never_raises_whatever_one_field_holds(path: list[Any], value: Any) -> None:
    try:
        asked = msgspec.convert({"name": "chat"} | _broken(WHOLE, path, value), EndpointAsked)
    except msgspec.ValidationError:
        return
    checks.endpoint(asked)


def test_folding_takes_width_case_and_edges_away() -> None:
    fold: Callable[[str], str] = checks.fold
    assert fold(" ＳｕｐｅｒSecret\u3000") == "supersecret" == fold("SUPERSECRET")


EXTENSIONS: dict[str, tuple[str, Body, str]] = {
    "no such extension": ("input", {"extensions": {"tool_call": True}}, "unknown field `tool_call`"),
    "no such category": ("input", {"extensions": {"pii_categories": ["SHOE_SIZE"]}}, "extensions.pii_categories[0]"),
    "categories nobody looks for": ("output", {"extensions": {"pii_categories": ["IBAN_CODE"]}}, "pii_categories"),
    "injection on output": ("output", {"extensions": {"prompt_injection": True}}, "output.extensions.prompt_injection"),
    "nothing to put back": (
        "input",
        {"pii": {"behavior": "BLOCK"}, "extensions": {"reversible": True}},
        "guardrails.input.extensions.reversible: needs pii.behavior MASK",
    ),
    "put back on output": (
        "output",
        {"pii": {"behavior": "MASK"}, "extensions": {"reversible": True}},
        "output.extensions.reversible: is for input alone",
    ),
}


@pytest.mark.parametrize("case", EXTENSIONS)
def test_an_extension_that_cannot_hold_is_refused_by_name(case: str) -> None:
    side, guardrail, words = EXTENSIONS[case]
    asked = configured.asked(AiGatewayAsked, msgspec.json.encode({"guardrails": {side: guardrail}}))
    refusal = asked if isinstance(asked, Refusal) else checks.gateway(asked, "chat")
    assert refusal is not None and refusal.status == 400 and words in refusal.message
