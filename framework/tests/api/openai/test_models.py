import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_list_is_that_of_the_tags(ollama):
    reply = await ollama.get("/v1/models")
    assert reply.headers["content-type"] == "application/json"
    answer = reply.json()
    assert answer["object"] == "list"
    tags = (await ollama.get("/api/tags")).json()["models"]
    assert [model["id"] for model in answer["data"]] == [row["name"] for row in tags]
    assert {model["id"]: model["owned_by"] for model in answer["data"]} == {
        "camelid/echo:latest": "camelid",
        "echo:latest": "library",
    }
    assert all(list(model) == ["id", "object", "created", "owned_by"] for model in answer["data"])


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("echo", "library"),
        ("echo:latest", "library"),
        ("camelid/echo", "camelid"),
        ("camelid%2Fecho%3Alatest", "camelid"),
        ("registry.ollama.ai/camelid/echo:latest", "camelid"),
    ],
)
async def test_one_model_is_called_as_the_client_calls_it(ollama, path, owner):
    answer = (await ollama.get(f"/v1/models/{path}")).json()
    assert answer["id"] == path.replace("%2F", "/").replace("%3A", ":")
    assert (answer["object"], answer["owned_by"]) == ("model", owner)
    assert isinstance(answer["created"], int)


async def test_an_unknown_model(ollama):
    reply = await ollama.get("/v1/models/some/nope")
    assert reply.status_code == 404
    assert reply.json() == {
        "error": {
            "message": "model 'some/nope:latest' not found",
            "type": "not_found_error",
            "param": None,
            "code": None,
        }
    }


async def test_methods(ollama):
    assert (await ollama.delete("/v1/models/echo")).status_code == 405
    assert (await ollama.get("/v1/chat/completions")).status_code == 405
