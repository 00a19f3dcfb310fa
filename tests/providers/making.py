"""How the integrations of table.py are pointed at the local server, where that takes more than an address."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tests.providers import answers
from tests.providers.row import load


def openai_like(url: str) -> dict[str, Any]:
    """The arguments that most integrations take, many of them subclasses of ChatOpenAI."""
    return {"model": "m-1", "base_url": f"{url}/v1", "api_key": "unused", "max_retries": 0}


def plain(url: str) -> dict[str, Any]:
    return {"model": "m-1", "base_url": url, "api_key": "unused"}


def completions(url: str) -> dict[str, Any]:
    return {"model": "m-1", "base_url": f"{url}/v1/completions", "api_key": "unused", "max_tokens": 9}


def azure(url: str) -> dict[str, Any]:
    where = {"azure_endpoint": url, "azure_deployment": "m-1", "api_version": "2024-10-21"}
    return {**where, "api_key": "unused", "max_retries": 0}


def azure_ai(url: str) -> dict[str, Any]:
    return {"model": "m-1", "endpoint": f"{url}/v1", "credential": "unused", "max_retries": 0}


def ollama(url: str) -> dict[str, Any]:
    return {"model": "m-1", "base_url": url}


def google(url: str) -> dict[str, Any]:
    return {"model": "gemini-2.0-flash", "base_url": url, "api_key": "unused", "max_retries": 1}


def vertex(url: str) -> dict[str, Any]:
    credentials = load("google.auth.credentials", "AnonymousCredentials")()
    where = {"api_endpoint": url, "api_transport": "rest", "project": "p", "location": "us-central1"}
    return {"model": "gemini-2.0-flash", "credentials": credentials, "max_retries": 1, **where}


def perplexity(url: str) -> dict[str, Any]:
    sdk = importlib.import_module("perplexity")
    clients = {"client": sdk.Perplexity, "async_client": sdk.AsyncPerplexity}
    made = {name: make(api_key="unused", base_url=url, max_retries=0) for name, make in clients.items()}
    return {"model": "m-1", "api_key": "unused", **made}


def huggingface(url: str) -> dict[str, Any]:
    endpoint = load("langchain_huggingface", "HuggingFaceEndpoint")
    return {"llm": endpoint(endpoint_url=f"{url}/v1", huggingfacehub_api_token="unused"), "model_id": "m-1"}


def huggingface_endpoint(url: str) -> dict[str, Any]:
    return {"endpoint_url": url, "huggingfacehub_api_token": "unused"}


def aws(url: str) -> dict[str, Any]:
    keys = {"aws_access_key_id": "unused", "aws_secret_access_key": "unused"}
    return {"model": "m-1", "provider": "meta", "endpoint_url": url, "region_name": "us-east-1", **keys}


def cohere(url: str) -> dict[str, Any]:
    return {"model": "m-1", "base_url": url, "cohere_api_key": "unused"}


def litellm(url: str) -> dict[str, Any]:
    return {"model": "openai/m-1", "api_base": f"{url}/v1", "api_key": "unused", "max_retries": 0}


def litellm_router(url: str) -> dict[str, Any]:
    served = {"model": "openai/m-1", "api_base": f"{url}/v1", "api_key": "unused"}
    router = load("litellm", "Router")(model_list=[{"model_name": "m-1", "litellm_params": served}])
    return {"router": router, "model_name": "m-1"}


def databricks(url: str) -> dict[str, Any]:
    return {"model": "m-1", "workspace_client": load("databricks.sdk", "WorkspaceClient")(host=url, token="unused")}


def watsonx(url: str) -> dict[str, Any]:
    """IBM's SDK insists on https and on one of its own hosts, so it gets HTTP clients that go to the local server."""
    httpx = importlib.import_module("httpx")
    local = httpx.URL(url)

    def redirect(request: Any) -> None:
        request.url = request.url.copy_with(scheme=local.scheme, host=local.host, port=local.port)

    class Transport(httpx.HTTPTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            redirect(request)
            return super().handle_request(request)

    class AsyncTransport(httpx.AsyncHTTPTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            redirect(request)
            return await super().handle_async_request(request)

    sdk = importlib.import_module("ibm_watsonx_ai")
    client = sdk.APIClient(
        sdk.Credentials(url="https://us-south.ml.cloud.ibm.com", token="unused"),
        httpx_client=httpx.Client(transport=Transport()),
        async_httpx_client=httpx.AsyncClient(transport=AsyncTransport()),
    )
    return {"model_id": "m-1", "watsonx_client": client, "project_id": "p", "validate_model": False}


def watsonx_gateway(url: str) -> dict[str, Any]:
    return {"model": "m-1", "watsonx_client": watsonx(url)["watsonx_client"]}


# --- stand-ins, for packages that run a model in this process


def in_process(url: str) -> dict[str, Any]:
    return {"model_path": "stand-in.gguf", "verbose": False}


def vllm(url: str) -> dict[str, Any]:
    return {"model": "stand-in"}


def huggingface_pipeline(url: str) -> dict[str, Any]:
    def say(prompts: list[str], **arguments: Any) -> Any:
        return [[{"generated_text": answers.TEXT}] for _ in prompts]

    say.task = "text-generation"  # type: ignore[attr-defined]
    say.model = ModuleType("stand-in")  # type: ignore[attr-defined]
    return {"pipeline": say, "model_id": "stand-in"}


def fake_llama_cpp() -> ModuleType:
    """A llama_cpp whose Llama says the table's answer: as llama-cpp-python, it wants top_logprobs too in chats."""

    class FakeLlama:
        def __init__(self, model_path: str, **arguments: Any) -> None:
            pass

        def __call__(self, prompt: str, stream: bool = False, logprobs: int | None = None, **arguments: Any) -> Any:
            def piece(at: tuple[int, ...]) -> dict[str, Any]:
                text = "".join(answers.TOKENS[i] for i in at)
                return {"choices": [{"text": text, "logprobs": answers.legacy_container(at) if logprobs else None}]}

            return map(piece, [(i,) for i in answers.EVERY]) if stream else piece(answers.EVERY)

        def create_chat_completion(
            self, messages: Any, stream: bool = False, logprobs: Any = None, top_logprobs: Any = None, **arguments: Any
        ) -> Any:
            wanted = bool(logprobs and top_logprobs)

            def piece(key: str, at: tuple[int, ...]) -> dict[str, Any]:
                text = "".join(answers.TOKENS[i] for i in at)
                container = answers.plain_container(at) if wanted else None
                choice = {key: {"role": "assistant", "content": text}, "logprobs": container, "finish_reason": None}
                return {"choices": [choice], "usage": answers.USAGE}

            def pieces() -> Iterator[dict[str, Any]]:
                yield from (piece("delta", (i,)) for i in answers.EVERY)

            return pieces() if stream else piece("message", answers.EVERY)

    module = ModuleType("llama_cpp")
    module.__dict__.update(Llama=FakeLlama, LlamaGrammar=object)
    return module


def fake_vllm() -> ModuleType:
    """A vllm whose LLM says the table's answer."""

    class SamplingParams:
        logprobs: int | None

        def __init__(self, **arguments: Any) -> None:
            self.__dict__.update(arguments)

    class Output:
        def __init__(self) -> None:
            self.text = answers.TEXT
            self.outputs = [self]

    class FakeLLM:
        def __init__(self, **arguments: Any) -> None:
            pass

        def generate(self, prompts: list[str], params: Any) -> list[Output]:
            return [Output() for _ in prompts]

    module = ModuleType("vllm")
    module.__dict__.update(LLM=FakeLLM, SamplingParams=SamplingParams)
    return module
