"""Building images of a Dockerfile that nobody trusts: what it may ask, who builds it, what is said when it fails."""
