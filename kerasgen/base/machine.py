"""What of this machine and its environment the last bits of a training hang on."""

import hashlib
import os
import platform
from pathlib import Path

# What makes XLA's or oneDNN's products other products. The number of threads does not (OMP_NUM_THREADS,
# TF_NUM_INTRAOP_THREADS), nor does TF_ENABLE_ONEDNN_OPTS, nor keras.json: weights were equal to the last bit.
_VARIABLES = (
    "XLA_FLAGS", "TF_XLA_FLAGS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip
FUSED_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=400000"  # what kerasgen sets itself


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def facts() -> dict[str, str]:
    """Return what the last bits hang on, by name: cores, the processor, and variables of the environment."""
    found = {name: os.environ.get(name, "").replace(FUSED_LOOPS, "").strip() for name in _VARIABLES}
    return {"cores": str(cores()), "processor": _processor(), **{name: value for name, value in found.items() if value}}


def changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Say what differs: ``["cores 4, now 2"]``."""
    names = sorted({*before, *now})
    return [f"{n} {before.get(n, 'unset')}, now {now.get(n, 'unset')}" for n in names if before.get(n) != now.get(n)]


def multiplies_bfloat16() -> bool:
    """Tell whether the processor has instructions for products of bfloat16 (AVX-512 or AMX)."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_described()[1])


def _processor() -> str:
    """Return the processor's name and a digest of its features, which decide which instructions are used."""
    name, features = _described()
    if not features:  # not Linux
        return name
    return f"{name} ({hashlib.sha256(' '.join(features).encode()).hexdigest()[:8]})"


def _described() -> tuple[str, list[str]]:
    """Return the processor's name and its features, sorted; none where only Linux would tell them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine(), []
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    features = sorted((found.get("flags") or found.get("Features") or "").split())
    return found.get("model name", platform.machine()), features
