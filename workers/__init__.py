"""Taskiq brokers, tasks and schedules. The table of tasks is empty until there are jobs to run."""
