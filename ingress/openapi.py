"""The OpenAPI document of one endpoint: its one route, the body its task takes, what comes back. Pure."""

from typing import Any

from contract.endpoint import Endpoint

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"oneOf": [TEXT, {"type": "array", "items": TEXT}]}
TURN: Schema = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"type": "string", "enum": ["system", "user", "assistant", "tool"]},
        "content": {"oneOf": [TEXT, {"type": "array", "items": OBJECT}]},
    },
}
SAMPLING: Schema = {
    "max_tokens": WHOLE,
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "n": WHOLE,
    "stop": TEXTS,
    "stream": {"type": "boolean"},
}
OURS: Schema = {
    "client_request_id": TEXT,
    "usage_context": {"type": "object", "additionalProperties": TEXT},
    "extra_params": OBJECT,
}
INPUT: dict[str, tuple[str, Schema]] = {
    "llm/v1/chat": ("messages", {"messages": {"type": "array", "items": TURN}, **SAMPLING}),
    "llm/v1/completions": ("prompt", {"prompt": TEXTS, **SAMPLING}),
    "llm/v1/embeddings": ("input", {"input": TEXTS}),
}
CHOICES: Schema = {"choices": {"type": "array", "items": OBJECT}}
OUTPUT: dict[str, Schema] = {
    "llm/v1/chat": CHOICES,
    "llm/v1/completions": CHOICES,
    "llm/v1/embeddings": {"data": {"type": "array", "items": OBJECT}},
}
ERROR: Schema = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": TEXT, "message": TEXT},
}


def document(endpoint: Endpoint) -> dict[str, Any]:
    """OpenAPI 3.1 for an endpoint that has a task."""
    path = f"/serving-endpoints/{endpoint.name}/invocations"
    return {
        "openapi": "3.1.0",
        "info": {"title": endpoint.name, "version": str(endpoint.config_version)},
        "paths": {path: {"post": _query(endpoint.task)}},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _query(task: str) -> dict[str, Any]:
    required, properties = INPUT[task]
    body = {"type": "object", "required": [required], "properties": {**properties, **OURS}}
    answer = {"type": "object", "properties": {"model": TEXT, "usage": OBJECT, **OUTPUT[task]}}
    content = {"application/json": {"schema": answer}}
    if "stream" in properties:
        content["text/event-stream"] = {"schema": TEXT}
    return {
        "operationId": "query",
        "summary": f"Query the endpoint ({task})",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "The model's answer", "content": content},
            "default": {"description": "A refusal", "content": {"application/json": {"schema": ERROR}}},
        },
    }
