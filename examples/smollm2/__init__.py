"""A realistic configuration: SmolLM2-135M-Instruct, two LoRA fine-tunes, their tasks."""
