"""The app as a service: jobs and their deadlines, health, headers, log, password, end."""
