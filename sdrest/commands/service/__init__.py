"""`sdrest service`: the server or a worker as a service of systemd or launchd."""
