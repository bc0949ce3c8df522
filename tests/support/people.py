"""People as tests meet them: a user with a token of their own, and the real SDK as whom one likes."""

import uuid
from typing import Any

from databricks.sdk import WorkspaceClient

from tests.support.services import Client, Services


def connected(gateway: Services, token: str) -> WorkspaceClient:
    return WorkspaceClient(host=gateway.url, token=token)


def email() -> str:
    """A name that no earlier module's test has left on the shared broker."""
    return f"u{uuid.uuid4().hex[:12]}@example.com"


class Somebody:
    """A user, their token, and what they may do over plain HTTP, where nobody tries again."""

    def __init__(self, admin: WorkspaceClient, gateway: Services) -> None:
        self.name = email()
        self.id: Any = admin.users.create(user_name=self.name).id
        made = admin.token_management.create_obo_token(application_id=self.name, lifetime_seconds=600)
        self.token: Any = made.token_value
        self.client = Client(gateway.url, self.token)

    def __enter__(self) -> "Somebody":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.session.close()

    def ask(self, endpoint: str) -> int:
        return self.client.ask(endpoint).status_code
