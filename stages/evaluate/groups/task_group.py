"""From the name of a group or tag of lm-eval to the tasks that it stands for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError, words_of
from stages.evaluate.tasks.catalogue import TASK_FILES, Catalogue, file_config

_OWN_KEYS = {"group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"}


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """A group: lm-eval's ``config`` of it, and its members, tasks by name and groups."""

    name: str
    config: Mapping[str, Any]
    members: tuple["str | TaskGroup", ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of all tasks in it and in its groups, each once."""
        names = (m.tasks if isinstance(m, TaskGroup) else (m,) for m in self.members)
        return tuple(dict.fromkeys(name for several in names for name in several))

    def shell(self) -> Any:
        """Return lm-eval's object for the group, without members.

        Raises:
            EvaluationError: lm-eval cannot read its ``aggregate_metric_list``.
        """
        from lm_eval.api.group import Group

        keys = ("group", "group_alias", "task", "aggregate_metric_list", "metadata")
        try:
            return Group.from_config({key: self.config.get(key) for key in keys})
        except (TypeError, ValueError) as error:
            raise EvaluationError(
                f"group {self.name}: its aggregate_metric_list cannot be read: "
                f"{words_of(error)}. Fix the group's file."
            ) from error

    def all_groups(self) -> Iterator["TaskGroup"]:
        """Yield the group itself, then the groups in it."""
        yield self
        for member in self.members:
            if isinstance(member, TaskGroup):
                yield from member.all_groups()


def expanded(name: str, catalogue: Catalogue) -> TaskGroup | tuple[str, ...]:
    """Return the group ``name``, or the tasks of the tag, or the name alone where it is a task's.

    Raises:
        EvaluationError: the group has no tasks, unknown ones, or gives its tasks settings that
            they do not have alone.
    """
    if Path(name).suffix in TASK_FILES:
        config = file_config(name)
        return (name,) if "group" not in config else _group(config, catalogue, (name,))
    tagged = catalogue.tagged(name)
    if tagged:
        return tuple(tagged)
    definition = catalogue.group_config(name)
    return (name,) if definition is None else _group(definition, catalogue, (name,))


def tasks_of(name: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the names of the tasks that ``name`` stands for.

    Raises:
        EvaluationError: as ``expanded``.
    """
    group = expanded(name, catalogue)
    return group.tasks if isinstance(group, TaskGroup) else group


def _group(config: Mapping[str, Any], catalogue: Catalogue, within: tuple[str, ...]) -> TaskGroup:
    name = str(config["group"])
    _refuse_settings(name, set(config) - _OWN_KEYS, "its tasks")
    listed = config.get("task")
    if not isinstance(listed, list) or not listed:
        raise EvaluationError(f"group {name}: lists no tasks. Name tasks, or fix its file.")
    members: list[str | TaskGroup] = []
    for member in listed:
        members += _members(name, member, catalogue, within)
    group = TaskGroup(name, config, tuple(members))
    group.shell()
    return group


def _members(
    group: str, member: Any, catalogue: Catalogue, within: tuple[str, ...]
) -> list[str | TaskGroup]:
    if isinstance(member, Mapping) and "group" in member:
        name = str(member["group"])
        if not catalogue.knows(name):
            inline = {**member, "group": f"{group}::{name}"}
            return [_group(inline, catalogue, within)]
        _refuse_settings(group, set(member) - {"group"}, name)
    elif isinstance(member, Mapping):
        name = str(member.get("task"))
        _refuse_settings(group, set(member) - {"task", "task_alias"}, name)
    else:
        name = str(member)
    if name in within:
        raise EvaluationError(f"group {name}: is a member of itself. Fix the file of {group}.")
    if not catalogue.knows(name):
        raise EvaluationError(
            f"group {group}: no such task as its member {name}. Fix the group's file, or name "
            "those tasks of it that you want."
        )
    definition = catalogue.group_config(name)
    if definition is not None:
        return [_group(definition, catalogue, (*within, name))]
    return list(catalogue.tagged(name) or [name])


def _refuse_settings(group: str, keys: set[str], whose: str) -> None:
    if keys:
        raise EvaluationError(
            f"group {group}: gives {whose} settings of its own ({', '.join(sorted(keys))}), and "
            "tasks are scored as they are by name. Write a task's file that includes the task's "
            "and has these settings, and name that."
        )
