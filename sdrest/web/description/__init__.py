"""What the API says of itself: the OpenAPI document and its page."""
