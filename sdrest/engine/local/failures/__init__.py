"""Why a script failed, in words that a person can act on."""
