import json

from processors.guardrails.base import Rules
from processors.guardrails.check import apply
from processors.guardrails.envelope import Element, Message, Usage, block_message, element

RULES = Rules(pii="BLOCK")
WORDS = Rules(keywords=("SuperSecretProject",))


def client_text(inner: str) -> str:
    """What the OpenAI client prints: the repr of the decoded outer body."""
    return f"Error code: 400 - {json.loads(json.dumps({'error_code': 'BAD_REQUEST', 'message': inner}))}"


def test_a_pii_block_is_this_exact_text() -> None:
    verdict = apply(["mail joe@example.com"], RULES)
    assert block_message([verdict], side="input") == (
        '{"usage":{"prompt_tokens":0,"total_tokens":0},"input_guardrail":[{"flagged":false,"categories":null,'
        '"category_scores":null,"pii_detection":true,"anonymized_input":[{"role":"user",'
        '"content":"mail <EMAIL_ADDRESS>"}]}],"finishReason":"input_guardrail_triggered"}'
    )


def test_a_keyword_block_says_so_and_leaves_what_was_not_checked_null() -> None:
    verdict = apply(["about supersecretproject"], WORDS)
    inner = block_message([verdict], side="input")
    assert json.loads(inner)["input_guardrail"] == [
        {
            "flagged": False,
            "categories": None,
            "category_scores": None,
            "pii_detection": None,
            "invalid_keywords": True,
            "anonymized_input": None,
        }
    ]
    assert "supersecret" not in inner.lower()


def test_the_vendors_notebook_finds_its_substrings_in_the_clients_error() -> None:
    text = client_text(block_message([apply(['it\'s "joe@example.com"'], RULES)], side="input"))
    assert 'pii_detection":true' in text
    assert 'invalid_keywords":true' not in text
    text = client_text(block_message([apply(["SuperSecretProject"], WORDS)], side="input"))
    assert 'invalid_keywords":true' in text


def test_messages_keep_their_roles() -> None:
    verdict = apply(["be nice", "I am joe@example.com"], RULES)
    messages = [Message(role=r, content=c) for r, c in zip(("system", "user"), verdict.masked, strict=True)]
    inner = json.loads(block_message([verdict], side="input", messages=[messages]))
    assert inner["input_guardrail"][0]["anonymized_input"] == [
        {"role": "system", "content": "be nice"},
        {"role": "user", "content": "I am <EMAIL_ADDRESS>"},
    ]


def test_an_output_block_has_the_outputs_names_and_the_usage_of_the_call() -> None:
    verdict = apply(["I am joe@example.com"], RULES)
    inner = json.loads(block_message([verdict], side="output", usage=Usage(prompt_tokens=7, total_tokens=12)))
    assert list(inner) == ["usage", "output_guardrail", "finishReason"]
    assert inner["usage"] == {"prompt_tokens": 7, "total_tokens": 12}
    assert inner["finishReason"] == "output_guardrail_triggered"
    assert inner["output_guardrail"][0]["anonymized_input"][0]["role"] == "assistant"


def test_a_batch_has_one_element_for_each_item() -> None:
    verdicts = [apply([text], RULES) for text in ("clean", "joe@example.com")]
    elements = json.loads(block_message(verdicts, side="input"))["input_guardrail"]
    assert [one["pii_detection"] for one in elements] == [False, True]
    assert elements[0]["anonymized_input"] is None


def test_a_masked_answer_is_reported_without_repeating_it() -> None:
    assert element(apply(["joe@example.com"], Rules(pii="MASK"))) == Element(pii_detection=True)
