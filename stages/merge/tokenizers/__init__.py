"""Models of different vocabularies: one vocabulary for the child, and every row in its place."""

from stages.merge.tokenizers.build_vocabulary import prepare
from stages.merge.tokenizers.token_sources import TokenizerRule, TokenSource
from stages.merge.tokenizers.vocabulary import Vocabulary

__all__ = ["TokenSource", "TokenizerRule", "Vocabulary", "prepare"]
