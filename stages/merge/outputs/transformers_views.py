"""Where each tensor of a checkpoint lives in a model that transformers has loaded from it.

transformers may load a tensor under another name than the file's, and several (the experts of a
layer) as parts of one. Its own conversion, run backwards on views of the weights, says where.
"""

from torch import Tensor, nn

from stages.errors import RecipeError, kind_and_words

_ADVICE = "Write the child as a model folder and load that."


class _View(Tensor):
    """A tensor whose ``contiguous`` copies nothing: what is written to it reaches the model."""

    def contiguous(self, *_: object, **__: object) -> Tensor:
        """Return the view itself."""
        return self


def residence(model: nn.Module) -> dict[str, Tensor]:
    """Return, by the names of its checkpoint, views of a model's tensors: writes go to the model.

    Raises:
        RecipeError: transformers cannot run its conversion backwards, or it permutes a tensor
            when it loads, so that no view of the model is the file's.
    """
    state: dict[str, Tensor] = dict(model.state_dict())
    if not hasattr(model, "base_model_prefix"):  # no model of transformers: nothing is converted
        return state
    from transformers.core_model_loading import revert_weight_conversion

    try:
        views_of = {n: t.as_subclass(_View) for n, t in state.items()}
        reverted = revert_weight_conversion(model, views_of)
    except Exception as error:
        raise RecipeError(
            f"resident model {type(model).__name__}: transformers cannot say where its weights "
            f"belong in a checkpoint: {kind_and_words(error)}. {_ADVICE}"
        ) from error
    homes = {t.untyped_storage().data_ptr() for t in state.values()}
    views = {
        name: tensor.as_subclass(Tensor)
        for name, tensor in reverted.items()
        if tensor.untyped_storage().data_ptr() in homes
    }
    filled: dict[int, int] = {}
    for view in {(v.data_ptr(), v.shape): v for v in views.values()}.values():
        home = view.untyped_storage().data_ptr()
        filled[home] = filled.get(home, 0) + view.numel()
    for name, tensor in state.items():
        if filled.get(tensor.untyped_storage().data_ptr(), 0) < tensor.numel():
            raise RecipeError(
                f"resident model {type(model).__name__}, tensor {name}: transformers computes it "
                f"from what the file holds, so it cannot be replaced in place. {_ADVICE}"
            )
    return views
