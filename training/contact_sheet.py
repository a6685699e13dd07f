"""Former name of training.report.contact_sheet, which recorded commands have."""

import runpy

if __name__ == "__main__":
    runpy.run_module("training.report.contact_sheet", run_name="__main__", alter_sys=True)
