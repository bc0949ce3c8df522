"""The vendor's numbers, with their source, and ours where the vendor is silent."""

ENDPOINT_NAME_PATTERN = r"^[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?$"  # api-contract 1.2 rule 5
ENTITY_NAME_PATTERN = r"^[a-zA-Z0-9_-]{1,63}$"  # api-contract 1.2 rule 4
TABLE_PART_PATTERN = r"^[A-Za-z0-9_-]{1,128}$"  # a catalog, schema or prefix becomes a directory: lakehouse 2.2
SERVED_ENTITIES = 10  # api-contract 1.2 rule 4
RATE_LIMITS = 20  # seed 002
GROUP_RATE_LIMITS = 5  # seed 002
FALLBACKS = 2  # seed 002
GUARDED_BATCH = 16  # seed 002: n, prompts or inputs of one request when guardrails are on
USAGE_CONTEXT_BYTES = 10 * 1024  # seed 002
PAYLOAD_SIDE_BYTES = 1024 * 1024  # seed 002, design 6
SECRET_SCOPE_NAME = 128  # api-contract 5.3
SECRET_KEY_PATTERN = r"^[A-Za-z0-9._-]{1,128}$"  # noqa: S105 - api-contract 5.3; a pattern
SECRET_VALUE_BYTES = 128 * 1024  # api-contract 5.3
SECRETS_PER_SCOPE = 1000  # api-contract 5.3
TOKEN_LIFETIME_SECONDS = 2 * 365 * 24 * 3600  # api-contract 5.2: the server's default
TOKENS_PER_USER = 600  # api-contract 5.2 names QUOTA_EXCEEDED, not the number
BODY_BYTES = 4 * 1024 * 1024  # design 6
