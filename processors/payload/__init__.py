"""What is inside a request or answer: texts to guard, tokens, characters."""
