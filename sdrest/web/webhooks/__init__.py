"""Webhooks: messages about jobs to addresses that clients name."""
