"""Served entities as asked for -> as they are kept, and their rows of the dimension table."""

from collections.abc import Iterator, Mapping

import msgspec

from contract import checks, codec, echo, state
from contract.endpoint import ConfigAsked, Endpoint, ExternalModel, ServedEntity, TrafficRoute
from contract.state import ServedEntityRow
from processors.control.base import Change, Facts


def kept(asked: ConfigAsked, before: tuple[ServedEntity, ...], creator: str, facts: Facts) -> tuple[ServedEntity, ...]:
    """The entities to keep, in the order asked for.

    An entity of the same name and definition keeps its id; any other gets a new one. The creation time is the
    config update's for all of them, as seed 000 shows.
    """
    known = {entity.name: entity for entity in before}
    return tuple(_entity(name, model, known, creator, facts) for name, model in _named(asked))


def _named(asked: ConfigAsked) -> Iterator[tuple[str, ExternalModel]]:
    for entity in asked.entities:
        if entity.external_model is not None:
            yield checks.entity_name(entity, entity.external_model), entity.external_model


def _entity(
    name: str, model: ExternalModel, known: Mapping[str, ServedEntity], creator: str, facts: Facts
) -> ServedEntity:
    old = known.get(name)
    same = old is not None and definition(old.external_model) == definition(model)
    return ServedEntity(
        id=old.id if old is not None and same else facts.mint(),
        name=name,
        external_model=model,
        creator=creator,
        created_at_ms=whole_seconds(facts.now_ms),
    )


def definition(model: ExternalModel) -> object:
    """What makes a model another one: all that is shown of it. A new plaintext key is the same model."""
    return echo.external_model(model)


def whole_seconds(now_ms: int) -> int:
    """The vendor's times on endpoints: whole seconds, in ms.

    >>> whole_seconds(1742814914999)
    1742814914000
    """
    return now_ms // 1000 * 1000


def routes(asked: ConfigAsked, entities: tuple[ServedEntity, ...]) -> tuple[TrafficRoute, ...]:
    """The split asked for, else everything to the only entity."""
    if asked.traffic_config is not None and asked.traffic_config.routes:
        return tuple(
            TrafficRoute(served_entity_name=route.entity, traffic_percentage=route.traffic_percentage)
            for route in asked.traffic_config.routes
        )
    return tuple(TrafficRoute(served_entity_name=entity.name, traffic_percentage=100) for entity in entities)


def rows(endpoint: Endpoint, before: tuple[ServedEntity, ...], facts: Facts) -> Iterator[Change]:
    """One row for each entity whose id is new; rows of earlier ids stay as they are."""
    known = {entity.id for entity in before}
    for entity in endpoint.entities:
        if entity.id not in known:
            row = _row(endpoint, entity, facts)
            yield state.key("served_entity", entity.id), codec.encode(row)


def _row(endpoint: Endpoint, entity: ServedEntity, facts: Facts) -> ServedEntityRow:
    return ServedEntityRow(
        served_entity_id=entity.id,
        account_id=facts.account_id,
        workspace_id=facts.workspace_id,
        created_by=entity.creator,
        endpoint_name=endpoint.name,
        endpoint_id=endpoint.id,
        served_entity_name=entity.name,
        entity_name=entity.external_model.name,
        endpoint_config_version=endpoint.config_version,
        task=entity.external_model.task,
        provider=entity.external_model.provider,
        change_time_ms=facts.now_ms,
    )


def ended(row: ServedEntityRow, now_ms: int) -> Change:
    """The row of an entity whose endpoint is deleted at `now_ms`."""
    gone = msgspec.structs.replace(row, endpoint_delete_time_ms=now_ms)
    return state.key("served_entity", row.served_entity_id), codec.encode(gone)
