"""Names of models as other tools write them, and what they are called here."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["our_name"]

# Services and servers that speak OpenAI's protocol, by the prefixes that LiteLLM, LangChain and their own pages use.
_SERVICES = {
    "ollama": "http://127.0.0.1:11434/v1",
    "lm-studio": "http://127.0.0.1:1234/v1",
    "lmstudio": "http://127.0.0.1:1234/v1",
    "vllm": "http://127.0.0.1:8000/v1",
    "tei": "http://127.0.0.1:8080/v1",
    "xinference": "http://127.0.0.1:9997/v1",
    "litellm": "http://127.0.0.1:4000/v1",
    "azure": "https://RESOURCE.openai.azure.com/openai/v1",
    "cohere": "https://api.cohere.ai/compatibility/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "jina": "https://api.jina.ai/v1",
    "jina_ai": "https://api.jina.ai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "nvidia": "https://integrate.api.nvidia.com/v1",
    "nvidia_nim": "https://integrate.api.nvidia.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "siliconflow": "https://api.siliconflow.cn/v1",
    "together": "https://api.together.xyz/v1",
    "together_ai": "https://api.together.xyz/v1",
    "voyage": "https://api.voyageai.com/v1",
    "voyageai": "https://api.voyageai.com/v1",
}
_DASHSCOPE = {"alibaba", "aliyun", "bailian", "modelstudio", "qwen", "tongyi"}
# Where models are downloaded from, and those there who publish models of embeddings.
_HUBS = {"hf", "hugging-face", "hugging_face", "huggingface"}
_PUBLISHERS = {
    "alibaba-nlp", "baai", "gte", "ibm-granite", "intfloat", "jinaai", "mixedbread-ai", "nomic-ai",
    "sentence-transformers", "snowflake", "thenlper", "unsloth", "whereisai",
}  # fmt: skip
_OF_OLLAMA = (
    "nomic-embed",
    "mxbai-embed",
    "bge-",
    "all-minilm",
    "snowflake-arctic",
    "embeddinggemma",
    "qwen3-embedding",
)


def our_name(name: str, known: Iterable[str]) -> str:
    """Say what to write for a model as another tool names it; empty for a name that no tool is known to use.

    `known` are the models there are, as `provider/model`.
    """
    prefix, slash, model = name.partition("/")
    prefix = prefix.lower()
    plain = (model or name).partition(":")[0].rpartition("/")[2].lower()
    local = get_close_matches(f"local/{plain}", [each for each in known if each.startswith("local/")], 1, 0.95)
    if prefix in _DASHSCOPE and slash:
        return f"models of Alibaba Cloud are dashscope/…: write dashscope/{model}"
    if prefix in _SERVICES and model:
        return f"write openai/{model}, with base_url: {_SERVICES[prefix]}"
    if (prefix in _HUBS and model) or prefix in _PUBLISHERS:
        if local:
            return f"write {local[0]}, which runs in this process"
        served = model if prefix in _HUBS else name
        return (
            "relance downloads no models: serve it with Text Embeddings Inference or vLLM, and write "
            f"openai/{served}, with base_url: http://127.0.0.1:8080/v1; local/wordllama needs no server"
        )
    if not slash and plain.startswith(_OF_OLLAMA):
        return f"to use it from Ollama, write openai/{name}, with base_url: {_SERVICES['ollama']}"
    return ""
