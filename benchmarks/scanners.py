"""Why the package has its own JSON scanner: the same truncated documents for it and for tree-sitter-json.

Cuts random documents at random places and counts, of the values that had ended before the cut, how many each parser
gives with the right pointer and the right text, and how many it gives wrong. Needs `tree-sitter` and
`tree-sitter-json`, which the package does not use.

    python benchmarks/scanners.py
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Iterator

import tree_sitter_json
from tree_sitter import Language, Node, Parser

from langchain_logprobs.confidence.fields.json_scan import scan

DOCUMENTS = 400
Leaves = dict[str, str]


def random_value(rng: random.Random, depth: int = 0) -> object:
    """A nested value with unicode, escapes and keys that need quoting in a pointer."""
    draw = rng.random()
    if depth < 4 and draw < 0.25:
        return {
            rng.choice(["a", "b", "k/~", 'é"', "xxxxx"]): random_value(rng, depth + 1) for _ in range(rng.randint(0, 5))
        }
    if depth < 4 and draw < 0.45:
        return [random_value(rng, depth + 1) for _ in range(rng.randint(0, 5))]
    return rng.choice([None, True, False, 1, -2.5, 1e30, "", 'héllo \n"q" 😀\\', 12345678901234567890, "plain text"])


def own_leaves(text: str) -> Leaves:
    """What `json_scan` finds: closed leaves with their text."""
    return {
        value.path: text[value.start : value.end]
        for value in scan(text).values
        if value.closed and value.kind not in ("object", "array")
    }


def tree_sitter_leaves(parser: Parser, text: str) -> Leaves:
    """What a walk over tree-sitter's tree finds, error nodes searched like any other."""
    source = text.encode()
    found: Leaves = {}

    def walk(node: Node, path: str) -> None:
        if node.type == "pair":
            key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
            if key is None or value is None:
                return
            name = str(json.loads(source[key.start_byte : key.end_byte]))
            walk(value, f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
        elif node.type == "array":
            for index, item in enumerate(node.named_children):
                walk(item, f"{path}/{index}")
        elif node.type in ("string", "number", "true", "false", "null"):
            found[path] = source[node.start_byte : node.end_byte].decode()
        else:
            for child in node.named_children:
                walk(child, path)

    walk(parser.parse(source).root_node, "")
    return found


def cuts(rng: random.Random) -> Iterator[tuple[str, Leaves]]:
    """Truncated documents, and what had ended in each before the cut."""
    for _ in range(DOCUMENTS):
        text = json.dumps({"r": random_value(rng), "s": [random_value(rng), random_value(rng)]}, ensure_ascii=False)
        leaves = [value for value in scan(text).values if value.kind not in ("object", "array")]
        for cut in rng.sample(range(1, len(text)), min(20, len(text) - 1)):
            # A number at the cut could have gone on.
            sure = [value for value in leaves if value.end < cut or (value.end == cut and value.kind != "number")]
            yield text[:cut], {value.path: text[value.start : value.end] for value in sure}


def main() -> None:
    """Count and print."""
    parser = Parser(Language(tree_sitter_json.language()))
    readers: dict[str, Callable[[str], Leaves]] = {
        "json_scan": own_leaves,
        "tree-sitter-json": lambda text: tree_sitter_leaves(parser, text),
    }
    documents = list(cuts(random.Random(1)))
    total = sum(len(truth) for _, truth in documents)
    print(f"{len(documents)} truncated documents, {total} values that had ended")
    whole = json.dumps(
        {"items": [{f"k{j}": [1.5, "some text for you", True][j % 3] for j in range(10)} for _ in range(30)]}
    )
    for name, read in readers.items():
        right = wrong = 0
        for text, truth in documents:
            found = read(text)
            right += sum(found.get(path) == value for path, value in truth.items())
            wrong += sum(truth.get(path) != value for path, value in found.items())
        times = []
        for _ in range(50):
            began = time.process_time()
            read(whole)
            times.append(time.process_time() - began)
        cost = statistics.median(times) * 1e3
        print(
            f"  {name:18} right {right / total:7.2%}, wrong {wrong:6}, {cost:.2f} ms for a whole document of 300 values"
        )


if __name__ == "__main__":
    main()
