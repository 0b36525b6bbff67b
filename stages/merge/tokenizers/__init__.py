"""Models of different vocabularies: one vocabulary for the child, and every row in its place."""

from stages.merge.tokenizers.preparing import prepare
from stages.merge.tokenizers.rule import TokenizerRule, TokenSource
from stages.merge.tokenizers.vocabulary import Vocabulary

__all__ = ["TokenSource", "TokenizerRule", "Vocabulary", "prepare"]
