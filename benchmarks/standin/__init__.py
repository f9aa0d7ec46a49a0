"""A repository in the fork's shape whose scripts draw bars and copy a picture, for both servers."""
