"""A request's texts as conversations: who said what, in order, as a judge of content wants to read them."""

from itertools import takewhile

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


OWN = ("system", "developer", "assistant")  # whose words nobody brings in


def brought(task: str, body: Body) -> tuple[str, ...]:
    """What may carry an injection, message by message: what users said, and what tools and documents brought.

    An answer's beginning is the caller's, too; other words of the model and the application's own are left out.
    """
    if task != "llm/v1/chat":
        return tuple(text for text in texts.of_request(task, body) if text.strip())
    messages = texts.dicts(body, "messages")
    begun = len(list(takewhile(lambda message: message.get("role") == "assistant", reversed(messages))))
    outside = [message for message in messages[: len(messages) - begun] if message.get("role") not in OWN]
    said = ("\n".join(texts.of_message(message)) for message in (*outside, *messages[len(messages) - begun :]))
    return tuple(text for text in said if text.strip())


def answered(asked: tuple[Conversation, ...], said: str) -> Conversation:
    """The conversation that `said` answers; without what was asked where that is not one conversation."""
    before = asked[0] if len(asked) == 1 else ()
    return (*before, Turn(role="assistant", text=said))
