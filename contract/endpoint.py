"""An endpoint's configuration in the vendor's names: as it is asked for, and as it is kept and echoed.

Decoding checks types and ranges; `check_*` the rules that span fields (api-contract.md 1.2, 2).
Kept structs are echoed by encoding them: their field order is the vendor's key order.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from contract import limits, refusals
from contract.guardrails import Guardrails, GuardrailsAsked
from contract.refusals import Refusal

T = TypeVar("T")
Task = Literal["llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"]
Provider = Literal[
    "openai",
    "anthropic",
    "cohere",
    "ai21labs",
    "amazon-bedrock",
    "google-cloud-vertex-ai",
    "databricks-model-serving",
    "palm",
    "custom",
]
LimitKey = Literal["endpoint", "user", "user_group", "service_principal"]
ProviderConfig = dict[str, str | dict[str, str]]
Percent = Annotated[int, Meta(ge=0, le=100)]
Positive = Annotated[int, Meta(ge=0)]


class ExternalModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model at a provider. Exactly the provider's own config is set; see `provider_config`."""

    provider: Provider
    name: Annotated[str, Meta(min_length=1)]
    task: Task
    openai_config: ProviderConfig | None = None
    anthropic_config: ProviderConfig | None = None
    cohere_config: ProviderConfig | None = None
    ai21labs_config: ProviderConfig | None = None
    amazon_bedrock_config: ProviderConfig | None = None
    google_cloud_vertex_ai_config: ProviderConfig | None = None
    databricks_model_serving_config: ProviderConfig | None = None
    palm_config: ProviderConfig | None = None
    custom_provider_config: ProviderConfig | None = None


def config_field(provider: str) -> str:
    """Name of the field that holds `provider`'s config."""
    return "custom_provider_config" if provider == "custom" else provider.replace("-", "_") + "_config"


def provider_config(model: ExternalModel) -> ProviderConfig:
    """The config that belongs to the model's provider; empty when none was sent."""
    config: ProviderConfig | None = getattr(model, config_field(model.provider))
    return config or {}


class ServedEntityAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A served entity as asked for; `entity_name` marks models that are not external."""

    name: str | None = None
    external_model: ExternalModel | None = None
    entity_name: str | None = None


class RouteAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A route as asked for: either name is accepted (api-contract 1.2 rule 2)."""

    traffic_percentage: Percent
    served_model_name: str | None = None
    served_entity_name: str | None = None

    @property
    def entity(self) -> str:
        """The served entity's name, whichever key carried it."""
        return self.served_entity_name or self.served_model_name or ""


class TrafficAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The traffic split as asked for."""

    routes: tuple[RouteAsked, ...] = ()


class ConfigAsked(msgspec.Struct, frozen=True, kw_only=True):
    """`config` at create; the whole body of PUT `/config`."""

    served_entities: tuple[ServedEntityAsked, ...] | None = None
    served_models: tuple[ServedEntityAsked, ...] | None = None
    traffic_config: TrafficAsked | None = None

    @property
    def entities(self) -> tuple[ServedEntityAsked, ...]:
        """The entities under either name (`served_models` is the deprecated one)."""
        return self.served_entities or self.served_models or ()


class RateLimitAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A rate limit as asked for."""

    renewal_period: Literal["minute"]
    calls: Positive | None = None
    tokens: Positive | None = None
    key: LimitKey = "endpoint"
    principal: str | None = None


class Enabled(msgspec.Struct, frozen=True, kw_only=True):
    """A switch: `usage_tracking_config`, `fallback_config`."""

    enabled: bool


class InferenceTableAsked(msgspec.Struct, frozen=True, kw_only=True):
    """An inference table as asked for."""

    enabled: bool = False
    catalog_name: str | None = None
    schema_name: str | None = None
    table_name_prefix: str | None = None


class AiGatewayAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PUT `/ai-gateway`: replaces the whole gateway configuration."""

    usage_tracking_config: Enabled | None = None
    inference_table_config: InferenceTableAsked | None = None
    rate_limits: tuple[RateLimitAsked, ...] | None = None
    guardrails: GuardrailsAsked | None = None
    fallback_config: Enabled | None = None


class Tag(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tag; the value may be absent."""

    key: Annotated[str, Meta(min_length=1)]
    value: str | None = None


class RateLimitsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the deprecated PUT `/rate-limits`."""

    rate_limits: tuple[RateLimitAsked, ...] | None = None


class TagsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PATCH `/tags`."""

    add_tags: tuple[Tag, ...] | None = None
    delete_tags: tuple[str, ...] | None = None


class Notifications(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom to tell about config updates, by e-mail: kept and shown, never written to."""

    on_update_success: tuple[str, ...] | None = None
    on_update_failure: tuple[str, ...] | None = None


class NotificationsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PATCH `/notifications`; without `email_notifications` they are cleared."""

    email_notifications: Notifications | None = None


class EndpointAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of POST `/api/2.0/serving-endpoints`."""

    name: str
    config: ConfigAsked | None = None
    ai_gateway: AiGatewayAsked | None = None
    rate_limits: tuple[RateLimitAsked, ...] | None = None
    tags: tuple[Tag, ...] | None = None
    route_optimized: bool = False
    description: str = ""


# ---- as kept and echoed ----


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rate limit as kept: exactly one of `calls`, `tokens`, per minute."""

    calls: int | None = None
    tokens: int | None = None
    key: LimitKey
    principal: str | None = None
    renewal_period: str


class InferenceTable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An inference table as kept."""

    catalog_name: str | None = None
    schema_name: str | None = None
    table_name_prefix: str | None = None
    enabled: bool


class AiGateway(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint's gateway configuration as kept and echoed."""

    usage_tracking_config: Enabled | None = None
    inference_table_config: InferenceTable | None = None
    rate_limits: tuple[RateLimit, ...] | None = None
    guardrails: Guardrails | None = None
    fallback_config: Enabled | None = None


class ServedEntity(msgspec.Struct, frozen=True, kw_only=True):
    """A served entity as kept. `id`: 32 hex digits, minted when the entity is added or its definition changes."""

    id: str
    name: str
    external_model: ExternalModel
    creator: str
    created_at_ms: int


class TrafficRoute(msgspec.Struct, frozen=True, kw_only=True):
    """Share of requests sent first to an entity; percentages of an endpoint sum to 100."""

    served_entity_name: str
    traffic_percentage: int


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as kept under `endpoint/NAME` on `gateway.state`. Times: epoch ms, whole seconds."""

    id: str
    name: str
    creator: str
    creator_display_name: str
    created_at_ms: int
    updated_at_ms: int
    entities: tuple[ServedEntity, ...] = ()
    routes: tuple[TrafficRoute, ...] = ()
    config_version: int = 1
    creator_kind: str = "User"
    ai_gateway: AiGateway | None = None
    tags: tuple[Tag, ...] = ()
    route_optimized: bool = False
    description: str = ""
    email_notifications: Notifications | None = None
    v: int = 1

    @property
    def task(self) -> str:
        """The one task all entities share; empty without entities."""
        return self.entities[0].external_model.task if self.entities else ""


# ---- reading and checking what is asked ----

WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


def field_message(error: msgspec.ValidationError) -> str:
    """Turn msgspec's text into one that starts with the field: `config.served_entities[0].name: Expected ...`."""
    found = WHERE.match(str(error))
    what, path = (found["what"], found["path"]) if found else (str(error), None)
    missing = re.match(r"Object missing required field `(.+)`", what)
    if missing:
        path, what = ".".join(part for part in (path, missing[1]) if part), "is required"
    return f"{path or 'body'}: {what}"


def asked(kind: type[T], body: bytes | msgspec.Raw) -> T | Refusal:
    """Decode a management body: 400 malformed, or 400 that names the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        return refusals.invalid(field_message(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return refusals.malformed_json(str(error))
    except RecursionError:
        return refusals.malformed_json("nested too deeply")


def default_entity_name(model_name: str) -> str:
    """The vendor's default name of a served entity.

    >>> default_entity_name("gpt-4.1:mini")
    'gpt-4-1-mini'
    """
    return model_name.replace(".", "-").replace(":", "-")


def check_name(name: str) -> Refusal | None:
    """The endpoint name rule, checked before anything else."""
    if re.fullmatch(limits.ENDPOINT_NAME_PATTERN, name):
        return None
    text = (
        "Endpoint name must be maximum 63 characters, and alphanumeric with hyphens and underscores allowed in between."
    )
    return refusals.invalid(text, name="bad_endpoint_name")


Rule = Callable[[Any], str | None]


def first_refusal(rules: Sequence[Rule], value: Any) -> Refusal | None:
    """The first broken rule as a refusal; None when all hold."""
    return next((refusals.invalid(text) for rule in rules if (text := rule(value)) is not None), None)
