"""The OpenAPI document describes what the server does."""

import subprocess
import sys

import pytest
import schemathesis
from litestar.routes import HTTPRoute

from camelid.api.app import create_app
from camelid.api.openapi.document import document
from camelid.services.container import Services
from camelid.settings import Settings


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(Services(Settings(models=tmp_path_factory.mktemp("models"))), check_host=False)


@pytest.fixture(scope="module")
def described(app):
    return document(app)


def test_it_is_valid(described):
    schemathesis.openapi.from_dict(described).validate()
    assert described["openapi"] == "3.1.0"


def test_a_fault_would_be_seen(app):
    faulty = document(app)
    faulty["paths"]["/"]["get"]["responses"]["never"] = {}
    with pytest.raises(Exception, match="never"):
        schemathesis.openapi.from_dict(faulty).validate()


def test_every_route_is_in_it(app, described):
    routes = {
        (route.path_format, method.lower())
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
    }
    found = {(path, method) for path, operations in described["paths"].items() for method in operations}
    assert found == {(path, method) for path, method in routes if method != "options"}
    assert ("/api/chat", "post") in found


def test_every_operation_says_what_it_does(described):
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert all(len(operation["summary"]) > 10 and operation["responses"] for operation in operations)
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)


def test_requests_and_answers_have_schemas(described):
    """Bodies that are read and replies with a body; the rest has neither."""
    silent = {"/api/copy", "/api/delete", "/api/blobs/{digest}", "/api/experimental/web_search"}
    silent |= {"/api/experimental/web_fetch"}
    bodiless = {"/v1/responses/{response_id}/cancel"}
    schemas = described["components"]["schemas"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            answers = {k: v for k, v in operation["responses"].items() if k < "300" and method != "head"}
            assert path in silent or all(answer["content"] for answer in answers.values()), (method, path)
            if method == "post" and path not in bodiless:
                (content,) = operation["requestBody"]["content"].values()
                named = content["schema"].get("$ref", "").rpartition("/")[2]
                assert path == "/api/blobs/{digest}" or named in schemas, path


def test_streams_and_errors(described):
    chat = described["paths"]["/api/chat"]["post"]
    assert chat["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ChatBody"}
    reply = {"schema": {"$ref": "#/components/schemas/ChatReply"}}
    assert chat["responses"]["200"]["content"] == {"application/x-ndjson": reply, "application/json": reply}
    error = {"schema": {"$ref": "#/components/schemas/ErrorReply"}}
    assert chat["responses"]["404"] == {"description": "Not Found", "content": {"application/json": error}}
    assert "content" not in described["paths"]["/api/tags"]["head"]["responses"]["200"]


def test_fields(described):
    schemas = described["components"]["schemas"]
    body = schemas["ChatBody"]["properties"]
    assert set(body) >= {"model", "messages", "tools", "think", "format", "options", "keep_alive", "stream"}
    assert body["options"] == {"$ref": "#/components/schemas/Options"}
    assert {"low", "max"} <= set(body["think"]["anyOf"][1]["enum"])
    assert schemas["Options"]["properties"]["num_ctx"]["anyOf"][0] == {"type": "integer"}
    assert schemas["Options"]["properties"]["temperature"]["default"] == 0.8
    assert schemas["EmbedReply"]["properties"]["embeddings"]["items"]["items"] == {"type": "number"}
    assert schemas["TagsReply"]["properties"]["models"]["items"] == {"$ref": "#/components/schemas/TagsEntry"}
    assert "backend_origin" not in schemas["Options"]["properties"]
    assert "items" in schemas["EmbedBody"]["properties"]["input"]["anyOf"][1]
    assert schemas["ResponsesBody"]["properties"]["input"]["anyOf"][1]["items"] == {"type": "object"}
    # Of another endpoint, and a plain text there.
    assert schemas["DetailsReply"]["properties"]["format"] == {"type": "string"}


def test_nothing_is_said_to_those_who_have_the_contract(described):
    assert "contract" not in str(described)


def test_it_is_made_when_somebody_asks():
    code = "import camelid.api.server, sys; print('camelid.api.openapi.document' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
