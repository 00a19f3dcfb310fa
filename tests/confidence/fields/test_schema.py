"""JSON schemas: in all their wrappings, in what LangChain passes to callbacks, and walked to a place."""

import enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # Pydantic wants this one before Python 3.12

from langchain_logprobs.confidence.fields.schema import SchemaNode, to_json_schema
from langchain_logprobs.confidence.fields.schema_in_request import schema_from_request, tool_schemas_from_request
from langchain_logprobs.formats.request_places import parameter_mappings

RED = {"type": "object", "properties": {"a": {"enum": ["red", "blue"]}}}


class Item(BaseModel):
    colour: Literal["red", "blue"]
    count: int | None = None


class Order(BaseModel):
    items: list[Item]
    paid: bool
    by: dict[str, Item] = Field(default_factory=dict)


class Typed(TypedDict):
    a: Literal["red", "blue"]


class Broken:
    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        raise RuntimeError("no schema")


def allowed(schema: object, *path: str | int, kind: str = "string") -> tuple | None:
    node = SchemaNode.of(schema)
    for key in path:
        assert node is not None
        node = node.child(key)
    return None if node is None else node.allowed(kind)


class TestForms:
    @pytest.mark.parametrize("wrapped", [
        RED,
        {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": RED}},
        {"type": "json_schema", "name": "x", "schema": RED},
        {"type": "json_object", "schema": RED},
        {"format": {"type": "json_schema", "schema": RED}},
        {"json": RED},
        '{"type": "object", "properties": {"a": {"enum": ["red", "blue"]}}}',
    ])  # fmt: skip
    def test_wrappings(self, wrapped: object) -> None:
        assert to_json_schema(wrapped) == RED

    @pytest.mark.parametrize("nothing", [
        None, "json", "", "{", "[1]", '{"a":', {}, {"type": "json_object"}, {"type": "text"}, 3, True, [RED], b"{}",
        {"json": "x"}, Broken, object(),
    ])  # fmt: skip
    def test_none(self, nothing: object) -> None:
        assert to_json_schema(nothing) is None

    def test_types(self) -> None:
        assert to_json_schema(Literal["a", 1]) == {"enum": ["a", 1]}
        assert to_json_schema(enum.Enum("E", {"A": "x"})) == {"enum": ["x"]}
        schema = to_json_schema(Typed)
        assert schema is not None
        assert schema["properties"]["a"]["enum"] == ["red", "blue"]
        assert to_json_schema(list[bool]) == {"type": "array", "items": {"type": "boolean"}}
        assert to_json_schema(Item) == Item.model_json_schema()

    def test_wrapped_in_itself(self) -> None:
        schema: dict[str, Any] = {}
        schema["schema"] = schema
        assert to_json_schema(schema) is None

    def test_the_format_keyword_is_no_wrapping(self) -> None:
        assert to_json_schema({"type": "string", "format": "date"}) == {"type": "string", "format": "date"}

    def test_a_property_called_schema(self) -> None:
        schema = {"properties": {"schema": {"type": "string"}}, "type": "object"}
        assert to_json_schema(schema) == schema


class HoldsASchema(BaseModel):
    """As google.genai's types.Schema: an object that is a schema."""

    type: str = "STRING"
    enum: list[str] | None = None
    description: str | None = None


def test_an_object_that_holds_a_schema() -> None:
    assert to_json_schema(HoldsASchema(enum=["x", "y"])) == {"type": "STRING", "enum": ["x", "y"]}


class TestWalk:
    def test_pydantic_model_with_references_arrays_and_maps(self) -> None:
        assert allowed(Order, "items", 0, "colour") == ("red", "blue")
        assert allowed(Order, "items", 7, "colour") == ("red", "blue")
        assert allowed(Order, "by", "anybody", "colour") == ("red", "blue")
        assert allowed(Order, "paid", kind="boolean") == (True, False)
        assert allowed(Order, "items", 0, "count", kind="null") == (None,)
        assert allowed(Order, "items", 0, "count", kind="number") is None
        assert allowed(Order, "elsewhere") is None

    def test_union_of_models(self) -> None:
        schema = {
            "oneOf": [
                {"properties": {"kind": {"const": "cat"}, "colour": {"enum": ["red"]}}},
                {"properties": {"kind": {"const": "dog"}}},
            ]
        }
        assert allowed(schema, "kind") == ("cat", "dog")
        assert allowed(schema, "colour") == ("red",)

    def test_optional_enumeration(self) -> None:
        schema = {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}
        assert allowed(schema) == ("a", "b", None)
        assert allowed(schema, kind="null") == ("a", "b", None)

    def test_enumeration_or_any_text_is_open(self) -> None:
        schema = {"anyOf": [{"enum": ["a", "b"]}, {"type": "string"}]}
        assert allowed(schema) is None
        assert allowed(schema, kind="number") == ("a", "b")  # only the listed values are no texts

    def test_all_of_is_an_intersection(self) -> None:
        schema = {"allOf": [{"enum": ["a", "b", "c"]}, {"enum": ["c", "b"]}], "type": "string"}
        assert allowed(schema) == ("b", "c")

    def test_type_lists(self) -> None:
        assert allowed({"type": ["boolean", "null"]}, kind="boolean") == (True, False, None)
        assert allowed({"type": ["integer", "null"]}, kind="number") is None

    def test_true_and_one_are_two_labels(self) -> None:
        assert allowed({"enum": [True, 1, [1], "x"]}, kind="boolean") == (True, 1, "x")

    def test_many_constants_are_all_labels(self) -> None:
        consts = [{"const": f"c{number}", "title": "x"} for number in range(3000)]
        for schema in (
            {"anyOf": consts},
            {"oneOf": [*consts, {"type": "null"}]},
            {"properties": {"a": {"anyOf": consts}}},
        ):
            labels = allowed(schema, *(["a"] if "properties" in schema else []))
            assert labels is not None
            assert len(labels) == 3000 + ("oneOf" in schema)

    def test_many_branches_are_all_labels_or_none(self) -> None:
        models = [{"properties": {"kind": {"const": f"k{number}"}}} for number in range(500)]
        assert len(allowed({"anyOf": models}, "kind") or ()) == 500
        assert allowed({"anyOf": models * 3}, "kind") is None
        squared = {"allOf": [{"anyOf": models[:40]}, {"anyOf": models[:40]}]}
        assert allowed(squared, "kind") is None

    def test_openapi(self) -> None:
        text = {"type": "STRING", "enum": ["x"], "nullable": True}
        number, yes_or_no = {"type": "INTEGER", "nullable": True}, {"type": "BOOLEAN"}
        schema = {"type": "OBJECT", "properties": {"a": text, "b": number, "c": yes_or_no}}
        assert allowed(schema, "a") == ("x", None)
        assert allowed(schema, "b", kind="number") is None
        assert allowed(schema, "b", kind="null") == (None,)
        assert allowed(schema, "c", kind="boolean") == (True, False)

    def test_containers_in_a_closed_list(self) -> None:
        node = SchemaNode.of({"enum": ["a", [1], {"b": 1}]})
        assert node is not None
        assert (node.labels, node.open_kinds) == (("a",), {"array", "object"})

    @pytest.mark.parametrize("schema, choice", [
        ({"type": "string"}, False), ({"type": ["string", "null"]}, True), ({"type": ["string", "integer"]}, True),
        ({}, False), ({"type": "boolean"}, True), ({"enum": ["a"]}, True), ({"type": ["number", "integer"]}, False),
        ({"anyOf": [{"enum": ["a"]}, {"type": "string"}]}, False),
        ({"anyOf": [{"enum": ["a", 1]}, {"type": "string"}]}, True),
    ])  # fmt: skip
    def test_places_where_there_is_something_to_tell_apart(self, schema: dict, choice: bool) -> None:
        node = SchemaNode.of({"items": schema})
        assert node is not None
        item = node.child(0)
        assert item is not None
        assert item.is_choice is choice

    @pytest.mark.parametrize("kind, keys, complete, fits", [
        ("object", {"items", "paid"}, True, True), ("object", {"items", "paid", "more"}, True, True),
        ("object", {"items"}, True, False), ("object", {"items"}, False, True), ("object", set(), True, False),
        ("object", {"other"}, False, False), ("array", {0}, True, False), ("number", set(), True, False),
    ])  # fmt: skip
    def test_documents_that_fit(self, kind: str, keys: set, complete: bool, fits: bool) -> None:
        node = SchemaNode.of(Order)
        assert node is not None
        assert node.fits(kind, keys, complete=complete) is fits

    @pytest.mark.parametrize("keys, complete, fits", [
        ({"a"}, True, True), ({"a", "x"}, True, True), ({"x"}, True, False), ({"x"}, False, False),
        (set(), True, True), (set(), False, False),
    ])  # fmt: skip
    def test_documents_that_fit_a_schema_of_optional_keys(self, keys: set, complete: bool, fits: bool) -> None:
        node = SchemaNode.of({"type": "object", "properties": {"a": {}, "b": {}}})
        assert node is not None
        assert node.fits("object", keys, complete=complete) is fits

    def test_a_property_without_a_name(self) -> None:
        schema = {"properties": {"": {"enum": ["a"]}}, "additionalProperties": {"enum": ["b"]}}
        assert (allowed(schema, ""), allowed(schema, "x"), allowed(schema, "y")) == (("a",), ("b",), ("b",))

    def test_keys_without_a_name_in_the_schema_share_a_node(self) -> None:
        node = SchemaNode.of({"type": "object", "additionalProperties": {"enum": ["b"]}})
        assert node is not None
        assert node.child("x") is node.child("y")
        assert node.child("x").index() is node.child("y").index()  # type: ignore[union-attr]

    def test_untyped_is_open(self) -> None:
        assert allowed({"properties": {"a": {}}}, "a", kind="boolean") is None
        assert allowed({"properties": {"a": True}}, "a") is None
        assert allowed({"properties": {"a": False}}, "a") is None

    def test_tuples(self) -> None:
        schema = {"prefixItems": [{"enum": ["a"]}, {"enum": ["b"]}], "items": {"enum": ["c"]}}
        assert [allowed(schema, index) for index in range(4)] == [("a",), ("b",), ("c",), ("c",)]
        assert allowed({"items": [{"enum": ["a"]}]}, 0) == ("a",)
        assert allowed({"items": [{"enum": ["a"]}]}, 1) is None

    def test_items_alike_share_a_node(self) -> None:
        node = SchemaNode.of({"prefixItems": [{"enum": ["a"]}], "items": {"enum": ["c"]}})
        assert node is not None
        assert node.child(1) is node.child(7)
        assert node.child(0) is not node.child(1)

    def test_pointer_in_a_reference(self) -> None:
        schema = {"$defs": {"a/b~": {"enum": ["x"]}}, "items": {"$ref": "#/$defs/a~1b~0"}}
        assert allowed(schema, 0) == ("x",)

    @pytest.mark.parametrize("reference", ["#/$defs/none", "#/a/b", "https://example.org/schema", "#"])
    def test_reference_to_nothing_or_to_itself(self, reference: str) -> None:
        assert allowed({"items": {"$ref": reference}, "a": 1}, 0) is None

    def test_circular_references(self) -> None:
        schema = {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}] * 3, "anyOf": [{"$ref": "#/$defs/a"}] * 3}},
        }
        assert allowed(schema, "x") is None

    def test_recursive_model_is_followed_as_deep_as_the_value_goes(self) -> None:
        schema = {
            "$ref": "#/$defs/n",
            "$defs": {"n": {"properties": {"v": {"enum": ["x"]}, "n": {"$ref": "#/$defs/n"}}}},
        }
        assert allowed(schema, *["n"] * 50, "v") == ("x",)


class TestRequests:
    """The shapes that the integrations hand to on_chat_model_start (recorded from their real packages)."""

    @pytest.mark.parametrize("params", [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": RED}}},  # OpenAI and others
        {"format": RED},  # Ollama
        {"output_config": {"format": {"type": "json_schema", "schema": RED}}},  # Anthropic
        {"response_mime_type": "application/json", "response_json_schema": RED},  # Gemini
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": RED}}},  # OpenAI Responses
        {"extra_body": {"guided_json": RED}},  # vLLM
        {"extra_body": {"structured_outputs": {"json": RED}}},
        {"model_kwargs": {"response_format": {"type": "json_object", "schema": RED}}},  # Together, llama.cpp
        {"json_schema": RED},  # llama.cpp
        {"generation_config": {"logprobs": 3, "response_schema": RED}},  # Gemini
        {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": RED}},
        {"model_kwargs": {"extra_body": {"guided_json": RED}}},
        {"additionalModelRequestFields": {"response_format": RED}},
        {"responseSchema": RED},
    ])  # fmt: skip
    def test_invocation_params(self, params: dict) -> None:
        assert schema_from_request({"invocation_params": {"model": "m", **params}, "options": {"stop": None}}) == RED
        assert schema_from_request(params) == RED

    @pytest.mark.parametrize("params", [
        {"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING", "enum": ["red", "blue"]}},
        {"generation_config": {"response_mime_type": "text/x.enum", "response_schema": {"enum": ["red", "blue"]}}},
        {"response_schema": enum.Enum("E", {"RED": "red", "BLUE": "blue"})},
        {"extra_body": {"guided_choice": ["red", "blue"]}},
        {"extra_body": {"structured_outputs": {"choice": ["red", "blue"]}}}, {"guided_choice": ("red", "blue")},
    ])  # fmt: skip
    def test_a_closed_list_of_whole_answers(self, params: dict) -> None:
        assert allowed(schema_from_request({"invocation_params": params})) == ("red", "blue")

    @pytest.mark.parametrize("choice", [[], "red", ["red", 3], {"a": 1}, None, 1])
    def test_other_choices(self, choice: object) -> None:
        assert schema_from_request({"choice": choice, "guided_choice": choice, "tool_choice": choice}) is None

    def test_a_request_that_holds_itself(self) -> None:
        extra: dict[str, Any] = {"a": 1}
        extra["extra_body"] = extra["options"] = extra
        assert schema_from_request({"extra_body": extra}) is None
        assert len(list(parameter_mappings(extra))) == 1

    def test_a_request_without_end(self) -> None:
        class Endless(dict):
            def get(self, *_: object) -> object:
                return Endless()

        assert schema_from_request(Endless()) is None
        assert len(list(parameter_mappings(Endless()))) == 100

    def test_pydantic_class(self) -> None:
        assert schema_from_request({"invocation_params": {"response_format": Item}}) == Item.model_json_schema()

    @pytest.mark.parametrize("method", ["json_schema", "json_mode"])
    def test_langchains_structured_output(self, method: str) -> None:
        options = {"ls_structured_output_format": {"kwargs": {"method": method}, "schema": RED}}
        assert (
            schema_from_request({"invocation_params": {"response_format": {"type": "json_object"}}, "options": options})
            == RED
        )

    def test_a_tool_carries_no_answer(self) -> None:
        options = {"ls_structured_output_format": {"kwargs": {"method": "function_calling"}, "schema": RED}}
        assert schema_from_request({"invocation_params": {}, "options": options}) is None

    def test_without_a_method(self) -> None:
        assert schema_from_request({"ls_structured_output_format": {"schema": RED}}) == RED

    class Explosive(dict):
        def get(self, *_: object) -> object:
            raise RuntimeError("boom")

    @pytest.mark.parametrize(
        "params", [{}, {"options": None}, {"invocation_params": []}, {"response_format": "json"}, Explosive()]
    )
    def test_nothing(self, params: dict) -> None:
        assert schema_from_request(params) is None
        assert tool_schemas_from_request(params) == {}

    def test_tools(self) -> None:
        tools = [
            {"type": "function", "function": {"name": "f", "parameters": RED}},
            {"name": "g", "input_schema": RED},
            {"name": "h"},
            {"type": "web_search"},
            "odd",
        ]
        assert tool_schemas_from_request({"invocation_params": {"tools": tools}}) == {"f": RED, "g": RED}
        assert tool_schemas_from_request({"functions": tools[1:2]}) == {"g": RED}


class TestRealPackages:
    """What the installed langchain-openai really passes."""

    @pytest.fixture
    def seen(self) -> dict[str, Any]:
        return {}

    def run(self, seen: dict[str, Any], build) -> None:
        openai = pytest.importorskip("langchain_openai")
        from langchain_core.callbacks import BaseCallbackHandler

        class Stop(Exception):
            pass

        class Recorder(BaseCallbackHandler):
            raise_error = True

            def on_chat_model_start(self, serialized: object, messages: object, **kwargs: Any) -> None:
                seen.update(kwargs)
                raise Stop  # before anything is sent

        model = openai.ChatOpenAI(model="gpt-4o", api_key="none", callbacks=[Recorder()])
        with pytest.raises(Stop):
            build(model).invoke("hi")

    @pytest.mark.parametrize("method", ["json_schema", "json_mode"])
    def test_with_structured_output(self, seen: dict[str, Any], method: str) -> None:
        self.run(seen, lambda model: model.with_structured_output(Item, method=method))
        schema = schema_from_request(seen)
        assert allowed(schema, "colour") == ("red", "blue")

    def test_function_calling(self, seen: dict[str, Any]) -> None:
        self.run(seen, lambda model: model.with_structured_output(Item, method="function_calling"))
        assert schema_from_request(seen) is None
        assert allowed(tool_schemas_from_request(seen)["Item"], "colour") == ("red", "blue")

    def test_bind_tools(self, seen: dict[str, Any]) -> None:
        def paint(colour: Literal["red", "blue"]) -> str:
            """Paint it."""
            return colour

        self.run(seen, lambda model: model.bind_tools([paint]))
        assert allowed(tool_schemas_from_request(seen)["paint"], "colour") == ("red", "blue")
        assert schema_from_request(seen) is None
