"""Presidio results without the explanation objects that cost more than the search."""

from presidio_analyzer import EntityRecognizer, RecognizerResult


def result(recognizer: EntityRecognizer, entity_type: str, span: tuple[int, int], score: float) -> RecognizerResult:
    """Build a result that Presidio's engine can trace back to its recogniser."""
    return RecognizerResult(
        entity_type=entity_type,
        start=span[0],
        end=span[1],
        score=score,
        recognition_metadata={
            RecognizerResult.RECOGNIZER_NAME_KEY: recognizer.name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
        },
    )
