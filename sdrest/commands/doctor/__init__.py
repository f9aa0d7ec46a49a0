"""`sdrest doctor`: what is right and wrong here, each with its remedy."""
