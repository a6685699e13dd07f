"""Former name of training.evaluate.palette_modes, which recorded commands have."""

import runpy

if __name__ == "__main__":
    runpy.run_module("training.evaluate.palette_modes", run_name="__main__", alter_sys=True)
