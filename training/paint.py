"""Former name of training.quantize_dataset, which recorded commands have."""

import runpy

if __name__ == "__main__":
    runpy.run_module("training.quantize_dataset", run_name="__main__", alter_sys=True)
