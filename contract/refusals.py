"""Every "no" Headgate says, one function each. A refusal is returned, never raised.

Texts and codes: api-contract.md 1.4, 3.4, 3.5. Codes are strings, because MLflow turns numeric ones into HTTP 500.
"""

import msgspec

REQUEST_INFO = "type.googleapis.com/google.rpc.RequestInfo"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A decided "no": HTTP status, the vendor's error code, a message that names the field, our own word for it."""

    status: int
    error_code: str
    message: str
    name: str


def envelope(error_code: str, message: str, request_id: str) -> dict[str, object]:
    """The vendor's error envelope. `details` name the request as the SDK reads it (`get_error_details()`)."""
    details = [{"@type": REQUEST_INFO, "request_id": request_id, "serving_data": ""}]
    return {"error_code": error_code, "message": message, "details": details}


def body(refusal: Refusal, request_id: str) -> bytes:
    """A refusal in the vendor's error envelope."""
    return msgspec.json.encode(envelope(refusal.error_code, refusal.message, request_id))


def naming(refusal: Refusal, request_id: str) -> Refusal:
    """The refusal as the vendor words it where nobody is known: with the request's id at its end (api-contract 3.5)."""
    if refusal.status != 401:
        return refusal
    return msgspec.structs.replace(refusal, message=f"{refusal.message} [ReqId: {request_id}]")


def invalid(message: str, name: str = "invalid_parameter") -> Refusal:
    """400: a field is missing, of the wrong type or out of range; `message` names it."""
    return Refusal(status=400, error_code="INVALID_PARAMETER_VALUE", message=message, name=name)


def bad_request(message: str, name: str = "bad_request") -> Refusal:
    """400 on the query path."""
    return Refusal(status=400, error_code="BAD_REQUEST", message=message, name=name)


def malformed_json(why: str) -> Refusal:
    """400: the body is no JSON object."""
    return Refusal(status=400, error_code="MALFORMED_REQUEST", message=f"Body: {why}", name="malformed_json")


def too_large(limit_bytes: int) -> Refusal:
    """413: the body is over the size limit."""
    text = f"Request body exceeds the limit of {limit_bytes} bytes."
    return Refusal(status=413, error_code="MAX_REQUEST_SIZE_EXCEEDED", message=text, name="too_large")


def no_credential() -> Refusal:
    """401: no bearer token was sent."""
    text = "Credential was not sent or was of an unsupported type for this API."
    return Refusal(status=401, error_code="UNAUTHENTICATED", message=text, name="no_credential")


def bad_token() -> Refusal:
    """401: the token is unknown, revoked or expired (design 4; the vendor was seen to answer 403)."""
    return Refusal(status=401, error_code="UNAUTHENTICATED", message="Invalid access token.", name="bad_token")


def forbidden(message: str) -> Refusal:
    """403: known, but not allowed."""
    return Refusal(status=403, error_code="PERMISSION_DENIED", message=message, name="forbidden")


def admins_only() -> Refusal:
    """403: what only admins may do."""
    return forbidden("Only workspace admins may do this.")


def no_tokens() -> Refusal:
    """403: an admin has said who may use tokens, and the owner of this one is not among them."""
    return forbidden("User does not have permission to use access tokens (CAN_USE on tokens is needed).")


def unknown_endpoint() -> Refusal:
    """404 on the query path."""
    text = (
        "The given endpoint does not exist, "
        "please retry after checking the specified model and version deployment exists."
    )
    return Refusal(status=404, error_code="ENDPOINT_NOT_FOUND", message=text, name="unknown_endpoint")


def unknown_resource(what: str) -> Refusal:
    """404 on the management path; `what` names the missing thing."""
    return Refusal(
        status=404, error_code="RESOURCE_DOES_NOT_EXIST", message=f"{what} does not exist.", name="unknown_resource"
    )


def unknown_route(path: str) -> Refusal:
    """404: no such API."""
    return Refusal(
        status=404, error_code="ENDPOINT_NOT_FOUND", message=f"No API found for '{path}'.", name="unknown_route"
    )


def wrong_method(method: str, path: str) -> Refusal:
    """405: the API is there, but not with this method."""
    return Refusal(
        status=405,
        error_code="METHOD_NOT_ALLOWED",
        message=f"Method '{method}' is not supported for '{path}'.",
        name="wrong_method",
    )


def wrong_task(endpoint: str, task: str, asked: str) -> Refusal:
    """400: the route asks for another task than the endpoint's models have."""
    have = f"serves '{task}'" if task else "serves no model yet"
    text = f"model: endpoint '{endpoint}' {have}, but this route asks for '{asked}'."
    return invalid(text, name="wrong_task")


def already_exists(what: str, status: int = 409) -> Refusal:
    """409 (400 for secret scopes): the name is taken."""
    return Refusal(
        status=status, error_code="RESOURCE_ALREADY_EXISTS", message=f"{what} already exists.", name="exists"
    )


def quota(message: str) -> Refusal:
    """400: too many of something."""
    return Refusal(status=400, error_code="QUOTA_EXCEEDED", message=message, name="quota")


def not_supported(message: str) -> Refusal:
    """400: the vendor has it, Headgate does not."""
    return Refusal(status=400, error_code="FEATURE_DISABLED", message=message, name="not_supported")


def rate_limited(endpoint: str, unit: str, subject: str) -> Refusal:
    """429: a rate limit is full. `unit`: calls or tokens; `subject`: endpoint, user or user group."""
    kind = "Requests-per-minute (RPM)" if unit == "calls" else "Tokens-per-minute (TPM)"
    text = f"User defined rate limit(s) exceeded for '{endpoint}'. {kind} rate limit exceeded for {subject}"
    return Refusal(status=429, error_code="REQUEST_LIMIT_EXCEEDED", message=text, name="rate_limited")


def too_many_in_flight(endpoint: str) -> Refusal:
    """429: the endpoint holds its whole share of a worker."""
    text = f"Too many requests in flight for '{endpoint}': its share of the gateway's concurrency is used up."
    return Refusal(status=429, error_code="REQUEST_LIMIT_EXCEEDED", message=text, name="too_many_in_flight")


def unavailable(message: str) -> Refusal:
    """503: the broker is down, waiters are full, or a guard failed closed."""
    return Refusal(status=503, error_code="TEMPORARILY_UNAVAILABLE", message=message, name="unavailable")


def too_late() -> Refusal:
    """504: the request's deadline has passed."""
    return Refusal(
        status=504, error_code="DEADLINE_EXCEEDED", message="The request's deadline has passed.", name="too_late"
    )


def worker_lost() -> Refusal:
    """500: the worker that called the provider died before it could answer."""
    return Refusal(
        status=500,
        error_code="INTERNAL_ERROR",
        message="The worker that handled this request was lost; the provider may have been called.",
        name="worker_lost",
    )


def internal(request_id: str) -> Refusal:
    """500: a defect of ours; the log has the rest under this id."""
    text = f"Internal error. [ReqId: {request_id}]"
    return Refusal(status=500, error_code="INTERNAL_ERROR", message=text, name="internal")


def unopened(what: str) -> Refusal:
    """500: a sealed record that this part of the gateway cannot open. `what`: request or answer."""
    text = f"The sealed {what} cannot be opened: it is damaged, or ingress and workers have different master keys."
    return Refusal(status=500, error_code="INTERNAL_ERROR", message=text, name="unopened")


def caller_gone() -> Refusal:
    """499: nobody waits for the answer any more."""
    return Refusal(status=499, error_code="CANCELLED", message="The caller closed the connection.", name="caller_gone")


def stream_interrupted() -> Refusal:
    """500, as an event in the stream: a part of the answer is lost, the rest would not follow on."""
    return Refusal(
        status=500,
        error_code="INTERNAL_ERROR",
        message="The stream was interrupted: a part of the answer is lost.",
        name="stream_interrupted",
    )


def reads_too_slowly() -> Refusal:
    """499, as an event in the stream: more has piled up for the caller than may."""
    return Refusal(
        status=499,
        error_code="CANCELLED",
        message="The caller reads more slowly than the answer comes; the rest was dropped.",
        name="reads_too_slowly",
    )


def provider_unreachable(why: str) -> Refusal:
    """502: no provider gave an answer. `why` says how it failed, without addresses or keys."""
    return Refusal(
        status=502,
        error_code="PROVIDER_UNREACHABLE",
        message=f"Provider call failed: {why}",
        name="provider_unreachable",
    )


CODE_BY_STATUS = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def provider_error(provider: str, status: int, answer: msgspec.Raw) -> Refusal:
    """The provider's own error passed through with its status (api-contract 3.5, current shape)."""
    inner = msgspec.json.encode({"external_model_provider": provider, "external_model_error": answer}).decode()
    fallback = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"
    code = CODE_BY_STATUS.get(status, fallback)
    return Refusal(status=status, error_code=code, message=inner, name="provider_error")
