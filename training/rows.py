"""Former name of training.report.rows, which recorded commands have."""

import runpy

if __name__ == "__main__":
    runpy.run_module("training.report.rows", run_name="__main__", alter_sys=True)
