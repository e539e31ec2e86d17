"""A pushed model for devices and as an archive: it says what its source says, or is not written. The network has random weights here."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import random_model

from flights import data


@pytest.fixture(scope="module")
def network():
    return random_model.network()


@pytest.fixture(scope="module")
def version(network, tmp_path_factory) -> Path:
    return random_model.push(tmp_path_factory.mktemp("serving") / "7", network)


@pytest.fixture(scope="module")
def month(root) -> list[dict]:
    """The flights of December; many are to places that the network has no word for, and lack a plane or a value of the weather."""
    return data.read_table(data.month_path(root / "data/flights", 12)).to_pylist()


@pytest.fixture(scope="module")
def converted(version) -> bytes:
    from flights import export

    return export.convert(version)


@pytest.fixture(scope="module")
def exported(version, converted, tmp_path_factory) -> Path:
    from flights import export

    folder = tmp_path_factory.mktemp("exported")
    export.write_model(folder, converted, export.describe(version, converted))
    return folder


@pytest.fixture
def asked(monkeypatch, network):
    """The pushed model is the network itself, with what `random_model` puts in; each flight counts 1."""
    from flights import export

    class Predictor:
        def __init__(self, folder):
            pass

        def predict(self, flights):
            return random_model.said_by(network, flights)

    monkeypatch.setattr(export, "Predictor", Predictor)


@pytest.fixture
def short_month(root, tmp_path) -> Path:
    """Forty flights."""
    lines = data.month_path(root / "data/flights", 12).read_text().splitlines(keepends=True)
    path = data.month_path(tmp_path, 12)
    path.parent.mkdir()
    path.write_text("".join(lines[:41]))
    return path


# --- The model on a device ----------------------------------------------------------------------------------------


def test_device_says_what_the_network_says(exported, month, network):
    from flights.on_device import OnDevice

    assert any(flight["temp"] is None for flight in month)
    assert any(flight["plane_year"] is None for flight in month)
    assert any(flight["dest"] not in random_model.WORDS["dest"] for flight in month)
    said = OnDevice(exported).predict(month)
    assert said == pytest.approx(random_model.said_by(network, month), abs=1e-6)
    assert np.std(said) > 0.05


def test_value_that_is_not_known_may_be_left_out_or_be_nan(exported, month):
    from flights.on_device import OnDevice

    device = OnDevice(exported)
    flight = {name: value for name, value in month[0].items() if name != "temp"}
    assert (
        device.predict([flight])
        == device.predict([flight | {"temp": None}])
        == device.predict([flight | {"temp": float("nan")}])
    )
    with pytest.raises(KeyError, match="distance"):
        device.predict([{name: value for name, value in flight.items() if name != "distance"}])
    assert device.predict([]) == []


def test_description_has_what_a_program_needs(exported, version):
    from ai_edge_litert.interpreter import Interpreter

    from flights import export

    described = json.loads((exported / "model.json").read_text())
    inputs = {one["name"]: one for one in described["inputs"]}
    details = Interpreter(str(exported / described["file"])).get_signature_runner().get_input_details()
    assert {name: one["type"] for name, one in inputs.items()} == {
        name: np.dtype(detail["dtype"]).name for name, detail in details.items()
    }
    assert {one["type"] for one in inputs.values()} == {"float32", "int32"}  # LiteRT in browsers refuses int64
    assert inputs["dest_index"] == {
        "name": "dest_index",
        "type": "int32",
        "column": "dest",
        "required": True,
        "words": random_model.WORDS["dest"],
    }
    assert (inputs["temp"]["required"], inputs["humid"]["least"], inputs["weekday"]["most"]) == (False, 2, 7)
    assert (described["version"], described["source_sha256"]) == ("7", export.checksum(version))


def test_device_needs_no_tensorflow():
    code = (
        "import sys, flights.on_device; sys.exit(any(name in sys.modules for name in ('tensorflow', 'tfx', 'keras')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- Converted ----------------------------------------------------------------------------------------------------


def test_endpoint_that_litert_lacks_operations_for_is_named_in_a_line(version, capfd):
    from flights import export

    with pytest.raises(export.ExportError, match=r"Version 7, endpoint 'serving_default'.*ParseExampleV2") as refused:
        export.convert(version, "serving_default")
    assert "\n" not in str(refused.value)
    assert capfd.readouterr().err == ""


def test_version_without_the_endpoint_is_named(version):
    from flights import export

    with pytest.raises(export.ExportError, match="Version 7 has no endpoint 'other'"):
        export.convert(version, "other")


def test_written_with_how_far_it_is_from_its_source(version, asked, short_month, tmp_path):
    from flights import export

    made = export.to_litert(version, tmp_path / "out", short_month)
    assert (made.file, made.flights) == (tmp_path / "out" / "flights-7.tflite", 40)
    assert 0 < made.largest_difference < export.TOLERANCE
    compared = json.loads((tmp_path / "out" / "model.json").read_text())["compared"]
    assert compared == {"file": "span-12/flights.csv", "flights": 40, "largest_difference": made.largest_difference}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["flights-7.tflite", "model.json"]


def test_model_that_says_something_else_is_not_written(version, converted, asked, short_month, tmp_path, monkeypatch):
    from flights import export

    predict = export.Predictor.predict
    monkeypatch.setattr(export, "convert", lambda version: converted)
    monkeypatch.setattr(export.Predictor, "predict", lambda *given: [one * 0.99 for one in predict(*given)])
    with pytest.raises(
        export.ExportError,
        match=r"of flight \d+ of span-12/flights.csv the exported model says 0\.\d+, the pushed one 0\.",
    ):
        export.to_litert(version, tmp_path / "out", short_month)
    assert not (tmp_path / "out").exists()


def test_model_that_says_no_number_is_not_written(version, converted, asked, short_month, tmp_path, monkeypatch):
    from flights import export

    monkeypatch.setattr(export, "convert", lambda version: converted)
    monkeypatch.setattr(export.OnDevice, "predict", lambda self, flights: [float("nan")] * len(flights))
    with pytest.raises(export.ExportError, match="the exported model says nan"):
        export.to_litert(version, tmp_path / "out", short_month)


def test_export_of_another_version_replaces_the_earlier_one_and_is_whole_at_every_moment(
    version, converted, tmp_path, monkeypatch
):
    """Stopped between its two files, what a reader finds is the earlier export."""
    from flights import export
    from flights.on_device import OnDevice

    described = export.describe(version, converted)
    export.write_model(tmp_path, converted, described)
    later = described | {"version": "8", "file": "flights-8.tflite"}
    with monkeypatch.context() as at_the_wrong_moment:
        at_the_wrong_moment.setattr(export.json, "dumps", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export.write_model(tmp_path, converted, later)
    assert OnDevice(tmp_path).description["version"] == "7"
    export.write_model(tmp_path, converted, later)
    assert OnDevice(tmp_path).description["version"] == "8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flights-8.tflite", "model.json"]


# --- An archive ---------------------------------------------------------------------------------------------------


def test_archive_is_a_whole_model_and_always_the_same_bytes(version, tmp_path):
    from flights import export

    first, again = (export.to_archive(version, tmp_path / name) for name in ("a", "b"))
    assert first.name == "flights-7.tar.gz"
    assert first.read_bytes() == again.read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["flights-7.tar.gz"]
    with tarfile.open(first) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "models" / "flights" / "7", filter="data")
    assert "saved_model.pb" in names  # at the top, as TensorFlow Hub's format has it
    assert export.checksum(tmp_path / "models" / "flights" / "7") == export.checksum(version)


@pytest.mark.long
def test_archive_is_loaded_by_tensorflow_alone(version, tmp_path):
    from flights import export

    with tarfile.open(export.to_archive(version, tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    code = """
import sys
import tensorflow as tf
example = tf.train.Example()
example.features.feature["distance"].float_list.value.append(0)
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
(said,) = serve(tf.constant([example.SerializeToString()])).values()
assert "flights" not in sys.modules and "keras" not in sys.modules
assert said.numpy().tolist() == [[0.5]]
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "unpacked")], check=True, capture_output=True)
