"""Figures from what the machine prints, and a failure that costs its own figures only.

No Mac runs these tests: the texts are as its commands print them.
"""

import json
import math
import platform
import shutil
import sys
import threading
from typing import Any

import pytest
import torch

from engine.training.device import samplers
from engine.training.device.device import Cpu, Cuda, Device, Mps
from engine.training.device.samplers import Gauges, Sampler, Unknown

IOREG = """+-o AGXAcceleratorG15X  <class AGXAcceleratorG15X, id 0x100000a2f, registered, matched, active, busy 0 (4 ms)>
    {
      "gpu-core-count" = 80
      "PerformanceStatistics" = {"In use system memory (driver)"=0,"Alloc system memory"=21343043584,"Tiler Utilization %"=12,"Device Utilization %"=37,"In use system memory"=507330560}
      "model" = "Apple M3 Ultra"
    }
"""  # noqa: E501


@pytest.mark.parametrize(
    ("text", "busy"),
    [
        (IOREG, 0.37),
        (IOREG.replace("=37", "=0"), 0.0),
        (IOREG.replace("=37", " = 104"), 1.0),
        (IOREG + IOREG.replace("=37", "=90"), 0.9),
    ],
)
def test_ioreg(text: str, busy: float) -> None:
    assert samplers.ioreg_busy(text) == busy


@pytest.mark.parametrize("text", ["", "+-o AppleParavirtGPU", IOREG.replace("Device Utilization", "Device")])
def test_ioreg_without_the_figure_is_not_idle(text: str) -> None:
    with pytest.raises(Unknown, match="Device Utilization"):
        samplers.ioreg_busy(text)


@pytest.mark.parametrize(
    ("answer", "busy"),
    [({"gpu_active_ratio": 0.09, "gpu_usage": [1, 0.5]}, 0.09), ({"gpu_usage": [461, 0.25]}, 0.25)],
)
def test_macmon_of_both_forms(answer: dict[str, Any], busy: float) -> None:
    assert samplers.macmon_busy(json.dumps(answer) + "\n") == busy


@pytest.mark.parametrize("text", ["", "Error: no IOReport", "{}", '{"gpu_usage": []}', '{"gpu_usage": null}'])
def test_macmon_without_the_figure(text: str) -> None:
    with pytest.raises(Unknown, match="macmon"):
        samplers.macmon_busy(text)


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        (
            "kern.memorystatus_vm_pressure_level: 1\niogpu.wired_limit_mb: 0\n",
            {"memory/pressure": 0.0},
        ),
        (
            "kern.memorystatus_vm_pressure_level: 4\niogpu.wired_limit_mb: 458752\n",
            {"memory/pressure": 1.0, "memory/wired_limit": 448 * 2.0**30},
        ),
        ("kern.memorystatus_vm_pressure_level: 2\n", {"memory/pressure": 0.5}),
    ],
)
def test_pressure_and_wired_limit_of_a_mac(text: str, figures: dict[str, float]) -> None:
    assert samplers.mac_memory_of(text) == figures


@pytest.mark.parametrize("text", ["", "kern.memorystatus_vm_pressure_level: 3\n", "unknown oid\n"])
def test_a_pressure_that_says_nothing_is_unknown(text: str) -> None:
    with pytest.raises(Unknown, match="sysctl"):
        samplers.mac_memory_of(text)


def test_pressure_of_linux() -> None:
    text = "some avg10=12.50 avg60=3.00 avg300=1.00 total=1\nfull avg10=1.00 avg60=0 avg300=0 total=1\n"
    assert samplers.linux_pressure_of(text) == 0.125
    with pytest.raises(Unknown):
        samplers.linux_pressure_of("")


def test_macmon_answers_where_ioreg_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"ioreg": "", "macmon": '{"gpu_usage": [461, 0.25]}'}
    monkeypatch.setattr(samplers, "_said", lambda *command: said[command[0]])
    monkeypatch.setattr(shutil, "which", lambda name, path: f"/opt/homebrew/bin/{name}")
    assert samplers.mac_gpu() == {"gpu/utilization": 0.25}
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(Unknown, match="ioreg"):
        samplers.mac_gpu()


def test_nvidia_is_asked_by_the_name_that_cuda_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a stand-in for the binding of NVML."""
    asked: list[str] = []

    class StandInNvml:
        nvmlInit = staticmethod(lambda: None)
        nvmlDeviceGetHandleByUUID = staticmethod(lambda name: asked.append(name) or "handle")
        nvmlDeviceGetUtilizationRates = staticmethod(lambda handle: type("Rates", (), {"gpu": 64}))

    monkeypatch.setitem(sys.modules, "pynvml", StandInNvml)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda place: type("Properties", (), {"uuid": "a-b"})
    )
    read = samplers.nvidia_gpu(torch.device("cuda"))
    assert read() == read() == {"gpu/utilization": 0.64}
    assert asked == ["GPU-a-b"]


def tags_of(device: Device) -> set[str]:
    both = samplers.quick_samplers(device) + samplers.slow_samplers(device)
    return {tag for sampler in both for tag in sampler.tags}


def test_each_device_has_its_figures(mps: Mps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    of_device = {"memory/device", "memory/device_reserved", "memory/device_limit", "gpu/utilization"}
    assert not tags_of(Cpu(torch.device("cpu"))) & of_device
    assert of_device <= tags_of(mps) and of_device <= tags_of(Cuda(torch.device("cuda")))
    assert {"memory/process", "memory/swap_used", "memory/pressure", "memory/wired_limit"} <= tags_of(mps)


def test_a_sampler_that_fails_costs_its_own_figures_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Event()

    def broken() -> dict[str, float]:
        raise OSError("the driver is gone")

    def other() -> dict[str, float]:
        asked.set()
        return {"memory/swap_used": 7.0}

    monkeypatch.setattr(samplers, "quick_samplers", lambda _: [Sampler(("memory/device",), broken)])
    monkeypatch.setattr(
        samplers,
        "slow_samplers",
        lambda _: [Sampler(("gpu/utilization",), broken), Sampler(("memory/swap_used",), other)],
    )
    gauges = Gauges(Cpu(torch.device("cpu")), seconds=0.001)
    with gauges:
        for _ in range(3):
            asked.clear()
            assert asked.wait(60)
        figures = gauges.read()
    assert figures["memory/swap_used"] == 7.0
    assert math.isnan(figures["memory/device"]) and math.isnan(figures["gpu/utilization"])
    assert len(caplog.records) == 2 and "the driver is gone" in caplog.text


def test_what_is_in_use_is_the_devices_where_it_has_memory(mps: Mps, standin: Any) -> None:
    standin.live = 2**30
    assert Gauges(mps).in_use() == 2**30
    assert (Gauges(Cpu(torch.device("cpu"))).in_use() or 0) > 2**20
