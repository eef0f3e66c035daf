"""What holds for a store whatever is done to it: no model loses a blob, and no blob stays that nobody uses."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.leases import FOLDER
from camelid.store.store import Store
from camelid.types.names import ModelName

CONTENTS = st.sampled_from([b"zero", b"one", b"two", b"three", b"four"])
NAMES = st.sampled_from(["a", "A", "b", "b:v1", "x/b"]).map(ModelName.parse)


def folded(name: ModelName) -> str:
    return name.qualified.casefold()


class StoreLaws(RuleBasedStateMachine):
    """Several models are being made at once, while others come, go, and are swept up after."""

    @initialize()
    def open(self):
        self.root = Path(tempfile.mkdtemp())
        self.store = Store(self.root)
        self.models: dict[str, frozenset[str]] = {}
        self.builders: list[ModelBuilder] = []

    @rule()
    def begin(self):
        self.builders.append(ModelBuilder(self.store, ModelConfig(model_format="echo")))

    @precondition(lambda self: self.builders)
    @rule(data=st.data(), content=CONTENTS, uploaded=st.booleans())
    def add(self, data, content, uploaded):
        builder = data.draw(st.sampled_from(self.builders))
        if uploaded:
            builder.add_blob(media_types.MODEL, self.store.blobs.put(content, builder.owner))
        else:
            builder.add(media_types.LICENSE, content)

    @precondition(lambda self: self.builders)
    @rule(data=st.data(), name=NAMES)
    def inherit(self, data, name):
        base = self.store.find(name)
        if base is not None:
            data.draw(st.sampled_from(self.builders)).inherit(base)

    @precondition(lambda self: self.builders)
    @rule(data=st.data(), name=NAMES)
    def write(self, data, name):
        builder = data.draw(st.sampled_from(self.builders))
        self.builders.remove(builder)
        spelled = builder.write(name)
        found = self.store.find(spelled)
        assert {layer.digest for layer in builder.layers} < found.manifest.digests
        self.models[folded(name)] = found.manifest.digests

    @precondition(lambda self: self.builders)
    @rule(data=st.data())
    def give_up(self, data):
        builder = data.draw(st.sampled_from(self.builders))
        self.builders.remove(builder)
        builder.close()

    @rule(content=CONTENTS)
    def upload(self, content):
        self.store.blobs.put(content)

    @rule(source=NAMES, destination=NAMES)
    def copy(self, source, destination):
        assert self.store.copy(source, destination) is (folded(source) in self.models)
        if folded(source) in self.models:
            self.models[folded(destination)] = self.models[folded(source)]

    @rule(name=NAMES)
    def delete(self, name):
        assert self.store.delete(name) is (self.models.pop(folded(name), None) is not None)

    @rule()
    def sweep_when_everything_is_old(self):
        self._age()
        self.store.prune()

    @rule()
    def restart(self):
        self._end()
        self.store = Store(self.root)

    @invariant()
    def every_model_is_whole_and_listed(self):
        assert {folded(model.name): model.manifest.digests for model in self.store.list()} == self.models
        for name in self.models:
            assert self.store.find(ModelName.parse(name)).manifest.digests == self.models[name]

    @invariant()
    def what_is_being_made_keeps_its_blobs(self):
        for builder in self.builders:
            assert all(self.store.blobs.has(layer.digest) for layer in builder.layers)

    def _end(self):
        """Let go of all that was taken, as the end of a process does."""
        for owner in (None, *(builder.owner for builder in self.builders)):
            self.store.blobs.release(owner)
        self.builders.clear()

    def _age(self):
        old = time.time() - 7200
        for path in (self.root / "blobs").iterdir():
            os.utime(path, (old, old))

    def teardown(self):
        self._age()
        self._end()
        Store(self.root)
        used = set().union(*self.models.values())
        left = {path.name.replace("-", ":") for path in (self.root / "blobs").iterdir()}
        assert left - {FOLDER} == used
        shutil.rmtree(self.root)


TestStoreLaws = StoreLaws.TestCase
TestStoreLaws.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
