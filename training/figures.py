"""Former name of training.report.figures, which recorded commands have."""

import runpy

if __name__ == "__main__":
    runpy.run_module("training.report.figures", run_name="__main__", alter_sys=True)
