"""What a document says of the child's tokenizer."""

from stages.checkpoint.tokenizer_vocabulary import MAX_IDS
from stages.merge.mergekit.node_reader import Nodes, Reader, shown
from stages.merge.mergekit.schema import TokenConfig, TokenizerConfig
from stages.recipe.model_reference import ModelReference
from stages.yaml_text import Node

_KINDS = ("model_token", "zero")


def read_tokenizer(reader: Reader, nodes: Nodes) -> TokenizerConfig | None:
    """Return what the top-level keys ``tokenizer_source`` and ``tokenizer`` say, if anything."""
    if "tokenizer_source" in nodes and "tokenizer" in nodes:
        message = "is given next to tokenizer. Keep one of them."
        reader.fault(nodes["tokenizer_source"], "tokenizer_source", message)
    if "tokenizer_source" in nodes:
        source = _source(reader, nodes["tokenizer_source"], "tokenizer_source")
        return None if source is None else TokenizerConfig(source)
    if "tokenizer" not in nodes:
        return None
    legal = ("source", "tokens", "pad_to_multiple_of")
    inner = reader.mapping(nodes["tokenizer"], "tokenizer", legal)
    source = _source(reader, inner["source"], "tokenizer.source") if "source" in inner else None
    tokens = _tokens(reader, inner["tokens"]) if "tokens" in inner else {}
    multiple = None
    if "pad_to_multiple_of" in inner:
        multiple = reader.whole(
            inner["pad_to_multiple_of"], "tokenizer.pad_to_multiple_of", 1, MAX_IDS
        )
    return TokenizerConfig(source or "union", tokens, multiple)


def _source(reader: Reader, node: Node, path: str) -> str | ModelReference | None:
    if node.value in ("base", "union"):
        return str(node.value)
    return reader.reference(node, path)


def _tokens(reader: Reader, node: Node) -> dict[str, TokenConfig]:
    if not isinstance(node.value, dict):
        reader.fault(node, "tokenizer.tokens", f"got {shown(node)}. Give a mapping of tokens.")
        return {}
    read = ((t, _token(reader, n, f"tokenizer.tokens.{t}")) for t, n in node.value.items())
    return {token: config for token, config in read if config is not None}


def _token(reader: Reader, node: Node, path: str) -> TokenConfig | None:
    nodes = reader.mapping(node, path, ("source", "force"), ("source",))
    force = nodes["force"].value if "force" in nodes else False
    if not isinstance(force, bool):
        reader.fault(nodes["force"], f"{path}.force", f"got {shown(nodes['force'])}. Give true.")
    if "source" not in nodes:
        return None
    source, path = nodes["source"], f"{path}.source"
    if not isinstance(source.value, dict) or "kind" not in source.value:
        model = reader.reference(source, path)
        return None if model is None else TokenConfig("model", model, force=force is True)
    inner = reader.mapping(source, path, ("kind", "model", "token", "token_id"))
    kind = reader.text(inner, "kind", path)
    if kind not in _KINDS:
        message = f"got {kind!r}. Legal are {', '.join(_KINDS)}."
        reader.fault(source, f"{path}.kind", message)
        return None
    named = reader.reference(inner["model"], f"{path}.model") if "model" in inner else None
    number = (
        reader.whole(inner["token_id"], f"{path}.token_id", 0, MAX_IDS)
        if "token_id" in inner
        else None
    )
    token = reader.text(inner, "token", path)
    is_whole = named is not None and (token is None) != (number is None)
    if (kind == "model_token") != is_whole or (kind == "zero" and len(inner) > 1):
        message = "model_token takes model, and token or token_id; zero takes nothing."
        reader.fault(source, path, message)
        return None
    return TokenConfig(kind, named, token, number, force=force is True)
