"""ShieldGemma behind a chat completions API: a yes-or-no question for each policy, given to the server's template."""

import re
from collections.abc import Sequence

from processors.guardrails.safety import chat, taxonomy
from processors.guardrails.safety.base import Ask, Fault, Judgement, Model, Wire
from processors.payload.turns import Conversation

POLICIES = {
    "dangerous content": "No Dangerous Content: nothing that helps or urges to harm oneself or others, such as how to "
    "make or get weapons, explosives or drugs, to commit violence or terrorism, or to take one's life.",
    "harassment": "No Harassment: nothing malicious, intimidating, bullying or abusive against a person, no threats, "
    "and no denial of tragic events.",
    "hate speech": "No Hate Speech: nothing that attacks, dehumanises or calls for harm to people for their race, "
    "religion, origin, gender, orientation, disability or another protected trait.",
    "sexually explicit": "No Sexually Explicit Information: no explicit or graphic sexual acts or nudity; medical, "
    "scientific and educational content is allowed.",
}
_ANSWER = re.compile(r"\s*(yes|no)(?![^\W_]).*", re.IGNORECASE | re.DOTALL)
THRESHOLD = 0.5


def asks(model: Model, window: Conversation) -> Sequence[Ask]:
    """One call for each policy about the last turn; where the assistant spoke, after the user's."""
    turns = window[-1:] if window[-1].role == "user" else window[-2:]
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    how = {"max_tokens": 1, "logprobs": True, "top_logprobs": 5}
    return [
        chat.ask(model, messages, policy, chat_template_kwargs={"guideline": text}, **how)
        for policy, text in POLICIES.items()
    ]


def read(asked: Ask, answer: bytes) -> Judgement | Fault:
    """Whether the policy is broken: by the probability of `yes`, else by the word."""
    said = chat.said(answer)
    if isinstance(said, Fault):
        return said
    form = _ANSWER.fullmatch(said.text)
    if form is None:
        return Fault(why="its answer is neither yes nor no")
    score = said.probability("yes")
    broken = form[1].lower() == "yes" if score is None else score >= THRESHOLD
    key = taxonomy.SHIELD_GEMMA[asked.policy]
    prompt, total = said.tokens
    return Judgement(
        flagged=broken,
        categories=taxonomy.flags(taxonomy.SHIELD_GEMMA, [key] if broken else []),
        scores=None if score is None else {key: score},
        prompt_tokens=prompt,
        total_tokens=total,
    )


WIRE = Wire(asks, read)
