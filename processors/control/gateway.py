"""A gateway configuration as asked for -> as it is kept: the vendor's defaults filled in (api-contract.md 2.1)."""

from collections.abc import Sequence

import msgspec

from contract.endpoint import (
    AiGateway,
    AiGatewayAsked,
    Endpoint,
    InferenceTable,
    InferenceTableAsked,
    RateLimit,
    RateLimitAsked,
)
from contract.guardrails import NO_EXTENSIONS, Extensions, Guardrail, GuardrailAsked, Guardrails, Pii
from processors.control import entities


def kept(asked: AiGatewayAsked | None, name: str) -> AiGateway | None:
    """The configuration to keep for endpoint `name`; None when nothing is asked for, which clears it."""
    if asked is None or asked == AiGatewayAsked():
        return None
    return AiGateway(
        usage_tracking_config=asked.usage_tracking_config,
        inference_table_config=_table(asked.inference_table_config, name),
        rate_limits=None if asked.rate_limits is None else limits(asked.rate_limits),
        guardrails=_guardrails(asked),
        fallback_config=asked.fallback_config,
    )


def limits(asked: Sequence[RateLimitAsked]) -> tuple[RateLimit, ...]:
    """The rate limits to keep."""
    return tuple(
        RateLimit(
            calls=limit.calls,
            tokens=limit.tokens,
            key=limit.key,
            principal=limit.principal,
            renewal_period=limit.renewal_period,
        )
        for limit in asked
    )


def with_limits(endpoint: Endpoint, limits: tuple[RateLimit, ...], now_ms: int) -> Endpoint:
    """The endpoint with these rate limits and no others; a gateway configuration that says nothing else goes, too."""
    kept = msgspec.structs.replace(endpoint.ai_gateway or AiGateway(), rate_limits=limits or None)
    ai_gateway = None if kept == AiGateway() else kept
    return msgspec.structs.replace(endpoint, ai_gateway=ai_gateway, updated_at_ms=entities.whole_seconds(now_ms))


def _table(asked: InferenceTableAsked | None, name: str) -> InferenceTable | None:
    if asked is None:
        return None
    return InferenceTable(
        catalog_name=asked.catalog_name,
        schema_name=asked.schema_name,
        table_name_prefix=asked.table_name_prefix or name,
        enabled=asked.enabled,
    )


def _guardrails(asked: AiGatewayAsked) -> Guardrails | None:
    if asked.guardrails is None:
        return None
    return Guardrails(input=_side(asked.guardrails.input), output=_side(asked.guardrails.output))


def _side(asked: GuardrailAsked | None) -> Guardrail | None:
    if asked is None:
        return None
    behavior = "NONE" if asked.pii is None else asked.pii.behavior
    return Guardrail(
        safety=bool(asked.safety),
        pii_detection=behavior != "NONE",
        pii=Pii(behavior=behavior),
        invalid_keywords=asked.invalid_keywords,
        valid_topics=asked.valid_topics,
        extensions=_extensions(asked),
    )


def _extensions(asked: GuardrailAsked) -> Extensions | None:
    wanted = (
        Extensions()
        if asked.extensions is None
        else msgspec.convert(asked.extensions, Extensions, from_attributes=True)
    )
    return None if wanted == NO_EXTENSIONS else wanted
