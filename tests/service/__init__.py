"""The tests of service/, around a fake engine but for test_engine and test_process."""
