"""The first admin: a start asks for them until all that belongs to them is there, and for nothing more."""

from contract.state import USERS, Principal
from ingress.app import FirstAdmin
from ingress.identity import token_hash
from tests.ingress.world import World

NAME, TOKEN = "admin@headgate.local", "dapi-first"
FIRST = FirstAdmin(name=NAME, known_by=token_hash(TOKEN))
ME = "/api/2.0/preview/scim/v2/Me"


async def test_an_empty_state_gets_the_admin_their_token_and_the_vendors_groups() -> None:
    world = World()
    await FIRST.ensure(world.commands, world.view)
    assert FIRST.known_to(world.view) and (await world.call("GET", ME, TOKEN)).json()["userName"] == NAME
    assert world.view.groups["admins"].members == (NAME,) and USERS in world.view.groups


async def test_a_state_from_before_there_were_groups_gets_them_and_keeps_the_rest() -> None:
    world = World()
    world.know(Principal(id="7", name=NAME, display_name="Root", admin=True), TOKEN)
    before = dict(world.view.principals), dict(world.view.tokens)
    assert not FIRST.known_to(world.view)
    await FIRST.ensure(world.commands, world.view)
    assert world.view.groups["admins"].members == (NAME,) and world.view.groups["users"].members == ()
    assert (dict(world.view.principals), dict(world.view.tokens)) == before


async def test_a_state_that_has_all_is_asked_for_nothing_even_when_the_admin_is_taken_out_of_the_group() -> None:
    world = World()
    await FIRST.ensure(world.commands, world.view)
    path = f"/api/2.0/preview/scim/v2/Groups/{world.view.groups['admins'].id}"
    taken_out = {"Operations": [{"op": "remove", "path": "members"}]}
    assert (await world.call("PATCH", path, json=taken_out)).json()["members"] == []
    asked = len(world.published)
    await FIRST.ensure(world.commands, world.view)
    assert FIRST.known_to(world.view) and len(world.published) == asked
