"""How the kernel is compiled; `pyproject.toml` holds what is not about compiling.

One binary serves every Python from 3.11 on (the stable ABI). Where there is no compiler the package
installs without the module, and the server answers through ONNX Runtime.
"""

import atexit
import glob
import os
import shutil
import tempfile

from setuptools import Extension, setup

FLAGS = [
    "-O3",
    "-std=c11",
    # A fused multiply-add rounds once where scikit-learn's code rounds twice: other last bits.
    "-ffp-contract=off",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
]

# This folder is part of a Docker build context, whose digest names the image: leave nothing in it.
leftovers = tempfile.mkdtemp(prefix="greenlight-kernel-")
atexit.register(shutil.rmtree, leftovers, ignore_errors=True)

setup(
    ext_modules=[
        Extension(
            "greenlight_kernel",
            sources=sorted(glob.glob("src/*.c")),
            depends=sorted(glob.glob("src/*.h")),
            extra_compile_args=FLAGS,
            libraries=["m"] if os.name == "posix" else [],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={
        "build": {"build_base": leftovers},
        "egg_info": {"egg_base": leftovers},
        "bdist_wheel": {"py_limited_api": "cp311"},
    },
)
