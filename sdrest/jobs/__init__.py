"""What a job is, where it stands, and the queue that moves it."""
