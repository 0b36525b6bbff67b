"""The files of a model folder besides config.json and weights, without which it is of no use.

One list for what is fetched from the hub, what a parent's folder holds and what a child gets.
Patterns are those of names; a * matches no slash.
"""

# Names and patterns that transformers looks for next to a tokenizer.
VOCABULARY = (
    *("tokenizer.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt"),
    *("*.model", "*.tiktoken", "*.spm"),
)
TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json")
CHAT = ("chat_template.jinja", "chat_template.json", "additional_chat_templates/*.jinja")
# What makes tensors of images, sounds and videos: they belong to the towers, which are the base's.
PROCESSORS = (
    *("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"),
    *("image_processor_config.json", "feature_extractor_config.json"),
    *("audio_processor_config.json", "audio_tokenizer_config.json"),
)
# What makes one vector of a text in Sentence Transformers: pooling, norms, dense layers.
EMBEDDING_LIST = "modules.json"
EMBEDDING = (
    *(EMBEDDING_LIST, "config_sentence_transformers.json", "sentence_*_config.json"),
    *("[0-9]_*/*.json", "[0-9]_*/*.safetensors", "[0-9]_*/pytorch_model.bin"),
)
# Of a child, from the model whose config it has.
OF_THE_FRAME = (*PROCESSORS, *EMBEDDING)
ALL = (
    *("config.json", "generation_config.json", *VOCABULARY, *TOKENIZER_SETTINGS, *CHAT),
    *OF_THE_FRAME,
)
