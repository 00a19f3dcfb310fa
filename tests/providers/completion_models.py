"""The rows of the completion models (LangChain's LLMs), which have no streaming v3."""

from __future__ import annotations

from typing import Any

from tests.providers import answers, making
from tests.providers.row import MISSING, UNTOLD, Row

PLAIN = {"logprobs": True, "top_logprobs": 2}
SUNSET = ("ignore:`langchain-community` is being sunset:DeprecationWarning",)
NOTHING: dict[str, Any] = {"source": None, "invoke": MISSING, "stream": MISSING, "v3": None}
NEVER: dict[str, Any] = {"source": None, "invoke": UNTOLD, "stream": UNTOLD, "v3": None}

ROWS: tuple[Row, ...] = (
    Row(
        "langchain-openai",
        "langchain_openai",
        "OpenAI",
        making.openai_like,
        answers.completions(),
        source="openai.completions",
        constructor={"logprobs": 2},
        v3=None,
    ),
    Row(
        "langchain-ollama",
        "langchain_ollama",
        "OllamaLLM",
        making.ollama,
        answers.ollama,
        source=None,
        bound=PLAIN,
        invoke=UNTOLD,
        stream=MISSING,
        v3=None,
        recovery="ollama",
    ),
    Row(
        "langchain-together",
        "langchain_together",
        "Together",
        making.completions,
        answers.completions(),
        **NOTHING,
        constructor={"logprobs": 1},
        sent=False,
        note="The constructor's `logprobs` is never sent.",
    ),
    Row(
        "langchain-fireworks",
        "langchain_fireworks",
        "Fireworks",
        making.completions,
        answers.completions(),
        **NEVER,
        bound={"logprobs": 2},
    ),
    Row(
        "langchain-huggingface",
        "langchain_huggingface",
        "HuggingFaceEndpoint",
        making.huggingface_endpoint,
        answers.text_generation,
        **NEVER,
        warns=SUNSET,
    ),
    Row(
        "langchain-huggingface",
        "langchain_huggingface",
        "HuggingFacePipeline",
        making.huggingface_pipeline,
        answers.text_generation,
        **{**NEVER, "stream": None},
        note="Tested with a stand-in for its pipeline, which runs the model in the same process.",
        warns=SUNSET,
    ),
    Row(
        "langchain-ibm",
        "langchain_ibm",
        "WatsonxLLM",
        making.watsonx_gateway,
        answers.completions(),
        source="openai.completions",
        bound={"logprobs": 2},
        stream=MISSING,
        v3=None,
        variant="gateway",
    ),
    Row(
        "langchain-nvidia-ai-endpoints",
        "langchain_nvidia_ai_endpoints",
        "NVIDIA",
        lambda url: making.plain(f"{url}/v1"),
        answers.completions(),
        source=None,
        invoke=UNTOLD,
        stream=MISSING,
        v3=None,
        bound={"logprobs": 2},
        recovery="nvidia",
    ),
    Row(
        "langchain-community",
        "langchain_community.llms",
        "LlamaCpp",
        making.in_process,
        answers.chat(),
        source="openai.completions",
        constructor={"logprobs": 2},
        v3=None,
        stands_in={"llama_cpp": making.fake_llama_cpp},
        recovery="llamacpp",
        warns=SUNSET,
    ),
    Row(
        "langchain-community",
        "langchain_community.llms",
        "VLLMOpenAI",
        lambda url: {"model": "m-1", "openai_api_base": f"{url}/v1", "openai_api_key": "unused"},
        answers.completions(),
        source="openai.completions",
        constructor={"model_kwargs": {"logprobs": 2}},
        v3=None,
        warns=(*SUNSET, "ignore:The `dict` method is deprecated"),
    ),
    Row(
        "langchain-community",
        "langchain_community.llms",
        "VLLM",
        making.vllm,
        answers.chat(),
        **NOTHING,
        constructor={"logprobs": 2},
        stands_in={"vllm": making.fake_vllm},
        warns=SUNSET,
    ),
)
