"""Token confidence for every LangChain model call, on OpenTelemetry spans."""

import logging

from langchain_logprobs._version import __version__
from langchain_logprobs.formats.locate import read_logprobs
from langchain_logprobs.handler import LogprobsCallbackHandler
from langchain_logprobs.measures import Measures, measure
from langchain_logprobs.settings import Settings
from langchain_logprobs.tokens import Alternative, TokenLogprob

__all__ = [
    "Alternative",
    "LogprobsCallbackHandler",
    "Measures",
    "Settings",
    "TokenLogprob",
    "__version__",
    "measure",
    "read_logprobs",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())
