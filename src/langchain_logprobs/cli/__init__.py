"""The command `langchain-logprobs`, one module for each of its own commands."""
