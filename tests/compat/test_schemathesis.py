"""Requests that schemathesis makes of the OpenAPI document: none may look like a fault of the server's."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from camelid.api.app import create_app
from camelid.api.openapi.document import document
from camelid.services.container import Services
from camelid.settings import Settings

SERVERS_FAULTS_IN_THE_CONTRACT = (
    r'option "\w+" must be of (type|an array)',  # 3.1
    r"invalid format: ",  # 3.4
    r"template:",  # 4.1: a faulty template of a request
    r"insecure protocol http",  # 7.8
    r"model '.*' does not exist",  # 7.9: push of what is not here
    r"blob .* not found",  # 7.7: create from a file that was not uploaded
    r"the input length exceeds the context length",  # 6.2: of /api/embeddings alone
)
"""What Ollama answers with 500 although the client could mend it, and Camelid therefore too."""

EXAMPLES = settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _schema():
    with TemporaryDirectory() as folder:
        app = create_app(Services(Settings(models=Path(folder))), check_host=False)
        return schemathesis.openapi.from_dict(document(app))


def _reads_json(operation):
    return any(body.media_type == "application/json" for body in operation.body)


OPERATIONS = {each.ok().label: each.ok() for each in _schema().get_all_operations()}


@pytest.fixture(scope="module")
def url(tmp_path_factory, run_server) -> str:
    server = run_server(tmp_path_factory.mktemp("schemathesis"), CAMELID_AIR_GAPPED="1")
    for path, body in (
        ("/api/pull", {"model": "camelid/echo", "stream": False}),
        ("/api/copy", {"source": "camelid/echo", "destination": "echo"}),
    ):
        server.post(path, **body).raise_for_status()
    return server.url


def _check(case, url):
    answer = case.call(base_url=url, timeout=20)
    if answer.status_code >= 500:
        error = answer.json()["error"]
        known = any(re.match(pattern, error) for pattern in SERVERS_FAULTS_IN_THE_CONTRACT)
        assert known, f"{answer.status_code} {error}\n{case.as_curl_command()}"


@pytest.mark.parametrize(
    ("label", "mode"),
    [(label, GenerationMode.POSITIVE) for label in OPERATIONS]
    # Elsewhere the document leaves nothing to get wrong.
    + [(label, GenerationMode.NEGATIVE) for label, operation in OPERATIONS.items() if _reads_json(operation)],
)
def test_no_request_is_the_servers_fault(label, mode, url):
    operation = OPERATIONS[label]

    @EXAMPLES
    @given(operation.as_strategy(generation_mode=mode))
    def requests(case):
        _check(case, url)

    requests()


@pytest.mark.parametrize("path", ["generate", "chat", "embed", "embeddings", "show"])
def test_nor_any_request_for_a_model_that_is_there(path, url):
    @EXAMPLES
    @given(OPERATIONS[f"POST /api/{path}"].as_strategy())
    def requests(case):
        if isinstance(case.body, dict):
            case.body |= {"model": "echo"}
        _check(case, url)

    requests()
