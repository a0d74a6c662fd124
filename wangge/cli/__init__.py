"""The `wangge` command: runs a system on one machine and talks to a running one."""
