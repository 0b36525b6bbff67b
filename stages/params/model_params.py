"""A model by lm_eval's model string: a backend for candidates, or a reference."""

from pydantic import Field, model_validator

from stages.params.section import Arguments, Section, Text

SECRETS = ("api_key", "auth_token", "header")


class ModelParams(Section):
    """What ``lm-eval --model MODEL --model_args ...`` takes, and where its API key is."""

    model: Text
    model_args: Arguments = {}
    api_key_env: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _holds_no_secret(self) -> "ModelParams":
        secrets = [name for name in SECRETS if name in self.model_args]
        if secrets:
            raise ValueError(
                f"model_args may not hold {secrets[0]!r}, as params.yaml is tracked; name the "
                "environment variable that holds the key under api_key_env"
            )
        if "@" in str(self.model_args.get("base_url", "")):
            raise ValueError("base_url may hold no user name or password; use api_key_env")
        return self
