"""The compiled grammars of a worker."""

from collections import OrderedDict
from typing import Final

from llguidance import LLMatcher, LLTokenizer

from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.constraint import Constraint
from camelid.decoding.grammar_source import LIMITS, fault_text, grammar_source
from camelid.decoding.thoughts import with_thoughts
from camelid.decoding.trial import GrammarTrial
from camelid.decoding.vocabulary import guidance_tokenizer
from camelid.errors import RequestError
from camelid.types.grammar import Grammar

__all__ = ("Grammars",)

_REMEMBERED: Final = 32
_MOST_TRIALS: Final = 2


class Grammars:
    """Compiles grammars for one vocabulary, and remembers the most recently used, the faulty ones too."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._vocabulary: LLTokenizer | None = None
        self._known: OrderedDict[Grammar, LLMatcher | RequestError] = OrderedDict()
        self._trials: OrderedDict[Grammar, GrammarTrial] = OrderedDict()

    def open(self, grammar: Grammar) -> Constraint | None:
        """A constraint for a new answer; None as long as it is not known whether the grammar may be compiled here.

        Raises:
            RequestError: the grammar is wrong or too complex; the message names the fault.
        """
        known = self._known.get(grammar)
        if known is None:
            known = self._compile(grammar)
            if known is None:
                return None
            self._known[grammar] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(grammar)
        if isinstance(known, RequestError):
            raise RequestError(known.message)
        return Constraint(known.deep_copy(), self._tokenizer)

    def wait(self, seconds: float) -> None:
        """Let the oldest trial go on; for when there is nothing else to do."""
        for trial in self._trials.values():
            trial.wait(seconds)
            return

    def close(self) -> None:
        """End what is being tried."""
        for trial in self._trials.values():
            trial.close()
        self._trials.clear()

    def _compile(self, grammar: Grammar) -> LLMatcher | RequestError | None:
        """The grammar ready for use, or what is wrong with it; None as long as it is tried."""
        # Any JSON at all is the one grammar that is no stranger's.
        fault = "" if grammar.kind == "json" else self._tried(grammar)
        if fault is None:
            return None
        if not fault:
            self._vocabulary = self._vocabulary or guidance_tokenizer(self._tokenizer)
            source = grammar_source(grammar)
            if grammar.thinking is not None:
                source = with_thoughts(source, grammar.thinking, self._tokenizer)
            matcher = LLMatcher(self._vocabulary, source, log_level=0, limits=LIMITS)
            fault = fault_text(matcher.get_error())
            if not fault:
                return matcher
        return RequestError(f"invalid format: {fault}")

    def _tried(self, grammar: Grammar) -> str | None:
        """What a trial has found wrong with the grammar, empty if nothing; None until it has."""
        trial = self._trials.get(grammar)
        if trial is None:
            return self._try(grammar)
        fault = trial.verdict()
        if fault is not None:
            self._trials.pop(grammar).close()
        return fault

    def _try(self, grammar: Grammar) -> str | None:
        """Begin a trial, if there are not too many."""
        if len(self._trials) == _MOST_TRIALS:
            # Those that have ended belong to nobody: who waits for one has asked for it before.
            for other in [other for other, trial in self._trials.items() if trial.verdict() is not None]:
                self._trials.pop(other).close()
        if len(self._trials) < _MOST_TRIALS:
            try:
                source = grammar_source(grammar)
            except ValueError as error:
                return str(error)
            self._trials[grammar] = GrammarTrial(source)
        return None
