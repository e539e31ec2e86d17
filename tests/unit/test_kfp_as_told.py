"""What lesson 12 says of kfp's own components, shown on the kfp that is installed."""

import pytest
from kfp import dsl, local
from kfp.dsl.types.type_utils import InconsistentTypeException

AT_LEAST = 100


def plain(count: int) -> bool:
    return count > 0


def looks_outside(count: int) -> bool:
    return count > AT_LEAST


def gives_metrics(
    shares: dsl.Output[dsl.Metrics],
):  # kfp reads the annotation itself: it bears no `from __future__ import annotations`
    shares.log_metric("all", 0.2)


def command(component) -> str:
    return " ".join(component.component_spec.implementation.container.command)


@pytest.fixture
def here(tmp_path):
    """Steps run as processes of this environment."""
    local.init(
        local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "runs"), workspace_root=str(tmp_path)
    )


def test_a_function_installs_kfp_at_each_start_unless_it_is_told_not_to() -> None:
    assert "pip install" in command(dsl.component(plain, base_image="python"))
    assert "pip" not in command(dsl.component(plain, base_image="python", install_kfp_package=False))


@pytest.mark.filterwarnings("ignore:You may be attemping:RuntimeWarning")
def test_what_stands_around_a_function_does_not_travel(here, capfd) -> None:
    step = dsl.component(looks_outside, base_image="python", install_kfp_package=False)
    with pytest.raises(RuntimeError):
        step(count=1)
    assert "NameError: name 'AT_LEAST' is not defined" in capfd.readouterr().out


def test_types_of_artifacts_are_compared_when_a_pipeline_is_made() -> None:
    source = dsl.component(gives_metrics, base_image="python", install_kfp_package=False)

    @dsl.container_component
    def row_of(table: dsl.Input[dsl.Dataset]):
        return dsl.ContainerSpec(image="any", command=["cat"], args=[table.path])

    with pytest.raises(
        InconsistentTypeException, match=r"'system\.Metrics@0\.0\.1' is incompatible with the input type"
    ):

        @dsl.pipeline
        def wrong():
            row_of(table=source().outputs["shares"])


def test_a_container_is_refused_as_a_process(here) -> None:
    @dsl.container_component
    def says(word: str):
        return dsl.ContainerSpec(image="any", command=["echo"], args=[word])

    with pytest.raises(RuntimeError, match="only supports running Lightweight Python Components"):
        says(word="x")
