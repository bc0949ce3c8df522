"""A request's texts as conversations: who said what, in order, as a judge of content wants to read them."""

import msgspec

from processors.payload import texts
from processors.payload.texts import Body


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one side said. `role`: `user` or `assistant`."""

    role: str
    text: str


Conversation = tuple[Turn, ...]


def of_request(task: str, body: Body) -> tuple[Conversation, ...]:
    """A chat is one conversation, each prompt or input one of its own; those without text are left out.

    System messages count as the user's: the caller wrote both, and a judge knows two sides alone.
    """
    if task != "llm/v1/chat":
        said = texts.of_request(task, body)
        return tuple((Turn(role="user", text=text),) for text in said if text.strip())
    turns = tuple(_turn(message) for message in texts.dicts(body, "messages") if not texts.is_tool_turn(message))
    return (turns,) if any(turn.text.strip() for turn in turns) else ()


def _turn(message: Body) -> Turn:
    role = "assistant" if message.get("role") == "assistant" else "user"
    return Turn(role=role, text="\n".join(texts.of_message(message)))


def answered(asked: tuple[Conversation, ...], said: str) -> Conversation:
    """The conversation that `said` answers; without what was asked where that is not one conversation."""
    before = asked[0] if len(asked) == 1 else ()
    return (*before, Turn(role="assistant", text=said))
