"""Environments, each broken in another way: what is wrong is named, and nothing else is."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.setup_check.rules.diagnose import package_findings
from engine.setup_check.rules.knowledge import knowledge

Break = Callable[[Any], None]
BREAKS: list[tuple[str, set[str], Break]] = []


def breaks(*fails: str) -> Callable[[Break], Break]:
    """Register a way to break an environment, with the ids of the failures that it must lead to."""

    def register(function: Break) -> Break:
        BREAKS.append((function.__name__, set(fails), function))
        return function

    return register


def transformers(
    environment: Any, version: str, without: tuple[str, ...] = (), pins: str = "", **named: Any
) -> None:
    environment.install("transformers", version, **named)
    path = environment.site / "transformers" / "__init__.py"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not any(f"class {name}" in line for name in without)))
    if pins is not None:
        check = environment.site / "transformers" / "dependency_versions_check.py"
        kept = check.read_text().partition("def check():")[0]
        check.write_text(kept + "def check():\n    pass\n" + pins)


@breaks("peft-016-017-old-transformers")
def founding_incident(env: Any) -> None:
    transformers(env, "4.41.0", without=("EncoderDecoderCache", "HybridCache"))
    env.install("tokenizers", "0.19.1")


@breaks("peft-016-017-old-transformers")
def transformers_443_has_no_hybrid_cache(env: Any) -> None:
    transformers(env, "4.43.4", without=("HybridCache",))
    env.install("tokenizers", "0.19.1")


@breaks("peft-hybridcache-gone")
def transformers_5_with_old_peft(env: Any) -> None:
    transformers(env, "5.23.0", without=("HybridCache",))
    env.install("tokenizers", "0.23.3")
    env.install("huggingface_hub", "2.4.0")


@breaks("peft-0180-modeling-layers")
def peft_0180_needs_modeling_layers(env: Any) -> None:
    transformers(env, "4.48.3")
    (env.site / "transformers" / "modeling_layers.py").unlink()
    record = env.metadata("transformers") / "RECORD"
    record.write_text("".join(r for r in record.read_text().splitlines(True) if "modeling_layers" not in r))
    env.install("tokenizers", "0.21.4")
    env.install(
        "peft", "0.18.0", {"peft/peft_model.py": "import transformers.modeling_layers\nclass PeftModel: pass"}
    )


@breaks("peft-accelerate-clear-device-cache")
def accelerate_without_clear_device_cache(env: Any) -> None:
    env.install("accelerate", "0.30.1", {"accelerate/utils/memory.py": ""})


@breaks("peft-accelerate-clear-device-cache")
def accelerate_so_old_that_it_asks_for_what_is_gone(env: Any) -> None:
    init = "__version__ = {version!r}\nimport torch, long_gone\nclass Accelerator: pass"
    env.install("accelerate", "0.20.3", {"accelerate/__init__.py": init})


@breaks("tokenizers-for-457-515")
def tokenizers_too_old(env: Any) -> None:
    env.install("tokenizers", "0.19.1")


@breaks("tokenizers-for-457-515")
def tokenizers_too_new(env: Any) -> None:
    env.install("tokenizers", "0.23.3")


@breaks("hub-1-on-transformers-4")
def hub_too_new(env: Any) -> None:
    env.install("huggingface_hub", "1.33.0")


@breaks("hub-1-on-transformers-4")
def hub_too_new_without_what_it_needs(env: Any) -> None:
    env.install("huggingface_hub", "1.33.0", requires=["httpx"])
    with (env.site / "huggingface_hub" / "__init__.py").open("a") as file:
        file.write("import httpx\n")
    (env.site / "tokenizers" / "__init__.py").write_text(
        "import tokenizers.models\nclass Tokenizer:\n    def __init__(self, model): pass\n"
        "    def encode(self, text): return []\n"
    )


@breaks("requires-transformers-huggingface-hub")
def hub_refused_without_a_known_entry(env: Any) -> None:
    env.install("huggingface_hub", "0.20.0")


@breaks("safetensors-old")
def safetensors_too_old(env: Any) -> None:
    pin = '    _check("safetensors", (0, 8), (1,), "safetensors>=0.8.0")\n'
    transformers(env, "5.23.0", pins=pin)
    env.install("tokenizers", "0.23.3")
    env.install("huggingface_hub", "2.4.0")
    env.install("peft", "0.21.2", {"peft/peft_model.py": "import transformers, torch\nclass PeftModel: pass"})
    env.install("safetensors", "0.7.0")


@breaks("numpy2-old-torch")
def numpy_2_with_old_torch(env: Any) -> None:
    env.install("torch", "2.2.2")
    with (env.site / "torch" / "__init__.py").open("a") as file:
        file.write("\ndef _no(*_):\n    raise RuntimeError('Numpy is not available')\nTensor.numpy = _no\n")


@breaks("torch-too-old-for-transformers-520")
def torch_too_old_for_transformers(env: Any) -> None:
    transformers(env, "5.23.0")
    env.edit(
        "transformers/models.py",
        """
        def llava():
            raise ImportError("LlavaForConditionalGeneration requires the PyTorch library but it was not found")
        """,
    )
    env.install("tokenizers", "0.23.3")
    env.install("huggingface_hub", "2.4.0")
    env.install("torch", "2.5.1")
    env.install("peft", "0.21.2", {"peft/peft_model.py": "class PeftModel(nn.Module): pass"})


@breaks("import-transformers")
def a_stand_in_for_want_of_torch(env: Any) -> None:
    env.edit(
        "transformers/models.py",
        """
        class Kind(type):
            def __getattribute__(cls, name):
                raise ImportError("LlavaForConditionalGeneration requires the PyTorch library")
        def llava():
            return Kind("LlavaForConditionalGeneration", (), {})
        """,
    )


@breaks("torchvision-build")
def torchvision_of_another_build(env: Any) -> None:
    env.install("torchvision", "0.28.0", {"torchvision/__init__.py": "__version__ = {version!r}"}, [])
    env.edit(
        "transformers/models.py",
        """
        def llava():
            try:
                raise RuntimeError("operator torchvision::nms does not exist")
            except RuntimeError as error:
                raise ModuleNotFoundError("Could not import module 'LlavaForConditionalGeneration'.") from error
        """,
    )


@breaks("missing-torch")
def torch_is_missing(env: Any) -> None:
    env.remove("torch")


@breaks("missing-tokenizers")
def tokenizers_is_missing(env: Any) -> None:
    env.remove("tokenizers")


@breaks("missing-peft")
def peft_is_missing(env: Any) -> None:
    env.remove("peft")


@breaks("missing-filelock")
def something_underneath_is_missing(env: Any) -> None:
    env.remove("filelock")


@breaks("missing-pillow")
def an_empty_folder_is_left(env: Any) -> None:
    env.remove("pillow")
    (env.site / "PIL" / "leftover").mkdir(parents=True)


@breaks("half-removed-tokenizers")
def half_removed(env: Any) -> None:
    (env.site / "tokenizers" / "models.py").unlink()


@breaks("half-removed-pillow")
def compiled_part_is_gone(env: Any) -> None:
    (env.site / "PIL" / "_imaging.py").unlink()


@breaks("half-removed-transformers")
def a_module_in_the_middle_is_gone(env: Any) -> None:
    (env.site / "transformers" / "models.py").unlink()


@breaks("shadowed-peft")
def shadowed_by_a_file(env: Any) -> None:
    (env.work / "peft.py").write_text("print('my notes')\n")


@breaks("shadowed-tokenizers")
def shadowed_by_a_folder(env: Any) -> None:
    (env.work / "tokenizers").mkdir()
    (env.work / "tokenizers" / "__init__.py").write_text("")


@breaks("shadowed-random")
def standard_library_shadowed(env: Any) -> None:
    (env.work / "random.py").write_text("raise ValueError('not the random you wanted')\n")


@breaks("exits-accelerate")
def an_import_that_exits(env: Any) -> None:
    env.edit("accelerate/__init__.py", "import sys\nsys.exit(3)")


@breaks("exits-safetensors")
def an_import_that_ends_without_a_word(env: Any) -> None:
    env.edit("safetensors/__init__.py", "import os\nos._exit(3)")


@breaks("crashes-torch")
def an_import_that_segfaults(env: Any) -> None:
    env.edit("torch/__init__.py", "import ctypes\nctypes.string_at(0)")


@breaks("crashes-numpy")
def an_import_that_aborts(env: Any) -> None:
    env.edit("numpy/__init__.py", "import os\nos.abort()")


@breaks("import-huggingface-hub")
def a_damaged_file(env: Any) -> None:
    env.edit("huggingface_hub/__init__.py", "def snapshot_download(:\n")


@breaks("metadata-lies-numpy")
def code_of_another_version(env: Any) -> None:
    env.edit("numpy/__init__.py", (env.site / "numpy" / "__init__.py").read_text().replace("2.4.6", "1.26.4"))


@breaks("broken-metadata-huggingface-hub")
def empty_metadata(env: Any) -> None:
    (env.metadata("huggingface_hub") / "METADATA").write_text("")


@breaks("library-tokenizers")
def compiled_for_something_else(env: Any) -> None:
    env.edit(
        "tokenizers/__init__.py",
        "raise ImportError('/x/tokenizers.abi3.so: undefined symbol: _ZN3c105ErrorC2E')",
    )


@breaks("no-name-huggingface-hub-future-thing")
def an_unknown_name(env: Any) -> None:
    env.edit("transformers/models.py", "from huggingface_hub import future_thing")


@breaks("no-name-transformers-hybridcache")
def a_known_name_in_an_unexpected_place(env: Any) -> None:
    transformers(env, "4.57.6", without=("HybridCache",))


@breaks("import-peft")
def an_unknown_failure(env: Any) -> None:
    env.edit("peft/peft_model.py", "raise RuntimeError('the moon is in the wrong phase')")


@breaks("missing-torch", "tokenizers-for-457-515")
def two_faults_at_once(env: Any) -> None:
    env.remove("torch")
    env.install("tokenizers", "0.19.1")


@breaks("no-metadata-tokenizers")
def metadata_of_what_is_there_is_gone(env: Any) -> None:
    shutil.rmtree(env.metadata("tokenizers"))


@breaks("broken-metadata-tokenizers")
def a_version_that_is_none(env: Any) -> None:
    text = "Metadata-Version: 2.1\nName: tokenizers\nVersion: not-a-version\n"
    (env.metadata("tokenizers") / "METADATA").write_text(text)


@breaks("missing-numpy")
def numpy_is_missing(env: Any) -> None:
    env.remove("numpy")


@breaks("shadowed-torch")
def shadowed_without_an_error_of_its_own(env: Any) -> None:
    (env.work / "torch.py").write_text("x = 1\n")


@breaks("exits-transformers")
def an_import_that_exits_without_an_error(env: Any) -> None:
    env.edit("transformers/__init__.py", "import os\nos._exit(0)")


@breaks("crashes-torch")
def an_import_that_the_system_ends(env: Any) -> None:
    env.edit("torch/__init__.py", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")


@breaks("import-peft")
def imports_in_a_circle(env: Any) -> None:
    env.edit("peft/peft_model.py", "from peft import LoraConfig")


@breaks("peft-accelerate-clear-device-cache")
def pillow_was_left_out_of_what_is_broken_otherwise(env: Any) -> None:
    env.remove("pillow")
    env.install("accelerate", "0.30.1", {"accelerate/utils/memory.py": ""})


@breaks("missing-pillow")
def pillow_is_all_that_is_missing(env: Any) -> None:
    env.remove("pillow")


@breaks("half-removed-peft")
def an_editable_installation_whose_folder_is_gone(env: Any) -> None:
    env.remove("peft")
    metadata = env.site / "peft-0.17.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: peft\nVersion: 0.17.1\n")
    (metadata / "direct_url.json").write_text('{"dir_info": {"editable": true}, "url": "file:///gone"}')
    (env.site / "__editable__.peft-0.17.1.pth").write_text("/gone/src\n")


@breaks("half-removed-torch")
def recorded_without_a_list_of_files_and_gone(env: Any) -> None:
    shutil.rmtree(env.site / "torch")
    (env.metadata("torch") / "RECORD").unlink()


@breaks("import-peft")
def an_emptied_file(env: Any) -> None:
    (env.site / "peft" / "peft_model.py").write_text("")


@breaks("metadata-lies-huggingface-hub")
def recorded_as_a_release_that_is_refused(env: Any) -> None:
    path = env.metadata("huggingface_hub") / "METADATA"
    path.write_text(path.read_text().replace("0.36.2", "1.33.0"))


@breaks("crashes-numpy")
def ended_by_a_signal_without_a_stack(env: Any) -> None:
    env.edit("numpy/__init__.py", "import os, signal\nos.kill(os.getpid(), signal.SIGALRM)")


@breaks("exits-accelerate")
def a_process_that_leaves_its_import_to_a_child(env: Any) -> None:
    env.edit(
        "accelerate/__init__.py",
        "import os\nif os.fork():\n    os._exit(0)\nclass Accelerator: pass\n",
    )


@breaks("shadowed-torch")
def put_first_by_a_pth_file(env: Any) -> None:
    (env.work / "first").mkdir()
    (env.work / "first" / "torch.py").write_text("raise RuntimeError('another torch')")
    (env.site / "first.pth").write_text(f"import sys; sys.path.insert(0, {str(env.work / 'first')!r})\n")


@breaks("peft-torchao-03")
def a_back_end_that_peft_refuses(env: Any) -> None:
    env.install("torchao", "0.3.1", {"torchao/__init__.py": ""}, [])
    refusal = "Found an incompatible version of torchao. Found version 0.3.1, but only versions above 0.4.0"
    env.edit("peft/back_ends.py", f"raise ImportError({refusal!r})")


@breaks("peft-torchao-018")
def a_back_end_that_is_too_new(env: Any) -> None:
    env.install("torchao", "0.18.0", {"torchao/__init__.py": ""}, [])
    env.edit("peft/back_ends.py", "from torchao import LinearActivationQuantizedTensor")


@breaks("bitsandbytes-without-scipy")
def a_back_end_without_what_it_does_not_declare(env: Any) -> None:
    env.install("bitsandbytes", "0.41.1", {"bitsandbytes/__init__.py": "import scipy"}, [])
    env.edit("peft/back_ends.py", "import bitsandbytes")


@breaks("back-end-hqq")
def a_back_end_that_nothing_is_known_of(env: Any) -> None:
    env.install("hqq", "0.2.0", {"hqq/__init__.py": "import torch\ntorch.gone"}, [])
    env.edit("peft/back_ends.py", "import hqq")


@breaks("back-end-hqq")
def a_back_end_refused_by_its_version(env: Any) -> None:
    env.install("hqq", "0.2.0", {"hqq/__init__.py": ""}, [])
    env.edit("peft/back_ends.py", "raise RuntimeError('hqq 0.2.0 is too old, 0.3.0 is needed')")


@breaks("back-end-hqq")
def a_back_end_that_lacks_a_name(env: Any) -> None:
    env.install("hqq", "0.2.0", {"hqq/__init__.py": ""}, [])
    env.edit("peft/back_ends.py", "from hqq import Quantizer")


@breaks("missing-jinja2")
def an_adapter_that_cannot_be_saved(env: Any) -> None:
    env.install("torch", requires=["jinja2"])
    with (env.site / "peft" / "peft_model.py").open("a") as file:
        file.write("\ndef save(self, folder):\n    import jinja2\nPeftModel.save_pretrained = save\n")


@breaks("missing-jinja2")
def an_adapter_that_cannot_be_saved_in_words(env: Any) -> None:
    env.install("torch", requires=["jinja2"])
    words = "Using RepoCard.from_template requires Jinja2. Please install it with `pip install Jinja2`."
    with (env.site / "peft" / "peft_model.py").open("a") as file:
        file.write(
            f"\ndef save(self, folder):\n    raise ImportError({words!r})\nPeftModel.save_pretrained = save\n"
        )


@breaks("import-peft")
def an_adapter_that_loads_as_another(env: Any) -> None:
    with (env.site / "peft" / "peft_model.py").open("a") as file:
        file.write("\nPeftModel.from_pretrained = classmethod(lambda cls, base, folder: cls(base, [0]))\n")


@breaks("import-peft")
def a_step_that_changes_nothing(env: Any) -> None:
    env.edit("torch/optim.py", (env.site / "torch" / "optim.py").read_text().replace("+= 1", "+= 0"))


@breaks("crashes-torch")
def a_backward_pass_that_crashes(env: Any) -> None:
    with (env.site / "torch" / "__init__.py").open("a") as file:
        file.write("\nimport ctypes\nnn.functional.cross_entropy = lambda *_: ctypes.string_at(0)\n")


@breaks("transformers452-old-accelerate")
def an_accelerate_that_only_a_trainer_trips_over(env: Any) -> None:
    env.install("accelerate", "1.1.1")


@breaks()
def modules_that_answer_no_question(env: Any) -> None:
    (env.site / "accelerate" / "__init__.py").write_text(
        "import sys, torch\nfrom accelerate.accelerator import Accelerator\n"
        "class Lazy:\n    def __getattr__(self, name): raise ImportError(name)\n"
        "sys.modules['lazy'] = Lazy()\nsys.modules[3] = None\n"
        "def __getattr__(name): raise RuntimeError(name)\n"
    )


@breaks()
def metadata_that_is_no_text(env: Any) -> None:
    (env.metadata("accelerate") / "METADATA").write_bytes(bytes(range(128, 256)) * 4)


@breaks()
def what_an_installer_put_aside(env: Any) -> None:
    shutil.copytree(env.metadata("peft"), env.site / "~eft-0.17.1.dist-info")


@breaks()
def an_import_that_leaves_children_and_noise(env: Any) -> None:
    with (env.site / "numpy" / "__init__.py").open("a") as file:
        file.write(
            '\nimport os, sys, time\nprint(\'{"part": "imports"}\')\nos.write(1, os.urandom(99999))\n'
            "if os.fork() == 0:\n    time.sleep(300)\n    os._exit(0)\n"
        )


@breaks()
def two_versions_recorded_but_it_works(env: Any) -> None:
    other = env.site / "transformers-4.41.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.41.0\n")


@breaks()
def a_requirement_that_nothing_trips_over(env: Any) -> None:
    env.install("regex", "2020.1.1")
    env.install("transformers", requires=["regex!=2020.1.1", "tokenizers", "filelock"])


@pytest.mark.parametrize(("name", "fails", "break_it"), BREAKS, ids=[name for name, _, _ in BREAKS])
def test_what_is_wrong_is_named_and_nothing_else(
    environment: Any, name: str, fails: set[str], break_it: Break
) -> None:
    break_it(environment)
    findings = environment.findings()
    failed = {one.id: one for one in findings if one.status == "fail"}
    assert set(failed) == fails, {one.id: (one.title, one.found) for one in failed.values()}
    for one in failed.values():
        assert one.title and one.found and one.expected and one.why and one.source


def test_there_are_enough_of_them() -> None:
    assert len(BREAKS) >= 25


def test_nothing_is_wrong_with_a_healthy_one(environment: Any) -> None:
    findings = environment.findings()
    assert [one.id for one in findings if one.status in ("fail", "warn")] == []
    assert sum(one.id.startswith("import-") for one in findings) == 12
    (training,) = [one for one in findings if one.id == "import-training"]
    assert training.status == "ok" and "LoRA" in training.title


def test_the_founding_incident_in_full(environment: Any) -> None:
    founding_incident(environment)
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert "peft 0.17.1" in fail.title and "transformers 4.41.0" in fail.title
    assert ">=4.44.0,<5" in fail.expected and "HybridCache" in fail.why
    assert "EncoderDecoderCache" in fail.consequences[0]
    assert fail.consequences[1:] == (
        "training with LoRA was not tried: it loads peft",
        "A Trainer of transformers 4.41.0 cannot resume with torch 2.13.0",
    )


def test_one_cause_with_its_consequences(environment: Any) -> None:
    environment.install("tokenizers", "0.19.1")
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert [one.split()[0] for one in fail.consequences] == ["transformers", "peft", "training"]


def test_what_the_cockpit_asks_of_the_same_package_is_no_second_cause(environment: Any) -> None:
    environment.install("tokenizers", "0.19.1")
    facts = environment.facts()
    facts.own = True
    asked = ["tokenizers>=0.22", "regex>=2099"]
    fails = {one.id: one for one in package_findings(facts, knowledge(), asked) if one.status == "fail"}
    assert set(fails) == {"tokenizers-for-457-515", "requires-cxr-cockpit-regex"}
    assert "cxr-cockpit needs tokenizers>=0.22" in fails["tokenizers-for-457-515"].consequences[-1]


def test_a_hang_is_found_with_the_place_where_it_hangs(environment: Any) -> None:
    environment.edit("tokenizers/__init__.py", "import time\ntime.sleep(100)")
    (fail,) = [one for one in environment.findings(seconds=2.0) if one.status == "fail"]
    assert fail.id == "hangs-tokenizers"
    assert "tokenizers/__init__.py:2" in fail.found
    assert any("peft was not tried" in one for one in fail.consequences)


def test_a_training_that_hangs_ends_with_the_place_where_it_hangs(environment: Any) -> None:
    environment.edit("peft/back_ends.py", "import time\ntime.sleep(100)")
    (fail,) = [one for one in environment.findings(seconds=2.0) if one.status == "fail"]
    assert fail.id == "hangs-peft" and fail.title.startswith("Training with LoRA, in peft 0.17.1, does not")
    assert "peft/back_ends.py:2" in fail.found


def test_what_training_could_not_do_is_told(environment: Any) -> None:
    an_adapter_that_cannot_be_saved(environment)
    findings = environment.findings()
    (fail,) = [one for one in findings if one.status == "fail"]
    assert fail.consequences[0].startswith("training with LoRA fails to save the adapter: ModuleNotFound")
    assert "requires-torch-jinja2" not in {one.id for one in findings}


def test_a_back_end_is_replaced_or_removed(environment: Any) -> None:
    a_back_end_that_nothing_is_known_of(environment)
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert "peft 0.17.1 loads hqq" in fail.why
    assert [one.install or one.uninstall for one in fail.repairs] == [("hqq>0.2.0",), ("hqq",)]


def test_what_the_fix_of_another_failure_replaces_is_a_consequence(environment: Any) -> None:
    accelerate_without_clear_device_cache(environment)
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert "transformers 4.57.6 cannot train with accelerate 0.30.1" in fail.consequences


def test_pythonpath_is_seen_and_isolation_proves_it(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = environment.work / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "numpy.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert fail.id == "shadowed-numpy"
    assert "Isolated from it, the import works." in fail.why


def test_what_pythonpath_shows_is_no_matter_for_an_installer(
    environment: Any, monkeypatch: pytest.MonkeyPatch, make_files: Callable[..., dict[str, str]]
) -> None:
    """An older release of another Python's, refused before it is imported."""
    other = environment.work / "python3.8" / "site-packages"
    for file, text in make_files("tokenizers", "0.13.3").items():
        (other / file).parent.mkdir(parents=True, exist_ok=True)
        (other / file).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(other))
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert fail.id == "shadowed-tokenizers" and str(other) in fail.found
    assert "out of PYTHONPATH" in fail.why and not fail.repairs


def test_a_variable_that_changes_imports_is_the_cause(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    with (environment.site / "huggingface_hub" / "__init__.py").open("a") as file:
        file.write("import warnings\nwarnings.warn('old', DeprecationWarning)\n")
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert fail.id == "environment-pythonwarnings" and "unset PYTHONWARNINGS" in fail.why


def test_a_changed_file_is_told(environment: Any) -> None:
    an_emptied_file(environment)
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert "peft_model.py has 0 bytes" in fail.why


def test_the_file_that_keeps_an_interpreter_from_starting_is_named(environment: Any) -> None:
    (environment.site / "broken.pth").write_text("import os; os._exit(3)\n")
    (environment.site / "fine.pth").write_text("import os\n")
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert fail.id == "interpreter-start" and fail.why.startswith("broken.pth runs")
    assert fail.repairs[0].aside == (str(environment.site / "broken.pth"),)


def test_a_sitecustomize_that_raises_is_a_warning(environment: Any) -> None:
    (environment.site / "sitecustomize.py").write_text("raise RuntimeError('boo')\n")
    found = {one.id: one for one in environment.findings()}
    assert found["broken-sitecustomize"].status == "warn"


def test_what_is_left_lying_about_is_told(environment: Any) -> None:
    (environment.work / "=4.44.0").write_text("Collecting transformers\n")
    (environment.site / "~ransformers").mkdir()
    (environment.site / "broken.pth").write_text("import nothing_of_that_name\n")
    found = {one.id: one for one in environment.findings()}
    assert found["redirected-requirement"].status == "warn"
    assert found["redirected-requirement"].fix == (("rm", "--", str(environment.work / "=4.44.0")),)
    assert found["leftover-ransformers"].status == "info"
    assert found["broken-pth"].status == "warn"
    assert not [one for one in found.values() if one.status == "fail"]


def test_two_versions_are_told_with_the_one_that_runs(environment: Any) -> None:
    two_versions_recorded_but_it_works(environment)
    found = {one.id: one for one in environment.findings()}
    assert found["two-versions-transformers"].status == "warn"
    assert "4.57.6" in found["two-versions-transformers"].why
    assert "trainer-resume-weights-only" not in found


def test_an_unmet_requirement_is_a_warning(environment: Any) -> None:
    a_requirement_that_nothing_trips_over(environment)
    found = {one.id: one for one in environment.findings()}
    assert found["requires-transformers-regex"].status == "warn"


def test_an_old_version_that_works_is_still_told(environment: Any) -> None:
    environment.install("safetensors", "0.3.1")
    environment.install("transformers", requires=["safetensors>=0.4.3", "tokenizers", "filelock"])
    found = {one.id: one for one in environment.findings()}
    assert found["requires-transformers-safetensors"].status == "warn"


def test_what_has_no_readable_metadata_is_not_called_missing(environment: Any) -> None:
    metadata_that_is_no_text(environment)
    found = {one.id: one for one in environment.findings()}
    assert found["broken-metadata-accelerate"].status == "warn"
    assert "requires-peft-accelerate" not in found


def test_what_an_installer_put_aside_is_no_second_version(environment: Any) -> None:
    what_an_installer_put_aside(environment)
    assert "two-versions-peft" not in {one.id for one in environment.findings()}


def test_one_finding_for_each_id(environment: Any) -> None:
    environment.remove("numpy")
    (environment.work / "torch.py").write_text("")
    ids = [one.id for one in environment.findings()]
    assert len(set(ids)) == len(ids)


def test_what_was_left_out_is_told_beside_what_is_broken(environment: Any) -> None:
    pillow_was_left_out_of_what_is_broken_otherwise(environment)
    found = {one.id: one for one in environment.findings()}
    assert found["missing-pillow"].status == "warn" and found["missing-pillow"].repairs


def test_an_interpreter_that_does_not_start_is_the_only_cause(environment: Any) -> None:
    (environment.site / "sitecustomize.py").write_text("import os\nos._exit(7)\n")
    fails = [one.id for one in environment.findings() if one.status == "fail"]
    assert fails == ["interpreter-start"]


def test_a_shadow_that_does_no_harm_yet_is_a_warning(environment: Any) -> None:
    (environment.work / "filelock.py").write_text("")
    found = {one.id: one for one in environment.findings()}
    assert found["shadowed-filelock"].status == "warn"
    assert not [one for one in found.values() if one.status == "fail"]


# What lies outside the environment: on PYTHONPATH, in the working folder, in the user's own site folder.


def put(place: Path, files: dict[str, str]) -> None:
    for file, text in files.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(text)


def other_transformers(place: Path, make_files: Callable[..., dict[str, str]], version: str) -> None:
    """A whole transformers with its metadata, and what it rests on, as another environment's folder holds it."""
    files = make_files("transformers", version, requires=["tokenizers>=0.19,<0.20"])
    files["transformers/__init__.py"] = (
        files["transformers/__init__.py"]
        .replace("class EncoderDecoderCache: pass\n", "")
        .replace("class HybridCache: pass\n", "")
    )
    put(place, files | {"transformers/dependency_versions_check.py": "def check(): pass\n"})
    put(place, make_files("tokenizers", "0.19.1"))


def test_a_shadow_with_metadata_is_one_finding_and_nothing_is_offered(
    environment: Any, monkeypatch: pytest.MonkeyPatch, make_files: Callable[..., dict[str, str]]
) -> None:
    """The environment is healthy: fitting it to what PYTHONPATH shows would break it."""
    other = environment.work / "other" / "site-packages"
    other_transformers(other, make_files, "4.41.0")
    monkeypatch.setenv("PYTHONPATH", str(other))
    check = environment.check()
    list(check.run())
    bad = [one for one in check.findings if one.status in ("fail", "warn") and one.group != "machine"]
    assert [one.id for one in bad] == ["shadowed-transformers"]
    told = bad[0]
    assert told.id == "shadowed-transformers" and told.status == "fail"
    assert str(other) in told.found and "tokenizers" in told.found and "out of PYTHONPATH" in told.why
    assert not told.fix and check.plan is None and not check.plans
    assert check.facts.versions()["transformers"] == "4.57.6" and not check.facts.broken_alone()


@pytest.mark.parametrize("where", ["PYTHONPATH", "working folder"])
def test_metadata_alone_counts_for_nothing(
    environment: Any, monkeypatch: pytest.MonkeyPatch, make_files: Callable[..., dict[str, str]], where: str
) -> None:
    """A folder that `pip install --target` left, of a package that nothing here loads as it lies there."""
    place = environment.work if where == "working folder" else environment.work / "target"
    files = make_files("accelerate", "0.20.0", requires=["numpy<1"])
    put(place, {file: text for file, text in files.items() if "dist-info" in file})
    if where == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(place))
    findings = environment.findings()
    assert [one.id for one in findings if one.status in ("fail", "warn")] == []


def test_the_users_own_site_folder_counts_for_nothing(
    environment: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    make_files: Callable[..., dict[str, str]],
) -> None:
    """An environment that is open to it; with what is there it fails, and there is one finding that says so."""
    settings = environment.root / "pyvenv.cfg"
    settings.write_text(settings.read_text().replace("site-packages = false", "site-packages = true"))
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "base"))
    user = tmp_path / "base" / environment.site.relative_to(environment.root)
    other_transformers(user, make_files, "4.41.0")
    environment.remove("transformers")
    findings = environment.findings()
    (fail,) = [one for one in findings if one.status == "fail"]
    assert fail.id == "shadowed-transformers" and str(user) in fail.found
    assert "PYTHONNOUSERSITE" in fail.why and not fail.repairs
    facts = environment.facts()
    assert "transformers" not in facts.versions() and facts.as_run().versions()["transformers"] == "4.41.0"


def test_what_is_wrong_behind_a_shadow_is_told_too(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    founding_incident(environment)
    put(environment.work / "first", {"numpy.py": "raise RuntimeError('not this one')\n"})
    monkeypatch.setenv("PYTHONPATH", str(environment.work / "first"))
    fails = {one.id: one for one in environment.findings() if one.status == "fail"}
    assert set(fails) == {"shadowed-numpy", "peft-016-017-old-transformers"}
    assert not fails["shadowed-numpy"].repairs and fails["peft-016-017-old-transformers"].repairs


def test_what_works_only_with_pythonpath_is_no_failure_and_is_said(
    environment: Any, monkeypatch: pytest.MonkeyPatch, make_files: Callable[..., dict[str, str]]
) -> None:
    """As clusters have it: a module puts the packages on PYTHONPATH."""
    environment.remove("torch")
    put(environment.work / "modules", make_files("torch"))
    monkeypatch.setenv("PYTHONPATH", str(environment.work / "modules"))
    findings = {one.id: one for one in environment.findings()}
    assert not [one for one in findings.values() if one.status in ("fail", "warn")]
    assert "torch" in findings["needs-what-is-outside"].title
    assert str(environment.work / "modules") in findings["needs-what-is-outside"].found


def test_a_fix_is_held_without_what_lies_outside(
    environment: Any, monkeypatch: pytest.MonkeyPatch, make_files: Callable[..., dict[str, str]]
) -> None:
    """As it is run all works, with the peft of PYTHONPATH; the environment's own has been broken meanwhile."""
    put(environment.work / "modules", make_files("peft"))
    monkeypatch.setenv("PYTHONPATH", str(environment.work / "modules"))
    before, after = environment.check(), environment.check()
    list(before.run())
    an_emptied_file(environment)
    after.both = True
    list(after.run())
    assert before.ok and after.ok
    assert after.worse_than(before) == ["peft, isolated", "training, isolated"]


@pytest.mark.parametrize(
    ("name", "value"), [("PYTHONHOME", "/nowhere"), ("PYTHONHASHSEED", "x"), ("PYTHONIOENCODING", "bogus")]
)
def test_a_variable_that_keeps_python_from_starting_is_the_one_finding(
    environment: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    findings = environment.findings()
    (bad,) = [one for one in findings if one.status in ("fail", "warn")]
    assert bad.id == "interpreter-start" and bad.status == "fail"
    assert f"With {name} set" in bad.title and f"{name}={value}" in bad.found and f"unset {name}" in bad.why
    assert sum(one.id.startswith("import-") for one in findings) == 12


@pytest.mark.parametrize("kept", [(), ("numpy", "pillow")])
def test_an_environment_without_the_stack_is_one_finding(environment: Any, kept: tuple[str, ...]) -> None:
    for package in environment.site.glob("*.dist-info"):
        name = package.name.split("-")[0]
        if name not in kept:
            environment.remove(name)
    (fail,) = [one for one in environment.findings() if one.status in ("fail", "warn")]
    assert fail.id == "empty-environment"
    assert "transformers==5.23.0" in fail.repairs[0].install


def test_nothing_but_one_command_for_an_empty_one(environment: Any) -> None:
    """The index is not asked: what was tested together needs no proof, and to look may mean gigabytes."""
    for package in environment.site.glob("*.dist-info"):
        environment.remove(package.name.split("-")[0])
    check = environment.check()
    list(check.run())
    assert check.plan is not None and check.plan.proof == "a set that was tested together"
    (command,) = check.plan.commands
    assert list(command[-7:]) == knowledge().tested_set(check.facts.python)


def checked_out(env: Any, name: str, recorded: str, code: str, files: dict[str, str], way: str) -> Path:
    """A package installed as a link to source code, which has been moved to another release since."""
    env.remove(name)
    checkout = env.work.parent / f"{name}-source"
    put(checkout / "src", files)
    metadata = env.site / f"{name}-{recorded}.dist-info"
    if way == "develop":
        metadata = checkout / "src" / f"{name}.egg-info"
    put(
        metadata,
        {
            "PKG-INFO"
            if way == "develop"
            else "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {recorded}\n",
            "top_level.txt": f"{name}\n",
        },
    )
    if way == "link":
        url = f"file://{checkout}"
        (metadata / "direct_url.json").write_text(f'{{"dir_info": {{"editable": true}}, "url": "{url}"}}')
    (env.site / f"{name}.pth").write_text(f"{checkout / 'src'}\n")
    return checkout


@pytest.mark.parametrize("way", ["link", "develop"])
def test_a_checkout_that_was_moved_is_the_root_not_what_it_calls(
    environment: Any, make_files: Callable[..., dict[str, str]], way: str
) -> None:
    """The code of a newer peft asks transformers for what it has not got, and its metadata knows nothing of it."""
    model = "import transformers\nfrom transformers import NewestThing\nclass PeftModel: pass"
    files = make_files("peft", "0.22.0.dev0", {"peft/peft_model.py": model})
    checkout = checked_out(
        environment,
        "peft",
        "0.17.1",
        "0.22.0.dev0",
        {k: v for k, v in files.items() if "dist-info" not in k},
        way,
    )
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert fail.id == "checkout-differs-peft" and str(checkout) in fail.found
    assert "0.22.0.dev0" in fail.title and "0.17.1" in fail.title and not fail.repairs
    assert any("NewestThing" in one for one in fail.consequences)


def test_a_checkout_that_is_called_is_the_root_too(
    environment: Any, make_files: Callable[..., dict[str, str]]
) -> None:
    place = environment.work / "made"
    other_transformers(place, make_files, "4.41.0")
    files = {
        str(path.relative_to(place)): path.read_text()
        for path in place.rglob("transformers/*")
        if path.is_file()
    }
    checked_out(environment, "transformers", "4.57.6", "4.41.0", files, "link")
    (fail,) = [one for one in environment.findings() if one.status == "fail"]
    assert fail.id == "checkout-differs-transformers" and not fail.repairs


def test_a_checkout_that_is_as_recorded_is_not_told(
    environment: Any, make_files: Callable[..., dict[str, str]]
) -> None:
    files = {k: v for k, v in make_files("peft").items() if "dist-info" not in k}
    checked_out(environment, "peft", "0.17.1", "0.17.1", files, "link")
    assert [one.id for one in environment.findings() if one.status in ("fail", "warn")] == []
