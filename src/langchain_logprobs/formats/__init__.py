"""2. A provider's raw logprobs container in, tokens out: one module for each wire format. Pure."""
