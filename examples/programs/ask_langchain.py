"""Answer a question from an index by LangChain, with citations.

    relance ingest examples/handbook --direct
    python examples/programs/ask_langchain.py examples/handbook "How long are pictures kept?"
"""

import sys
from operator import itemgetter

from langchain_core.documents import Document
from langchain_core.language_models import ParrotFakeChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough

import relance
from relance.integrations.langchain import RelanceRetriever

MODEL = ParrotFakeChatModel()  # repeats its prompt, without a key; put a chat model of yours here
PROMPT = ChatPromptTemplate.from_template(
    "Answer from these passages, and cite them by their numbers.\n\n{passages}\n\nQuestion: {question}"
)


def numbered(documents: list[Document]) -> str:
    """Put the passages below each other, each with its number."""
    return "\n\n".join(f"[{number}] {each.page_content}" for number, each in enumerate(documents, 1))


def place(document: Document) -> str:
    """Say where a passage is from: file, lines or page, heading."""
    known = document.metadata
    at = f", line {known['line']}" if "line" in known else f", page {known['page']}" if "page" in known else ""
    return f"{known['source']}{at}: {' › '.join(known.get('heading_path', []))}"


def chain(index: relance.Index, k: int = 3) -> Runnable:
    """Make a chain from a question to `documents` and an `answer`."""
    write = {"passages": lambda found: numbered(found["documents"]), "question": itemgetter("question")}
    answer = write | PROMPT | MODEL | StrOutputParser()
    return {
        "documents": RelanceRetriever(index=index, k=k),
        "question": RunnablePassthrough(),
    } | RunnablePassthrough.assign(answer=answer)


if __name__ == "__main__":
    with relance.Index(sys.argv[1]) as handbook:
        found = chain(handbook).invoke(sys.argv[2])
    print(found["answer"], "\n")
    for number, document in enumerate(found["documents"], 1):
        print(f"[{number}] {place(document)}")
