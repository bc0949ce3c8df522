"""What hangs on an endpoint besides its config: tags, notifications, and limits by their deprecated route."""

from collections.abc import Sequence

import msgspec

from contract import checks, codec, refusals, state
from contract.endpoint import Endpoint, Notifications, NotificationsAsked, RateLimitsAsked, Tag, TagsAsked
from contract.records import Command
from contract.refusals import Refusal
from contract.state import View
from processors.control import base, entities, gateway
from processors.control.base import Change, Decision, Facts
from processors.control.endpoints import managed


@managed
def put_rate_limits(endpoint: Endpoint, command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `RateLimitsAsked`, which replaces all limits of the endpoint, also those of its gateway configuration.

    Answers `{"rate_limits": [...]}`.
    """
    asked = base.asked(RateLimitsAsked, command)
    if isinstance(asked, Refusal):
        return asked
    refusal = checks.old_limits(asked)
    if refusal is None and not endpoint.entities:
        refusal = refusals.invalid("Cannot specify rate_limits for an endpoint without a config.")
    if refusal is not None:
        return refusal
    limits = gateway.limits(asked.rate_limits or ())
    changed = gateway.with_limits(endpoint, limits, facts.now_ms)
    return base.answer({"rate_limits": limits}, _kept(changed, facts))


@managed
def patch_tags(endpoint: Endpoint, command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `TagsAsked`. A key that is there gets the new value, one to delete need not be there. Answers all tags."""
    asked = base.asked(TagsAsked, command)
    if isinstance(asked, Refusal):
        return asked
    refusal = checks.tags(asked)
    if refusal is not None:
        return refusal
    tags = patched(endpoint.tags, asked.add_tags or (), asked.delete_tags or ())
    return base.answer({"tags": tags}, _kept(msgspec.structs.replace(endpoint, tags=tags), facts))


def patched(tags: Sequence[Tag], added: Sequence[Tag], deleted: Sequence[str]) -> tuple[Tag, ...]:
    """The tags after a patch: known keys stay in their places, new ones come last.

    >>> [tag.key for tag in patched([Tag(key="a"), Tag(key="b")], [Tag(key="c"), Tag(key="a", value="1")], ["b"])]
    ['a', 'c']
    """
    by_key = {tag.key: tag for tag in tags} | {tag.key: tag for tag in added}
    gone = set(deleted)  # a body may hold hundreds of thousands of either
    return tuple(tag for key, tag in by_key.items() if key not in gone)


@managed
def patch_notifications(endpoint: Endpoint, command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `NotificationsAsked`. Answers the name and what is kept."""
    asked = base.asked(NotificationsAsked, command)
    if isinstance(asked, Refusal):
        return asked
    kept = asked.email_notifications
    changed = msgspec.structs.replace(endpoint, email_notifications=kept)
    shown = {"name": endpoint.name, "email_notifications": kept or Notifications()}
    return base.answer(shown, _kept(changed, facts))


def _kept(changed: Endpoint, facts: Facts) -> Change:
    now = msgspec.structs.replace(changed, updated_at_ms=entities.whole_seconds(facts.now_ms))
    return state.key("endpoint", now.name), codec.encode(now)
