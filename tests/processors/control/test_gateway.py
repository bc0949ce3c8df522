"""Defaults of a gateway configuration."""

from typing import Any

import msgspec
import pytest

from contract.endpoint import AiGatewayAsked
from processors.control.gateway import kept


def filled(body: dict[str, Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(kept(msgspec.convert(body, AiGatewayAsked), "chat")))


@pytest.mark.parametrize(("behavior", "flag"), [("NONE", False), ("BLOCK", True), ("MASK", True)])
def test_the_legacy_flag_follows_the_behaviour(behavior: str, flag: bool) -> None:
    side = filled({"guardrails": {"output": {"pii": {"behavior": behavior}}}})["guardrails"]
    assert side == {"output": {"safety": False, "pii_detection": flag, "pii": {"behavior": behavior}}}


def test_the_legacy_flag_as_input_is_ignored() -> None:
    side = filled({"guardrails": {"input": {"pii_detection": True}}})["guardrails"]["input"]
    assert side == {"safety": False, "pii_detection": False, "pii": {"behavior": "NONE"}}


def test_the_prefix_is_the_endpoints_name_unless_given() -> None:
    table = {"enabled": True, "catalog_name": "c", "schema_name": "s"}
    assert filled({"inference_table_config": table})["inference_table_config"]["table_name_prefix"] == "chat"
    named = filled({"inference_table_config": table | {"table_name_prefix": "p"}})["inference_table_config"]
    assert list(named) == ["catalog_name", "schema_name", "table_name_prefix", "enabled"]
    assert named["table_name_prefix"] == "p"


def test_absent_sections_stay_absent_and_nothing_at_all_is_none() -> None:
    assert filled({"fallback_config": {"enabled": True}}) == {"fallback_config": {"enabled": True}}
    assert kept(AiGatewayAsked(), "chat") is None and kept(None, "chat") is None


def test_a_limit_is_kept_in_the_vendors_key_order() -> None:
    asked = {"rate_limits": [{"renewal_period": "minute", "key": "user", "principal": "a", "tokens": 5}]}
    assert [list(limit.items()) for limit in filled(asked)["rate_limits"]] == [
        [("tokens", 5), ("key", "user"), ("principal", "a"), ("renewal_period", "minute")]
    ]


def test_extensions_are_kept_as_far_as_they_are_on() -> None:
    asked = {"pii": {"behavior": "MASK"}, "extensions": {"reversible": True, "observe": False}}
    assert filled({"guardrails": {"input": asked}})["guardrails"]["input"]["extensions"] == {"reversible": True}
    off = filled({"guardrails": {"output": {"extensions": {"observe": False}}}})["guardrails"]["output"]
    assert "extensions" not in off
