"""Reaching an engine: where it is, what it says, and whose fault a failure is. Below everything that uses one."""
