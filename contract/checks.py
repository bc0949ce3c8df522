"""Rules over what is asked that span fields: the first broken one as a refusal that names its field.

`at` is where the value lies in the body: `config.` at create, nothing at PUT. Decoding has checked types and ranges.
Sources: api-contract.md 1.2, 2; seed 002 for the numbers.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from contract import limits, provider_fields, refusals
from contract.endpoint import (
    AiGateway,
    AiGatewayAsked,
    ConfigAsked,
    EndpointAsked,
    ExternalModel,
    InferenceTable,
    InferenceTableAsked,
    LimitKey,
    RateLimitAsked,
    RateLimitsAsked,
    RouteAsked,
    ServedEntityAsked,
    TagsAsked,
    check_name,
    default_entity_name,
)
from contract.guardrails import UNSEEN, GuardrailAsked, GuardrailsAsked
from contract.refusals import Refusal

Problems = Iterator[Refusal]
BIGGEST = 2**63 - 1  # int64 on the wire
RESERVED_CATALOGS = frozenset({"system", "spark_catalog"})  # the usage tables' own, and Spark's
_UNSEEN = re.compile(f"[{UNSEEN}]")
NO_CONFIG = "Cannot specify ai_gateway when creating endpoints without a config."


def fold(text: str) -> str:
    """What a keyword is compared as.

    >>> fold("  Ｓｅｃｒｅｔ\\u200b ")
    'secret'
    """
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text).casefold()).strip()


def entity_name(entity: ServedEntityAsked, model: ExternalModel) -> str:
    """The name asked for, else the vendor's default for the model."""
    return default_entity_name(model.name) if entity.name is None else entity.name


def endpoint(asked: EndpointAsked) -> Refusal | None:
    """The body of a create, but for whether the name is taken; the name's own rule comes first."""
    return check_name(asked.name) or next(_endpoint_problems(asked), None)


def config(asked: ConfigAsked, at: str = "") -> Refusal | None:
    """The body of a config update."""
    return next(_config_problems(asked, at), None)


def gateway(asked: AiGatewayAsked, name: str, before: AiGateway | None = None, at: str = "") -> Refusal | None:
    """The body of a gateway update of the endpoint `name`; `before` is what it replaces."""
    return next(_gateway_problems(asked, name, before, at), None)


def judged(
    asked: AiGatewayAsked | None, *, safety: bool, topics: bool, injection: bool, at: str = ""
) -> Refusal | None:
    """Guardrails that need a judge; `safety`, `topics`, `injection`: whether there is one; the writer alone knows."""
    guardrails = None if asked is None else asked.guardrails
    if guardrails is None:
        return None
    return next(_judge_problems(guardrails, safety, topics, injection, f"{at}guardrails"), None)


def old_limits(asked: RateLimitsAsked) -> Refusal | None:
    """The body of the deprecated limits' update."""
    return next(_old_limit_problems(asked.rate_limits or ()), None)


def tags(asked: TagsAsked) -> Refusal | None:
    """The body of a tags update: every key at most once."""
    doubled = _doubled([*(tag.key for tag in asked.add_tags or ()), *set(asked.delete_tags or ())])
    return refusals.invalid(f"tags: key '{doubled}' occurs more than once") if doubled else None


def _endpoint_problems(asked: EndpointAsked) -> Problems:
    if asked.config is None and (asked.ai_gateway is not None or asked.rate_limits is not None):
        yield refusals.invalid(NO_CONFIG)
    if asked.config is not None:
        yield from _config_problems(asked.config, "config.")
    if asked.ai_gateway is not None:
        yield from _gateway_problems(asked.ai_gateway, asked.name, None, "ai_gateway.")
    yield from _old_limits(asked)
    doubled = _doubled([tag.key for tag in asked.tags or ()])
    if doubled:
        yield refusals.invalid(f"tags: key '{doubled}' occurs more than once")


def _old_limits(asked: EndpointAsked) -> Problems:
    if asked.rate_limits and asked.ai_gateway is not None and asked.ai_gateway.rate_limits:
        yield refusals.invalid("rate_limits: give them here or in ai_gateway, not in both")
    yield from _old_limit_problems(asked.rate_limits or ())


def _old_limit_problems(asked: Sequence[RateLimitAsked]) -> Problems:
    """The deprecated `rate_limits` of the endpoint itself: calls only, keys user and endpoint."""
    for index, limit in enumerate(asked):
        if limit.tokens is not None or limit.key not in ("user", "endpoint") or limit.principal is not None:
            yield refusals.invalid(f"rate_limits[{index}]: takes calls for key user or endpoint alone; use ai_gateway")
    yield from _limit_problems(asked, "")


def _doubled(names: Sequence[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


# ---- config ----


def _config_problems(asked: ConfigAsked, at: str) -> Problems:
    where = f"{at}served_models" if asked.served_models and not asked.served_entities else f"{at}served_entities"
    if asked.served_entities and asked.served_models:
        yield refusals.invalid(f"{where}: give served_entities or served_models, not both")
    if not 1 <= len(asked.entities) <= limits.SERVED_ENTITIES:
        yield refusals.invalid(f"{where}: takes 1 to {limits.SERVED_ENTITIES} entities, got {len(asked.entities)}")
    for index, entity in enumerate(asked.entities):
        yield from _entity_problems(entity, f"{where}[{index}]")
    models = [entity.external_model for entity in asked.entities if entity.external_model is not None]
    if len({model.task for model in models}) > 1:
        yield refusals.invalid(f"{where}: all external models of an endpoint must have the same task")
    names = [entity_name(e, e.external_model) for e in asked.entities if e.external_model is not None]
    doubled = _doubled(names)
    if doubled:
        yield refusals.invalid(f"{where}: name '{doubled}' occurs more than once")
    yield from _traffic_problems(asked, names, f"{at}traffic_config.routes")


def _entity_problems(entity: ServedEntityAsked, at: str) -> Problems:
    if entity.entity_name is not None:
        yield refusals.not_supported(f"{at}.entity_name: only external models can be served here")
    model = entity.external_model
    if model is None:
        yield refusals.invalid(f"{at}.external_model: is required")
        return
    if not re.fullmatch(limits.ENTITY_NAME_PATTERN, entity_name(entity, model)):
        text = "must have 1 to 63 letters, digits, hyphens or underscores; without it, the model's name must"
        yield refusals.invalid(f"{at}.name: {text}")
    yield from provider_fields.problems(f"{at}.external_model", model)


def _traffic_problems(asked: ConfigAsked, names: Sequence[str], at: str) -> Problems:
    routes = asked.traffic_config.routes if asked.traffic_config is not None else ()
    if not routes:
        if len(names) > 1:
            yield refusals.invalid(f"{at}: is required with more than one served entity")
        return
    for index, route in enumerate(routes):
        yield from _route_problems(route, names, f"{at}[{index}]")
    doubled = _doubled([route.entity for route in routes])
    if doubled:
        yield refusals.invalid(f"{at}: served entity '{doubled}' has more than one route")
    total = sum(route.traffic_percentage for route in routes)
    if total != 100:
        yield refusals.invalid(f"{at}: traffic_percentage must add up to 100, got {total}")


def _route_problems(route: RouteAsked, names: Sequence[str], at: str) -> Problems:
    both = (route.served_entity_name, route.served_model_name)
    if None not in both and both[0] != both[1]:
        yield refusals.invalid(f"{at}: served_entity_name and served_model_name name different entities")
    if not route.entity:
        yield refusals.invalid(f"{at}.served_entity_name: is required")
    elif route.entity not in names:
        yield refusals.invalid(f"{at}.served_entity_name: no served entity is named '{route.entity}'")


# ---- gateway ----


def _gateway_problems(asked: AiGatewayAsked, name: str, before: AiGateway | None, at: str) -> Problems:
    yield from _limit_problems(asked.rate_limits or (), at)
    if asked.inference_table_config is not None:
        kept = None if before is None else before.inference_table_config
        yield from _table_problems(asked.inference_table_config, name, kept, f"{at}inference_table_config")
    if asked.guardrails is not None:
        for side, guardrail in (("input", asked.guardrails.input), ("output", asked.guardrails.output)):
            if guardrail is not None:
                yield from _guardrail_problems(guardrail, f"{at}guardrails.{side}")
                yield from _extension_problems(guardrail, side, f"{at}guardrails.{side}.extensions")


def _limit_problems(asked: Sequence[RateLimitAsked], at: str) -> Problems:
    groups = sum(limit.key == "user_group" for limit in asked)
    if len(asked) > limits.RATE_LIMITS:
        yield refusals.invalid(f"{at}rate_limits: at most {limits.RATE_LIMITS} per endpoint, got {len(asked)}")
    if groups > limits.GROUP_RATE_LIMITS:
        yield refusals.invalid(f"{at}rate_limits: at most {limits.GROUP_RATE_LIMITS} for user groups, got {groups}")
    for index, limit in enumerate(asked):
        yield from _one_limit(limit, f"{at}rate_limits[{index}]")
    doubled = _doubled([f"{x.key} {x.principal or ''}".strip() + f" {_unit(x)}" for x in asked])
    if doubled:
        yield refusals.invalid(f"{at}rate_limits: more than one limit for {doubled}")


def _unit(limit: RateLimitAsked) -> str:
    return "calls" if limit.tokens is None else "tokens"


PRINCIPAL: Mapping[LimitKey, bool | None] = {  # True: wanted, False: must not be, None: either
    "endpoint": False,
    "user": None,
    "user_group": True,
    "service_principal": True,
}


def _one_limit(limit: RateLimitAsked, at: str) -> Problems:
    if (limit.calls is None) == (limit.tokens is None):
        yield refusals.invalid(f"{at}: give exactly one of calls and tokens; use two limits for both")
    if (limit.calls or limit.tokens or 0) > BIGGEST:
        yield refusals.invalid(f"{at}.{_unit(limit)}: must be at most {BIGGEST}")
    wanted = PRINCIPAL[limit.key]
    if wanted and not limit.principal:
        yield refusals.invalid(f"{at}.principal: is required for key '{limit.key}'")
    if limit.principal is not None and (wanted is False or not limit.principal):
        yield refusals.invalid(f"{at}.principal: must not be {'set' if limit.principal else 'empty'} here")


def _table_problems(asked: InferenceTableAsked, name: str, before: InferenceTable | None, at: str) -> Problems:
    prefix = asked.table_name_prefix or name
    parts = {
        "catalog_name": asked.catalog_name,
        "schema_name": asked.schema_name,
        "table_name_prefix": asked.table_name_prefix,
    }
    for field, part in parts.items():
        if part is None and asked.enabled and field != "table_name_prefix":
            yield refusals.invalid(f"{at}.{field}: is required to enable the inference table")
        if part is not None and not re.fullmatch(limits.TABLE_PART_PATTERN, part):
            yield refusals.invalid(f"{at}.{field}: must have 1 to 128 letters, digits, hyphens or underscores")
    if asked.catalog_name is not None and asked.catalog_name.lower() in RESERVED_CATALOGS:
        yield refusals.invalid(f"{at}.catalog_name: '{asked.catalog_name}' is reserved")
    if before is not None and before.enabled and asked.enabled:
        kept = (before.catalog_name, before.schema_name, before.table_name_prefix)
        if kept != (asked.catalog_name, asked.schema_name, prefix):
            yield refusals.invalid(f"{at}: disable the inference table before you change catalog, schema or prefix")


def _judge_problems(asked: GuardrailsAsked, safety: bool, topics: bool, injection: bool, at: str) -> Problems:
    for side, guardrail in (("input", asked.input), ("output", asked.output)):
        if guardrail is not None and guardrail.safety and not safety:
            text = "no guard model is configured, so safety cannot be switched on"
            yield refusals.not_supported(f"{at}.{side}.safety: {text}")
        if guardrail is not None and guardrail.valid_topics and not topics:
            text = "no guard model is configured, so topics cannot be checked"
            yield refusals.not_supported(f"{at}.{side}.valid_topics: {text}")
    if asked.output is not None and asked.output.valid_topics:
        yield refusals.not_supported(f"{at}.output.valid_topics: topics are checked on input alone")
    beyond = None if asked.input is None else asked.input.extensions
    if beyond is not None and beyond.prompt_injection and not injection:
        text = "no guard model is configured, so prompt injection cannot be looked for"
        yield refusals.not_supported(f"{at}.input.extensions.prompt_injection: {text}")


def _guardrail_problems(asked: GuardrailAsked, at: str) -> Problems:
    for index, keyword in enumerate(asked.invalid_keywords or ()):
        if not fold(keyword):
            yield refusals.invalid(f"{at}.invalid_keywords[{index}]: must not be empty")


def _extension_problems(asked: GuardrailAsked, side: str, at: str) -> Problems:
    wanted, behavior = asked.extensions, asked.pii.behavior if asked.pii is not None else "NONE"
    if wanted is None:
        return
    for field in ("prompt_injection", "reversible"):
        if side == "output" and getattr(wanted, field):
            yield refusals.invalid(f"{at}.{field}: is for input alone")
    if wanted.pii_categories and behavior == "NONE":
        yield refusals.invalid(f"{at}.pii_categories: needs pii.behavior BLOCK or MASK")
    if wanted.reversible and behavior != "MASK":
        yield refusals.invalid(f"{at}.reversible: needs pii.behavior MASK")
