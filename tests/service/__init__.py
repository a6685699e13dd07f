"""The tests of service/, around a fake engine but for test_engine, test_shipped_models and test_process."""
