"""The questions of the labelled set, each with its right answer. All are made here: listed, or drawn with a fixed seed.

Every answer is one JSON object. The tasks are chosen so that each kind of value occurs (number, boolean, null, a value
from a closed list, short and long strings, one field and many), and so that a small model gets some of them wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from words import (
    ASKS,
    BAD,
    CITIES,
    DAYS,
    FIRST,
    GOOD,
    GOODS,
    HOSTS,
    KINDS,
    LAST,
    MONTHS,
    PAYMENTS,
    PLAIN,
    REQUESTS,
    SENTENCES,
    STREETS,
    THINGS,
    TOWNS,
    VALUES,
    WORDS,
)

SEED = 20261125
ITEMS = 45
FORMS = 30  # of nine fields each

Gold = dict[str, Any]
Question = tuple[str, Gold]
TEXT = {"type": "string"}
NUMBER = {"type": "number"}
YES_NO = {"type": "boolean"}


class Task(NamedTuple):
    """A kind of question.

    Attributes:
        name: Names it in the file.
        instruction: What the model is told first.
        properties: The JSON schema of each field of the answer; all are required.
        shown: Questions answered rightly in the prompt. None of them is among the items.
        items: The questions.
        uses_schema: Whether every other question is asked with the schema in the request, so that the server allows
            nothing else; the rest rely on the examples.
        one_word: Whether one of the models gives the same label in nine of ten answers, where at most half of them
            are right: it repeats the examples and does not read the question. These tasks are in a file of their own.
            The rule was made after their answers had been seen to be sure and wrong, so the figures without them say
            what confidence is worth where a model does the task, and those of both files what it is worth at all.
    """

    name: str
    instruction: str
    properties: dict[str, Any]
    shown: list[Question]
    items: list[Question]
    uses_schema: bool = True
    one_word: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the answer."""
        return {
            "type": "object",
            "properties": self.properties,
            "required": list(self.properties),
            "additionalProperties": False,
        }


def one_of(*labels: str) -> dict[str, Any]:
    return {"enum": list(labels)}


def drawn(name: str, draw: Callable[[random.Random], Question], count: int, shown: int = 3) -> list[Question]:
    """Different questions, drawn with a seed of the task's own; the first `shown` are for the prompt."""
    rng, questions = random.Random(f"{SEED} {name}"), dict[str, Gold]()
    while len(questions) < count + shown:
        text, gold = draw(rng)
        questions.setdefault(text, gold)
    return list(questions.items())


def balanced(name: str, draw: Callable[[random.Random], Question], labels: Sequence[Any], shown: int) -> list[Question]:
    """As `drawn`, for questions with one label each: those for the prompt have each of the labels in turn."""
    questions = drawn(name, draw, ITEMS, 2 * shown)
    first = []
    for place in range(shown):
        label = labels[place % len(labels)]
        found = next(question for question in questions if label in question[1].values())
        questions.remove(found)
        first.append(found)
    return first + questions


def mixed(name: str, questions: list[Question]) -> list[Question]:
    """The same questions in an order of their own, so that no label comes in a row."""
    random.Random(f"{SEED} {name}").shuffle(questions)
    return questions


def draw_sum(rng: random.Random) -> Question:
    left, right = rng.randint(2, 49), rng.randint(2, 19)
    if left > right and rng.random() < 0.4:
        return f"What is {left} - {right}?", {"answer": left - right}
    return f"What is {left} + {right}?", {"answer": left + right}


def cities() -> list[Question]:
    rows = [row.split() for line in CITIES.strip().splitlines() for row in line.split(" | ")]
    cleaned = [[word.replace("_", " ") for word in row] for row in rows]
    return mixed("cities", [(city, {"country": country, "continent": part}) for city, country, part in cleaned])


def draw_review(rng: random.Random) -> Question:
    thing, feeling = rng.choice(THINGS), rng.choice(["positive", "negative", "neutral"])
    if feeling == "neutral":
        first, second = rng.sample(PLAIN, 2)
        return f"The {thing} {first} and {second}.", {"sentiment": feeling}
    wanted, unwanted = (GOOD, BAD) if feeling == "positive" else (BAD, GOOD)
    if rng.random() < 0.4:
        said = f"I was told that it {rng.choice(unwanted)}, but the {thing} {rng.choice(wanted)}."
    else:
        said = f"The {thing} {rng.choice(PLAIN)} and {rng.choice(wanted)}."
    return said, {"sentiment": feeling}


def sentences() -> dict[str, list[str]]:
    """Sentences of each language."""
    found: dict[str, list[str]] = {}
    for row in SENTENCES.strip().splitlines():
        name, texts = row.split(": ")
        found.setdefault(name, []).extend(texts.split(" | "))
    return found


def languages() -> list[Question]:
    return mixed("languages", [(text, {"language": name}) for name, texts in sentences().items() for text in texts])


def draw_contact(rng: random.Random) -> Question:
    first, last, number = rng.choice(FIRST), rng.choice(LAST), rng.randint(2, 98)
    name = f"{first} {last}"
    address = f"{first}.{last}{number}@{rng.choice(HOSTS)}".lower()
    told = [
        (f"{name} here, write to {address} please.", address),
        (f"This is {name}. Reach me at {address}, not by phone.", address),
        (f"{name} called and will call again at {number % 12 + 1}.", None),
        (f"Please tell {name} in room {number} that the mail server is down.", None),
        (f"{name} has no e-mail address, send a letter to Hill Road {number}.", None),
    ]
    text, email = rng.choice(told)
    return text, {"name": name, "email": email}


def draw_order(rng: random.Random) -> Question:
    (goods, unit), place = rng.choice(GOODS), rng.randrange(len(WORDS))
    word, value = WORDS[place], VALUES[place]
    measure = "" if unit == "pieces" else f"{unit.replace('kg', 'kilos')} of "
    told = [
        (f"Send us {word} {measure}{goods}.", value),
        (f"We had {VALUES[place - 1]} {measure}{goods}, now order {value} more.", value),
        (f"Twice {value} {measure}{goods}, please.", 2 * value),
        (
            f"{word.capitalize()} dozen {goods} by Friday."
            if not measure
            else f"{value}.5 {measure}{goods} by Friday.",
            0,
        ),
    ]
    text, whole = rng.choice(told)
    amount: float = whole
    if not amount:
        amount = 12 * value if not measure else value + 0.5
    return text, {"amount": amount, "unit": unit}


def draw_yes_no(rng: random.Random) -> Question:
    if rng.random() < 0.4:
        left, right = rng.sample(range(11, 99), 2)
        return f"Is {left} larger than {right}?", {"yes": left > right}
    kind, asked = rng.choice(list(KINDS)), rng.choice(list(KINDS))
    asked = kind if rng.random() < 0.4 else asked
    thing = rng.choice(KINDS[kind])
    return f"Is {'an' if thing[0] in 'aeiou' else 'a'} {thing} {asked}?", {"yes": kind == asked}


def draw_request(rng: random.Random) -> Question:
    team = rng.choice(list(REQUESTS))
    return rng.choice(REQUESTS[team]).format(thing=rng.choice(THINGS), day=rng.choice(DAYS)), {"team": team}


def draw_payment(rng: random.Random) -> Question:
    text, paid = rng.choice(PAYMENTS)
    who = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    return text.format(who=who, day=rng.choice(DAYS)), {"paid": paid}


def draw_invoice(rng: random.Random) -> Question:
    name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    year, month, day = rng.randint(2019, 2026), rng.randint(1, 12), rng.randint(1, 28)
    drawn_amount = round(rng.uniform(3, 990), rng.choice([0, 2]))
    amount = int(drawn_amount) if drawn_amount.is_integer() else drawn_amount
    told = [
        f"{name} paid {amount} euros on {day} {MONTHS[month - 1]} {year}.",
        f"Invoice of {MONTHS[month - 1]} {day}, {year}: {amount} euros, due from {name}.",
        f"On {day}.{month}.{year} we received {amount} euros from {name}, thank you.",
    ]
    return rng.choice(told), {"name": name, "date": f"{year}-{month:02}-{day:02}", "amount": amount}


def draw_note(rng: random.Random) -> Question:
    number, street, town = rng.randint(3, 240), rng.choice(STREETS), rng.choice(TOWNS)
    asks = [ask.format(number=rng.randint(11, 99)) for ask in rng.sample(ASKS, rng.choice([1, 1, 2]))]
    note = " and ".join(asks)
    text = f"Parcel for {number} {street}, {town}. The customer says: {note}. Weight {rng.randint(1, 9)} kg."
    return text, {"address": f"{number} {street}, {town}", "note": note}


def draw_form(rng: random.Random) -> Question:
    name, town, day = f"{rng.choice(FIRST)} {rng.choice(LAST)}", rng.choice(TOWNS), rng.choice(DAYS)
    adults, children, nights = rng.randint(1, 4), rng.randint(0, 3), rng.randint(1, 9)
    breakfast, car = rng.random() < 0.5, rng.random() < 0.5
    text = (
        f"{name} from {town} books {nights} nights from {day} for {adults} adults and {children or 'no'} children, "
        f"{'with' if breakfast else 'without'} breakfast, {'arriving by car' if car else 'arriving by train'}."
    )
    gold = {"name": name, "town": town, "first_day": day, "nights": nights, "adults": adults, "children": children}
    return text, gold | {"guests": adults + children, "breakfast": breakfast, "needs_parking": car}


FORM = {"name": TEXT, "town": TEXT, "first_day": one_of(*DAYS)}
FORM |= dict.fromkeys(("nights", "adults", "children", "guests"), NUMBER) | dict.fromkeys(
    ("breakfast", "needs_parking"), YES_NO
)


def tasks() -> list[Task]:
    """All tasks, the same ones each time."""
    units, feelings = one_of("kg", "litres", "pieces"), ["positive", "negative", "neutral"]
    continents = one_of("Africa", "Asia", "Europe", "North America", "Oceania", "South America")
    contact = {"name": TEXT, "email": {"anyOf": [TEXT, {"type": "null"}]}}
    requests = balanced("routing", draw_request, list(REQUESTS), 6)
    payments = balanced("payments", draw_payment, [False, True], 8)
    reviews = balanced("reviews", draw_review, feelings, 6)
    facts = drawn("yes_no", draw_yes_no, ITEMS, 6)
    invoice = {"name": TEXT, "date": TEXT, "amount": NUMBER}
    return [
        task("sums", "Calculate.", {"answer": NUMBER}, drawn("sums", draw_sum, ITEMS, 6), 6, uses_schema=False),
        task("cities", "Name the city's country and continent.", {"country": TEXT, "continent": continents}, cities()),
        task("languages", "Name the language.", {"language": one_of(*sentences())}, languages()),
        task("contacts", "Who wrote, and with which e-mail?", contact, drawn("contacts", draw_contact, ITEMS, 5), 5),
        task(
            "orders",
            "How much is ordered?",
            {"amount": NUMBER, "unit": units},
            drawn("orders", draw_order, ITEMS, 6),
            6,
        ),
        task("routing", "Which team is it for?", {"team": one_of(*REQUESTS)}, requests, 6, one_word=True),
        task("payments", "Was it paid?", {"paid": YES_NO}, payments, 8),
        task("invoices", "Who paid, when and how much?", invoice, drawn("invoices", draw_invoice, ITEMS, 4), 4),
        task(
            "notes", "Copy the address and the note.", {"address": TEXT, "note": TEXT}, drawn("notes", draw_note, ITEMS)
        ),
        task("form", "Fill in the form.", FORM, drawn("form", draw_form, FORMS)),
        task(
            "reviews",
            f"Is the review {', '.join(feelings[:2])} or {feelings[2]}?",
            {"sentiment": one_of(*feelings)},
            reviews,
            6,
            one_word=True,
        ),
        task("yes_no", "Answer the question.", {"yes": YES_NO}, facts, 6, one_word=True),
    ]


def task(
    name: str, instruction: str, properties: dict[str, Any], questions: list[Question], shown: int = 3, **more: bool
) -> Task:
    """A task whose first questions are shown in the prompt, answered."""
    return Task(name, instruction, properties, questions[:shown], questions[shown : shown + ITEMS], **more)
