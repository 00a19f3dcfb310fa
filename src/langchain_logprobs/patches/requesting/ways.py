"""How each integration wants to be asked for logprobs: one row a class, as in docs/providers.md.

Classes whose logprobs never arrive, whatever is done, have no row: asking them would only cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from langchain_logprobs.patches.requesting import openai

Ask = Callable[[Any, Mapping[str, Any], int], Mapping[str, Any] | None]
"""`(model, the call's keyword arguments, alternatives a token)` to the keyword arguments that ask; None not to ask."""


class Way(NamedTuple):
    """How one class is asked.

    Attributes:
        distribution: Its package, as it is called on PyPI.
        module: The module after whose import the class is there.
        owner: The class. Its subclasses are asked alike.
        ask: Makes the keyword arguments.
        recovery: The patch without which the logprobs would be dropped (`recover_dropped_logprobs`); None for none.
        on_model: Whether they are no keyword arguments but fields of the model, of which a copy gets them.
        mergeable: Tells of a model whether LangChain can merge its chunks' logprobs. Where it cannot they are taken
            off in any case.
        only: The methods to ask in, where the logprobs of the others would be dropped; None for all.
        tells_of_tokens: Whether a stream calls LangChain's token callbacks where that is the integration's own part
            (streaming v3). Where not, nothing would reach our handler.
    """

    distribution: str
    module: str
    owner: str
    ask: Ask
    recovery: str | None = None
    on_model: bool = False
    mergeable: Callable[[Any], bool] = lambda model: True
    only: tuple[str, ...] | None = None
    tells_of_tokens: bool = True


def _flag_and_count(most: int = 20) -> Ask:
    return lambda model, given, top: {"logprobs": True, "top_logprobs": min(top, most)}


def _count(most: int) -> Ask:
    return lambda model, given, top: {"logprobs": min(top, most)}


def _flag(model: Any, given: Mapping[str, Any], top: int) -> Mapping[str, Any]:
    return {"logprobs": True}


def _gemini(model: Any, given: Mapping[str, Any], top: int) -> Mapping[str, Any]:
    return {"response_logprobs": True, "logprobs": top}


def _bedrock(model: Any, given: Mapping[str, Any], top: int) -> Mapping[str, Any] | None:
    # Imported models only; the API of all others refuses keys that it does not know.
    return {"return_logprobs": True} if getattr(model, "provider", None) == "meta" else None


_INVOKED, _STREAMED = ("_generate", "_agenerate"), ("_stream", "_astream")
_CHAT, _LLMS = "langchain_community.chat_models", "langchain_community.llms"

WAYS: tuple[Way, ...] = (
    # With Azure, DeepSeek, xAI, Together, Upstage, Cerebras, Mantle and everybody else who builds on it.
    Way(
        "langchain-openai",
        "langchain_openai.chat_models.base",
        "BaseChatOpenAI",
        openai.ask,
        "openai_responses",
        mergeable=openai.mergeable,
    ),
    # Its synchronous stream is its own.
    Way("langchain-cerebras", "langchain_cerebras.chat_models", "ChatCerebras", openai.ask),
    Way("langchain-openai", "langchain_openai.llms.base", "BaseOpenAI", _count(5)),
    Way("langchain-groq", "langchain_groq", "ChatGroq", _flag_and_count()),
    Way("langchain-fireworks", "langchain_fireworks", "ChatFireworks", _flag_and_count(5)),
    Way("langchain-huggingface", "langchain_huggingface", "ChatHuggingFace", _flag_and_count()),
    Way("langchain-openrouter", "langchain_openrouter", "ChatOpenRouter", _flag_and_count()),
    Way("langchain-ibm", "langchain_ibm", "ChatWatsonx", _flag_and_count()),
    Way("langchain-ibm", "langchain_ibm", "WatsonxLLM", _count(5), only=_INVOKED),
    Way("langchain-ollama", "langchain_ollama", "ChatOllama", _flag_and_count(), "ollama"),
    Way("langchain-ollama", "langchain_ollama", "OllamaLLM", _flag_and_count(), "ollama"),
    Way("langchain-google-genai", "langchain_google_genai", "ChatGoogleGenerativeAI", _gemini, "google_genai"),
    Way(
        "langchain-google-vertexai",
        "langchain_google_vertexai",
        "ChatVertexAI",
        _count(20),
        on_model=True,
        only=_INVOKED,
    ),
    Way("langchain-aws", "langchain_aws", "ChatBedrock", _bedrock, only=_STREAMED),
    Way("langchain-cohere", "langchain_cohere", "ChatCohere", _flag, "cohere"),
    Way("langchain-nvidia-ai-endpoints", "langchain_nvidia_ai_endpoints", "ChatNVIDIA", _flag_and_count(), "nvidia"),
    Way("langchain-nvidia-ai-endpoints", "langchain_nvidia_ai_endpoints", "NVIDIA", _count(5), "nvidia"),
    Way("langchain-litellm", "langchain_litellm", "ChatLiteLLM", _flag_and_count(), "litellm"),
    Way("langchain-litellm", "langchain_litellm", "ChatLiteLLMRouter", _flag_and_count(), "litellm"),
    Way("langchain-azure-ai", "langchain_azure_ai.chat_models", "AzureAIChatCompletionsModel", _flag_and_count()),
    Way("langchain-llama-cpp", "langchain_llama_cpp", "ChatLlama", _flag_and_count(), tells_of_tokens=False),
    Way(
        "databricks-langchain",
        "databricks_langchain",
        "ChatDatabricks",
        _flag_and_count(),
        mergeable=lambda model: False,
        only=_STREAMED,
    ),
    Way("langchain-community", f"{_CHAT}.llamacpp", "ChatLlamaCpp", _flag_and_count()),
    Way("langchain-community", f"{_LLMS}.llamacpp", "LlamaCpp", _count(20), "llamacpp"),
    Way("langchain-community", f"{_LLMS}.vllm", "VLLMOpenAI", _count(5)),
)
