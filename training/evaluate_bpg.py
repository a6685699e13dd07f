"""Former name of training.evaluate.bpg, which recorded commands have."""

import runpy

if __name__ == "__main__":
    runpy.run_module("training.evaluate.bpg", run_name="__main__", alter_sys=True)
