"""Which fields each provider's config has, and the rules over them (api-contract.md 2.4). One row per provider.

A credential comes as a reference to a secret, or under the field's `_plaintext` twin: anything else would be
echoed and kept in clear, so an unknown field is refused as well.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from contract import refusals
from contract.endpoint import ExternalModel, ProviderConfig, config_field
from contract.refusals import Refusal

REFERENCE = re.compile(r"\{\{secrets/[^/{}\s]+/[^/{}\s]+\}\}")
PLAINTEXT = "_plaintext"
URLS = frozenset({"openai_api_base", "cohere_api_base", "databricks_workspace_url", "custom_provider_url"})
BEDROCK_PROVIDERS = frozenset({"anthropic", "cohere", "ai21labs", "amazon"})
OPENAI_TYPES = frozenset({"openai", "azure", "azuread"})


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one config. `ways`: sets of fields of which exactly one set is given; `secrets` have a twin."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    ways: tuple[tuple[str, ...], ...] = ()


def _key(name: str) -> Fields:
    return Fields(secrets=(name,), ways=((name,),))


OPENAI_OPTIONAL = ("openai_api_type", "openai_organization")
AZURE_REQUIRED = ("openai_api_base", "openai_api_version", "openai_deployment_name")
ROWS: Mapping[str, Fields] = {
    "openai": Fields(
        optional=(*OPENAI_OPTIONAL, *AZURE_REQUIRED), secrets=("openai_api_key",), ways=(("openai_api_key",),)
    ),
    "openai/azure": Fields(
        required=AZURE_REQUIRED, optional=OPENAI_OPTIONAL, secrets=("openai_api_key",), ways=(("openai_api_key",),)
    ),
    "openai/azuread": Fields(
        required=(*AZURE_REQUIRED, "microsoft_entra_tenant_id", "microsoft_entra_client_id"),
        optional=OPENAI_OPTIONAL,
        secrets=("microsoft_entra_client_secret",),
        ways=(("microsoft_entra_client_secret",),),
    ),
    "anthropic": _key("anthropic_api_key"),
    "cohere": Fields(optional=("cohere_api_base",), secrets=("cohere_api_key",), ways=(("cohere_api_key",),)),
    "ai21labs": _key("ai21labs_api_key"),
    "palm": _key("palm_api_key"),
    "amazon-bedrock": Fields(
        required=("aws_region", "bedrock_provider"),
        secrets=("aws_access_key_id", "aws_secret_access_key"),
        ways=(
            ("aws_access_key_id", "aws_secret_access_key"),
            ("instance_profile_arn",),
            ("uc_service_credential_name",),
        ),
    ),
    "google-cloud-vertex-ai": Fields(
        required=("project_id", "region"), secrets=("private_key",), ways=(("private_key",),)
    ),
    "databricks-model-serving": Fields(
        required=("databricks_workspace_url",), secrets=("databricks_api_token",), ways=(("databricks_api_token",),)
    ),
    "custom": Fields(required=("custom_provider_url",), ways=(("api_key_auth",), ("bearer_token_auth",))),
    "custom/api_key_auth": Fields(required=("key",), secrets=("value",), ways=(("value",),)),
    "custom/bearer_token_auth": _key("token"),
}
NESTED: Mapping[str, str] = {
    "api_key_auth": "custom/api_key_auth",
    "bearer_token_auth": "custom/bearer_token_auth",
}
CHOICES: Mapping[str, frozenset[str]] = {"bedrock_provider": BEDROCK_PROVIDERS, "openai_api_type": OPENAI_TYPES}

Problems = Iterator[Refusal]
Config = Mapping[str, str | dict[str, str]]


def problems(at: str, model: ExternalModel) -> Problems:
    """What is wrong with a model's provider configs; nothing when all is well. `at`: the model's path in the body."""
    own = config_field(model.provider)
    for name in model.__struct_fields__:
        if name.endswith("_config") and name != own and getattr(model, name) is not None:
            yield refusals.invalid(f"{at}.{name}: does not belong to provider '{model.provider}'; set {own} alone")
    config: ProviderConfig | None = getattr(model, own)
    if config is None:
        yield refusals.invalid(f"{at}.{own}: is required for provider '{model.provider}'")
    else:
        yield from _config_problems(f"{at}.{own}", config, _row(model.provider, config))


def _row(provider: str, config: Config) -> Fields:
    kind = config.get("openai_api_type")
    return ROWS.get(f"{provider}/{kind}", ROWS[provider])


def _config_problems(at: str, config: Config, row: Fields) -> Problems:
    yield from _unknown(at, config, row)
    yield from _values(at, config)
    for name in row.required:
        if name not in config:
            yield refusals.invalid(f"{at}.{name}: is required")
    yield from _way(at, config, row)


def _unknown(at: str, config: Config, row: Fields) -> Problems:
    twins = (name + PLAINTEXT for name in row.secrets)
    known = {*row.required, *row.optional, *row.secrets, *twins, *(name for way in row.ways for name in way)}
    for name in config:
        if name not in known:
            yield refusals.invalid(f"{at}.{name}: is no field that this provider takes here")


def _values(at: str, config: Config) -> Problems:
    for name, value in config.items():
        where = f"{at}.{name}"
        if name in NESTED:
            if isinstance(value, str):
                yield refusals.invalid(f"{where}: Expected `object`, got `str`")
            else:
                yield from _config_problems(where, value, ROWS[NESTED[name]])
        elif not isinstance(value, str):
            yield refusals.invalid(f"{where}: Expected `str`, got `object`")
        elif not value.strip():
            yield refusals.invalid(f"{where}: must not be empty")
        else:
            yield from _text(where, name, value)


def _text(where: str, name: str, value: str) -> Problems:
    if name in URLS and not value.startswith(("http://", "https://")):
        yield refusals.invalid(f"{where}: must start with http:// or https://")
    if name in CHOICES and value.lower() not in CHOICES[name]:
        yield refusals.invalid(f"{where}: must be one of {', '.join(sorted(CHOICES[name]))}")


def _given(config: Config, row: Fields, name: str) -> list[str]:
    both = (name, name + PLAINTEXT) if name in row.secrets else (name,)
    return [field for field in both if field in config]


def _way(at: str, config: Config, row: Fields) -> Problems:
    started = [way for way in row.ways if any(_given(config, row, name) for name in way)]
    if not started:
        wanted = " or ".join(" and ".join(_spelt(name, row) for name in way) for way in row.ways)
        yield refusals.invalid(f"{at}: {wanted} is required")
    if len(started) > 1:
        rivals = " or ".join(" and ".join(way) for way in started)
        yield refusals.invalid(f"{at}: give either {rivals}, not several")
    for name in (name for way in started for name in way):
        yield from _credential(at, config, row, name)


def _spelt(name: str, row: Fields) -> str:
    return f"{name} (or {name}{PLAINTEXT})" if name in row.secrets else name


def _credential(at: str, config: Config, row: Fields, name: str) -> Problems:
    given = _given(config, row, name)
    if not given:
        yield refusals.invalid(f"{at}: {_spelt(name, row)} is required")
    if len(given) > 1:
        yield refusals.invalid(f"{at}: give either {name} or {name}{PLAINTEXT}, not both")
    # the value itself never goes into the sentence: it may be the key
    if name in row.secrets and given == [name] and not REFERENCE.fullmatch(str(config[name])):
        text = f"must be a reference like {{{{secrets/scope/key}}}}; a key itself goes into {name}{PLAINTEXT}"
        yield refusals.invalid(f"{at}.{name}: {text}")
