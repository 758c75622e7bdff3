"""Where jobs are run: the workers, the scheduler, and one file of tasks per domain word. What is decided, services decide."""
