"""What a wheel holds besides its packages: the bundled zoo and its project's files."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BUNDLED = ("data/zoo", "data/tasks", "params.yaml", "dvc.yaml", ".dvc/plots")


class BuildWithZoo(build_py):
    """Puts the zoo into ``germline/bundled``; an editable installation has it in the checkout."""

    def run(self) -> None:
        """Build the packages, then copy the zoo next to them."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "germline/bundled")
        shutil.rmtree(target, ignore_errors=True)
        for name in BUNDLED:
            source = Path(name)
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target / name)
            else:
                shutil.copyfile(source, target / name)


setup(cmdclass={"build_py": BuildWithZoo})
