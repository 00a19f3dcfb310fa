"""Many runs, a tenth of them abandoned: do open runs and memory stay bounded? `make soak`.

An abandoned run is one for which LangChain reports no end: half of them are forgotten (as a cancelled `ainvoke` is),
half are held on to by somebody else, so that only the limit on open runs can end them. Prints a line for each tenth of
the runs, and fails if the open runs pass their limit or the memory grows after the first tenth.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
import tracemalloc
from collections import deque
from uuid import UUID, uuid4

from answer import ENTRIES
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from opentelemetry.sdk.trace import TracerProvider

from langchain_logprobs import LogprobsCallbackHandler, Settings

MOST_OPEN = 1_000
TOKENS = 5
GROWTH_BYTES = 3_000_000


def run_one(handler: LogprobsCallbackHandler, index: int, held: deque[UUID]) -> None:
    """Drive one chain with one model call; every tenth is abandoned."""
    chain, call = uuid4(), uuid4()
    abandoned = index % 10 == 0
    if not abandoned:
        handler.on_chain_start({}, {}, run_id=chain, name="chain")
    handler.on_chat_model_start({}, [[]], run_id=call, parent_run_id=None if abandoned else chain)
    for entry in ENTRIES[:TOKENS]:
        handler.on_llm_new_token(entry["token"], run_id=call, logprobs={"content": [entry], "refusal": None})
    if abandoned:
        if index % 20 == 0:
            held.append(call)
        return
    text = "".join(entry["token"] for entry in ENTRIES[:TOKENS])
    handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=AIMessage(text))]]), run_id=call)
    handler.on_chain_end({}, run_id=chain)


def main() -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200_000, help="how many runs (200,000)")
    runs = parser.parse_args().runs
    provider = TracerProvider(shutdown_on_exit=False)  # spans are made and not kept
    handler = LogprobsCallbackHandler(Settings(max_open_calls=MOST_OPEN), tracer_provider=provider)
    held: deque[UUID] = deque(maxlen=20_000)
    most_open, first, last, start = 0, 0, 0, time.monotonic()
    tracemalloc.start()
    for index in range(runs):
        run_one(handler, index, held)
        most_open = max(most_open, handler.open_runs)
        if (index + 1) % (runs // 10) == 0:
            gc.collect()
            last = tracemalloc.get_traced_memory()[0]
            first = first or last
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"{index + 1:>8} runs  open {handler.open_runs:>5}  most open {most_open:>5}  "
                f"traced {last / 1e6:6.2f} MB  peak {peak} MB  {time.monotonic() - start:5.0f} s",
                flush=True,
            )
    handler.close()
    # The list of UUIDs that stands for somebody who holds on to them is ours, and grows by design.
    grown = last - first - sys.getsizeof(UUID(int=0)) * len(held) * 2
    print(f"open at the end: {handler.open_runs}; grown since the first tenth: {grown / 1e6:.2f} MB")
    return int(handler.open_runs > 0 or most_open > MOST_OPEN or grown > GROWTH_BYTES)


if __name__ == "__main__":
    sys.exit(main())
