"""Endpoints: created, reconfigured, given a gateway configuration, deleted."""

from collections.abc import Callable

import msgspec

from contract import checks, codec, echo, refusals, state
from contract.endpoint import AiGateway, AiGatewayAsked, ConfigAsked, Endpoint, EndpointAsked
from contract.records import Command
from contract.refusals import Refusal
from contract.state import LEVELS, View
from processors.control import base, entities, gateway
from processors.control.base import Decision, Facts

CREATOR_KINDS = {"user": "User", "service_principal": "ServicePrincipal"}


def create(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: the vendor's create body. Answers the endpoint in detail."""
    asked = base.asked(EndpointAsked, command)
    if isinstance(asked, Refusal):
        return asked
    refusal = checks.endpoint(asked) or _unjudged(asked.ai_gateway, facts, "ai_gateway.")
    if refusal is None and asked.name in view.endpoints:
        refusal = refusals.already_exists(f"Endpoint with name '{asked.name}'")
    if refusal is not None:
        return refusal
    made = _made(asked, command, view, facts)
    return _table_taken(made, view) or _written(made, None, facts)


def _unjudged(asked: AiGatewayAsked | None, facts: Facts, at: str = "") -> Refusal | None:
    return checks.judged(asked, safety=facts.guard, topics=facts.topics, injection=facts.injection, at=at)


def _made(asked: EndpointAsked, command: Command, view: View, facts: Facts) -> Endpoint:
    creator = command.requester.name
    known = view.principals.get(creator)
    now_ms = entities.whole_seconds(facts.now_ms)
    config = asked.config or ConfigAsked()
    served = entities.kept(config, (), creator, facts)
    return Endpoint(
        id=facts.mint(),
        name=asked.name,
        creator=creator,
        creator_display_name=creator if known is None else known.display_name,
        creator_kind=CREATOR_KINDS[command.requester.kind],
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        entities=served,
        routes=entities.routes(config, served),
        ai_gateway=_first_gateway(asked),
        tags=asked.tags or (),
        route_optimized=asked.route_optimized,
        description=asked.description,
    )


def _first_gateway(asked: EndpointAsked) -> AiGateway | None:
    """The gateway configuration of a create; the deprecated `rate_limits` become its limits."""
    kept = gateway.kept(asked.ai_gateway, asked.name)
    if not asked.rate_limits:
        return kept
    return msgspec.structs.replace(kept or AiGateway(), rate_limits=gateway.limits(asked.rate_limits))


def managed(
    decide: Callable[[Endpoint, Command, View, Facts], Decision | Refusal],
) -> Callable[[Command, View, Facts], Decision | Refusal]:
    """An action on the endpoint named by the command's target, for those who may manage it."""

    def action(command: Command, view: View, facts: Facts) -> Decision | Refusal:
        endpoint = view.endpoints.get(command.target)
        if endpoint is None:
            return refusals.unknown_resource(f"Endpoint with name '{command.target}'")
        if view.level(endpoint, command.requester.name) < LEVELS["CAN_MANAGE"]:
            text = f"User does not have permission to manage endpoint '{endpoint.name}' (CAN_MANAGE is needed)."
            return refusals.forbidden(text)
        return decide(endpoint, command, view, facts)

    return action


@managed
def update_config(endpoint: Endpoint, command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: the vendor's config body, which replaces entities and routes. Answers the endpoint in detail."""
    asked = base.asked(ConfigAsked, command)
    if isinstance(asked, Refusal):
        return asked
    refusal = checks.config(asked)
    if refusal is not None:
        return refusal
    served = entities.kept(asked, endpoint.entities, command.requester.name, facts)
    changed = msgspec.structs.replace(
        endpoint,
        entities=served,
        routes=entities.routes(asked, served),
        config_version=endpoint.config_version + 1 if endpoint.entities else endpoint.config_version,
        updated_at_ms=entities.whole_seconds(facts.now_ms),
    )
    return _written(changed, endpoint, facts)


@managed
def put_ai_gateway(endpoint: Endpoint, command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: the whole gateway configuration, which replaces the one before. Answers it bare, as it is kept."""
    asked = base.asked(AiGatewayAsked, command)
    if isinstance(asked, Refusal):
        return asked
    refusal = checks.gateway(asked, endpoint.name, endpoint.ai_gateway) or _unjudged(asked, facts)
    if refusal is None and not endpoint.entities:
        refusal = refusals.invalid("Cannot specify ai_gateway for an endpoint without a config.")
    if refusal is not None:
        return refusal
    kept = gateway.kept(asked, endpoint.name)
    now_ms = entities.whole_seconds(facts.now_ms)
    changed = msgspec.structs.replace(endpoint, ai_gateway=kept, updated_at_ms=now_ms)
    change = (state.key("endpoint", endpoint.name), codec.encode(changed))
    return _table_taken(changed, view) or base.answer(kept or AiGateway(), change)


@managed
def delete(endpoint: Endpoint, command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """No body. The endpoint and its permissions go; its entities' rows stay and say when it went. Answers `{}`."""
    rows = [row for row in view.served_entities.values() if row.endpoint_id == endpoint.id]
    gone = [(state.key("endpoint", endpoint.name), None)]
    if endpoint.id in view.permissions:
        gone.append((state.key("permission", endpoint.id), None))
    return Decision(changes=(*(entities.ended(row, facts.now_ms) for row in rows), *gone))


def _written(endpoint: Endpoint, before: Endpoint | None, facts: Facts) -> Decision:
    # rows first: whoever sees the endpoint sees the rows its requests will join to
    rows = entities.rows(endpoint, before.entities if before else (), facts)
    kept = (state.key("endpoint", endpoint.name), codec.encode(endpoint))
    return base.answer(echo.detailed(endpoint, "CAN_MANAGE"), *rows, kept)


def _table_of(endpoint: Endpoint) -> tuple[str, ...] | None:
    """Where the endpoint's payloads go, letters folded as Spark folds them; None when nowhere."""
    table = endpoint.ai_gateway.inference_table_config if endpoint.ai_gateway else None
    if table is None or not table.enabled:
        return None
    parts = (table.catalog_name, table.schema_name, table.table_name_prefix)
    return tuple((part or "").lower() for part in parts)


def _table_taken(endpoint: Endpoint, view: View) -> Refusal | None:
    wanted = _table_of(endpoint)
    if wanted is None:
        return None
    owner = next((e.name for e in view.endpoints.values() if e.name != endpoint.name and _table_of(e) == wanted), None)
    if owner is None:
        return None
    text = f"inference_table_config.table_name_prefix: endpoint '{owner}' already writes to that table"
    return refusals.invalid(text)
