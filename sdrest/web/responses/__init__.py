"""Writes responses: JSON, errors, images, and the headers that they share."""
