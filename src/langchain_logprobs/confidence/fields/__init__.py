"""The values of a structured answer or of a tool call, each with its confidence."""
