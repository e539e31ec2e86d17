"""One model in MLflow's registry, asked for once in a command: MLflow reads all versions with all their tags whenever it is asked for a model."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

MOST = 100_000
"""Versions that MLflow is asked for at once; it allows twice as many."""


class RegisteredModel:
    """What MLflow has of a model when it is first asked for, and what is written here since. What others write meanwhile is not seen.

    Attributes:
        client: MLflow's.
        name: of the model.
    """

    def __init__(self, client: Any, name: str) -> None:
        """Asks nothing yet."""
        self.client, self.name = client, name

    @functools.cached_property
    def _found(self) -> Any:
        """As MLflow gives it; None where there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    @functools.cached_property
    def tags(self) -> dict[str, str]:
        """Of the model, by name."""
        return dict(self._found.tags) if self._found else {}

    @functools.cached_property
    def aliases(self) -> dict[str, int]:
        """The number of the version that each is on."""
        return {name: int(number) for name, number in self._found.aliases.items()} if self._found else {}

    @functools.cached_property
    def versions(self) -> Sequence[Any]:
        """As MLflow gives them."""
        if self._found is None:
            return []
        return self.client.search_model_versions(f"name='{self.name}'", max_results=MOST)  # type: ignore[no-any-return]

    def register(self, place: str, tags: Mapping[str, str]) -> int:
        """Registers a version where it lies; returns its number."""
        if self._found is None:
            self.client.create_registered_model(self.name)
            del self._found
        vars(self).pop("versions", None)
        return int(self.client.create_model_version(self.name, place, tags=tags, await_creation_for=0).version)

    def set_tag(self, name: str, text: str) -> None:
        """Of the model."""
        self.client.set_registered_model_tag(self.name, name, text)
        self.tags[name] = text

    def set_alias(self, alias: str, number: int | None) -> None:
        """Moves an alias to a version, or takes it away."""
        if number is None:
            self.client.delete_registered_model_alias(self.name, alias)
            self.aliases.pop(alias, None)
        else:
            self.client.set_registered_model_alias(self.name, alias, str(number))
            self.aliases[alias] = number
