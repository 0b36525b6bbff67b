"""The merge methods by name: one file each, and this list of them."""

from stages.merge.method import Method
from stages.merge.methods import (
    dare_linear,
    dare_ties,
    linear,
    passthrough,
    slerp,
    task_arithmetic,
    ties,
)

METHODS: dict[str, Method] = {
    "linear": linear.METHOD,
    "slerp": slerp.METHOD,
    "task_arithmetic": task_arithmetic.METHOD,
    "ties": ties.METHOD,
    "dare_linear": dare_linear.METHOD,
    "dare_ties": dare_ties.METHOD,
    "passthrough": passthrough.METHOD,
}
