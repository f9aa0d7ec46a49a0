"""OpenAI's images API: generations, edits, variations, models. What is exact: docs/openai.md."""
