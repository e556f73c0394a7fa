"""Weights outside the file: found wherever a tensor can stand, and checked before anything is written."""

from __future__ import annotations

import pytest
from awkward import MODELS, graph, info, model, node
from onnx import ModelProto, SparseTensorProto, TensorProto, helper

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph.external import ExternalData, FileState, check_files, locations, moved


def outside(
    name: str, path: str, shape: tuple[int, ...] = (3,), kind: int = TensorProto.FLOAT, **more: object
) -> TensorProto:
    tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": path, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def everywhere() -> ModelProto:
    made = MODELS["if_reads_the_input"]()
    made.graph.initializer.append(outside("main", "a.bin", offset=64, length=12))
    branch = made.graph.node[2].attribute[0].g
    branch.initializer.append(outside("branch", "b.bin", (2, 5), TensorProto.INT4))
    made.graph.node.append(
        node("Constant", [], ["c"], value=outside("constant", "sub/c.bin", (2,), TensorProto.DOUBLE))
    )
    made.graph.sparse_initializer.append(
        SparseTensorProto(
            values=outside("values", "a.bin"), indices=outside("indices", "a.bin", kind=TensorProto.INT64)
        )
    )
    made.training_info.add().initialization.initializer.append(outside("trained", "t.bin"))
    inside = node("Constant", [], ["f"], value=outside("function", "f.bin", ()))
    made.functions.append(helper.make_function("mine", "F", [], ["f"], [inside], [helper.make_opsetid("", 17)]))
    return made


def test_every_place_is_looked_at() -> None:
    assert {entry.tensor: entry for entry in locations(everywhere())} == {
        entry.tensor: entry
        for entry in (
            ExternalData("main", "a.bin", 64, 12), ExternalData("branch", "b.bin", 0, 5), ExternalData("constant", "sub/c.bin", 0, 16),
            ExternalData("values", "a.bin", 0, 12), ExternalData("indices", "a.bin", 0, 24), ExternalData("trained", "t.bin", 0, 12),
            ExternalData("function", "f.bin", 0, 4),
        )
    }  # fmt: skip
    assert locations(MODELS["unusual_initializers"]()) == ()


def test_files_that_are_there_may_stay() -> None:
    assert check_files(locations(everywhere()), lambda _: FileState(1000)) == []
    assert check_files((), lambda _: None) == []


def test_links_must_be_copied() -> None:
    states = {"a.bin": FileState(99, link=True), "b.bin": FileState(99, names=2)}
    reasons = check_files(locations(everywhere()), lambda path: states.get(path, FileState(99)))
    assert reasons == ["a.bin is a symbolic link", "b.bin has 2 names (hard links)"]


def test_missing_and_short_files_are_named() -> None:
    with pytest.raises(UsageError, match="missing") as caught:
        check_files(locations(everywhere()), lambda path: None if path == "sub/c.bin" else FileState(100))
    assert caught.value.at == "sub/c.bin"
    with pytest.raises(UsageError, match="too short") as caught:
        check_files(locations(everywhere()), lambda _: FileState(75))
    assert (caught.value.at, caught.value.expected, caught.value.got) == (
        "a.bin",
        "76 bytes or more, for main",
        "75 bytes",
    )


@pytest.mark.parametrize(
    "path",
    [
        "../w.bin",
        "a/../../w.bin",
        "/etc/passwd",
        "C:\\w.bin",
        "C:w.bin",
        "\\\\host\\w.bin",
        "a\\..\\..\\w.bin",
        "w\0.bin",
        "w.bin/",
        ".",
    ],
)
def test_paths_that_leave_the_folder_are_refused(path: str) -> None:
    made = model(graph([], [info("x")], [info("x")], [outside("w", path)]))
    with pytest.raises(ContractError, match="outside its folder") as caught:
        check_files(locations(made), lambda _: FileState(100))
    assert caught.value.at == "w"


@pytest.mark.parametrize("state", [FileState(99, regular=False), FileState(99, link=True, outside="/data/w")])
def test_what_is_no_file_of_the_models_own_is_refused(state: FileState) -> None:
    with pytest.raises(UsageError) as caught:
        check_files(locations(everywhere()), lambda _: state)
    assert (caught.value.at, caught.value.got) == ("a.bin", state.outside)


def test_references_can_be_moved() -> None:
    made = everywhere()
    copy = moved(made, {"a.bin": "x/a", "sub/c.bin": "c"})
    assert [(entry.tensor, entry.path) for entry in locations(copy)] == [
        (entry.tensor, {"a.bin": "x/a", "sub/c.bin": "c"}.get(entry.path, entry.path)) for entry in locations(made)
    ]
    assert made == everywhere()


@pytest.mark.parametrize(
    "more",
    [
        {"offset": "x"}, {"offset": -1}, {"offset": "1_0"}, {"offset": " 1"}, {"offset": "9" * 30}, {"length": "\u0663"},
        {"length": "1e3"}, {"length": -4}, {"location": ""},
    ],
)  # fmt: skip
def test_damaged_references_are_refused(more: dict[str, object]) -> None:
    tensor = outside("w", **{"path": "w.bin", **{k: v for k, v in more.items() if k != "location"}})  # type: ignore[arg-type]
    if "location" in more:
        del tensor.external_data[0]
    with pytest.raises(ContractError, match="damaged"):
        locations(model(graph([], [info("x")], [info("x")], [tensor])))


def test_an_unknown_element_type_is_refused_only_without_a_length() -> None:
    tensor = outside("w", "w.bin", kind=99, length=7)
    made = model(graph([], [info("x")], [info("x")], [tensor]))
    assert locations(made)[0].length == 7
    del made.graph.initializer[0].external_data[1]
    with pytest.raises(ContractError, match="damaged"):
        locations(made)
