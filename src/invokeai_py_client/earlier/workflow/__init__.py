"""Modules that client 1.1 had in `invokeai_py_client.workflow`."""
