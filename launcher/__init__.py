"""One machine: finds Java, fetches jars, runs the broker and the services, the `headgate` command."""
