"""Tokens: kept as hashes, counted, expired ones swept, revoked by their owner."""

import msgspec
import pytest

from contract import limits
from contract.state import Token
from processors.control.tokens import expired
from tests.processors.control.world import ADMIN, OWNER, STRANGER, T0, World


def minted(n: int, **more: object) -> dict[str, object]:
    return {"token_id": f"id{n}", "hash": f"{n:064x}"} | more


def test_a_token_is_kept_with_its_lifetime_and_its_info_answered() -> None:
    world = World()
    answer = world.do("token.create", minted(1, comment="sdk", lifetime_seconds=120))
    assert answer == {
        "token_info": {"token_id": "id1", "creation_time": T0, "expiry_time": T0 + 120_000, "comment": "sdk"}
    }
    kept = world.view.tokens[f"{1:064x}"]
    assert (kept.owner, kept.expires_at_ms) == (OWNER, T0 + 120_000)


def test_a_token_without_lifetime_gets_the_servers_default() -> None:
    info = World().do("token.create", minted(1))["token_info"]
    assert info["expiry_time"] == T0 + limits.TOKEN_LIFETIME_SECONDS * 1000
    assert info["comment"] == ""


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"hash": "xyz"}, "hash"),
        ({"hash": "0" * 64 + "\n"}, "hash"),
        ({"token_id": ""}, "token_id"),
        ({"lifetime_seconds": 0}, "lifetime_seconds"),
        ({"lifetime_seconds": 10**30}, "lifetime_seconds"),
        ({"comment": 1}, "comment"),
    ],
)
def test_a_wrong_field_is_named(wrong: dict[str, object], field: str) -> None:
    status, code, message = World().refused("token.create", minted(1) | wrong)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE") and message.startswith(field)


def test_minting_sweeps_ones_own_expired_tokens_and_nobody_elses() -> None:
    world = World()
    world.do("token.create", minted(1, lifetime_seconds=10))
    world.do("token.create", minted(2, lifetime_seconds=10), by=STRANGER)
    world.do("token.create", minted(3, lifetime_seconds=20))
    world.now_ms += 10_000
    world.do("token.create", minted(4))
    assert sorted(token.token_id for token in world.view.tokens.values()) == ["id2", "id3", "id4"]


def test_the_quota_counts_live_tokens_of_one_owner() -> None:
    world = World()
    for n in range(limits.TOKENS_PER_USER):
        world.keep(
            f"token/{n:064x}",
            Token(token_id=f"id{n}", hash=f"{n:064x}", owner=OWNER, created_at_ms=T0, expires_at_ms=T0 + 5000),
        )
    assert world.refused("token.create", minted(9999))[1] == "QUOTA_EXCEEDED"
    world.do("token.create", minted(9998), by=STRANGER)
    world.now_ms += 5000
    world.do("token.create", minted(9999))
    assert len(world.view.tokens) == 2


def test_the_same_command_again_changes_nothing_and_answers_the_same() -> None:
    world = World()
    first = world.do("token.create", minted(1))
    world.now_ms += 1000
    offset = world.view.offset
    assert world.do("token.create", minted(1)) == first and world.view.offset == offset
    assert world.refused("token.create", minted(1), by=STRANGER)[1] == "RESOURCE_ALREADY_EXISTS"


def test_a_comment_is_replaced_by_the_owner_or_an_admin_and_by_nobody_else() -> None:
    world = World()
    world.do("token.create", minted(1, comment="old"))
    before = world.view.tokens[f"{1:064x}"]
    for by in (OWNER, ADMIN):
        assert world.do("token.update", {"comment": by}, target="id1", by=by) == {}
        assert world.view.tokens[f"{1:064x}"] == msgspec.structs.replace(before, comment=by)
    assert world.refused("token.update", {"comment": "x"}, target="id1", by=STRANGER)[0] == 404
    assert world.refused("token.update", {"comment": "x"}, target="id2")[0] == 404


@pytest.mark.parametrize("action", ["token.create", "token.update"])
def test_a_comment_has_a_greatest_length(action: str) -> None:
    body = minted(1, comment="x" * 4097)
    assert World().refused(action, body, target="id1")[2].startswith("comment")


def test_one_revokes_ones_own_token_and_an_admin_any() -> None:
    world = World()
    world.do("token.create", minted(1))
    world.do("token.create", minted(2))
    assert world.do("token.delete", {"token_id": "id1"}) == {}
    assert world.do("token.delete", {"token_id": "id2"}, by=ADMIN) == {}
    assert world.view.tokens == {}


@pytest.mark.parametrize("token_id", ["id1", "unknown"])
def test_a_strangers_token_is_as_good_as_unknown(token_id: str) -> None:
    world = World()
    world.do("token.create", minted(1))
    refusal = world.refused("token.delete", {"token_id": token_id}, by=STRANGER)
    assert refusal[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_token_is_over_at_its_expiry_and_one_without_never() -> None:
    token = Token(token_id="t", hash="h", owner="o", created_at_ms=0, expires_at_ms=1000)
    assert not expired(token, 999) and expired(token, 1000)
    assert not expired(Token(token_id="t", hash="h", owner="o", created_at_ms=0), 10**15)


ROBOT = "01234567-89ab-cdef-0123-456789abcdef"


def with_robot() -> World:
    world = World()
    world.do("service_principal.create", {"display_name": "Robot", "application_id": ROBOT}, by=ADMIN)
    return world


def test_an_admin_makes_a_token_that_is_a_service_principals() -> None:
    world = with_robot()
    info = world.do("token.create_for", minted(1, application_id=ROBOT, lifetime_seconds=60), by=ADMIN)["token_info"]
    assert info["expiry_time"] == T0 + 60_000
    kept = world.view.tokens[f"{1:064x}"]
    assert (kept.owner, kept.created_by) == (ROBOT, ADMIN)


def test_a_user_gets_their_first_token_from_an_admin_as_nobody_logs_in_here() -> None:
    world = with_robot()
    world.do("token.create_for", minted(1, application_id=OWNER), by=ADMIN)
    assert world.view.tokens[f"{1:064x}"].owner == OWNER


def test_a_token_for_nobody_is_404_and_names_them() -> None:
    status, _, message = with_robot().refused("token.create_for", minted(1, application_id="unknown"), by=ADMIN)
    assert status == 404 and "'unknown'" in message


def test_an_inactive_service_principal_gets_no_token() -> None:
    world = with_robot()
    change = {"kind": "service_principal", "active": False}
    world.do("principal.change", change, target=world.view.principals[ROBOT].id, by=ADMIN)
    assert world.refused("token.create_for", minted(1, application_id=ROBOT), by=ADMIN)[0] == 400


def test_tokens_of_others_are_made_and_revoked_by_admins_alone() -> None:
    world = with_robot()
    assert world.refused("token.create_for", minted(1, application_id=ROBOT))[0] == 403
    world.do("token.create", minted(1))
    assert world.refused("token.revoke", target="id1")[0] == 403
    assert world.do("token.revoke", target="id1", by=ADMIN) == {}
    assert world.refused("token.revoke", target="id1", by=ADMIN)[0] == 404
