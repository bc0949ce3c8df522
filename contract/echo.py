"""How an endpoint is shown to its callers: seed 000's printed answers, key for key. Pure.

A route carries `served_model_name` alone: that is what the vendor's own answer shows, and the SDK's `Route` reads
either name and misses neither. The deprecated name costs nothing; a second one would be a key no vendor answer has.
"""

from typing import Any

import msgspec

from contract.endpoint import Endpoint, ExternalModel, ServedEntity
from contract.state import Level

ENTITY_TYPE = "EXTERNAL_MODEL"
PLAINTEXT = "_plaintext"


def plain(kept: Any) -> Any:
    """Kept structs as JSON has them: dicts and lists (`to_builtins` would leave tuples)."""
    return msgspec.json.decode(msgspec.json.encode(kept))


def without_plaintext(value: Any) -> Any:
    """Drop every key that carries a credential as such, however deep; references to secrets stay."""
    if isinstance(value, dict):
        return {key: without_plaintext(inner) for key, inner in value.items() if not key.endswith(PLAINTEXT)}
    return value


def external_model(model: ExternalModel) -> dict[str, Any]:
    """A model as shown: no credential in it."""
    shown: dict[str, Any] = without_plaintext(plain(model))
    return shown


def served_entity(entity: ServedEntity) -> dict[str, Any]:
    """A served entity as shown on its endpoint's page; external models are ready from the start."""
    return {
        "name": entity.name,
        "external_model": external_model(entity.external_model),
        "type": ENTITY_TYPE,
        "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""},
        "creator": entity.creator,
        "creation_timestamp": entity.created_at_ms,
    }


def config(endpoint: Endpoint) -> dict[str, Any]:
    """The configuration as shown."""
    return {
        "served_entities": [served_entity(entity) for entity in endpoint.entities],
        "traffic_config": {
            "routes": [
                {"served_model_name": route.served_entity_name, "traffic_percentage": route.traffic_percentage}
                for route in endpoint.routes
            ]
        },
        "config_version": endpoint.config_version,
    }


def _head(endpoint: Endpoint) -> dict[str, Any]:
    # the SDK's waiters poll until `config_update` says NOT_UPDATING, and crash when `state` is missing
    return {
        "name": endpoint.name,
        "creator": endpoint.creator,
        "creation_timestamp": endpoint.created_at_ms,
        "last_updated_timestamp": endpoint.updated_at_ms,
        "state": {"ready": "READY" if endpoint.entities else "NOT_READY", "config_update": "NOT_UPDATING"},
    }


def _labels(endpoint: Endpoint) -> dict[str, Any]:
    shown = {"task": endpoint.task, "description": endpoint.description, "tags": plain(endpoint.tags)}
    return {key: value for key, value in shown.items() if value}


def _tail(endpoint: Endpoint) -> dict[str, Any]:
    gateway = {} if endpoint.ai_gateway is None else {"ai_gateway": plain(endpoint.ai_gateway)}
    return {
        **({"endpoint_type": ENTITY_TYPE} if endpoint.entities else {}),
        **gateway,
        "creator_display_name": endpoint.creator_display_name,
        "creator_kind": endpoint.creator_kind,
    }


def _notified(endpoint: Endpoint) -> dict[str, Any]:
    kept = endpoint.email_notifications
    return {} if kept is None else {"email_notifications": plain(kept)}


def detailed(endpoint: Endpoint, level: Level) -> dict[str, Any]:
    """An endpoint as GET, create and config update answer it. `level`: what the caller may do with it."""
    return {
        **_head(endpoint),
        **({"config": config(endpoint)} if endpoint.entities else {}),
        "id": endpoint.id,
        "permission_level": level,
        **_labels(endpoint),
        "route_optimized": endpoint.route_optimized,
        **_tail(endpoint),
        **_notified(endpoint),
        "resource_credential_strategy": "EMBEDDED_CREDENTIALS",
    }


def summary(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as an item of the list: its entities show only their name and model."""
    entities = [
        {"name": entity.name, "external_model": external_model(entity.external_model)} for entity in endpoint.entities
    ]
    return {
        **_head(endpoint),
        **({"config": {"served_entities": entities}} if entities else {}),
        "id": endpoint.id,
        **_labels(endpoint),
        **_tail(endpoint),
    }
