"""The types that recorded calls asked for: a recording names them, and gets them back from here."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import BaseModel, Field


class Review(BaseModel):
    """What a customer thinks of a product."""

    product: str
    opinion: Literal["good", "mixed", "bad"]
    weeks_used: int
    buys_again: bool


class City(BaseModel):
    """A city."""

    name: str
    country: str
    continent: Literal["Africa", "America", "Asia", "Australia", "Europe"]
    millions: float | None = None


class Trip(BaseModel):
    """A journey through several cities."""

    traveller: str
    cities: Annotated[list[City], Field(max_length=2)]
    by: Literal["train", "car", "plane"]


class Mood(TypedDict):
    """How somebody feels."""

    mood: Literal["happy", "sad", "angry"]
    intensity: int


TYPES: dict[str, type] = {each.__name__: each for each in (Review, City, Trip, Mood)}
