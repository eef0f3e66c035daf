import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import RequestError
from camelid.types.repository_paths import fold_path, unfold_path

COMPONENT = r"[a-z0-9]{1,3}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}"
PATHS = st.lists(st.from_regex(COMPONENT, fullmatch=True), min_size=1, max_size=4).map("/".join)


@given(PATHS)
def test_every_path_leads_back_to_itself(path):
    namespace, model = fold_path(path)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", namespace), "a namespace has no dots"
    assert unfold_path(namespace, model) == path
    assert fold_path(f"{namespace}/{model}") == (namespace, model)


@pytest.mark.parametrize("path", ["a/b/c", "a.b/c", "c"])
def test_what_stands_for_something_is_no_path_itself(path):
    namespace, _model = fold_path(path)
    with pytest.raises(RequestError, match="invalid model name"):
        fold_path(namespace)


@pytest.mark.parametrize("path", ["", "/", "a/", "/a", "a//b", "A/b", "a/.", "a/..", "_", "a_/b", "a___/b", "a\n"])
def test_what_no_repository_has_is_refused(path):
    with pytest.raises(RequestError, match="invalid model name"):
        fold_path(path)
