"""Answers from documents, with a way out: an unsure answer is asked for again with more text, and then not given.

    python examples/rag_fallback.py

The retriever ranks by words (BM25), the chain is plain LangChain; `with_confidence` puts the report beside the answer.
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_openai import ChatOpenAI
from local_model import local_model
from rank_bm25 import BM25Okapi

from langchain_logprobs import LogprobsCallbackHandler, with_confidence

SURE_FROM = 0.75  # chosen for this example

TEXTS = [
    "The bridge over the Lisk was built in 1932 and is 412 metres long.",
    "The lighthouse of Orno is 38 metres high and was painted red in 1974.",
    "The museum in Talby shows ships and is closed on Mondays.",
    "The ferry from Orno to Talby takes 25 minutes and costs 6 euros.",
]

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from the text, in a few words."),
        ("user", "Text: The tower of Ard is 60 metres high.\nQuestion: How high is the tower of Ard?"),
        ("assistant", "60 metres"),
        ("user", "Text: {text}\nQuestion: {question}"),
    ]
)


class Words(BaseRetriever):
    """Finds the documents that share the rarest words with a question."""

    index: Any
    most: int

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        found = self.index.get_top_n(words(query), TEXTS, n=self.most)
        return [Document(page_content=text) for text in found]


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return "".join(each if each.isalnum() else " " for each in text.lower()).split()


def answerer(model: ChatOpenAI, most: int) -> Any:
    """Return a chain from a question to its answer with the report, from so many documents."""
    retriever = Words(index=BM25Okapi([words(text) for text in TEXTS]), most=most)

    def given(question: str) -> dict[str, str]:
        return {"text": " ".join(each.page_content for each in retriever.invoke(question)), "question": question}

    return given | with_confidence(PROMPT | model | StrOutputParser())


def answer(question: str, model: ChatOpenAI) -> str:
    """Answer from the best document, from three where that is unsure, and not at all where that is unsure too."""
    handler = LogprobsCallbackHandler()
    for most in (1, 3):
        found = answerer(model, most).invoke(question, {"callbacks": [handler]})
        report = found.report
        if report is None or report.score is None:
            return "not answered: the model gave no logprobs"
        print(f"  from {most} of {len(TEXTS)} texts: {found.value!r}, {report.score:.2f} ({report.level})")
        if report.score >= SURE_FROM:
            return str(found.value)
    return "I do not know. (unsure both times: left for a person)"


def main() -> None:
    """Ask a few questions."""
    questions = [
        "When was the bridge over the Lisk built?",
        "How long does the ferry from Orno to Talby take?",
        "Who painted the lighthouse of Orno?",
    ]
    with local_model() as served:
        model = ChatOpenAI(
            model=served.model,
            base_url=served.base_url,
            api_key=served.api_key,
            temperature=0,
            max_completion_tokens=20,
            logprobs=True,
            top_logprobs=5,
        )
        for question in questions:
            print(question)
            print(f"  -> {answer(question, model)}")


if __name__ == "__main__":
    main()
