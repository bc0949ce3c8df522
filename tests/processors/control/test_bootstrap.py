"""The first admin: made once, whatever the ingress repeats."""

import pytest

from contract.state import Principal
from tests.processors.control.world import OWNER, World

ADMIN = {"name": "admin@headgate.local", "display_name": "Admin", "hash": "a" * 64}


def test_the_first_admin_is_made_with_a_token_that_never_expires() -> None:
    world = World()
    assert world.do("bootstrap.admin", ADMIN) == {}
    made = world.view.principals["admin@headgate.local"]
    assert (made.admin, made.active, made.display_name, made.kind) == (True, True, "Admin", "user")
    token = world.view.tokens["a" * 64]
    assert (token.owner, token.expires_at_ms) == ("admin@headgate.local", -1)


def test_asking_again_changes_nothing() -> None:
    world = World()
    world.do("bootstrap.admin", ADMIN)
    offset = world.view.offset
    world.do("bootstrap.admin", ADMIN)
    assert world.view.offset == offset


def test_another_token_is_added_and_the_principal_left_as_it_is() -> None:
    world = World()
    world.do("bootstrap.admin", ADMIN)
    before = world.view.principals["admin@headgate.local"]
    world.do("bootstrap.admin", ADMIN | {"hash": "b" * 64, "display_name": "Else"})
    assert world.view.principals["admin@headgate.local"] == before and len(world.view.tokens) == 2


def test_a_known_user_becomes_an_admin_and_keeps_id_and_name() -> None:
    world = World()
    world.do("bootstrap.admin", ADMIN | {"name": OWNER})
    assert world.view.principals[OWNER] == Principal(id="2", name=OWNER, display_name="Taka", admin=True)


@pytest.mark.parametrize(("wrong", "field"), [({"name": ""}, "name"), ({"hash": "x"}, "hash")])
def test_a_wrong_field_is_named(wrong: dict[str, str], field: str) -> None:
    assert World().refused("bootstrap.admin", ADMIN | wrong)[2].startswith(field)


def test_the_first_admin_is_a_member_of_the_vendors_group_and_others_stay_in_it() -> None:
    world = World()
    world.do("bootstrap.admin", ADMIN)
    world.do("bootstrap.admin", ADMIN | {"name": OWNER, "hash": "b" * 64})
    assert world.view.groups["admins"].members == ("admin@headgate.local", OWNER)
    assert world.view.groups["users"].members == ()
